"""The scheduled jobs, and bringing django-q2's table in line with the settings.

A schedule's name isn't unique in django-q2, so the table is synchronised in one transaction that no other process can
be in: SQLite's are exclusive (IMMEDIATE), PostgreSQL gets an advisory lock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone
from django_q.models import Schedule

from cache import conf as cache_conf
from cache import tasks as cache_tasks
from events.record import DELIVER
from events.tasks import notifications_deliver
from mods import conf as mods_conf
from mods import operations
from mods import tasks as mods_tasks
from vsadmin import housekeeping
from vsadmin.lib import conf, logs
from vsadmin.lib.jobs import heartbeat as jobs_heartbeat
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.jobs.runner import Progress, recover_interrupted, registry
from vsadmin.lib.stored import store

_ADVISORY_LOCK = 0x76736164  # any number that nothing else uses


@dataclass(frozen=True)
class Scheduled:
    """A job of `registry` and how often it runs, in seconds; 0 is never."""

    name: str
    interval: Callable[[], int]


def heartbeat() -> None:
    """Stamp that the worker is alive; close runs, and bring changes to an end, whose process is gone.

    The table follows the settings meanwhile. Not a `@job`: it isn't worth a record.
    """
    Worker.write(jobs_heartbeat.name() or "", beat_at=timezone.now())
    with Progress().watching():
        follow_settings()
        recover_interrupted()
        operations.recover()


HEARTBEAT = "worker_heartbeat"

SCHEDULED = (
    Scheduled(mods_tasks.SCAN, mods_conf.SCAN_INTERVAL.get),
    Scheduled(mods_tasks.REFRESH, mods_conf.REFRESH_INTERVAL.get),
    Scheduled(mods_tasks.CATALOGUE, mods_conf.CATALOGUE_INTERVAL.get),
    Scheduled(cache_tasks.ENFORCE, cache_conf.CHECK_INTERVAL.get),
    Scheduled(housekeeping.TIDY, lambda: housekeeping.EVERY),
    Scheduled(DELIVER, lambda: 60),
    Scheduled(HEARTBEAT, lambda: 60),
)
#: Those that are no jobs of `registry`: a run each minute isn't worth a record.
_UNRECORDED = {HEARTBEAT: heartbeat, DELIVER: notifications_deliver}


def function_of(name: str) -> str:
    """The dotted path that a schedule of this job calls."""
    if name in _UNRECORDED:
        return f"{_UNRECORDED[name].__module__}.{_UNRECORDED[name].__name__}"
    return registry[name].path


class _Known:
    """The intervals with which this process last saw the table in line; a fork of it knows them as well."""

    intervals: dict[str, int] | None = None


def wanted() -> dict[str, int]:
    """By job, its interval in seconds as the settings have it now; 0 is never."""
    return {scheduled.name: scheduled.interval() for scheduled in SCHEDULED}


def follow_settings() -> None:
    """Bring the table in line where the settings have changed; without a query on it where they haven't."""
    if wanted() == _Known.intervals:
        return
    store.forget()  # what this process knows may be older than what another one just brought the table in line with
    intervals = wanted()
    if _is_in_line(intervals):
        _Known.intervals = intervals
    else:
        sync()


def _is_in_line(intervals: dict[str, int]) -> bool:
    rows = Schedule.objects.filter(name__in=intervals).values_list("name", "minutes")
    expected = [(name, conf.minutes(interval)) for name, interval in intervals.items() if interval]
    return sorted(rows) == sorted(expected)


def sync() -> dict[str, int]:
    """Make the table hold one row for each job with an interval, and none for the others.

    Returns the intervals in seconds by job. Logs `job_registered` for each job that is on.
    """
    now = timezone.now()
    intervals = wanted()
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ADVISORY_LOCK])
        # Whatever else is there calls functions that we don't know of.
        Schedule.objects.exclude(name__in=intervals).delete()
        for scheduled in SCHEDULED:
            _sync_one(scheduled, intervals[scheduled.name], now)
    _Known.intervals = intervals
    for name, interval in intervals.items():
        if interval:
            logs.event("job_registered", job_id=name, interval_seconds=interval)
    return intervals


def _sync_one(scheduled: Scheduled, interval: int, now: datetime) -> None:
    rows = list(Schedule.objects.filter(name=scheduled.name).order_by("pk"))
    keep = rows[:1] if interval else []
    Schedule.objects.filter(pk__in=[row.pk for row in rows if row not in keep]).delete()
    if not interval:
        return
    minutes = conf.minutes(interval)
    row = keep[0] if keep else Schedule(name=scheduled.name, next_run=now)
    wanted = {
        "func": function_of(scheduled.name),
        "schedule_type": Schedule.MINUTES,
        "minutes": minutes,
        "repeats": -1,
        "next_run": _within(row.next_run, minutes, now),
        "args": None,
        "kwargs": None,
        "hook": None,
        "cluster": None,
    }
    if row.pk is None or any(getattr(row, name) != value for name, value in wanted.items()):
        for name, value in wanted.items():
            setattr(row, name, value)
        row.save()


def _within(next_run: datetime | None, minutes: int, now: datetime) -> datetime:
    """A time at most one interval away, before or after now.

    A shorter interval takes effect at once, a clock that was set back doesn't stall the job; and from a time long ago
    django-q2 would walk to now interval by interval, within one transaction: from 1970 for minutes on end.
    """
    interval = timedelta(minutes=minutes)
    return min(max(next_run or now, now - interval), now + interval)


def pull_in() -> None:
    """Bring back what a clock that jumped left far away. Call it before django-q2 looks. Raises `django.db.Error`."""
    now = timezone.now()
    for row in Schedule.objects.filter(schedule_type=Schedule.MINUTES):
        if (near := _within(row.next_run, row.minutes or 1, now)) != row.next_run:
            # Conditional: another worker may have looked meanwhile.
            Schedule.objects.filter(pk=row.pk, next_run=row.next_run).update(next_run=near)
