"""The overview: what needs doing, then each server's figures, then what runs and ran."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_q.models import Schedule

from cache import charts, counters, pages, statistics, wording
from cache import conf as cache_conf
from mods import conf as mods_conf
from mods import figures, looking, restart, rights
from mods import tasks as mods_tasks
from mods.models import GameServer, Operation, RefreshRun
from vsadmin import jobpages, todos
from vsadmin.lib.jobs.models import JobRun, Worker
from vsadmin.templatetags.panel import count_words

#: Changes and runs that are listed, of each sort.
_LATELY = 5
_RUNS = 4
#: Days of the small chart; the figures beside it are of thirty.
_CHARTED_DAYS = 14
_CARRIED_OUT = (Operation.State.DONE, Operation.State.FAILED, Operation.State.UNDONE)
#: What a line about a change shows.
_OF_A_CHANGE = ("title", "state", "kind", "asked_by_name", "asked_at", "ended_at", "done", "total", "doing")

_OF_A_RUN = ("job", "state", "queued_at", "done", "total", "message")

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Fact:
    """A figure, and the address of the list behind it."""

    count: int
    label: str
    tone: str
    url: str


@dataclass(frozen=True)
class ServerCard:
    """A server with its figures."""

    server: GameServer
    url: str
    facts: list[Fact]
    #: What the running server doesn't have yet, in words.
    restart: str


@dataclass(frozen=True)
class CacheCard:
    """The download cache in a few figures, and what this person may do to it. Texts are "" where there is nothing."""

    files: str
    used: str
    used_bytes: int
    limit_bytes: int
    hit_rate: str
    saved: str
    chart: charts.Chart | None
    may_view: bool
    may_clear: bool


@dataclass(frozen=True)
class Changes:
    """Plans that wait for a yes, what is under way, and the latest that are over."""

    waiting: list[Operation]
    under_way: list[Operation]
    over: list[Operation]


def context(request: HttpRequest, worker: Worker) -> dict[str, Any]:
    """What the overview shows, in a number of queries that no number of servers, mods or files changes."""
    user = request.user
    may_see = user.has_perms((rights.VIEW_MODS, rights.VIEW_SERVERS))
    servers = list(GameServer.objects.all()) if may_see else []
    counted = figures.by_server() if may_see else {}
    last_run = RefreshRun.objects.first()
    next_refresh = Schedule.objects.filter(name=mods_tasks.REFRESH).values_list("next_run", flat=True).first()
    differences = restart.for_servers(servers)
    changes = _changes(request)
    facts = todos.Facts(servers, counted, differences, last_run, next_refresh, worker, changes.waiting)
    needed = todos.of(request, facts) if may_see else []
    total = figures.total(counted.values())
    may_add = user.has_perm("mods.add_gameserver")
    return {
        "title": _heading(len(needed), servers),
        "may_see": may_see,
        "todos": needed,
        "cards": _cards(servers, counted, differences),
        "total": total,
        "last_run": last_run,
        "next_refresh": next_refresh,
        "next_refresh_passed": next_refresh is not None and next_refresh <= timezone.now(),
        "refresh_is_off": not mods_conf.REFRESH_INTERVAL.get(),
        **(_first_server(request) if may_see and not servers and may_add else {}),
        "no_mods": bool(servers) and not total.mods,
        "may_install": user.has_perm(rights.INSTALL),
        "cache": _cache(request),
        "changing": changes.under_way,
        "changed": changes.over,
        **_work(request),
    }


def _heading(needed: int, servers: list[GameServer]) -> str:
    if not servers:
        return _("Welcome to vsadmin")
    if not needed:
        return _("All well.")
    return ngettext("%s thing needs you", "%s things need you", needed) % count_words(needed)


def _first_server(request: HttpRequest) -> dict[str, Any]:
    """Data folders found on this machine, and what is at a path that somebody typed, where no script tells."""
    typed = request.GET.get("data_dir", "")
    return {
        "found": looking.suggestions(),
        "typed": typed,
        "typed_name": request.GET.get("name", ""),
        "look": looking.look(typed),
    }


def _cards(
    servers: Sequence[GameServer], counted: dict[int, figures.Figures], differences: dict[int, restart.Difference]
) -> list[ServerCard]:
    mods_url = todos.mods_url()
    page = reverse("admin:mods_gameserver_change", args=[0])
    return [
        ServerCard(
            server,
            page.replace("/0/", f"/{server.pk}/"),
            _facts(f"{mods_url}?server={server.pk}", counted.get(server.pk, figures.Figures())),
            differences[server.pk].shown(),
        )
        for server in servers
    ]


def _facts(url: str, counted: figures.Figures) -> list[Fact]:
    back = Fact(counted.to_go_back, _("to go back"), "warn", f"{url}&state=back")
    return [
        Fact(counted.mods, ngettext("mod", "mods", counted.mods), "", url),
        Fact(counted.outdated, ngettext("update", "updates", counted.outdated), "warn", f"{url}&state=outdated"),
        *([back] if counted.to_go_back else []),
        Fact(counted.incompatible, _("incompatible"), "bad", f"{url}&state=incompatible"),
        Fact(counted.retracted, _("retracted"), "bad", f"{url}&state=retracted"),
        Fact(counted.problems, ngettext("problem", "problems", counted.problems), "bad", f"{url}&state=problem"),
    ]


def _cache(request: HttpRequest) -> CacheCard | None:
    """None while nothing is kept, and for who may neither see nor clear it."""
    may_view, may_clear = request.user.has_perm(pages.VIEW), request.user.has_perm(pages.CLEAR)
    kept = counters.totals() if may_view or may_clear else None
    if kept is None or kept.files < 1:
        return None
    limit, used = cache_conf.limit_bytes(), max(0, kept.bytes)
    month = statistics.by_day()
    total = statistics.over(month)
    words = _("%(used)s of %(limit)s") if limit else "%(used)s"
    return CacheCard(
        files=wording.files(kept.files),
        used=words % {"used": wording.size(used), "limit": wording.size(limit)},
        used_bytes=used,
        limit_bytes=limit,
        hit_rate="" if total.hit_rate is None else wording.share(total.hit_rate),
        saved=wording.size(total.saved_bytes) if total.saved_bytes else "",
        chart=None if total.hit_rate is None else charts.hit_rates(month[-_CHARTED_DAYS:]),
        may_view=may_view,
        may_clear=may_clear,
    )


# What runs and ran.


def _work(request: HttpRequest) -> dict[str, list[tuple[JobRun, str | Promise]]]:
    if not request.user.has_perm("jobs.view_jobrun"):
        return {"running": [], "lately": []}
    over = JobRun.objects.filter(state__in=(JobRun.State.DONE, JobRun.State.FAILED))
    rows = _any_of(JobRun.objects.all(), (JobRun.objects.unfinished()[:_RUNS], over[:_RUNS]))
    shown = rows.select_related("asked_by").only(*_OF_A_RUN, "asked_by__username")
    found = [(run, jobpages.title_of(run.job)) for run in shown]
    return {
        "running": [one for one in found if not one[0].is_over],
        "lately": [one for one in found if one[0].is_over],
    }


def _changes(request: HttpRequest) -> Changes:
    """With who asked for them; one query."""
    if not rights.may_see_changes(request):
        return Changes([], [], [])
    every = Operation.objects.all()
    parts = (
        every.filter(state=Operation.State.PLANNED)[: todos.MAX_WAITING],
        every.under_way()[:_LATELY],
        every.filter(state__in=_CARRIED_OUT, started_at__isnull=False)[:_LATELY],
    )
    found = list(_any_of(every, parts).select_related("server").only(*_OF_A_CHANGE, "server__name"))
    waiting = [one for one in found if one.state == Operation.State.PLANNED]
    under_way = [one for one in found if one.state in (Operation.State.QUEUED, Operation.State.RUNNING)]
    return Changes(waiting, under_way, [one for one in found if one.state in _CARRIED_OUT])


def _any_of(rows: QuerySet[M], parts: Sequence[QuerySet[M]]) -> QuerySet[M]:
    """The rows of all these parts, each perhaps cut at a number, in one query."""
    return rows.filter(reduce(or_, (Q(pk__in=part.values("pk")) for part in parts)))
