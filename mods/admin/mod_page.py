"""What a mod's page says besides its row: dependencies, releases, links, the same mod elsewhere."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from mods import conf, needs, problems, rights, wording
from mods.models import InstalledMod, Release
from vsadmin.lib import html

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
    keys = {modid.lower() for modid in wanted} - needs.BASE_GAME
    here = problems.by_mod(InstalledMod.objects.filter(server=row.server, modid_key__in=keys).exclude(pk=row.pk))
    found = [_dependency(row, modid, minimum, here.get(modid.lower(), ())) for modid, minimum in wanted.items()]
    return sorted(found, key=lambda one: (not one.is_base_game, one.modid.lower()))


def _dependency(row: InstalledMod, modid: str, minimum: str, here: Sequence[InstalledMod]) -> Dependency:
    best = here[0] if here else None
    state = needs.state(
        modid,
        minimum,
        best.version if best else None,
        loads=best is not None and problems.loads(best),
        game_version=row.server.game_version,
    )
    return Dependency(modid, needs.asked(minimum), modid.lower() in needs.BASE_GAME, best, state.value)


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
