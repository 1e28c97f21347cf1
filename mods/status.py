"""What follows for each installed mod from its releases and its server's game version. Alone writes those columns.

Runs after a scan, a refresh, or a change of game version or of a hold.
"""

from collections import defaultdict
from dataclasses import dataclass

from django.db import transaction

from mods import news, versions
from mods.models import Hold, InstalledMod, InstalledModQuerySet, Lookup, NewerWhy, Release

FIELDS = [
    "release", "latest", "recommended", "recommended_release", "recommended_verified", "compatibility", "outdated",
    "retracted", "retraction_reason", "back_to", "back_to_release", "newer", "newer_why", "gone", "successor",
]  # fmt: skip


@dataclass
class _Offer:
    """A release as `versions` wants it."""

    release: Release
    version: str
    game_versions: list[str]
    retracted: bool


def update(installed: InstalledModQuerySet, *, tell: bool = True) -> int:
    """Recompute the given rows; returns how many changed.

    `tell`: what is news becomes an event. Say False where it isn't the mod database that said something new.
    """
    wanted = installed.select_related("server", "lookup").order_by("pk").select_for_update(of=("self",))
    with transaction.atomic():  # a scan that came in between would be overwritten with the old version's verdict
        changes = _judge_all(list(wanted))
        InstalledMod.objects.bulk_update([row for row, _before in changes], FIELDS, batch_size=100)
        if tell:
            news.of_judgement(changes)
    return len(changes)


def judge(rows: list[InstalledMod]) -> list[InstalledMod]:
    """Set what follows on rows (unsaved) that have their server and look-up; returns those that this changed."""
    return [row for row, _before in _judge_all(rows)]


def _judge_all(rows: list[InstalledMod]) -> list[tuple[InstalledMod, news.Before]]:
    """The same; with each row what its columns had before."""
    offers = _offers({row.lookup.mod_id for row in rows if row.lookup and row.lookup.mod_id})
    here = _installed_ids(rows) if any(len(of_mod) > 1 for of_mod in offers.values()) else set()
    held = set(Hold.objects.filter(server__in={row.server_id for row in rows}).values_list("server_id", "modid_key"))
    spare = {id(row) for row in _spare(rows)}
    changed: list[tuple[InstalledMod, news.Before]] = []
    for row in rows:
        before = {name: getattr(row, name) for name in _COMPARED}
        of_mod = offers.get(row.lookup.mod_id, {}) if row.lookup else {}
        _judge(row, of_mod.get(row.modid_key, []), is_held=(row.server_id, row.modid_key) in held)
        row.outdated = row.outdated and id(row) not in spare
        others = of_mod.keys() - {row.modid_key, ""}
        elsewhere = [one for key in others if (row.server_id, key) not in here for one in of_mod[key]]
        row.successor = _successor(row, of_mod.get(row.modid_key, []), elsewhere)
        if before != {name: getattr(row, name) for name in _COMPARED}:
            changed.append((row, before))
    return changed


_COMPARED = [f"{name}_id" if name.endswith("release") or name == "successor" else name for name in FIELDS]


def _offers(mod_ids: set[int]) -> dict[int | None, dict[str, list[_Offer]]]:
    """The releases of these mods, by mod and the modid that they carry."""
    found: dict[int | None, dict[str, list[_Offer]]] = defaultdict(lambda: defaultdict(list))
    if not mod_ids:
        return found
    for release in Release.objects.filter(mod__in=mod_ids).defer("changelog", "file_url", "dependencies"):
        offer = _Offer(release, release.version, release.game_versions, release.withdrawn)
        found[release.mod_id][release.modid_key].append(offer)
    return found


def _spare(rows: list[InstalledMod]) -> list[InstalledMod]:
    """Those that the game doesn't load while it loads another file of the same mod: that one is updated, not these."""
    asleep = [row for row in rows if row.modid_key and not (row.enabled and not row.disabled_by_config)]
    if not asleep:
        return []
    awake = InstalledMod.objects.filter(
        server__in={row.server_id for row in asleep}, modid_key__in={row.modid_key for row in asleep},
        enabled=True, disabled_by_config=False,
    )  # fmt: skip
    loaded = set(awake.values_list("server_id", "modid_key"))
    return [row for row in asleep if (row.server_id, row.modid_key) in loaded]


def _installed_ids(rows: list[InstalledMod]) -> set[tuple[int, str]]:
    """What is on these rows' servers: each id with its server."""
    servers = {row.server_id for row in rows}
    return set(InstalledMod.objects.filter(server__in=servers).values_list("server_id", "modid_key"))


def _successor(row: InstalledMod, own: list[_Offer], others: list[_Offer]) -> Release | None:
    """Of the same page's releases under other ids that aren't on the server: the best one newer than all of this id.

    If the page has none of this id any more, it goes on under the other one, whatever its version.
    """
    there = [one for one in own if not one.retracted]
    reached = max((row.version, *(one.version for one in there)), key=versions.sort_key) if there else ""
    newer = [one for one in others if one.release.can_be_had and (not reached or versions.newer(one.version, reached))]
    game_version = row.server.game_version
    best = versions.recommended(newer, game_version, installed="", installed_retracted=False) or versions.latest(newer)
    return best.release if best else None


def _judge(row: InstalledMod, offers: list[_Offer], *, is_held: bool) -> None:
    game_version = row.server.game_version
    own = _own(row, offers)
    row.release = own.release if own else None
    row.compatibility = str(versions.compatibility(own.game_versions if own else (), game_version).value)
    row.retracted, row.retraction_reason = _retraction(row, own)

    row.gone = not row.retracted and _is_gone(row, own)

    if row.lookup is not None and row.lookup.state == Lookup.State.ABSENT:
        offers = []
    newest = versions.latest(offers)
    row.latest = newest.version if newest else ""
    with_file = [offer for offer in offers if offer.release.file_id is not None]
    best, back = _recommended(row, with_file, game_version), None
    if row.retracted and best is not None and not versions.newer(best.version, row.version):
        best = None  # of a version without an order nothing is known to be newer
    if row.retracted and best is None:
        back = versions.to_go_back_to(with_file, game_version, installed=row.version)
    row.recommended = best.version if best else ""
    row.recommended_release = best.release if best else None
    row.recommended_verified = bool(best and game_version in best.game_versions)
    row.back_to = back.version if back else ""
    row.back_to_release = back.release if back else None
    is_newer = bool(best and versions.newer(best.version, row.version) and not _is_file_of(best, row))
    row.outdated = is_newer and not is_held
    if is_newer and is_held:
        row.newer, row.newer_why = row.recommended, NewerWhy.HELD.value
    else:
        row.newer, row.newer_why = _passed_over(row, offers, game_version)


def _passed_over(row: InstalledMod, offers: list[_Offer], game_version: str) -> tuple[str, str]:
    """The highest release newer than what is installed or recommended, and why it isn't recommended; "" for none."""
    reached = max(row.recommended, row.version, key=versions.sort_key)
    newer = [one for one in offers if not one.release.gone_since and versions.newer(one.version, reached)]
    if not newer:
        return "", ""
    one = max(newer, key=lambda one: (not one.retracted, versions.sort_key(one.version)))
    return one.version, _why_passed_over(one, row.version, game_version).value


def _why_passed_over(one: _Offer, installed: str, game_version: str) -> NewerWhy:
    if one.retracted:
        return NewerWhy.RETRACTED
    if not game_version:
        return NewerWhy.NO_GAME_VERSION
    if versions.is_prerelease(one.version) and not versions.is_prerelease(installed):
        return NewerWhy.PRERELEASE
    if not versions.lists_any(one.game_versions):
        return NewerWhy.LISTS_NONE
    if versions.compatibility(one.game_versions, game_version) is not versions.Compatibility.COMPATIBLE:
        return NewerWhy.NOT_LISTED
    return NewerWhy.NOT_CHOSEN if one.release.file_id is not None else NewerWhy.NO_FILE


def _own(row: InstalledMod, offers: list[_Offer]) -> _Offer | None:
    """The release that is installed, by its version, else by its bytes; what is still offered comes first."""
    same = [one for one in offers if row.version and versions.same(one.version, row.version)]
    found = same or [one for one in offers if _is_file_of(one, row)]
    return min(found, key=lambda one: one.retracted, default=None)


def _is_file_of(offer: _Offer, row: InstalledMod) -> bool:
    """Whether the installed file is that release's, byte for byte, whatever version it says it is."""
    return bool(row.sha256) and offer.release.sha256 == row.sha256


def _retraction(row: InstalledMod, own: _Offer | None) -> tuple[bool, str]:
    said = row.lookup.retractions.get(row.version) if row.lookup else None
    if said:
        return True, said[0]
    if own is not None and own.release.retracted:
        return True, own.release.retraction_reason
    return False, ""


def _is_gone(row: InstalledMod, own: _Offer | None) -> bool:
    """Whether the mod database had this release, or the mod, and has it no more."""
    if own is not None and own.release.gone_since is not None:
        return True
    return row.lookup is not None and row.lookup.state == Lookup.State.ABSENT and row.lookup.mod_id is not None


def _recommended(row: InstalledMod, offers: list[_Offer], game_version: str) -> _Offer | None:
    """What the mod database recommends, if it carries this modid; else our own reading of the releases.

    Whoever runs a prerelease is offered newer prereleases too, which the mod database never recommends.
    """
    own_reading = versions.recommended(offers, game_version, installed=row.version, installed_retracted=row.retracted)
    said = row.lookup.recommendations.get(game_version, "") if row.lookup else ""
    if not said or versions.is_prerelease(row.version):
        return own_reading
    told = next((o for o in offers if o.version == said and not o.retracted and game_version in o.game_versions), None)
    if told is None or versions.newer(row.version, told.version):
        return own_reading
    return own_reading if row.retracted and versions.same(row.version, told.version) else told
