"""The cache's figures and results in words, for pages."""

from urllib.parse import urlsplit

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cache.eviction import Evicted
from cache.statistics import Statistics
from vsadmin.lib import sizes


def size(count: int) -> str:
    """Bytes as people read them: "512 bytes", "12.3 MiB"."""
    return sizes.in_words(count)


def files(count: int) -> str:
    return ngettext("%s file", "%s files", count) % number_format(count, force_grouping=True)


def share(rate: float | None) -> str:
    """A share from 0 to 1 as "80 %"; "–" where there is none."""
    return "–" if rate is None else _("%d %%") % round(rate * 100)


def used(found: Statistics) -> str:
    """The heading: "380 of 500 MiB used."."""
    if not found.file_count and not found.total_size_bytes:
        return _("The cache is empty.")
    if not found.max_size_bytes:
        return _("%s used, no limit is set.") % size(found.total_size_bytes)
    number, unit = sizes.scaled(found.total_size_bytes)
    limit_number, limit_unit = sizes.scaled(found.max_size_bytes)
    amount = number if unit == limit_unit else f"{number} {unit}"
    return _("%(used)s of %(limit)s used.") % {"used": amount, "limit": f"{limit_number} {limit_unit}"}


def done(result: Evicted) -> str:
    """What a pass removed, and what it couldn't, with what to do about that."""
    sentences = []
    if result.files or not result.failed:
        sentences.append(
            _("%(files)s removed, %(freed)s freed, %(left)s left.")
            % {"files": files(result.files), "freed": size(result.bytes_freed), "left": size(result.bytes_left)}
        )
    if result.failed:
        sentences.append(
            ngettext(
                "%s couldn't be removed; the log names it. Make it removable for the user running vsadmin.",
                "%s couldn't be removed; the log names them. Make them removable for the user running vsadmin.",
                result.failed,
            )
            % files(result.failed)
        )
    return " ".join(sentences)


def source(text: str) -> str:
    """Where a file came from, short: the host of an address, else the text itself."""
    try:
        return urlsplit(text).hostname or text
    except ValueError:
        return text
