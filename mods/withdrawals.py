"""Whether releases that are about to be installed were retracted: since the mod database last told of them, or while
nobody had them, so that all we saw is that they are gone from its list."""

import threading
from collections import defaultdict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor

from django.utils import timezone

from mods import answers, moddb, refresh, status
from mods.models import InstalledMod, Release
from vsadmin.lib import logs
from vsadmin.lib.inturn import InTurn

#: Seconds for one question: the change waits for it, and goes on without it.
_DEADLINE = 5.0


def note(releases: Collection[Release], *, stop: threading.Event | None = None) -> bool:
    """Ask which of these are retracted by now, and store that (in the database alone). Raises DatabaseError.

    What the mod database can't be asked about stays as it is known: an outage keeps nobody from files that are at hand.
    Returns False then.
    """
    unsure = {(one.modid, one.version): one for one in releases if one.modid and not one.retracted}
    if not unsure:
        return True
    keys = set()
    found, answered = _retracted(unsure, stop)
    for release, info in found:
        keys.add(release.modid_key)
        Release.objects.filter(pk=release.pk).update(
            retracted=True,
            retraction_reason=info.retraction_reason,
            retracted_by_moderator=info.retracted_by_moderator,
        )
    if keys:
        status.update(InstalledMod.objects.filter(modid_key__in=keys))
    return answered


def note_unlisted(releases: Collection[Release], *, stop: threading.Event | None = None) -> None:
    """Ask which of these their mods still list, and store what is said; those that aren't listed are gone.

    Releases and mods that a moderator locked are handed out by every other way. One question for each mod; as with
    `note`, what can't be asked stays as it is known. Raises DatabaseError.
    """
    by_mod: dict[int, list[Release]] = defaultdict(list)
    for one in releases:
        if not one.withdrawn:
            by_mod[one.mod.mod_id].append(one)
    asked_at = timezone.now()
    with (
        refresh.client(stop, deadline=_DEADLINE, retries=0) as database,
        ThreadPoolExecutor(refresh.CONNECTIONS) as pool,
    ):
        for number, future in InTurn(pool, database.mod, by_mod, at_once=2 * refresh.CONNECTIONS):
            try:
                details = future.result()
            except moddb.NotFound:
                listed: set[int] | None = set()
            except moddb.ModDBError as error:
                logs.event("moddb_listing_not_asked", mod=number, reason=error.text)
                continue
            else:
                answers.store_mod(details, asked_at=asked_at)
                listed = details.listed if details.is_complete else None
            gone = [one.pk for one in by_mod[number] if listed is not None and one.release_id not in listed]
            Release.objects.filter(pk__in=gone).update(gone_since=timezone.now())
            status.update(InstalledMod.objects.filter(lookup__mod__mod_id=number))


def _retracted(
    unsure: dict[tuple[str, str], Release], stop: threading.Event | None
) -> tuple[list[tuple[Release, moddb.InstallInfo]], bool]:
    """Those that are retracted, with what was said; and whether all questions were answered."""
    found, answered = [], True
    with refresh.client(stop, deadline=_DEADLINE, retries=0) as database:
        batches, _alone = moddb.batch_pairs(unsure, base_url=database.base_url)
        for batch in batches:
            try:
                told = database.install_information(batch, "")
            except moddb.ModDBError as error:
                logs.event("moddb_retractions_not_asked", ids=len(unsure), reason=error.text)
                answered = False
                break
            for pair in batch:
                info, release = told.get(pair[0].lower()), unsure.get(pair)
                if release is not None and info is not None and info.retracted:
                    found.append((release, info))
    return found, answered
