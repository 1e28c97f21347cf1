"""Storing what the mod database answered: the only writer of `Mod`, `Release`, `ClaimedModId`, `Lookup`, the catalogue.

Each function writes in short transactions, after the network is done with.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import fits, moddb, news, release_rows, versions
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


@dataclass(frozen=True)
class Stored:
    """What came of storing an answer. `doubt`: why not all of it is believed, in plain words; "" if it is."""

    changed: bool
    doubt: str = ""


def store_details(
    lookup: Lookup,
    found: Sequence[moddb.ModDetails],
    *,
    asked_at: datetime | None = None,
    retracted: Collection[str] = (),
) -> Stored:
    """Store the mods that claim the look-up's modid and link the one whose releases carry it.

    `changed` doesn't count counters. `found` has at least one. `asked_at`: when this round of questions began; now, if
    not given. `retracted`: installed versions of which it was said just now that they are retracted.
    """
    now = timezone.now()
    changed = False
    with transaction.atomic():
        stored = []
        doubt = ""
        for details in found:
            mod, differs, odd = _store_mod(details, now, asked_at or now, {*lookup.retractions, *retracted})
            changed |= differs
            doubt = doubt or odd
            stored.append(mod)
        offered: dict[int, list[Release]] = defaultdict(list)
        rows = Release.objects.filter(mod__in=stored, modid_key=lookup.key, gone_since=None, retracted=False)
        for release in rows.only("mod", "version", "file_id"):
            offered[release.mod_id].append(release)
        carrying = [mod for mod in stored if offered[mod.pk]]
        mod = (carrying or stored)[0]
        also = [other.name for other in carrying[1:]]
        before = (lookup.state, lookup.mod_id, lookup.also_claimed_by)
        lookup.state, lookup.mod, lookup.also_claimed_by = Lookup.State.FOUND, mod, also
        lookup.tried_at, lookup.error, lookup.doubted_since = now, doubt, None
        if not doubt:
            lookup.fetched_at = lookup.checked_at = now
        newest = max(offered[mod.pk], key=lambda release: versions.sort_key(release.version), default=None)
        lookup.newest_file = newest.file_id if newest else None
        lookup.newest_version = newest.version if newest else ""
        lookup.save()
        return Stored(changed or before != (lookup.state, mod.pk, also), doubt)


def doubt_absence(lookup: Lookup, doubt: str) -> None:
    """Note that the mod database denies a mod that it had, which isn't believed yet, and why."""
    lookup.tried_at = timezone.now()
    lookup.error = doubt
    lookup.doubted_since = lookup.doubted_since or lookup.tried_at
    lookup.save(update_fields=["tried_at", "error", "doubted_since"])


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
        lookup.error, lookup.doubted_since = "", None
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
    if not info.retracted and not info.is_offered:
        return False  # nothing was said of this version
    known = lookup.retractions.get(version)
    reason = known[0] if known and "retraction_reason" in info.unsaid else info.retraction_reason
    said = [reason, info.retracted_by_moderator] if info.retracted else None
    if known == said:
        return False
    if said is None:
        lookup.retractions.pop(version)
    else:
        lookup.retractions[version] = said
    Release.objects.filter(mod=lookup.mod_id, modid_key=lookup.key, version=version).update(
        retracted=info.retracted,
        retraction_reason=reason if info.retracted else "",
        retracted_by_moderator=info.retracted_by_moderator,
    )
    return True


def store_list(found: Iterable[moddb.ModSummary]) -> int:
    """Store the whole list of mods, without their details; returns how many. Details known from before stay.

    What the list no longer has leaves the catalogue, unless it lacks more than half: then something is wrong with it.
    """
    now = timezone.now()
    listed: set[int] = set()
    summaries = iter(found)
    while part := {summary.mod_id: summary for summary in islice(summaries, _AT_ONCE)}:
        listed |= _store_part(part, now)
    with transaction.atomic():
        known = set(CatalogueEntry.objects.values_list("pk", flat=True))
        if not _is_shrunk(len(known), len(listed)):
            _delete(CatalogueEntry.objects.all(), "mod", known - listed)
        note_list("", now)
        ListAnswer.objects.filter(game_version="").update(facts=_list_facts())
    return len(listed)


def _list_facts() -> dict[str, Any]:
    """What there is to choose from in the catalogue: counting it for each page would cost more than the page."""
    tags = CatalogueTag.objects.values("tag").annotate(mods=Count("pk")).order_by("-mods", "tag")
    types = CatalogueEntry.objects.exclude(type="").order_by("type").values_list("type", flat=True).distinct()
    return {"tags": [[row["tag"], row["mods"]] for row in tags[:_MOST_CHOICES]], "types": list(types[:_MOST_CHOICES])}


#: Mods of the list that are written in one transaction: nobody else can write meanwhile.
_AT_ONCE = 1000


_LISTED = (
    "asset_id", "name", "summary", "author", "alias", "side", "type", "logo_url", "tags", *_COUNTS, "last_released",
)  # fmt: skip


def _store_part(summaries: Mapping[int, moddb.ModSummary], now: datetime) -> set[int]:
    """Store some mods of the list, with their ids and their entries in the catalogue; returns their primary keys."""
    with transaction.atomic():
        faulty = [number for number, summary in summaries.items() if summary.unsaid.intersection(_LISTED)]
        known = {mod.mod_id: mod for mod in Mod.objects.filter(mod_id__in=faulty).only("mod_id", *_LISTED)}
        mods = [_listed(summary, known.get(number), now) for number, summary in summaries.items()]
        Mod.objects.bulk_create(
            mods,
            batch_size=400,
            update_conflicts=True,
            unique_fields=["mod_id"],
            update_fields=[*_LISTED, "listed_at"],
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


def _listed(summary: moddb.ModSummary, known: Mod | None, now: datetime) -> Mod:
    """The mod (unsaved) as the list has it; what the list doesn't say of it stays as it is `known`."""
    values = {
        name: getattr(known, name) if known is not None and name in summary.unsaid else getattr(summary, name)
        for name in _LISTED
    }
    return Mod(mod_id=summary.mod_id, listed_at=now, **{name: _plain(value) for name, value in values.items()})


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


def store_mod(details: moddb.ModDetails, *, asked_at: datetime | None = None) -> str:
    """Store all about one mod, apart from any look-up; returns why not all of it is believed, "" if it is."""
    now = timezone.now()
    with transaction.atomic():
        mod, _changed, doubt = _store_mod(details, now, asked_at or now, ())
        if doubt:
            note_trial(mod, doubt)
        return doubt


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


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _store_mod(
    details: moddb.ModDetails, now: datetime, asked_at: datetime, explained: Collection[str]
) -> tuple[Mod, bool, str]:
    """Store what the answer says; what it doesn't say stays. Returns the mod, whether anything but counters changed,
    and why not all is believed."""
    mod = Mod.objects.filter(mod_id=details.mod_id).first() or Mod(mod_id=details.mod_id)
    before = [getattr(mod, name) for name in (*_TEXTS, "tags")]
    for name in (*_TEXTS, *_COUNTS, "tags"):
        if mod.pk is None or name not in details.unsaid:
            setattr(mod, name, _plain(getattr(details, name)))
    changed = mod.pk is None or before != [getattr(mod, name) for name in (*_TEXTS, "tags")]
    if mod.pk is None:
        mod.save()
    differs = release_rows.store(mod, details, now, asked_at=asked_at, explained=explained)
    doubt = _doubt(mod, details)
    mod.details_tried_at, mod.details_error = now, doubt
    if not doubt:
        mod.fetched_at = now
    mod.save()
    claimed = {release.modid.lower() for release in details.releases if release.modid}
    known = set(ClaimedModId.objects.filter(mod=mod).values_list("key", flat=True))
    if missing := claimed - known:
        ClaimedModId.objects.bulk_create([ClaimedModId(mod=mod, key=key) for key in missing], ignore_conflicts=True)
    if changed or missing:
        _renew_entry(mod)
    _store_own_fits(mod)
    return mod, differs or changed, doubt


def _doubt(mod: Mod, details: moddb.ModDetails) -> str:
    """Why the answer isn't believed as it is; "" if it is."""
    if not details.is_complete and not details.listed:
        return _("The mod database's answer about this mod has no releases in it. What was known of them stays.")
    if mod.doubted_at is not None:
        return _(
            "The mod database's answer lacks more than half of this mod's releases. They stay as they were known, and "
            "it is asked again."
        )
    return ""


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


def _store_own_fits(mod: Mod) -> None:
    """What the releases themselves say of game versions: it counts until a list says otherwise."""
    offered = Release.objects.filter(mod=mod, gone_since=None, retracted=False)
    wanted = fits.of_releases(offered.values_list("game_versions", flat=True))
    before = set(GameVersionFit.objects.filter(mod=mod).values_list("version", flat=True))
    if surplus := before - wanted:
        GameVersionFit.objects.filter(mod=mod, version__in=surplus).delete()
    added = [GameVersionFit(mod=mod, version=version) for version in sorted(wanted - before)]
    GameVersionFit.objects.bulk_create(added, ignore_conflicts=True)
