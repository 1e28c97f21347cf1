"""Upgrade readiness in the panel: each server's mods against a game version, and the plan that gets them there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods

from mods import catalogue, fits, gameversions, readiness, rights, versions
from mods.admin import asking, pks
from mods.admin.deciding import View
from mods.judging import Do, Verdict
from mods.models import GameServer, InstalledMod, Mod, Operation
from mods.readiness import Finding, Report
from mods.wishes import Target, Wish

TONES = {Verdict.READY: "good", Verdict.NOT_VERIFIED: "calm", Verdict.BLOCKING: "bad"}
WORDS: dict[Verdict, str | Promise] = {
    Verdict.READY: gettext_lazy("ready"),
    Verdict.NOT_VERIFIED: gettext_lazy("not verified"),
    Verdict.BLOCKING: gettext_lazy("blocking"),
}
#: Which rows are shown, first the ones where nobody chose.
_SHOWN: dict[str, str | Promise] = {
    "todo": gettext_lazy("Something to do"),
    Verdict.BLOCKING.value: gettext_lazy("Blocking"),
    Verdict.NOT_VERIFIED.value: gettext_lazy("Not verified"),
    Verdict.READY.value: gettext_lazy("Ready"),
    "all": gettext_lazy("All"),
}
#: Rows of each server on one page; and files that a plan is told what to do with.
_ROWS = 50
_MOST_CHOSEN = 500
_CHOICE = "choice-"


@dataclass(frozen=True)
class Row:
    """A mod as the page shows it. `choices`: values and words of what can be decided here; none: nothing."""

    finding: Finding
    tone: str
    word: str | Promise
    todo: str
    choices: list[tuple[str, str]]
    #: Address and words of where to look for what takes its place.
    link: tuple[str, str] | None


@dataclass(frozen=True)
class Section:
    """A server with its bar, its figures and its rows. `bar`: tone, beginning and width of each part, in percent."""

    report: Report
    summary: str
    bar: list[tuple[str, str, str]]
    rows: list[Row]
    #: How many there are of those that were asked for, on all pages.
    wanted: int
    #: Words of the button; "" where there is nothing to plan.
    plan: str


def page(site: AdminSite) -> View:
    """GET: `version`, `server`, `show`. POST: plan to get `server` ready, with what was chosen for rows."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        rights.require(request, rights.VIEW_SERVERS, rights.VIEW_MODS)
        servers = list(GameServer.objects.all())
        if request.method == "POST":
            return _plan(request, servers)
        return _render(site, request, servers)

    return view


def address(game_version: str = "", server: GameServer | None = None, show: str = "") -> str:
    given = {"version": game_version, "server": str(server.pk) if server else "", "show": show}
    query = urlencode({name: value for name, value in given.items() if value})
    return reverse("admin:mods_gameserver_readiness") + (f"?{query}" if query else "")


def _of(servers: Sequence[GameServer], given: str) -> GameServer | None:
    return next((server for server in servers if server.pk == pks.read(given)), None)


# --- the plan


def _plan(request: HttpRequest, servers: Sequence[GameServer]) -> HttpResponse:
    game_version = readiness.readable(request.POST.get("version", ""))
    server = _of(servers, request.POST.get("server", ""))
    if not game_version or server is None:
        return HttpResponseRedirect(address())
    wish = Wish(Operation.Kind.PREPARE, tuple(_targets(request, server)), game_version=game_version)
    rights.require(request, *rights.needed(wish))
    (report,) = readiness.of([server], game_version)
    if not wish.targets and not report.updates:
        words = _("Nothing was chosen, and no update of %s is needed: there is nothing to do.")
        messages.warning(request, words % server.name)
        return HttpResponseRedirect(address(game_version))
    return asking.ask(request, [(server, wish)])


def _targets(request: HttpRequest, server: GameServer) -> Iterable[Target]:
    """What was chosen for which file of this server."""
    chosen = {pks.read(name[len(_CHOICE) :]): value for name, value in request.POST.items() if name.startswith(_CHOICE)}
    asked = {pk: value for pk, value in chosen.items() if pk and value}
    rows = InstalledMod.objects.filter(server=server, pk__in=list(asked)[:_MOST_CHOSEN]).only("pk", "modid")
    for row in rows:
        value = str(asked[row.pk])
        if value == "remove":
            yield Target(row=row.pk, remove=True)
        elif value == "disable":
            yield Target(row=row.pk, enabled=False)
        elif value.startswith("take-") and versions.parse(value[5:]) is not None:
            yield Target(row=row.pk, version=value[5:])


# --- the page


def _render(site: AdminSite, request: HttpRequest, servers: list[GameServer]) -> HttpResponse:
    known = gameversions.known()
    given = request.GET.get("version", "").strip()
    game_version = readiness.readable(given) if given else gameversions.newest(known)
    server = _of(servers, request.GET.get("server", ""))
    show = request.GET.get("show", "")
    show = show if show in _SHOWN else next(iter(_SHOWN))
    reports = readiness.of([server] if server else servers, game_version) if game_version else []
    wanted = [[one for one in report.findings if _is_shown(one, show)] for report in reports]
    page = Paginator(range(max(map(len, wanted), default=0)), _ROWS).get_page(request.GET.get("page"))
    shown = [found[page.start_index() - 1 if found else 0 :][:_ROWS] for found in wanted]
    tags = _first_tags(one for found in shown for one in found)
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": _("Ready for %s?") % game_version if game_version else _("Upgrade readiness"),
        "servers": servers,
        "server": server,
        "game_version": game_version,
        "misread": given if given and not game_version else "",
        "is_unheard_of": bool(game_version and known) and game_version not in known,
        "releases": [one for one in known if not versions.is_prerelease(one)],
        "prereleases": [one for one in known if versions.is_prerelease(one)],
        "show": show,
        "chips": _chips(reports, game_version, server, show),
        "sections": [
            _section(request, report, rows, len(all_rows), tags)
            for report, rows, all_rows in zip(reports, shown, wanted, strict=True)
        ],
        "page": page,
        "here": address(game_version, server, show),
        "may_update": request.user.has_perm(rights.UPDATE),
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/mods/gameserver/readiness.html", context)


def _chips(
    reports: Sequence[Report], game_version: str, server: GameServer | None, show: str
) -> list[tuple[str, str | Promise, int, bool]]:
    """Address, words, how many, whether it is the one that is shown."""
    counts = {
        "todo": sum(one.needs_something for report in reports for one in report.findings),
        "all": sum(len(report.findings) for report in reports),
        **{verdict.value: sum(report.count(verdict) for report in reports) for verdict in Verdict},
    }
    return [(address(game_version, server, name), words, counts[name], name == show) for name, words in _SHOWN.items()]


def _is_shown(finding: Finding, show: str) -> bool:
    if show == "todo":
        return finding.needs_something
    return show in {"all", finding.verdict.value}


def _section(
    request: HttpRequest, report: Report, shown: Sequence[Finding], wanted: int, tags: Mapping[int, str]
) -> Section:
    rows = [_row(request, one, report, tags) for one in shown]
    plan = ""
    if report.updates:
        words = ngettext("Plan %(count)d update", "Plan %(count)d updates", report.updates)
        plan = words % {"count": report.updates}
    elif any(row.choices for row in rows):
        plan = _("Plan what was chosen")
    return Section(report, _summary(report), _bar(report), rows, wanted, plan)


def _first_tags(findings: Iterable[Finding]) -> dict[int, str]:
    """By the keys of the mods that want a replacement, what the mod database files them under first; one query."""
    wanted = {one.row.mod for one in findings if one.do is Do.REPLACE and one.row.mod}
    found = {mod.pk: catalogue.clean_tags(mod) for mod in Mod.objects.filter(pk__in=wanted).only("tags")}
    return {pk: tags[0] for pk, tags in found.items() if tags}


def _summary(report: Report) -> str:
    """The figures in words, which the bar shows besides."""
    ready, unverified, blocking = (report.count(one) for one in Verdict)
    parts = [ngettext("%d ready", "%d ready", ready) % ready]
    if after := sum(one.verdict is Verdict.READY and one.do is Do.UPDATE for one in report.findings):
        parts[0] += " " + ngettext("(%d after an update)", "(%d after an update)", after) % after
    parts.append(ngettext("%d not verified", "%d not verified", unverified) % unverified)
    parts.append(ngettext("%d blocking", "%d blocking", blocking) % blocking)
    return ", ".join(parts)


def _bar(report: Report) -> list[tuple[str, str, str]]:
    total = len(report.findings)
    parts, at = [], 0.0
    for verdict in Verdict:
        width = 100 * report.count(verdict) / total if total else 0
        if width:
            parts.append((TONES[verdict], f"{at:.2f}", f"{width:.2f}"))
        at += width
    return parts


def _row(request: HttpRequest, finding: Finding, report: Report, tags: Mapping[int, str]) -> Row:
    verdict, link = finding.verdict, _link(request, finding, report, tags)
    return Row(finding, TONES[verdict], WORDS[verdict], todo_words(finding), _choices(request, finding), link)


def todo_words(finding: Finding) -> str:
    """What to do, in a few words."""
    version = finding.judgement.version
    match finding.do:
        case Do.UPDATE if finding.by_hand:
            return _("update to %s by hand: it is a folder") % version
        case Do.UPDATE:
            return _("update to %s") % version
        case Do.GO_BACK if finding.judgement.back is not None:
            return _("go back to %s, if you want it") % finding.judgement.back.version
        case Do.HOLD:
            return _("hold until then")
        case Do.UNHOLD:
            return _("let go of the hold, then update")
        case Do.REPLACE:
            return _("replace, disable or remove")
        case Do.INSTALL:
            return _("install %s, which it needs") % finding.judgement.missing
        case Do.REMOVE if finding.verdict is Verdict.BLOCKING:
            return _("disable or remove")
        case Do.REMOVE:
            return _("remove this file")
    return _("try it on a copy") if finding.verdict is Verdict.NOT_VERIFIED else _("nothing")


def _choices(request: HttpRequest, finding: Finding) -> list[tuple[str, str]]:
    """What a plan can do with a mod that no update helps; the first is to leave it."""
    if finding.is_held or not (finding.verdict is Verdict.BLOCKING or finding.do is Do.REMOVE):
        return []
    found = []
    user, row = request.user, finding.row
    if finding.judgement.prerelease and not finding.by_hand and user.has_perm(rights.UPDATE):
        version = finding.judgement.prerelease
        found.append((f"take-{version}", _("take the prerelease %s") % version))
    if finding.judgement.back is not None and not finding.by_hand and user.has_perm(rights.UPDATE):
        version = finding.judgement.back.version
        found.append((f"take-{version}", _("go back to %s") % version))
    if row.enabled and user.has_perm(rights.TOGGLE):
        found.append(("disable", _("disable it")))
    if not finding.by_hand and user.has_perm(rights.REMOVE):
        found.append(("remove", _("remove it")))
    return [("", _("leave it")), *found] if found and user.has_perm(rights.UPDATE) else []


def _link(request: HttpRequest, finding: Finding, report: Report, tags: Mapping[int, str]) -> tuple[str, str] | None:
    """Where to find what can take a blocking mod's place, or what it needs."""
    if finding.do is Do.INSTALL and request.user.has_perm(rights.INSTALL):
        wanted = urlencode({"server": str(report.server.pk), "target": finding.judgement.missing})
        return f"{reverse('admin:mods_operation_install')}?{wanted}", _("Install %s…") % finding.judgement.missing
    if finding.do is not Do.REPLACE or not request.user.has_perm("mods.view_mod"):
        return None
    if finding.rival is not None:
        return reverse("admin:mods_mod_change", args=[finding.rival.mod]), _("See %s") % finding.rival.name
    tag = tags.get(finding.row.mod or 0, "")
    query = {"gv": fits.series(report.game_version), "tag": tag, "server": str(report.server.pk)}
    found = urlencode({name: value for name, value in query.items() if value})
    return f"{reverse('admin:mods_mod_changelist')}?{found}", _("Look for a replacement")
