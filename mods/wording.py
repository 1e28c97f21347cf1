"""How pages word what is known of an installed mod. Knows no request."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from mods import versions
from mods.models import InstalledMod, Lookup, NewerWhy


def game_versions(listed: Iterable[object]) -> str:
    """A release's game versions, runs of patches drawn together: "1.20.4, 1.21.0–1.21.6"."""
    known = [version for text in listed if (version := versions.parse(str(text))) and version.numbers]
    runs: list[list[versions.Version]] = []
    for version in sorted(known):
        if runs and _follows(runs[-1][-1], version):
            runs[-1].append(version)
        elif not runs or runs[-1][-1] != version:
            runs.append([version])
    return ", ".join(run[0].text if len(run) == 1 else f"{run[0].text}–{run[-1].text}" for run in runs)


def _follows(one: versions.Version, other: versions.Version) -> bool:
    """Whether `other` is the very next patch, or the next prerelease of the same version."""
    if one.stage == other.stage == versions.Stage.RELEASE:
        return one.series == other.series and _patch(other) == _patch(one) + 1
    if one.numbers == other.numbers and len(one.suffix) == len(other.suffix) == 2:
        return one.suffix[0] == other.suffix[0] and other.suffix[1][1] == one.suffix[1][1] + 1
    return False


def _patch(version: versions.Version) -> int:
    return version.numbers[2] if len(version.numbers) > 2 else 0


def absence(row: InstalledMod) -> str:
    """What the mod database has no more of this mod, and where its page goes on; "" for nothing."""
    found = []
    if row.gone and row.lookup is not None and row.lookup.state == Lookup.State.ABSENT:
        found.append(_("The mod database doesn't have this mod any more."))
    elif row.gone:
        found.append(_("The mod database doesn't offer %s any more and doesn't say why.") % row.version)
    return " ".join([*found, successor(row)]).strip()


def standing(row: InstalledMod) -> str:
    """What became of the installed release in the mod database: that it was retracted, or is gone; "" for nothing."""
    said = retracted(row.version, row.retraction_reason) if row.retracted else ""
    return f"{said} {absence(row)}".strip()


def successor(row: InstalledMod) -> str:
    """What the mod's page has under another mod id that is newer; "" for nothing."""
    return "" if row.successor is None else continues(row.successor.modid, row.successor.version, row.latest)


def continues(modid: str, version: str, latest: str) -> str:
    """The same of a successor's id and version. `latest`: the newest version under the installed one's id, or ""."""
    words = {"id": modid, "version": version}
    if not latest:
        return _("Its page continues as %(id)s %(version)s, under another mod id.") % words
    return _("Its page also has %(id)s %(version)s, under another mod id.") % words


@dataclass(frozen=True)
class Freshness:
    """How fresh the mod database's word on a mod is: `state` in words ("" while it is fresh), `checked_at` its age."""

    checked_at: datetime | None
    state: str = ""
    tone: str = "calm"


def freshness(row: InstalledMod) -> Freshness:
    lookup = row.lookup
    if lookup is None:
        return Freshness(None, _("can't be checked: no mod id"))
    if lookup.error:
        return Freshness(lookup.checked_at, _("failed: %s") % lookup.error.rstrip("."), "bad")
    if lookup.state == Lookup.State.ABSENT:
        return Freshness(lookup.checked_at, _("not in the mod database"))
    if lookup.checked_at is None:
        return Freshness(None, _("never"))
    return Freshness(lookup.checked_at)


def retracted(what: str, reason: str) -> str:
    """That this version was retracted, with the reason in full, as a sentence."""
    return _("%(what)s was retracted%(reason)s.") % {
        "what": what,
        "reason": f": {reason.rstrip('.')}" if reason else "",
    }


def compatibility_tone(row: InstalledMod) -> str:
    return {"compatible": "good", "incompatible": "bad"}.get(row.compatibility, "calm")


def compatibility_reason(row: InstalledMod) -> str:
    """Why the installed release is called compatible, not verified or incompatible."""
    game_version = row.server.game_version
    if not game_version:
        return _("The server's game version isn't known, so nothing can be said.")
    if row.release is None and row.retracted:
        return _("It was retracted: the mod database no longer says which game versions it is for.")
    if row.release is None:
        return _("The mod database doesn't know this version of it, so nothing can be said. That is no fault.")
    listed = game_versions(row.release.game_versions)
    if not listed:
        return _("Its author names no game versions.")
    words = {"version": row.version, "listed": listed, "game": game_version}
    if row.compatibility == versions.Compatibility.COMPATIBLE.value:
        return _("%(version)s names %(game)s exactly.") % words
    if row.compatibility == versions.Compatibility.NOT_VERIFIED.value:
        return (
            _("%(version)s names %(listed)s: the same series as %(game)s. That is normal after a game patch.") % words
        )
    return _("%(version)s names %(listed)s only, not the series of %(game)s.") % words


def recommendation_reason(row: InstalledMod) -> str:
    """Why the recommended version is that one; "" where there is none."""
    if not row.recommended:
        return ""
    game_version = row.server.game_version
    if row.recommended_verified:
        return _("The highest release that names %s exactly.") % game_version
    listed = game_versions(row.recommended_release.game_versions) if row.recommended_release else ""
    return _("No release names %(game)s yet; this one names %(listed)s, so it is not verified.") % {
        "game": game_version,
        "listed": listed or _("an earlier patch"),
    }


def newer_reason(row: InstalledMod) -> str:
    """Why a newer release isn't recommended, as a sentence; "" if there is none."""
    words = {"newer": row.newer, "game": row.server.game_version, "recommended": row.recommended}
    texts = {
        NewerWhy.HELD: _("%(newer)s is recommended, but the mod is held."),
        NewerWhy.NO_GAME_VERSION: _("%(newer)s exists; the server's game version isn't known."),
        NewerWhy.RETRACTED: _("%(newer)s was retracted."),
        NewerWhy.NO_FILE: _("%(newer)s has no file in the mod database."),
        NewerWhy.PRERELEASE: _("%(newer)s is a prerelease."),
        NewerWhy.LISTS_NONE: _("%(newer)s lists no game version."),
        NewerWhy.NOT_LISTED: _("%(newer)s isn't listed for %(game)s."),
        NewerWhy.NOT_CHOSEN: _("%(newer)s exists; the mod database recommends %(recommended)s."),
    }
    return texts[NewerWhy(row.newer_why)] % words if row.newer and row.newer_why else ""


def nothing_recommended(row: InstalledMod) -> str:
    """Why nothing is recommended for it, as a sentence; "" if something is, be it what is installed."""
    lookup = row.lookup
    if row.recommended:
        return ""
    if lookup is None:
        return _("Without a mod id it can't be looked up in the mod database.")
    if lookup.state == Lookup.State.ABSENT:
        return _("It isn't in the mod database, so nothing newer can be known.")
    if lookup.state == Lookup.State.UNKNOWN:
        return _("The mod database wasn't asked about it yet.")
    if not row.server.game_version:
        return _("The server's game version isn't known.")
    return _("No stable release names %s or an earlier patch of it.") % row.server.game_version
