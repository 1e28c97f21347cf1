"""Whether releases that are about to be installed were retracted since the mod database last told of them."""

import threading
from collections.abc import Collection

from mods import moddb, refresh, status
from mods.models import InstalledMod, Release
from vsadmin.lib import logs

#: Seconds for one question: the change waits for it, and goes on without it.
_DEADLINE = 5.0


def note(releases: Collection[Release], *, stop: threading.Event | None = None) -> None:
    """Ask which of these are retracted by now, and store that. Raises DatabaseError.

    What the mod database can't be asked about stays as it is known: an outage keeps nobody from files that are at hand.
    """
    offered = {(one.modid, one.version): one for one in releases if one.modid and not one.withdrawn}
    if not offered:
        return
    keys = set()
    for release, info in _retracted(offered, stop):
        keys.add(release.modid_key)
        Release.objects.filter(pk=release.pk).update(
            retracted=True,
            retraction_reason=info.retraction_reason,
            retracted_by_moderator=info.retracted_by_moderator,
        )
    if keys:
        status.update(InstalledMod.objects.filter(modid_key__in=keys))


def _retracted(
    offered: dict[tuple[str, str], Release], stop: threading.Event | None
) -> list[tuple[Release, moddb.InstallInfo]]:
    found = []
    with refresh.client(stop, deadline=_DEADLINE, retries=0) as database:
        batches, _alone = moddb.batch_pairs(offered, base_url=database.base_url)
        for batch in batches:
            try:
                told = database.install_information(batch, "")
            except moddb.ModDBError as error:
                logs.event("moddb_retractions_not_asked", ids=len(offered), reason=error.text)
                break
            for pair in batch:
                info, release = told.get(pair[0].lower()), offered.get(pair)
                if release is not None and info is not None and info.retracted:
                    found.append((release, info))
    return found
