"""Mods that the mod database had and denies now: whether that is believed."""

from collections.abc import Collection
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from mods import moddb
from mods.models import Lookup, Mod
from vsadmin.lib import logs

#: Fewer than these may well have gone.
_FEW = 3
#: What is said for so long is believed in the end.
BELIEVED_AFTER = timedelta(days=1)


def doubt(database: moddb.ModDB, denied: Collection[Lookup], found: Collection[int]) -> str:
    """Why it isn't believed that the `denied` are gone, in plain words; "" if it is.

    A mod database that lacks more than half of what it had is damaged, or another one. `found`: primary keys of the
    mods, known before, that it had just now. If these are too few to judge by, a few others are asked for.
    """
    gone, there = len(denied), len(found)
    if not denied:
        return ""
    others = Mod.objects.exclude(pk__in=[*found, *(one.mod_id for one in denied if one.mod_id)]).order_by("-downloads")
    for number in others.values_list("mod_id", flat=True)[: max(0, _FEW - there)]:
        try:
            database.mod(number)
            there += 1
        except moddb.NotFound:
            gone += 1
        except moddb.ModDBError:
            break
    if gone < _FEW or gone <= there:
        return ""
    logs.event("moddb_absences_doubted", denied=gone, found=there)
    return _(
        "The mod database denies most of the mods that it had, which can't be right. What was known of them stays."
    )


def is_believed(lookup: Lookup) -> bool:
    """Whether it has been said for so long that it must be true."""
    return lookup.doubted_since is not None and timezone.now() - lookup.doubted_since >= BELIEVED_AFTER
