"""The overview: what needs doing, then each server's figures, then what runs and ran."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_q.models import Schedule

from cache import conf as cache_conf
from cache import counters, pages, wording
from mods import conf as mods_conf
from mods import discovery, figures, rights, starts
from mods import tasks as mods_tasks
from mods.models import GameServer, Operation, RefreshRun
from vsadmin import jobpages, todos
from vsadmin.lib.jobs.models import JobRun
from vsadmin.templatetags.panel import count_words

_LATELY = 6
_CARRIED_OUT = (Operation.State.DONE, Operation.State.FAILED, Operation.State.UNDONE)


@dataclass(frozen=True)
class ServerCard:
    """A server with its figures, each with the address of the list behind it."""

    server: GameServer
    figures: figures.Figures
    facts: list[tuple[int, str, str, str]]
    #: What the running server doesn't have yet.
    difference: starts.Difference


@dataclass(frozen=True)
class CacheCard:
    """The download cache in a line, and what this person may do to it."""

    words: str
    used_bytes: int
    limit_bytes: int
    may_view: bool
    may_clear: bool


def context(request: HttpRequest) -> dict[str, Any]:
    """What the overview shows, in a number of queries that no number of servers or mods changes."""
    user = request.user
    may_see = user.has_perm("mods.view_installedmod") and user.has_perm("mods.view_gameserver")
    servers = list(GameServer.objects.all()) if may_see else []
    counted = figures.by_server() if may_see else {}
    last_run = RefreshRun.objects.first()
    next_refresh = Schedule.objects.filter(name=mods_tasks.REFRESH).values_list("next_run", flat=True).first()
    differences = starts.for_servers(servers)
    cards = [_card(server, counted.get(server.pk, figures.Figures()), differences[server.pk]) for server in servers]
    facts = todos.Facts(servers, counted, differences, last_run, next_refresh)
    needed = todos.of(request, facts) if may_see else []
    total = figures.total(counted.values())
    return {
        "title": _heading(len(needed), servers),
        "may_see": may_see,
        "todos": needed,
        "cards": cards,
        "total": total,
        "last_run": last_run,
        "next_refresh": next_refresh,
        "next_refresh_passed": next_refresh is not None and next_refresh <= timezone.now(),
        "refresh_is_off": not mods_conf.REFRESH_INTERVAL.get(),
        "found": discovery.find() if may_see and not servers and user.has_perm("mods.add_gameserver") else [],
        "no_mods": bool(servers) and not total.mods,
        "cache": _cache(request),
        **_work(request),
        **_changes(request),
    }


def _heading(needed: int, servers: list[GameServer]) -> str:
    if not servers:
        return _("Welcome to vsadmin")
    if not needed:
        return _("All well.")
    return ngettext("%s thing needs you", "%s things need you", needed) % count_words(needed)


def _card(server: GameServer, counted: figures.Figures, difference: starts.Difference) -> ServerCard:
    key = server.pk
    facts = [
        (counted.mods, ngettext("mod", "mods", counted.mods), "", todos.mods_url(server=key)),
        (
            counted.outdated,
            ngettext("update", "updates", counted.outdated),
            "warn",
            todos.mods_url(server=key, state="outdated"),
        ),
        (counted.incompatible, _("incompatible"), "bad", todos.mods_url(server=key, state="incompatible")),
        (counted.retracted, _("retracted"), "bad", todos.mods_url(server=key, state="retracted")),
        (
            counted.problems,
            ngettext("problem", "problems", counted.problems),
            "bad",
            todos.mods_url(server=key, state="problem"),
        ),
    ]
    return ServerCard(server, counted, facts, difference)


def _cache(request: HttpRequest) -> CacheCard | None:
    """None while nothing is kept, and for who may neither see nor clear it."""
    may_view, may_clear = request.user.has_perm(pages.VIEW), request.user.has_perm(pages.CLEAR)
    kept = counters.totals() if may_view or may_clear else None
    if kept is None or kept.files < 1:
        return None
    limit, used = cache_conf.limit_bytes(), max(0, kept.bytes)
    parts = {"files": wording.files(kept.files), "used": wording.size(used), "limit": wording.size(limit)}
    words = _("%(files)s, %(used)s of %(limit)s") if limit else _("%(files)s, %(used)s")
    return CacheCard(words % parts, used, limit, may_view, may_clear)


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


def _changes(request: HttpRequest) -> dict[str, list[Operation]]:
    """The changes under way, and the latest that are over, with who asked for them."""
    if not rights.may_see_changes(request):
        return {"changing": [], "changed": []}
    known = Operation.objects.select_related("server").defer("plan", "wish")
    return {
        "changing": list(known.under_way()[:_LATELY]),
        "changed": list(known.filter(state__in=_CARRIED_OUT, started_at__isnull=False)[:_LATELY]),
    }
