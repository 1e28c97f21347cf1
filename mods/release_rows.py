"""Storing a mod's releases as the mod database listed them; `answers` alone calls it, `refresh` for `heal`.

What is known of a release's file belongs to that file's number: an author may put another file in its place.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db.models import F

from cache import alarms, known
from mods import moddb
from mods.absences import BELIEVED_AFTER
from mods.downloads import cache_key
from mods.models import Mod, Release
from vsadmin.lib import logs

_FACTS = ("modid", "version", "created", "changelog", "file_id", "file_name", "file_url", "game_versions")
#: What only the file itself tells.
_OF_FILE = {"read_file_id": None, "size": None, "sha256": "", "dependencies": None, "file_side": ""}
_AT_ONCE = 500
#: That so many mods lose most of their releases at once is the mod database's fault, not their authors' doing.
_MANY = 3
_COLUMNS = (*_FACTS, *_OF_FILE, "modid_key", "gone_since", "retracted", "retraction_reason", "retracted_by_moderator")


def store(
    mod: Mod, details: moddb.ModDetails, now: datetime, *, asked_at: datetime, explained: Collection[str] = ()
) -> bool:
    """Bring the mod's releases in line with the answer; one that is no longer in it stays, marked gone.

    An answer that lacks more than half of those offered until now is doubted: `mod.doubted_at` (unsaved) is set, and
    they stay until the answer to a later question (`asked_at`) lacks them too; if that is so of several mods at once,
    until a day has passed. `explained`: versions that the mod
    database calls retracted, so that their absence is no wonder. Returns whether anything but counters changed.
    """
    rows = {release.release_id: release for release in Release.objects.filter(mod=mod)}
    fresh, altered, counted = [], [], []
    for info in details.releases:
        release = rows.get(info.release_id)
        if release is None:
            fresh.append(_fill(Release(mod=mod, release_id=info.release_id), info, frozenset()))
            continue
        before, downloads = [getattr(release, name) for name in _COLUMNS], release.downloads
        _fill(release, info, info.unsaid)
        if before != [getattr(release, name) for name in _COLUMNS]:
            altered.append(release)
        elif downloads != release.downloads:
            counted.append(release)
    Release.objects.bulk_create(fresh, batch_size=200)
    if altered:
        Release.objects.bulk_update(altered, [*_COLUMNS, "downloads"], batch_size=50)
    if counted:
        Release.objects.bulk_update(counted, ["downloads"], batch_size=200)
    gone = _gone(mod, list(rows.values()), details, now, asked_at, explained)
    if gone:
        Release.objects.filter(pk__in=gone).update(gone_since=now)
    return bool(fresh or altered or gone)


def _fill(release: Release, info: moddb.ReleaseInfo, unsaid: Collection[str]) -> Release:
    """What is listed among the releases is offered: not gone, not retracted."""
    file_id = release.file_id
    for name in _FACTS:
        if name not in unsaid:
            setattr(release, name, getattr(info, name))
    if "downloads" not in unsaid:
        release.downloads = info.downloads
    release.game_versions = list(release.game_versions)
    release.modid_key = release.modid.lower()
    if file_id != release.file_id:
        for name, nothing in _OF_FILE.items():
            setattr(release, name, nothing)
        release.file_url = info.file_url  # the old one leads to the old file
    release.gone_since = None
    release.retracted = release.retracted_by_moderator = False
    release.retraction_reason = ""
    return release


def _gone(
    mod: Mod,
    rows: Sequence[Release],
    details: moddb.ModDetails,
    now: datetime,
    asked_at: datetime,
    explained: Collection[str],
) -> list[int]:
    """The primary keys of those that are no longer offered, as far as the answer is believed."""
    if not details.is_complete:
        return []
    listed = details.listed
    missing = [row for row in rows if row.release_id not in listed and row.gone_since is None]
    odd = [row for row in missing if not row.retracted and row.version not in explained]
    offered = sum(row.release_id in listed for row in rows if not row.withdrawn) + len(odd)
    if len(odd) * 2 <= offered:
        mod.doubted_at = None
    elif not _is_believed(mod, asked_at):
        mod.doubted_at = min(mod.doubted_at or now, now)
        logs.event("moddb_answer_doubted", mod=mod.mod_id, missing=len(odd), offered=offered)
        return [row.pk for row in missing if row not in odd]
    else:
        mod.doubted_at = None
    return [row.pk for row in missing]


def _is_believed(mod: Mod, asked_at: datetime) -> bool:
    """Whether an answer that lacks most of the mod's releases, as an earlier one did, is true."""
    since = mod.doubted_at
    if since is None or since >= asked_at:
        return False
    day_ago = asked_at - BELIEVED_AFTER
    others = Mod.objects.filter(doubted_at__gt=day_ago).exclude(pk=mod.pk)
    return since <= day_ago or others.count() < _MANY - 1


def keep_read(release: Release) -> bool:
    """Store what `release`'s file said, unless the release has another file by now; returns whether it was stored."""
    facts = {name: getattr(release, name) for name in _OF_FILE} | {"read_file_id": release.file_id}
    return bool(Release.objects.filter(pk=release.pk, file_id=release.file_id).update(**facts))


def heal() -> int:
    """Forget what was read from a file that a release no longer has; returns of how many releases.

    Rows from before this was noted don't tell which file they were read from, but the cache knows the SHA-256 of every
    file that was ever fetched, by its number. If a row's is that of another number too, it was read from that one, and
    what the cache has under the row's present number was put there in error: it would make the true file an alarm.
    Raises OSError, `locks.Busy`, DatabaseError; then nothing is lost but time.
    """
    unsure = Release.objects.exclude(sha256="").exclude(read_file_id=F("file_id"))
    rows = list(unsure.only("file_id", "read_file_id", "sha256"))
    if not rows:
        return 0
    numbers = known.keys_of({row.sha256 for row in rows})
    keys = {row.pk: cache_key(row.file_id) for row in rows if row.file_id is not None and row.read_file_id is None}
    sources = known.sources(set(keys.values()))
    sound, stale, in_error = [], [], set()
    for row in rows:
        key = keys.get(row.pk, "")
        same = numbers.get(row.sha256, set())
        if key in same and (sources.get(key) or (same == {key} and key not in sources)):
            sound.append(row.pk)
            continue
        stale.append(row.pk)
        if key in same:
            in_error.add(key)
    alarms.forget(in_error)
    for start in range(0, len(rows), _AT_ONCE):
        Release.objects.filter(pk__in=sound[start : start + _AT_ONCE]).update(read_file_id=F("file_id"))
        Release.objects.filter(pk__in=stale[start : start + _AT_ONCE]).update(**_OF_FILE)
    if stale:
        logs.event("releases_healed", releases=len(stale), keys=sorted(in_error))
    return len(stale)
