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

from django.db import transaction
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django_q.models import OrmQ
from django_q.tasks import async_task

from vsadmin.lib import locks, logs
from vsadmin.lib.jobs.models import JobRun, Worker

_log = logging.getLogger(__name__)

#: Runs kept of each job.
KEPT_RUNS = 200
#: Seconds that a run somebody asked for waits for another run of the job to end.
WAIT_FOR_ANOTHER = 30.0
#: Seconds between two stamps of the heartbeat by a long task, and between two writes of its progress.
STAMP_EVERY = 15.0
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
        self._reported = self._stamped = 0.0
        self._over = threading.Event()

    def report(self, done: int, total: int, doing: str = "") -> None:
        """Record that `done` of `total` steps are behind us; cheap enough to call for each."""
        now = time.monotonic()
        if self._run is None:
            return
        if now - self._stamped > STAMP_EVERY:
            self._stamped = now
            Worker.write(beat_at=timezone.now())
        if now - self._reported < REPORT_EVERY and done < total:
            return
        self._reported = now
        JobRun.objects.filter(pk=self._run.pk).update(done=done, total=total, doing=doing[:200])

    @contextmanager
    def watching(self) -> Iterator[None]:
        """While inside, `stop` follows the cluster's wish to stop."""

        def watch() -> None:
            while not self._over.wait(0.2):
                if _stopping.value:
                    self.stop.set()
                    return

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()


@dataclass(frozen=True)
class Job:
    """A job that `enqueue` and schedules can name."""

    name: str
    title: str | Promise
    function: Callable[..., None]

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
            _run(name, function, run_id, arguments)

        run.__name__ = run.__qualname__ = function.__name__
        run.__doc__ = function.__doc__
        run.__module__ = function.__module__
        registry[name] = Job(name, title, run)
        return run

    return decorate


def enqueue(name: str, *, user: Any = None, **arguments: Any) -> tuple[JobRun, bool]:
    """Ask for a run; returns it and whether it is new.

    Where a run with the same arguments waits already or is under way, that one is returned: a second one would do
    nothing that the first doesn't. `arguments` are JSON-able. Raises KeyError for an unknown job.
    """
    wanted = registry[name]
    recover_interrupted()
    with transaction.atomic():
        waiting = JobRun.objects.unfinished().filter(job=name).order_by("queued_at")
        for run in waiting:
            if run.arguments == arguments:
                return run, False
        run = JobRun.objects.create(job=name, arguments=arguments, asked_by=user)
    async_task(wanted.path, run_id=run.pk, **arguments, q_options={"task_name": f"{name}-{run.pk}"})
    return run, True


def run_now(name: str, *, user: Any = None, **arguments: Any) -> JobRun:
    """Run the job here, in the foreground, and return its finished run. Raises KeyError for an unknown job."""
    run = JobRun.objects.create(job=name, arguments=arguments, asked_by=user)
    registry[name].function(run_id=run.pk, **arguments)
    run.refresh_from_db()
    return run


def recover_interrupted() -> int:
    """Close runs whose process is gone (killed, power cut); returns how many.

    Running ones are gone when their lock is free; waiting ones when nothing fetched them for a day.
    """
    now = timezone.now()
    closed = 0
    for run in JobRun.objects.unfinished():
        if run.state == JobRun.State.QUEUED:
            gone = now - run.queued_at > timedelta(days=1)
        else:
            gone = locks.is_free(_lock_name(run.job))
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


def deliver_again() -> None:
    """Let the tasks that a killed worker had fetched be fetched anew; call it when a worker starts.

    django-q2 would do so only after its `retry`, hours later. What another worker has under way isn't harmed: a run
    that is over or running isn't run a second time.
    """
    now = timezone.now()
    OrmQ.objects.filter(lock__gt=now).update(lock=now)


def _lock_name(name: str) -> str:
    return f"job-{name}"


def _run(name: str, function: Callable[..., Outcome], run_id: int | None, arguments: dict[str, Any]) -> None:
    run = JobRun.objects.filter(pk=run_id).first() if run_id else None
    try:
        with locks.hold(_lock_name(name), timeout=0 if run is None else WAIT_FOR_ANOTHER):
            if run is None:
                run = JobRun(job=name, arguments=arguments)
            elif run.is_over:
                return  # delivered twice
            run.state, run.started_at = JobRun.State.RUNNING, timezone.now()
            run.save()
            logs.event(f"{name}_started", run=run.pk)
            _finish(run, *_guarded(name, function, run, arguments))
    except locks.Busy:
        logs.event(f"{name}_skipped", reason="already running")
        # Delivered twice, it may be this very run that is running.
        if run is not None and JobRun.objects.filter(pk=run.pk, state=JobRun.State.QUEUED).exists():
            _finish(run, JobRun.State.DONE, _("It was running already; that run's result counts."))


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
    old = JobRun.objects.filter(job=run.job).order_by("-queued_at", "-pk").values_list("pk", flat=True)
    if surplus := list(old[KEPT_RUNS : KEPT_RUNS + 100]):
        JobRun.objects.filter(pk__in=surplus).delete()
