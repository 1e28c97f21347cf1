"""Storing what the mod database answered: the only writer of `Mod`, `Release`, `ClaimedModId` and `Lookup` answers.

Each function writes in one short transaction, after the network is done with.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from mods import moddb, versions
from mods.models import ClaimedModId, Lookup, Mod, Release

_TEXTS = (
    "asset_id", "name", "author", "description", "side", "type", "alias", "logo_url", "homepage_url", "source_url",
    "issues_url", "wiki_url", "video_url", "created", "last_released",
)  # fmt: skip
_COUNTS = ("downloads", "follows", "comments", "trending")
_RELEASE_FACTS = ("modid", "version", "file_id", "file_name", "file_url", "created", "changelog")


def store_details(lookup: Lookup, found: Sequence[moddb.ModDetails]) -> bool:
    """Store the mods that claim the look-up's modid and link the one whose releases carry it.

    Returns whether anything changed but counters. `found` has at least one.
    """
    now = timezone.now()
    changed = False
    with transaction.atomic():
        stored = []
        for details in found:
            mod, differs = _store_mod(details, now)
            changed |= differs
            stored.append((details, mod))
        carrying = [(d, mod) for d, mod in stored if any(r.modid.lower() == lookup.key for r in d.releases)]
        details, mod = (carrying or stored)[0]
        also = [other.name for _, other in carrying[1:]]
        before = (lookup.state, lookup.mod_id, lookup.also_claimed_by)
        lookup.state, lookup.mod, lookup.also_claimed_by = Lookup.State.FOUND, mod, also
        lookup.fetched_at = lookup.checked_at = lookup.tried_at = now
        lookup.error = ""
        newest = versions.latest([_Offer(r) for r in details.releases if r.modid.lower() == lookup.key])
        lookup.newest_file = newest.info.file_id if newest else None
        lookup.newest_version = newest.version if newest else ""
        lookup.save()
        return changed or before != (lookup.state, mod.pk, also)


def mark_absent(lookup: Lookup) -> bool:
    """Store that the modid is not in the mod database. What was known of it stays, its releases marked gone."""
    now = timezone.now()
    with transaction.atomic():
        changed = lookup.state != Lookup.State.ABSENT
        lookup.state = Lookup.State.ABSENT
        lookup.fetched_at = lookup.checked_at = lookup.tried_at = now
        lookup.error = ""
        lookup.newest_file, lookup.newest_version = None, ""
        lookup.save()
        if lookup.mod_id:
            gone = Release.objects.filter(mod=lookup.mod_id, modid_key=lookup.key, gone_since=None)
            changed |= bool(gone.update(gone_since=now))
    return changed


def take_retraction(lookup: Lookup, version: str, info: moddb.InstallInfo) -> bool:
    """Note on the look-up (unsaved) and the release what the database says of an installed version's retraction."""
    said = [info.retraction_reason, info.retracted_by_moderator] if info.retracted else None
    if lookup.retractions.get(version) == said:
        return False
    if said is None:
        lookup.retractions.pop(version)
    else:
        lookup.retractions[version] = said
    Release.objects.filter(mod=lookup.mod_id, modid_key=lookup.key, version=version).update(
        retracted=info.retracted,
        retraction_reason=info.retraction_reason,
        retracted_by_moderator=info.retracted_by_moderator,
    )
    return True


def store_list(found: Iterable[moddb.ModSummary]) -> int:
    """Store the whole list of mods, without their details; returns how many. Details known from before stay."""
    now = timezone.now()
    summaries = {summary.mod_id: summary for summary in found}
    fields = [
        "asset_id", "name", "summary", "author", "alias", "side", "type", "logo_url", "tags", *_COUNTS, "last_released",
    ]  # fmt: skip
    rows = [
        Mod(
            mod_id=summary.mod_id,
            listed_at=now,
            **{name: _plain(getattr(summary, name)) for name in fields},
        )
        for summary in summaries.values()
    ]
    with transaction.atomic():
        Mod.objects.bulk_create(
            rows,
            batch_size=400,
            update_conflicts=True,
            unique_fields=["mod_id"],
            update_fields=[*fields, "listed_at"],
        )
        ids = dict(Mod.objects.filter(listed_at=now).values_list("mod_id", "pk"))
        claims = [
            ClaimedModId(key=modid.lower(), mod_id=ids[summary.mod_id])
            for summary in summaries.values()
            for modid in summary.modids
        ]
        ClaimedModId.objects.bulk_create(claims, batch_size=500, ignore_conflicts=True)
    return len(rows)


class _Offer:
    """A release of an answer, as `versions` wants it."""

    def __init__(self, info: moddb.ReleaseInfo) -> None:
        self.info = info
        self.version = info.version
        self.game_versions = info.game_versions
        self.retracted = False


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _store_mod(details: moddb.ModDetails, now: datetime) -> tuple[Mod, bool]:
    mod = Mod.objects.filter(mod_id=details.mod_id).first() or Mod(mod_id=details.mod_id)
    before = [getattr(mod, name) for name in _TEXTS] + [mod.tags]
    for name in (*_TEXTS, *_COUNTS):
        setattr(mod, name, getattr(details, name))
    mod.tags = list(details.tags)
    mod.fetched_at = now
    changed = mod.pk is None or before != [getattr(mod, name) for name in _TEXTS] + [mod.tags]
    mod.save()
    claimed = {release.modid.lower() for release in details.releases if release.modid}
    known = set(ClaimedModId.objects.filter(mod=mod).values_list("key", flat=True))
    if missing := claimed - known:
        ClaimedModId.objects.bulk_create([ClaimedModId(mod=mod, key=key) for key in missing], ignore_conflicts=True)
    return mod, _store_releases(mod, details.releases, now) or changed


def _store_releases(mod: Mod, found: Sequence[moddb.ReleaseInfo], now: datetime) -> bool:
    """Bring the mod's releases in line with the answer; one that is no longer in it stays, marked gone."""
    known = {release.release_id: release for release in Release.objects.filter(mod=mod)}
    fresh, altered, counted = [], [], []
    for info in {info.release_id: info for info in found}.values():
        release = known.get(info.release_id)
        if release is None:
            fresh.append(_fill(Release(mod=mod, release_id=info.release_id), info))
            continue
        before = (
            *(getattr(release, name) for name in _RELEASE_FACTS),
            release.game_versions,
            release.withdrawn,
        )
        downloads = release.downloads
        _fill(release, info)
        if before != (*(getattr(release, name) for name in _RELEASE_FACTS), release.game_versions, False):
            altered.append(release)
        elif downloads != release.downloads:
            counted.append(release)
    Release.objects.bulk_create(fresh, batch_size=200)
    if altered:
        Release.objects.bulk_update(
            altered,
            [*_RELEASE_FACTS, "modid_key", "game_versions", "downloads", "gone_since", "retracted", "retraction_reason",
             "retracted_by_moderator"],
            batch_size=100,
        )  # fmt: skip
    if counted:
        Release.objects.bulk_update(counted, ["downloads"], batch_size=200)
    offered = {info.release_id for info in found}
    gone = [release.pk for release in known.values() if release.release_id not in offered and not release.gone_since]
    if gone:
        Release.objects.filter(pk__in=gone).update(gone_since=now)
    return bool(fresh or altered or gone)


def _fill(release: Release, info: moddb.ReleaseInfo) -> Release:
    """What is listed among the releases is offered: not gone, not retracted."""
    for name in _RELEASE_FACTS:
        setattr(release, name, getattr(info, name))
    release.modid_key = info.modid.lower()
    release.game_versions = list(info.game_versions)
    release.downloads = info.downloads
    release.gone_since = None
    release.retracted = release.retracted_by_moderator = False
    release.retraction_reason = ""
    return release
