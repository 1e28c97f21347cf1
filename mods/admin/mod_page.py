"""What a mod's page says besides its row: dependencies, releases, links, the same mod elsewhere."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from mods import conf, rights, starts, versions, wording
from mods.models import InstalledMod, Release
from vsadmin.lib import html

#: Ids that stand for the base game; no file brings them.
BASE_GAME = frozenset({"game", "survival", "creative"})
#: Characters of changelogs that one page shows, strangers' HTML being slow to clean.
_CHANGELOGS = 256 * 1024


@dataclass(frozen=True)
class Dependency:
    """What a mod needs, and how the server meets it."""

    modid: str
    minimum: str
    is_base_game: bool
    met_by: InstalledMod | None
    #: "met", "missing", "too_old" or "disabled"
    state: str


@dataclass(frozen=True)
class ShownRelease:
    """A release as a mod's page shows it."""

    release: Release
    game_versions: str
    changelog: SafeString | str
    marks: list[tuple[str, str]]
    #: Left out because the page would get too long.
    is_cut: bool


def dependencies(row: InstalledMod) -> list[Dependency]:
    """What the mod needs, the base game first; one query."""
    wanted = {str(modid): str(minimum or "") for modid, minimum in row.dependencies.items()}
    keys = {modid.lower() for modid in wanted} - BASE_GAME
    here: dict[str, list[InstalledMod]] = {}
    for one in InstalledMod.objects.filter(server=row.server, modid_key__in=keys).exclude(pk=row.pk):
        here.setdefault(one.modid_key, []).append(one)
    found = [_dependency(row, modid, minimum, here) for modid, minimum in wanted.items()]
    return sorted(found, key=lambda one: (not one.is_base_game, one.modid.lower()))


def _dependency(row: InstalledMod, modid: str, minimum: str, here: dict[str, list[InstalledMod]]) -> Dependency:
    shown = "" if minimum.strip() in {"", "*"} else minimum
    if modid.lower() in BASE_GAME:
        met = not row.server.game_version or versions.satisfies(row.server.game_version, minimum)
        return Dependency(modid, shown, True, None, "met" if met else "too_old")
    candidates = sorted(
        here.get(modid.lower(), ()),
        key=lambda one: (one.enabled and not one.disabled_by_config, versions.sort_key(one.version)),
        reverse=True,
    )
    if not candidates:
        return Dependency(modid, shown, False, None, "missing")
    best = candidates[0]
    if not best.enabled or best.disabled_by_config:
        return Dependency(modid, shown, False, best, "disabled")
    return Dependency(modid, shown, False, best, "met" if versions.satisfies(best.version, minimum) else "too_old")


def shown_releases(row: InstalledMod, releases: list[Release]) -> Iterator[ShownRelease]:
    left = _CHANGELOGS
    for release in releases:
        marks = []
        if release.pk == row.release_id:
            marks.append(("info", _("installed")))
        if release.pk == row.recommended_release_id and row.outdated:
            marks.append(("warn", _("recommended")))
        if release.version == row.latest:
            marks.append(("calm", _("latest")))
        if release.retracted:
            marks.append(("bad", _("retracted")))
        elif release.gone_since is not None:
            marks.append(("bad", _("no longer offered")))
        cost = min(len(release.changelog), html.MAX_LENGTH)
        is_cut = cost > left
        left -= 0 if is_cut else cost
        yield ShownRelease(
            release=release,
            game_versions=wording.game_versions(release.game_versions) or _("no game version named"),
            changelog="" if is_cut else html.sanitised(release.changelog),
            marks=marks,
            is_cut=is_cut,
        )


def elsewhere(row: InstalledMod) -> list[InstalledMod]:
    if not row.modid_key:
        return []
    same = InstalledMod.objects.filter(modid_key=row.modid_key).exclude(pk=row.pk)
    return list(same.select_related("server").order_by("server__name", "file_name")[:20])


def links(row: InstalledMod) -> list[tuple[str, str]]:
    """Where more is said of the mod: (label, address), web addresses only."""
    mod = row.lookup.mod if row.lookup else None
    found = []
    if mod and mod.asset_id:
        found.append((_("Page in the mod database"), f"{conf.MODDB_URL.get()}/show/mod/{mod.asset_id}"))
    if mod:
        found += [
            (_("Home page"), mod.homepage_url),
            (_("Source"), mod.source_url),
            (_("Report an issue"), mod.issues_url),
            (_("Wiki"), mod.wiki_url),
            (_("Video"), mod.video_url),
        ]
    found.append((_("Website named in the file"), row.website))
    seen: set[str] = set()
    usable_links = []
    for label, url in found:
        usable = html.web_link(url)
        if usable and usable not in seen:
            seen.add(usable)
            usable_links.append((label, usable))
    return usable_links


def failures(rows: Iterable[InstalledMod]) -> dict[int, list[str]]:
    """What the servers' logs said of these mods at the latest start, by their keys; one query.

    A log that knows no id names the file instead.
    """
    shown = list(rows)
    told = starts.failures_for({row.server_id: row.server for row in shown}.values())
    found = {}
    for row in shown:
        of_server = told.get(row.server_id, {})
        sentences = of_server.get(row.modid_key) or of_server.get(row.file_name.lower())
        if sentences:
            found[row.pk] = [str(sentence) for sentence in sentences]
    return found


def doings(request: HttpRequest, row: InstalledMod) -> dict[str, Any]:
    """What this person may do with the mod."""
    user = request.user
    return {
        "may_update": user.has_perm(rights.UPDATE),
        "may_install": user.has_perm(rights.INSTALL) and bool(row.modid_key),
        "may_toggle": user.has_perm(rights.TOGGLE),
        "may_hold": user.has_perm(rights.HOLD) and bool(row.modid_key),
        "may_remove": user.has_perm(rights.REMOVE),
    }
