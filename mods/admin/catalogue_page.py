"""A mod's page in the catalogue: what it is, its releases, where it is installed, and installing it from here."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mods import catalogue, conf, fits, rights, tasks, versions, wording
from mods import history as past
from mods.admin import asking, changes, history, pks
from mods.admin.catalogue_words import fit_words, logo, type_words
from mods.admin.cells import side_words
from mods.fits import Fit
from mods.models import GameServer, InstalledMod, Mod, Operation, Release
from mods.wishes import Target, Wish
from vsadmin.lib import html, optional
from vsadmin.lib.jobs.models import JobRun
from vsadmin.lib.jobs.runner import enqueue

#: Releases that a page shows, and characters of their changelogs, strangers' HTML being slow to clean.
_MOST_RELEASES = 200
_CHANGELOGS = 256 * 1024
#: Changes that the page tells of.
_LATEST = 8


@dataclass(frozen=True)
class ShownRelease:
    """A release as the page shows it. `fit`: tone and word of its compatibility with the chosen server."""

    release: Release
    game_versions: str
    changelog: SafeString | str
    marks: list[tuple[str, str]]
    fit: tuple[str, str] | None
    #: Left out because the page would get too long.
    is_cut: bool
    #: On the chosen server.
    is_installed: bool


@dataclass(frozen=True)
class Here:
    """Where the mod is installed, and what an update would bring."""

    row: InstalledMod
    changes: changes.Changes


@dataclass(frozen=True)
class Verdict:
    """How the chosen server stands to the mod. `update`: the version that it should have instead."""

    tone: str
    compatibility: tuple[str, str]
    reason: str
    update: str = ""


@dataclass(frozen=True)
class Pick:
    """What can be installed: one of the mod's ids, with a version or, without one, what is recommended."""

    value: str
    words: str
    selected: bool = False


@dataclass
class _Offer:
    """A release as `versions` wants it."""

    release: Release
    version: str
    game_versions: list[str]
    retracted: bool


def chosen(servers: Sequence[GameServer], given: str) -> GameServer | None:
    """The server that the address names, else the first."""
    named = next((server for server in servers if server.pk == pks.read(given)), None)
    return named or (servers[0] if servers else None)


def context(request: HttpRequest, mod: Mod) -> dict[str, Any]:
    """What the page of `mod` shows; a fixed number of queries. Details that are wanting are asked for meanwhile."""
    may_see_mods = request.user.has_perm(rights.VIEW_MODS)
    servers = list(GameServer.objects.all()) if request.user.has_perm(rights.VIEW_SERVERS) else []
    server = chosen(servers, request.GET.get("server", ""))
    ids = catalogue.claimed([mod.pk]).get(mod.pk, ())
    releases = list(Release.objects.filter(mod=mod).exclude(modid=""))
    releases.sort(key=lambda one: versions.sort_key(one.version), reverse=True)
    here = _here(catalogue.installed(mod, ids)) if may_see_mods else []
    mine = [one.row for one in here if server is not None and one.row.server_id == server.pk]
    fit = fits.judge([mod], server.game_version, fits.answered())[mod.pk] if server is not None else Fit.UNKNOWN
    best = {key: _best(releases, key, server) for key in ids}
    return {
        "title": mod.name,
        "servers": servers,
        "server": server,
        "server_query": urlencode({"server": server.pk}) if server and len(servers) > 1 else "",
        "fetching": _fetch_if_wanting(request, mod),
        "is_listed": hasattr(mod, "entry"),
        "verdict": _verdict(mine, fit, server) if server else None,
        "here": here,
        "mine": mine,
        "best": next((release for release in best.values() if release is not None), None),
        "picks": _picks(ids, releases, best),
        "releases": list(_shown(releases[:_MOST_RELEASES], server, mine, best)),
        "unshown": max(0, len(releases) - _MOST_RELEASES),
        "several_ids": len(ids) > 1,
        "modids": _as_written(ids, releases),
        "history": _history(server, ids) if may_see_mods else [],
        "links": _links(mod),
        "logo": logo(mod),
        "initial": next((letter for letter in mod.name if letter.isalnum()), "?").upper(),
        "side": side_words("universal" if mod.side == "both" else mod.side),
        "kind": type_words(mod.type),
        "tags": catalogue.clean_tags(mod),
        "is_tool": catalogue.is_tool(mod),
        "may_install": request.user.has_perm(rights.INSTALL),
        "may_see_mods": may_see_mods,
        "may_see_changes": rights.may_see_changes(request),
        "may_fetch": request.user.has_perm("mods.refresh_mod"),
    }


def _verdict(mine: Sequence[InstalledMod], fit: Fit, server: GameServer) -> Verdict:
    """Of what is installed on the server, as its own page says it; else of what could be."""
    if not mine:
        tone, word, reason = fit_words(fit, server.game_version)
        return Verdict(tone, (tone, word), reason)
    row = mine[0]
    tone = "bad" if row.retracted else "warn" if row.outdated else "good"
    said = (wording.compatibility_tone(row), row.get_compatibility_display())
    return Verdict(tone, said, wording.compatibility_reason(row), row.recommended if row.outdated else "")


def is_fetching(pk: int) -> bool:
    """Whether a run that fetches the details of this mod waits or is under way."""
    waiting = JobRun.objects.unfinished().filter(job=tasks.DETAILS)
    return any(run.arguments == {"mod": pk} for run in waiting)


def _fetch_if_wanting(request: HttpRequest, mod: Mod) -> bool:
    """Whether the details are being fetched: already, or from now on since they are wanting."""
    if is_fetching(mod.pk):
        return True
    if request.method != "GET" or not catalogue.wants_details(mod):
        return False
    return optional.write(lambda: enqueue(tasks.DETAILS, user=request.user, mod=mod.pk))


def _here(rows: Iterable[InstalledMod]) -> list[Here]:
    installed = list(rows)
    ways = [(row.modid_key, row.version, row.recommended if row.outdated else "") for row in installed]
    read = changes.read(ways)
    return [Here(row, read.get(place, changes.Changes())) for place, row in enumerate(installed)]


def _best(releases: Iterable[Release], key: str, server: GameServer | None) -> Release | None:
    """What would be installed of this id on the server."""
    offers = [
        _Offer(one, one.version, one.game_versions, not one.can_be_had) for one in releases if one.modid_key == key
    ]
    if server is None or not server.game_version:
        return None
    best = versions.recommended(offers, server.game_version, installed="", installed_retracted=False)
    return best.release if best else None


def _picks(ids: Sequence[str], releases: Iterable[Release], best: dict[str, Release | None]) -> list[Pick]:
    found: list[Pick] = []
    for key in ids:
        release = best.get(key)
        words = _("recommended (%s)") % release.version if release else _("recommended")
        found.append(Pick(f"{key}@", f"{key}: {words}" if len(ids) > 1 else words, not found))
        found += [
            Pick(f"{key}@{one.version}", f"{key} {one.version}" if len(ids) > 1 else one.version)
            for one in releases
            if one.modid_key == key and one.can_be_had
        ][:_MOST_RELEASES]
    return found


def _as_written(ids: Iterable[str], releases: Iterable[Release]) -> list[str]:
    """The ids in the letter case of their releases, where those are known."""
    written = {release.modid_key: release.modid for release in releases}
    return [written.get(key, key) for key in ids]


def _shown(
    releases: Iterable[Release],
    server: GameServer | None,
    mine: Sequence[InstalledMod],
    best: dict[str, Release | None],
) -> Iterator[ShownRelease]:
    left = _CHANGELOGS
    installed = {row.release_id for row in mine} - {None}
    recommended = {release.pk for release in best.values() if release is not None}
    for release in releases:
        marks = []
        if release.pk in installed:
            marks.append(("info", _("installed")))
        if release.pk in recommended:
            marks.append(("calm", _("recommended")))
        if release.retracted:
            marks.append(("bad", _("retracted")))
        elif release.gone_since is not None:
            marks.append(("bad", _("no longer offered")))
        cost = min(len(release.changelog), html.MAX_LENGTH)
        is_cut = cost > left
        left -= 0 if is_cut else cost
        fit = None
        if server is not None and server.game_version:
            compatibility = versions.compatibility(release.game_versions, server.game_version)
            fit = fit_words(Fit(compatibility.value), server.game_version)[:2]
        yield ShownRelease(
            release=release,
            game_versions=wording.game_versions(release.game_versions) or _("no game version named"),
            changelog="" if is_cut else html.sanitised(release.changelog),
            marks=marks,
            fit=fit,
            is_cut=is_cut,
            is_installed=release.pk in installed,
        )


def _history(server: GameServer | None, ids: Sequence[str]) -> list[history.Line]:
    if server is None:
        return []
    return history.lines(list(past.of_server(server).filter(modid_key__in=ids)[:_LATEST]))


def _links(mod: Mod) -> list[tuple[str, str]]:
    """Where more is said of it: (label, address), web addresses only."""
    named = [
        (_("Page in the mod database"), f"{conf.MODDB_URL.get()}/show/mod/{mod.asset_id}" if mod.asset_id else ""),
        (_("Home page"), mod.homepage_url),
        (_("Source"), mod.source_url),
        (_("Report an issue"), mod.issues_url),
        (_("Wiki"), mod.wiki_url),
        (_("Video"), mod.video_url),
    ]
    usable = {html.web_link(url): label for label, url in reversed(named)}
    return [(label, url) for url, label in reversed(usable.items()) if url]


# --- what people do here


@require_POST
def install(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan to install the mod: `server`, and `pick` or the `release` whose button was pressed."""
    rights.require(request, rights.INSTALL)
    mod = get_object_or_404(Mod, pk=pk)
    server = GameServer.objects.filter(pk=pks.read(request.POST.get("server", ""))).first()
    target = _target(mod, request.POST.get("release", "") or request.POST.get("pick", ""))
    if server is None:
        messages.error(request, _("Choose the server first."))
    elif target is None:
        messages.error(request, _("That version is no longer there. Choose another one."))
    else:
        return asking.ask(request, [(server, Wish(kind=Operation.Kind.INSTALL, targets=(target,)))])
    return HttpResponseRedirect(reverse("admin:mods_mod_change", args=[mod.pk]))


def _target(mod: Mod, given: str) -> Target | None:
    """One of the mod's own ids, in a version that it has; "" as the version is what is recommended."""
    key, _at, version = given.partition("@")
    ids = catalogue.claimed([mod.pk]).get(mod.pk, ())
    if not ids and not given:  # nobody said yet by which ids it goes
        return Target(number=mod.asset_id or mod.mod_id)
    if key not in ids:
        return None
    if version and not Release.objects.filter(mod=mod, modid_key=key, version=version).exists():
        return None
    return Target(modid=key, version=version)


@require_POST
def fetch(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the details once more."""
    rights.require(request, "mods.view_mod", "mods.refresh_mod")
    mod = get_object_or_404(Mod, pk=pk)
    enqueue(tasks.DETAILS, user=request.user, mod=mod.pk)
    return asking.back(request, reverse("admin:mods_mod_change", args=[mod.pk]))
