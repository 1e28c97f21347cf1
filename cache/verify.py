"""Bringing rows, files and counters back into agreement, after a crash or after somebody's hands.

A row without its file is dropped, and so is a file whose bytes changed. A file without a row, named as ours, is
adopted. Any other file is reported and never touched. The kept counters are set right.
"""

import logging
import os
import stat
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import Count, Sum
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cache import counters, entries, eviction, names, places
from cache.models import CacheEntry, KnownDigest
from vsadmin.lib import files, logs

#: Told while it works: steps done, steps in all, what is being looked at.
Report = Callable[[int, int, str], None]


@dataclass
class Verified:
    """What was found; with `repaired` it is mended, as far as it can be.

    File names: `missing` had a row but no file, `altered` other bytes than when stored, `unrecorded` no row,
    `refused` no row and other bytes than ever before under their key, `foreign` are none of ours, or a second copy of
    an entry; `unreadable` couldn't be read.
    """

    repaired: bool
    rehashed: bool
    entries: int = 0
    stopped: bool = False
    counters_off: bool = False
    leftovers: int = 0
    missing: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def problems(self) -> int:
        """Everything that isn't as it should be."""
        listed = (self.missing, self.altered, self.unrecorded, self.refused, self.foreign, self.unreadable)
        return sum(map(len, listed)) + self.leftovers + self.counters_off

    @property
    def left(self) -> int:
        """What is still not as it should be: what was reported only."""
        if not self.repaired or self.stopped:
            return self.problems
        return len(self.refused) + len(self.foreign) + len(self.unreadable)


_Row = tuple[int, str, str, int, str]
"""Of an entry: pk, key, file name, size, SHA-256."""


def verify(
    *,
    rehash: bool = True,
    repair: bool = False,
    report: Report | None = None,
    stop: threading.Event | None = None,
) -> Verified:
    """Compare rows and files, with `rehash` every byte; mend what differs only with `repair`.

    Stops soon after `stop` is set, with what it has. Raises OSError where the folder can't be read, DatabaseError,
    Busy.
    """
    found = Verified(repair, rehash)
    found.leftovers = files.leftovers(places.staging(), remove=repair).files
    on_disk = _list_folder(found)
    same: list[_Row] = []
    rows = CacheEntry.objects.values_list("pk", "key", "file_name", "size", "sha256")
    for row in rows.iterator(chunk_size=2000):
        found.entries += 1
        size = on_disk.pop(row[2], None)
        if size == row[3]:
            same.append(row)
        else:
            _differs(row, found)
    for number, row in enumerate(same if rehash else []):
        if stop is not None and stop.is_set():
            found.stopped = True
            return _logged(found)
        if report:
            report(number, len(same), row[2])
        _rehash(row, found)
    for name in on_disk:
        if stop is not None and stop.is_set():
            found.stopped = True
            return _logged(found)
        _without_row(name, found)
    _count_again(found)
    if repair:
        eviction.enforce_limit()
    if report:
        report(len(same), len(same), "")
    return _logged(found)


def _list_folder(found: Verified) -> dict[str, int]:
    """The regular files in the cache's folder, with their sizes; anything else there is foreign."""
    listed: dict[str, int] = {}
    staging = places.staging().name
    try:
        with os.scandir(places.folder()) as items:
            for item in items:
                if item.is_file(follow_symlinks=False):
                    listed[item.name] = item.stat(follow_symlinks=False).st_size
                elif item.name != staging:
                    found.foreign.append(item.name)
    except FileNotFoundError:
        pass  # no cache yet
    return listed


def _differs(row: _Row, found: Verified) -> None:
    """A row whose file was missing or of another size when the folder was listed: look again, then drop it."""
    pk, _key, name, size, _sha256 = row
    now = entries.stat_of(name)
    if now is None and CacheEntry.objects.filter(pk=pk).exists():
        found.missing.append(name)
        _drop(pk, None, "file missing", found)
    elif now is not None and (now.st_size != size or not stat.S_ISREG(now.st_mode)):
        _altered(pk, name, now, found)


def _rehash(row: _Row, found: Verified) -> None:
    pk, _key, name, _size, sha256 = row
    try:
        with files.open_regular(entries.path_of(name)) as file:
            seen = os.fstat(file.fileno())
            digest = files.sha256_of(file)
    except FileNotFoundError:
        _differs(row, found)  # evicted meanwhile, most likely
    except OSError:
        found.unreadable.append(name)
    else:
        if digest != sha256:
            _altered(pk, name, seen, found)


def _altered(pk: int, name: str, seen: os.stat_result, found: Verified) -> None:
    if not CacheEntry.objects.filter(pk=pk).exists():
        return  # replaced meanwhile
    found.altered.append(name)
    logs.event("cache_entry_altered", level=logging.WARNING, file=name)
    _drop(pk, seen, "altered on disk", found)


def _drop(pk: int, seen: os.stat_result | None, reason: str, found: Verified) -> None:
    if not found.repaired:
        return
    with places.changing():
        entry = CacheEntry.objects.filter(pk=pk).first()
        if entry is not None and not entries.drop(entry, seen, reason):
            found.unreadable.append(entry.file_name)


def _without_row(name: str, found: Verified) -> None:
    """A file that no row names: adopt it if it is ours."""
    key = names.key_of(name)
    if key is None or CacheEntry.objects.filter(key=key).exclude(file_name=name).exists():
        found.foreign.append(name)
        logs.event("cache_foreign_file", level=logging.WARNING, file=name)
        return
    try:
        with files.open_regular(entries.path_of(name)) as file:
            seen = os.fstat(file.fileno())
            digest = files.sha256_of(file)
    except FileNotFoundError:
        return  # evicted since the folder was listed
    except OSError:
        found.unreadable.append(name)
        return
    known = KnownDigest.objects.filter(key=key).values_list("sha256", flat=True).first()
    promised = key.removeprefix("sha256:") if key.startswith("sha256:") else digest
    if digest != (known or promised):
        found.refused.append(name)
        logs.event("cache_foreign_file", level=logging.WARNING, file=name, key=key, sha256=digest)
        return
    if CacheEntry.objects.filter(key=key).exists():
        return  # stored since the folder was listed
    found.unrecorded.append(name)
    if found.repaired:
        _adopt(name, key, digest, seen)


def _adopt(name: str, key: str, digest: str, seen: os.stat_result) -> None:
    title = name.partition("~")[0]
    entry = CacheEntry(key=key, title=title, file_name=name, size=seen.st_size, sha256=digest, source="", checked=False)
    with places.changing():
        now = entries.stat_of(name)
        if now is None or not entries.same_file(now, seen) or CacheEntry.objects.filter(key=key).exists():
            return
        entry.stored_at = entry.last_accessed_at = timezone.now()
        with transaction.atomic():
            KnownDigest.objects.get_or_create(key=key, defaults={"sha256": digest, "title": title})
            entries.save(entry)
    logs.event("cache_adopted", file=name, size_bytes=seen.st_size)


def _count_again(found: Verified) -> None:
    with places.changing(), transaction.atomic():
        real = CacheEntry.objects.aggregate(files=Count("pk"), bytes=Sum("size", default=0))
        kept = counters.totals()
        by = {"files": real["files"] - kept.files, "bytes": real["bytes"] - kept.bytes}
        found.counters_off = any(by.values())
        if found.repaired:
            counters.add(**by)
    if found.counters_off and found.repaired:
        logs.event("cache_counters_corrected", **by)


def _logged(found: Verified) -> Verified:
    logs.event(
        "cache_verified",
        entries=found.entries,
        rehashed=found.rehashed,
        repaired=found.repaired,
        stopped=found.stopped,
        **{name: len(getattr(found, name)) for name in ("missing", "altered", "unrecorded", "refused", "foreign")},
    )
    return found


def in_words(found: Verified) -> str:
    """The result as a line for people."""
    parts = [ngettext("%d file looked at", "%d files looked at", found.entries) % found.entries]
    for count, text in (
        (len(found.missing), _("%d missing")),
        (len(found.altered), _("%d altered")),
        (len(found.unrecorded), _("%d without a record")),
        (found.leftovers, _("%d left over from broken downloads")),
        (int(found.counters_off), _("the totals were off")),
    ):
        if count:
            parts.append(text % count if "%" in text else text)
    if len(parts) > 1 and found.repaired:
        parts.append(_("mended"))
    for names_, text in (
        (found.refused, _("%d with other content than ever before, left alone")),
        (found.foreign, _("%d that don't belong here, left alone")),
        (found.unreadable, _("%d that can't be read or removed")),
    ):
        if names_:
            parts.append(f"{text % len(names_)} ({', '.join(sorted(names_)[:5])})")
    if found.stopped:
        parts.append(_("stopped before the end"))
    elif len(parts) == 1:
        parts.append(_("all as it should be"))
    return ", ".join(parts)
