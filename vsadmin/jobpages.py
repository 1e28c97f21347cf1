"""Background work in the browser: start a job of the fixed list, watch its run, see what is scheduled."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django_q.models import Schedule

from cache import conf as cache_conf
from cache import tasks as cache_tasks
from events.record import DELIVER
from mods import conf as mods_conf
from mods import tasks as mods_tasks
from mods.models import GameServer, RefreshRun
from vsadmin import housekeeping, schedules
from vsadmin.lib import adminlog, conf, times
from vsadmin.lib.jobs.models import JobRun, Worker
from vsadmin.lib.jobs.runner import enqueue, registry
from vsadmin.lib.stored import store

#: How many runs the jobs' page shows.
SHOWN_RUNS = 15
#: htmx stops asking on this answer.
_STOP_ASKING = 286


@dataclass(frozen=True)
class JobFace:
    """How a scheduled job looks to people, and the right that starting it takes."""

    description: str | Promise
    setting: conf.Setting[int] | None = None
    permission: str = ""


FACES = {
    mods_tasks.SCAN: JobFace(
        gettext_lazy("Reads every server's mod folders, so that the list follows the disk."),
        mods_conf.SCAN_INTERVAL,
        "mods.scan_gameserver",
    ),
    mods_tasks.REFRESH: JobFace(
        gettext_lazy("Asks the mod database about the installed mods: new releases, retractions, game versions."),
        mods_conf.REFRESH_INTERVAL,
        "mods.refresh_mod",
    ),
    mods_tasks.CATALOGUE: JobFace(
        gettext_lazy("Fetches the mod database's whole list, without details."),
        mods_conf.CATALOGUE_INTERVAL,
        "mods.refresh_mod",
    ),
    cache_tasks.ENFORCE: JobFace(
        gettext_lazy("Evicts the least recently used files where the download cache is over its limit."),
        cache_conf.CHECK_INTERVAL,
        "cache.evict_cacheentry",
    ),
    cache_tasks.VERIFY: JobFace(
        gettext_lazy("Reads every file of the download cache and mends what differs from its record."),
        permission="cache.evict_cacheentry",
    ),
    housekeeping.TIDY: JobFace(gettext_lazy("Removes sessions that are over and failed logins of long ago.")),
    DELIVER: JobFace(gettext_lazy("Sends what waits for its notification targets, and tries again what failed.")),
    schedules.HEARTBEAT: JobFace(gettext_lazy("Says that the worker is alive, and closes runs that were interrupted.")),
}
_NO_FACE = JobFace("")


@dataclass(frozen=True)
class RunBox:
    """A run as the progress box shows it."""

    run: JobRun
    title: str | Promise
    worker_silent: bool
    #: Asked for while this one was under way already.
    was_under_way: bool = False
    details_url: str = ""

    @property
    def tone(self) -> str:
        if not self.run.is_over:
            return "info"
        return "bad" if self.run.state == JobRun.State.FAILED else "good"


@dataclass(frozen=True)
class JobRow:
    """A scheduled job as the jobs' page shows it."""

    name: str
    title: str | Promise
    face: JobFace
    every: str
    next_run: datetime | None
    last: JobRun | None
    may_run: bool


def title_of(name: str) -> str | Promise:
    if name == schedules.HEARTBEAT:
        return gettext_lazy("Heartbeat of the worker")
    if name == DELIVER:
        return gettext_lazy("Send notifications")
    return registry[name].title if name in registry else name


def may_run(request: HttpRequest, name: str) -> bool:
    """Whether the job is one that people may start, and this one has the right to."""
    scheduled = name in registry and any(one.name == name for one in schedules.SCHEDULED)
    permission = FACES.get(name, _NO_FACE).permission
    return scheduled and bool(permission) and request.user.has_perm(permission)


def may_see(request: HttpRequest, name: str) -> bool:
    """Whether this person may watch the job's runs: also those that they may ask for, here or on a page of its own."""
    permission = FACES.get(name, _NO_FACE).permission
    return request.user.has_perm("jobs.view_jobrun") or (bool(permission) and request.user.has_perm(permission))


def box_for(run: JobRun, *, was_under_way: bool = False) -> RunBox:
    """What the progress box shows of this run; at most two queries."""
    details_url = reverse("admin:jobs_jobrun_change", args=[run.pk])
    if run.is_over and run.job == mods_tasks.REFRESH and run.started_at and run.ended_at:
        refresh = RefreshRun.objects.filter(started_at__range=(run.started_at, run.ended_at)).first()
        if refresh is not None:
            details_url = reverse("admin:mods_refreshrun_change", args=[refresh.pk])
    silent = not run.is_over and not Worker.is_any_alive()
    return RunBox(run, title_of(run.job), silent, was_under_way, details_url)


def box_of_page(request: HttpRequest) -> RunBox | None:
    """The box for the run that the page's address names (`?run=…`), if there is one to see."""
    given = str(getattr(request, "panel_run", ""))
    if not given.isascii() or not given.isdigit() or len(given) > 18:
        return None
    run = JobRun.objects.filter(pk=int(given)).first()
    return box_for(run) if run is not None and may_see(request, run.job) else None


@require_POST
def start_run(request: HttpRequest, name: str) -> HttpResponse:
    """Start a job: with htmx the answer is its progress box, else the page it was started from, with the box."""
    if not any(one.name == name for one in schedules.SCHEDULED) or name not in registry:
        raise Http404
    if not may_run(request, name):
        raise PermissionDenied
    run, is_new = enqueue(name, user=request.user, **_arguments(name, request.POST))
    if is_new:
        _record(request, run)
    page = with_run(_safe_page(request), run)
    if not getattr(request, "htmx", False):
        return HttpResponseRedirect(page)
    response = _render_box(request, box_for(run, was_under_way=not is_new))
    response["HX-Replace-Url"] = page
    return response


def _record(request: HttpRequest, run: JobRun) -> None:
    """A line of the admin log: who started what."""
    adminlog.record(request.user, run, adminlog.ADDITION, _("Started by hand"), name=str(title_of(run.job)))


@require_safe
def run_box(request: HttpRequest, pk: int) -> HttpResponse:
    """The progress box alone, asked for about every second while the run is under way."""
    run = JobRun.objects.filter(pk=pk).first()
    if run is None:
        return HttpResponse(status=_STOP_ASKING)
    if not may_see(request, run.job):
        raise PermissionDenied
    return _render_box(request, box_for(run, was_under_way="under_way" in request.GET))


def _render_box(request: HttpRequest, box: RunBox) -> HttpResponse:
    response = TemplateResponse(request, "panel/run_box.html", {"box": box})
    if box.run.is_over:
        response["HX-Trigger-After-Settle"] = "run-finished"
    return response


def _arguments(name: str, given: QueryDict) -> dict[str, Any]:
    if name != mods_tasks.SCAN or not given.get("server"):
        return {}
    text = str(given["server"])
    known = text.isascii() and text.isdigit() and len(text) < 19
    return {"server": get_object_or_404(GameServer, pk=int(text) if known else 0).pk}


def _safe_page(request: HttpRequest) -> str:
    """Where the person was, as the form says; the overview where that is no page of ours."""
    page = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return page if allowed and page.startswith("/") else reverse("admin:index")


def with_run(page: str, run: JobRun) -> str:
    """The page's address with `?run=…`, which shows the run's progress there."""
    path, _mark, query = page.partition("?")
    kept = QueryDict(query, mutable=True)
    kept.pop("run", None)
    kept["run"] = str(run.pk)
    return f"{path}?{urlencode(list(kept.lists()), doseq=True)}"


def job_rows(request: HttpRequest) -> list[JobRow]:
    """Every scheduled job with its next run and its last one; three queries, and one for the settings."""
    store.forget()
    names = [one.name for one in schedules.SCHEDULED]
    next_runs = dict(Schedule.objects.filter(name__in=names).values_list("name", "next_run"))
    newest = JobRun.objects.filter(job__in=names).order_by().values("job").annotate(newest=Max("pk"))
    last = {run.job: run for run in JobRun.objects.filter(pk__in=[row["newest"] for row in newest])}
    return [
        JobRow(
            name=one.name,
            title=title_of(one.name),
            face=FACES.get(one.name, _NO_FACE),
            every=times.every(one.interval()),
            next_run=next_runs.get(one.name),
            last=last.get(one.name),
            may_run=may_run(request, one.name),
        )
        for one in schedules.SCHEDULED
    ]


def system_page(site: admin.AdminSite) -> Callable[[HttpRequest], HttpResponse]:
    """The page of the background jobs: what is scheduled, how the worker is, what ran lately."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("jobs.view_jobrun"):
            raise PermissionDenied
        runs = list(JobRun.objects.select_related("asked_by")[:SHOWN_RUNS])
        context = {
            **site.each_context(request),
            "title": _("Background jobs"),
            "jobs": job_rows(request),
            "runs": [(run, title_of(run.job)) for run in runs],
        }
        request.current_app = site.name
        return TemplateResponse(request, "panel/system.html", context)

    return view
