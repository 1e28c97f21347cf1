"""Storing what the mod database answered: the only writer of `Mod`, `Release`, `ClaimedModId`, `Lookup`, the catalogue.

Each function writes in short transactions, after the network is done with.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from mods import fits, moddb, news, versions
from mods.models import (
    CatalogueEntry,
    CatalogueTag,
    ClaimedModId,
    GameVersionFit,
    ListAnswer,
    Lookup,
    Mod,
    Release,
)

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


def mark_absent(lookup: Lookup, retracted: Collection[str] = ()) -> bool:
    """Store that the modid is not in the mod database. What was known of it stays, its releases marked gone.

    `retracted`: installed versions of which it was said just now that they are retracted.
    """
    now = timezone.now()
    was_there, known_since = lookup.state == Lookup.State.FOUND, lookup.fetched_at
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
        if was_there:
            news.of_gone(lookup, known_since, {*lookup.retractions, *retracted})
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
    """Store the whole list of mods, without their details; returns how many. Details known from before stay.

    What the list no longer has leaves the catalogue, unless it lacks more than half: then something is wrong with it.
    """
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
    listed: set[int] = set()
    for first in range(0, len(rows), _AT_ONCE):
        listed |= _store_part(rows[first : first + _AT_ONCE], summaries, fields)
    with transaction.atomic():
        known = set(CatalogueEntry.objects.values_list("pk", flat=True))
        if not _is_shrunk(len(known), len(listed)):
            _delete(CatalogueEntry.objects.all(), "mod", known - listed)
        note_list("", now)
        ListAnswer.objects.filter(game_version="").update(facts=_list_facts())
    return len(rows)


def _list_facts() -> dict[str, Any]:
    """What there is to choose from in the catalogue: counting it for each page would cost more than the page."""
    tags = CatalogueTag.objects.values("tag").annotate(mods=Count("pk")).order_by("-mods", "tag")
    types = CatalogueEntry.objects.exclude(type="").order_by("type").values_list("type", flat=True).distinct()
    return {"tags": [[row["tag"], row["mods"]] for row in tags[:_MOST_CHOICES]], "types": list(types[:_MOST_CHOICES])}


#: Mods of the list that are written in one transaction: nobody else can write meanwhile.
_AT_ONCE = 1000


def _store_part(mods: Sequence[Mod], summaries: Mapping[int, moddb.ModSummary], fields: Sequence[str]) -> set[int]:
    """Store some mods of the list, with their ids and their entries in the catalogue; returns their primary keys."""
    with transaction.atomic():
        Mod.objects.bulk_create(
            mods,
            batch_size=400,
            update_conflicts=True,
            unique_fields=["mod_id"],
            update_fields=[*fields, "listed_at"],
        )
        numbers = [mod.mod_id for mod in mods]
        ids = dict(Mod.objects.filter(mod_id__in=numbers).values_list("mod_id", "pk"))
        claims = [
            ClaimedModId(key=modid.lower(), mod_id=ids[number])
            for number in numbers
            for modid in summaries[number].modids
        ]
        ClaimedModId.objects.bulk_create(claims, batch_size=500, ignore_conflicts=True)
        for mod in mods:
            mod.pk = ids[mod.mod_id]
        _store_entries(mods)
    return set(ids.values())


def note_list(game_version: str, at: datetime, error: str = "") -> None:
    """Note that a list (of all mods: "") was asked for `at`, and why that failed, "" where it was answered."""
    fields = {"tried_at": at, "error": error} | ({} if error else {"answered_at": at})
    ListAnswer.objects.update_or_create(game_version=game_version, defaults=fields)


def store_fits(game_version: str, numbers: Collection[int], at: datetime) -> bool:
    """Store which mods, by their numbers in the mod database, have a release for a game version, as answered `at`.

    Returns False, and stores nothing, where the list lacks more than half of those it had before.
    """
    with transaction.atomic():
        pks = dict(Mod.objects.values_list("mod_id", "pk"))
        named = {pks[number] for number in numbers if number in pks}
        before = set(GameVersionFit.objects.filter(version=game_version).values_list("mod_id", flat=True))
        if _is_shrunk(len(before), len(named)):
            return False
        _delete(GameVersionFit.objects.filter(version=game_version), "mod", before - named)
        added = [GameVersionFit(mod_id=pk, version=game_version) for pk in sorted(named - before)]
        GameVersionFit.objects.bulk_create(added, batch_size=1000, ignore_conflicts=True)
        note_list(game_version, at)
    return True


def forget_fits(kept: Collection[str]) -> None:
    """Drop the lists for game versions that nobody asks for any more. What mods' own releases say stays."""
    with transaction.atomic():
        dropped = ListAnswer.objects.exclude(game_version__in=[*kept, ""])
        texts = list(dropped.values_list("game_version", flat=True))
        GameVersionFit.objects.filter(version__in=texts, mod__fetched_at=None).delete()
        dropped.delete()


def store_mod(details: moddb.ModDetails) -> Mod:
    """Store all about one mod, apart from any look-up."""
    with transaction.atomic():
        return _store_mod(details, timezone.now())[0]


def note_trial(mod: Mod, error: str = "") -> None:
    """Note that a mod's details are being asked for, or why that failed."""
    Mod.objects.filter(pk=mod.pk).update(details_tried_at=timezone.now(), details_error=error)


_ENTRY = ("words", "name", "number", "released", "downloads", "trending", "side", "type")
#: Characters of an entry's words, and of the ids among them.
_WORDS, _IDS = 2000, 600
_MOST_TAGS = 30
#: A list of so many doesn't lose more than half of them from one day to the next.
_BELIEVED = 20
#: Tags and types that can be chosen from.
_MOST_CHOICES = 200


def _store_entries(mods: Sequence[Mod]) -> None:
    """Bring these mods' entries in the catalogue in line with the list, writing only what differs."""
    pks = [mod.pk for mod in mods]
    keys: dict[int, list[str]] = defaultdict(list)
    for pk, key in ClaimedModId.objects.filter(mod__in=pks).order_by("key").values_list("mod_id", "key"):
        keys[pk].append(key)
    known = CatalogueEntry.objects.in_bulk(pks)
    entries = [_entry(mod, keys[mod.pk]) for mod in mods]
    changed = [one for one in entries if one.pk not in known or _facts(one) != _facts(known[one.pk])]
    CatalogueEntry.objects.bulk_create(
        changed, batch_size=500, update_conflicts=True, unique_fields=["mod"], update_fields=_ENTRY
    )
    before = set(CatalogueTag.objects.filter(entry__in=pks).values_list("entry", "tag"))
    _store_tags(before, {(mod.pk, tag) for mod in mods for tag in _tags(mod)})


def _store_tags(before: set[tuple[int, str]], wanted: set[tuple[int, str]]) -> None:
    surplus = defaultdict(set)
    for pk, tag in before - wanted:
        surplus[tag].add(pk)
    for tag, pks in surplus.items():
        _delete(CatalogueTag.objects.filter(tag=tag), "entry", pks)
    added = [CatalogueTag(entry_id=pk, tag=tag) for pk, tag in sorted(wanted - before)]
    CatalogueTag.objects.bulk_create(added, batch_size=1000, ignore_conflicts=True)


def _entry(mod: Mod, keys: Sequence[str]) -> CatalogueEntry:
    ids = "\n".join(keys)[:_IDS]
    lines = [" ".join(line.split()) for line in (mod.name, *ids.split("\n"), mod.author, mod.summary)]
    return CatalogueEntry(
        mod=mod,
        words="\n".join(["", *lines, ""]).casefold()[:_WORDS],
        name=lines[0].casefold()[:500],
        number=mod.mod_id,
        released=int(mod.last_released.timestamp()) if mod.last_released else 0,
        downloads=mod.downloads,
        trending=mod.trending,
        side=mod.side,
        type=mod.type,
    )


def _facts(entry: CatalogueEntry) -> list[object]:
    return [getattr(entry, name) for name in _ENTRY]


def _tags(mod: Mod) -> list[str]:
    return [tag[:100] for tag in mod.tags[:_MOST_TAGS] if tag]


def _is_shrunk(before: int, now: int) -> bool:
    """Whether so much is missing that the answer can't be the truth; of few, many may well have gone."""
    return before >= _BELIEVED and now * 2 < before


def _delete(rows: QuerySet[Any], field: str, pks: Collection[int]) -> None:
    """Delete the rows whose `field` is one of these, in statements of a bearable length."""
    ordered = sorted(pks)
    for first in range(0, len(ordered), 500):
        rows.filter(**{f"{field}__in": ordered[first : first + 500]}).delete()


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
    mod.fetched_at = mod.details_tried_at = now
    mod.details_error = ""
    changed = mod.pk is None or before != [getattr(mod, name) for name in _TEXTS] + [mod.tags]
    mod.save()
    claimed = {release.modid.lower() for release in details.releases if release.modid}
    known = set(ClaimedModId.objects.filter(mod=mod).values_list("key", flat=True))
    if missing := claimed - known:
        ClaimedModId.objects.bulk_create([ClaimedModId(mod=mod, key=key) for key in missing], ignore_conflicts=True)
    if changed or missing:
        _renew_entry(mod)
    _store_own_fits(mod, details.releases)
    return mod, _store_releases(mod, details.releases, now) or changed


def _renew_entry(mod: Mod) -> None:
    """Bring a mod's entry in the catalogue in line with its details; a mod that no list has gets none."""
    entry = CatalogueEntry.objects.filter(mod=mod).first()
    if entry is None:
        return
    keys = ClaimedModId.objects.filter(mod=mod).order_by("key").values_list("key", flat=True)
    renewed = _entry(mod, list(keys))
    renewed.save(force_update=True)
    before = CatalogueTag.objects.filter(entry=entry).values_list("entry", "tag")
    _store_tags(set(before), {(mod.pk, tag) for tag in _tags(mod)})


def _store_own_fits(mod: Mod, releases: Sequence[moddb.ReleaseInfo]) -> None:
    """What the releases themselves say of game versions: it counts until a list says otherwise."""
    wanted = fits.of_releases(release.game_versions for release in releases)
    before = set(GameVersionFit.objects.filter(mod=mod).values_list("version", flat=True))
    if surplus := before - wanted:
        GameVersionFit.objects.filter(mod=mod, version__in=surplus).delete()
    added = [GameVersionFit(mod=mod, version=version) for version in sorted(wanted - before)]
    GameVersionFit.objects.bulk_create(added, ignore_conflicts=True)


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
