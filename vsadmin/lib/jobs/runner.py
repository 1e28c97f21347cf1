"""The wrapper of every job: one run at a time, recorded, logged, stopped in time, never raising.

A job is a function `(progress, **arguments) -> Outcome` under `@job(name, title)`. The decorated function is what
django-q2's schedules and `enqueue` call; it also runs in the foreground.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing.sharedctypes import RawValue
from typing import Any

from django.db import connections, transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django_q.models import OrmQ
from django_q.tasks import async_task

from vsadmin.lib import locks, logs
from vsadmin.lib.jobs import heartbeat
from vsadmin.lib.jobs.models import JobRun

_log = logging.getLogger(__name__)

#: Runs kept of each job.
KEPT_RUNS = 200
#: Seconds that a run in the foreground waits for another run of the job to end.
WAIT_FOR_ANOTHER = 3600.0
#: Seconds that a worker spends on that: the end of the other run calls it again, and there is other work.
_WORKER_WAITS = 1.0
#: Whoever asked may not have come to hand it to the worker yet.
_FRESH = timedelta(minutes=2)
#: A run that the worker never got is of no use any more.
_STALE = timedelta(days=1)
#: Seconds for which a task's thread says that it lives: longer than django-q2 lets any task run. So one that hangs,
#: and that not even django-q2 could end, shows.
_LIVES = 3700.0
#: Seconds that the end of a task waits for that thread.
_ENDS_WITHIN = 2.0
#: Seconds between two writes of a run's progress.
REPORT_EVERY = 0.5

# Set by the cluster's main process on SIGTERM and seen by its workers, which are forked from it and get no signal of
# their own. A raw shared byte, since a lock could hang inside a signal handler.
_stopping = RawValue("b", 0)


class JobFailed(Exception):
    """The job couldn't do what it is for; the text tells the person why, in plain words."""

    def __init__(self, text: str, **fields: Any) -> None:
        super().__init__(text)
        self.text = text
        self.fields = fields


@dataclass(frozen=True)
class Outcome:
    """What came of a job: a sentence for people, and fields for the log line."""

    message: str
    fields: dict[str, Any] = field(default_factory=dict)


class Progress:
    """Where a running job says how far it is, and learns that it should stop.

    `stop` is set within 0.2 s of the cluster's SIGTERM: long work ends at its next safe point then.
    """

    def __init__(self, run: JobRun | None = None) -> None:
        self.stop = threading.Event()
        self._run = run
        self._reported = 0.0
        self._over = threading.Event()

    def report(self, done: int, total: int, doing: str = "") -> None:
        """Record that `done` of `total` steps are behind us; cheap enough to call for each."""
        now = time.monotonic()
        if self._run is None:
            return
        if now - self._reported < REPORT_EVERY and done < total:
            return
        self._reported = now
        JobRun.objects.filter(pk=self._run.pk).update(done=done, total=total, doing=doing[:200])

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, `stop` follows the cluster's wish to stop, and the worker's heart beats."""
        end = time.monotonic() + _LIVES

        def watch() -> None:
            while not self._over.wait(0.2):
                if _stopping.value:
                    self.stop.set()
                if time.monotonic() < end:
                    heartbeat.beat()
            connections.close_all()  # this thread's

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(_ENDS_WITHIN)  # it may be waiting for a database that somebody else holds


@dataclass(frozen=True)
class Job:
    """A job that `enqueue` and schedules can name."""

    name: str
    title: str | Promise
    #: What django-q2 calls, and the work itself.
    function: Callable[..., None]
    work: Callable[..., Outcome]

    @property
    def path(self) -> str:
        """The function's dotted path, as django-q2 wants it."""
        return f"{self.function.__module__}.{self.function.__name__}"


registry: dict[str, Job] = {}


def stop_all() -> None:
    """Ask every running job of this cluster to stop; safe in a signal handler."""
    _stopping.value = 1


def job(name: str, title: str | Promise) -> Callable[[Callable[..., Outcome]], Callable[..., None]]:
    """Make a function a job. At most one run of `name` is under way at a time, across processes."""

    def decorate(function: Callable[..., Outcome]) -> Callable[..., None]:
        def run(run_id: int | None = None, **arguments: Any) -> None:
            _run(registry[name], run_id, arguments)

        run.__name__ = run.__qualname__ = function.__name__
        run.__doc__ = function.__doc__
        run.__module__ = function.__module__
        registry[name] = Job(name, title, run, function)
        return run

    return decorate


def enqueue(name: str, *, user: Any = None, **arguments: Any) -> tuple[JobRun, bool]:
    """Ask for a run; returns it and whether it is new. It runs, if need be after another run of the job.

    Where a run with the same arguments waits already or is under way, that one is returned: a second one would do
    nothing that the first doesn't. `arguments` are JSON-able. Raises KeyError for an unknown job.
    """
    wanted = registry[name]
    recover_interrupted()
    with transaction.atomic():  # the queue is in the same database: both or neither
        for run in JobRun.objects.unfinished().filter(job=name).order_by("pk"):
            if run.arguments == arguments:
                return run, False
        run = JobRun.objects.create(job=wanted.name, arguments=arguments, asked_by=user)
        _hand_in(run)
    return run, True


def _hand_in(run: JobRun) -> None:
    """Let the worker have it; twice does no harm."""
    async_task(registry[run.job].path, run_id=run.pk, **run.arguments, q_options={"task_name": _task_name(run)})


def _task_name(run: JobRun) -> str:
    return f"{run.job}-{run.pk}"


def run_now(name: str, *, user: Any = None, **arguments: Any) -> JobRun:
    """Run the job here, in the foreground, after one that is under way; returns its finished run.

    Raises KeyError for an unknown job.
    """
    job = registry[name]
    run = JobRun(job=name, arguments=arguments, asked_by=user)
    if not locks.is_free(_lock_name(name)):
        logs.event(f"{name}_waiting", reason="another run is under way")
    try:
        with locks.wait_for(_lock_name(name), WAIT_FOR_ANOTHER):
            _perform(job, run)
    except locks.Busy:
        logs.event(f"{name}_skipped", reason="already running")
        run.save()
        _finish(run, JobRun.State.FAILED, _("It was running already, and didn't end within an hour. Try again later."))
    else:
        _call_next(name)
    run.refresh_from_db()
    return run


def recover_interrupted() -> int:
    """Close runs whose process is gone (killed, power cut); returns how many.

    Running ones are gone when their lock is free. Waiting ones that the worker neither has nor will get are handed in
    again, unless they are a day old.
    """
    now = timezone.now()
    closed = 0
    tasks: set[str] | None = None
    for run in JobRun.objects.unfinished():
        if run.state == JobRun.State.RUNNING:
            gone = locks.is_free(_lock_name(run.job))
        elif (age := abs(now - run.queued_at)) < _FRESH:
            continue
        else:
            tasks = queued_tasks() if tasks is None else tasks
            if _task_name(run) in tasks:
                continue
            gone = age > _STALE or run.job not in registry
            if not gone:
                _hand_in(run)
        if gone:
            # Conditional: the run may have ended since it was read.
            closed += (
                JobRun.objects.unfinished()
                .filter(pk=run.pk, state=run.state)
                .update(
                    state=JobRun.State.FAILED,
                    ended_at=now,
                    message=_("It was interrupted: the worker stopped. It will run again when it is due."),
                )
            )
    return closed


def queued_tasks() -> set[str]:
    """The names of all tasks that wait for the worker or that it has fetched."""
    return {str(task.name()) for task in OrmQ.objects.all()}


def deliver_again() -> None:
    """Let the tasks that a killed worker had fetched be fetched anew; call it when a worker starts.

    django-q2 would do so only after its `retry`, hours later. What another worker has under way isn't harmed: a run
    that is over or running isn't run a second time.
    """
    now = timezone.now()
    OrmQ.objects.filter(lock__gt=now).update(lock=now)


def _lock_name(name: str) -> str:
    return f"job-{name}"


def _run(job: Job, run_id: int | None, arguments: dict[str, Any]) -> None:
    run = JobRun.objects.filter(pk=run_id).first() if run_id else None
    try:
        with locks.hold(_lock_name(job.name), timeout=0 if run is None else _WORKER_WAITS):
            if run is not None:
                run.refresh_from_db()
                if run.is_over:
                    return  # delivered twice
            _perform(job, run or JobRun(job=job.name, arguments=arguments))
    except locks.Busy:
        # One that is due does nothing that the one under way doesn't. One that somebody asked for waits: it is called
        # at the end of the one under way, which, where it was delivered twice, may be this very run.
        logs.event(f"{job.name}_skipped" if run is None else f"{job.name}_postponed", reason="already running")
    else:
        _call_next(job.name)


def _perform(job: Job, run: JobRun) -> None:
    """Do the work and record it. Call it with the job's lock held."""
    run.state, run.started_at = JobRun.State.RUNNING, timezone.now()
    run.save()
    logs.event(f"{job.name}_started", run=run.pk)
    _finish(run, *_guarded(job.name, job.work, run, run.arguments))


def _call_next(name: str) -> None:
    """Let the worker have the job's run that waits longest: it may have left it while another one was under way."""
    waiting = JobRun.objects.filter(job=name, state=JobRun.State.QUEUED).order_by("pk").first()
    if waiting is not None:
        _hand_in(waiting)


def _guarded(
    name: str, function: Callable[..., Outcome], run: JobRun, arguments: dict[str, Any]
) -> tuple[JobRun.State, str]:
    """Call the job; turn whatever it raises into a state, a sentence and a log line."""
    began = time.monotonic()
    progress = Progress(run)
    try:
        with progress.watching():
            outcome = function(progress, **arguments)
    except JobFailed as failure:
        logs.event(f"{name}_failed", level=logging.ERROR, run=run.pk, reason=failure.text, **failure.fields)
        return JobRun.State.FAILED, failure.text
    except Exception as error:  # noqa: BLE001  # whatever it is: the schedule goes on
        _log.exception("job %s", name)
        reason = f"{type(error).__name__}: {error}"[:500]
        logs.event(f"{name}_failed", level=logging.ERROR, run=run.pk, reason=reason)
        return JobRun.State.FAILED, _("An unexpected error; nothing was lost. The log has the details: %s") % reason
    seconds = round(time.monotonic() - began, 3)
    logs.event(f"{name}_completed", run=run.pk, seconds=seconds, **outcome.fields)
    return JobRun.State.DONE, outcome.message


def _finish(run: JobRun, state: JobRun.State, message: str) -> None:
    JobRun.objects.filter(pk=run.pk).update(state=state, message=message, doing="", ended_at=timezone.now())
    old = JobRun.objects.filter(job=run.job).order_by("-pk").values_list("pk", flat=True)
    if surplus := list(old[KEPT_RUNS : KEPT_RUNS + 100]):
        JobRun.objects.filter(pk__in=surplus).delete()
