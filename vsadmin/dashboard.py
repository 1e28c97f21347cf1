"""The overview: what needs doing, each with the button that does it; then each server's figures; then what ran."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_q.models import Schedule

from mods import conf as mods_conf
from mods import discovery, figures
from mods import tasks as mods_tasks
from mods.models import GameServer, InstalledMod, InstalledModQuerySet, RefreshRun
from vsadmin import jobpages
from vsadmin.lib import times
from vsadmin.lib.jobs.models import JobRun, Worker
from vsadmin.templatetags.panel import count_words

#: Names that a line gives before it says "and 3 more".
_NAMED = 3
_LATELY = 6


@dataclass(frozen=True)
class Job:
    """A button that starts a job."""

    name: str
    label: str
    server: int | None = None


@dataclass(frozen=True)
class Todo:
    """One thing that needs a person: what happened, what it means, and the button that does something about it."""

    tone: str
    text: str
    detail: str = ""
    url: str = ""
    label: str = ""
    job: Job | None = None


@dataclass(frozen=True)
class ServerCard:
    """A server with its figures, each with the address of the list behind it."""

    server: GameServer
    figures: figures.Figures
    facts: list[tuple[int, str, str, str]] = field(default_factory=list)


def mods_url(**filters: object) -> str:
    """The list of installed mods under these filters."""
    query = "&".join(f"{name}={value}" for name, value in filters.items() if value)
    return reverse("admin:mods_installedmod_changelist") + (f"?{query}" if query else "")


def context(request: HttpRequest) -> dict[str, Any]:
    """What the overview shows, in a number of queries that no number of servers or mods changes."""
    user = request.user
    may_see = user.has_perm("mods.view_installedmod") and user.has_perm("mods.view_gameserver")
    servers = list(GameServer.objects.all()) if may_see else []
    counted = figures.by_server() if may_see else {}
    last_run = RefreshRun.objects.first()
    next_refresh = Schedule.objects.filter(name=mods_tasks.REFRESH).values_list("next_run", flat=True).first()
    cards = [_card(server, counted.get(server.pk, figures.Figures())) for server in servers]
    todos = _todos(request, servers, cards, last_run, next_refresh) if may_see else []
    total = figures.total(counted.values())
    return {
        "title": _heading(len(todos), servers),
        "may_see": may_see,
        "todos": todos,
        "cards": cards,
        "total": total,
        "last_run": last_run,
        "next_refresh": next_refresh,
        "next_refresh_passed": next_refresh is not None and next_refresh <= timezone.now(),
        "refresh_is_off": not mods_conf.REFRESH_INTERVAL.get(),
        "found": discovery.find() if may_see and not servers and user.has_perm("mods.add_gameserver") else [],
        "no_mods": bool(servers) and not total.mods,
        **_work(request),
    }


def _heading(todos: int, servers: list[GameServer]) -> str:
    if not servers:
        return _("Welcome to vsadmin")
    if not todos:
        return _("All well.")
    return ngettext("%s thing needs you", "%s things need you", todos) % count_words(todos)


def _card(server: GameServer, counted: figures.Figures) -> ServerCard:
    key = server.pk
    facts = [
        (counted.mods, ngettext("mod", "mods", counted.mods), "", mods_url(server=key)),
        (
            counted.outdated,
            ngettext("update", "updates", counted.outdated),
            "warn",
            mods_url(server=key, state="outdated"),
        ),
        (counted.incompatible, _("incompatible"), "bad", mods_url(server=key, state="incompatible")),
        (counted.retracted, _("retracted"), "bad", mods_url(server=key, state="retracted")),
        (
            counted.problems,
            ngettext("problem", "problems", counted.problems),
            "bad",
            mods_url(server=key, state="problem"),
        ),
    ]
    return ServerCard(server, counted, facts)


# What needs doing.


def _todos(
    request: HttpRequest,
    servers: list[GameServer],
    cards: list[ServerCard],
    last_run: RefreshRun | None,
    next_refresh: datetime | None,
) -> list[Todo]:
    found: list[Todo] = []
    if servers:
        found += _worker(Worker.load())
        found += _unreachable(request, servers)
        found += _moddb(request, last_run, next_refresh)
    found += _installed(figures.total(card.figures for card in cards))
    found += [_unknown_version(server) for server in servers if not server.game_version and server.scanned_at]
    return found


def _worker(worker: Worker) -> list[Todo]:
    if not worker.is_silent:
        return []
    return [Todo("bad", worker_words(worker), _("What you see stays as it was until it is back."))]


def worker_words(worker: Worker) -> str:
    """What is wrong with a silent worker, and what is being done about it."""
    if worker.beat_at is None:
        return _("The background worker hasn't started yet; nothing is checked.")
    words = format_html(_("Worker silent since {}; nothing is checked"), times.clock(worker.beat_at))
    if worker.restarts >= MAX_RESTARTS:
        return format_html(_("{}. It was restarted {} times; look into the log."), words, worker.restarts)
    if worker.restarts:
        return format_html(_("{}; restarting, {} of {}."), words, worker.restarts, MAX_RESTARTS)
    return format_html("{}.", words)


#: How often `up` restarts a silent worker within ten minutes.
MAX_RESTARTS = 3


def _unreachable(request: HttpRequest, servers: list[GameServer]) -> list[Todo]:
    may_scan = request.user.has_perm("mods.scan_gameserver")
    return [
        Todo(
            "bad",
            format_html(_("{} can't be reached since {}."), server.name, times.clock(server.unreachable_since)),
            _("%s Its mods stay listed as they were.") % server.unreachable_why,
            reverse("admin:mods_gameserver_change", args=[server.pk]),
            _("Open the server"),
            Job(mods_tasks.SCAN, _("Try again"), server.pk) if may_scan else None,
        )
        for server in servers
        if server.unreachable_since
    ]


def _moddb(request: HttpRequest, last_run: RefreshRun | None, next_refresh: datetime | None) -> list[Todo]:
    """The mod database doesn't answer, or was never asked."""
    job = Job(mods_tasks.REFRESH, _("Try now")) if request.user.has_perm("mods.refresh_mod") else None
    if last_run is None or last_run.state != RefreshRun.State.FAILED:
        return []
    answered = RefreshRun.objects.filter(state=RefreshRun.State.COMPLETED).values_list("started_at", flat=True).first()
    failing = RefreshRun.objects.filter(state=RefreshRun.State.FAILED).order_by("started_at")
    if answered:
        failing = failing.filter(started_at__gt=answered)
    first = failing.first() or last_run
    why = next(iter(last_run.failures.values()), "") if isinstance(last_run.failures, dict) else ""
    next_try = _next_try(next_refresh)
    return [
        Todo(
            "bad",
            format_html(_("Mod database unreachable since {}; nothing was lost."), times.clock(first.started_at)),
            format_html("{} {}", str(why)[:300], next_try),
            reverse("admin:mods_refreshrun_change", args=[last_run.pk]),
            _("See what failed"),
            job,
        )
    ]


def _next_try(moment: datetime | None) -> str:
    if moment is None:
        return ""
    if moment <= timezone.now():
        return _("The next try is due now.")
    return format_html(_("Next try {}."), times.clock(moment))


def _installed(total: figures.Figures) -> list[Todo]:
    rows = InstalledMod.objects
    found = []
    if total.retracted:
        text = ngettext(
            "%d installed release was retracted by its author.",
            "%d installed releases were retracted by their authors.",
            total.retracted,
        )
        found.append(_about_mods("bad", text % total.retracted, rows.retracted(), "retracted", total.retracted))
    if total.problems:
        text = ngettext("%d mod has a problem.", "%d mods have a problem.", total.problems)
        found.append(_about_mods("bad", text % total.problems, rows.with_problems(), "problem", total.problems))
    if total.incompatible:
        text = ngettext(
            "%d mod doesn't fit its server's game version.",
            "%d mods don't fit their server's game version.",
            total.incompatible,
        )
        found.append(
            _about_mods("bad", text % total.incompatible, rows.incompatible(), "incompatible", total.incompatible)
        )
    if total.outdated:
        text = ngettext("%d update is recommended.", "%d updates are recommended.", total.outdated)
        found.append(_about_mods("warn", text % total.outdated, rows.outdated(), "outdated", total.outdated))
    return found


def _about_mods(tone: str, text: str, rows: InstalledModQuerySet, state: str, count: int) -> Todo:
    named = rows.select_related("server").only("name", "version", "server__name", "recommended")[:_NAMED]
    return Todo(tone, text, _names(named, state, count), mods_url(state=state), _see(state))


def _see(state: str) -> str:
    return _("See the updates") if state == "outdated" else _("See what to do")


def _names(rows: Iterable[InstalledMod], state: str, count: int) -> str:
    parts = [
        f"{row.name[:60]} {row.version[:30]} → {row.recommended[:30]}" if state == "outdated" else str(row)[:90]
        for row in rows
    ]
    if count > len(parts):
        more = count - len(parts)
        parts.append(ngettext("and %d more", "and %d more", more) % more)
    return " · ".join(parts)


def _unknown_version(server: GameServer) -> Todo:
    return Todo(
        "warn",
        _("The game version of %s isn't known, so nothing can be said of what fits.") % server.name,
        _("It is read from the server's log. Start the server once, or set the version by hand."),
        reverse("admin:mods_gameserver_change", args=[server.pk]) + "#settings",
        _("Set it"),
    )


# What runs and ran.


def _work(request: HttpRequest) -> dict[str, list[tuple[JobRun, str | Promise]]]:
    if not request.user.has_perm("jobs.view_jobrun"):
        return {"running": [], "lately": []}
    unfinished = JobRun.objects.unfinished().select_related("asked_by")[:_LATELY]
    over = JobRun.objects.exclude(pk__in=JobRun.objects.unfinished().values("pk")).select_related("asked_by")
    return {
        "running": [(run, jobpages.title_of(run.job)) for run in unfinished],
        "lately": [(run, jobpages.title_of(run.job)) for run in over[:_LATELY]],
    }
