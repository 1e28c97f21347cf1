"""A worker's sign of life: each has a row of its own, which it alone stamps.

`begin` makes a process, and those that it forks from then on, a worker's; in any other one (a command, the panel)
`beat` does nothing.
"""

import logging
import time
from datetime import timedelta

from django.db import Error
from django.utils import timezone

from vsadmin.lib.jobs.models import Worker

_log = logging.getLogger(__name__)

#: Seconds between two stamps of one process.
EVERY = 15.0
#: A machine that was taken away leaves its worker's row.
FORGOTTEN_AFTER = timedelta(days=1)


class _Me:
    name: str | None = None
    stamped = float("-inf")


def name() -> str | None:
    """The worker that this process belongs to; None: it is none's."""
    return _Me.name


def begin(worker: str) -> None:
    """Be this worker's process, and give a first sign of life. Raises `django.db.Error`.

    One that was called otherwise and has been silent for a day is missed no more.
    """
    _Me.name = worker
    Worker.write(worker, beat_at=timezone.now())
    gone = [other.pk for other in Worker.objects.exclude(name=worker) if other.silence > FORGOTTEN_AFTER]
    Worker.objects.filter(pk__in=gone).delete()


def beat() -> None:
    """Give a sign of life, unless one was given a moment ago. Never raises."""
    now = time.monotonic()
    if _Me.name is None or now - _Me.stamped < EVERY:
        return
    _Me.stamped = now
    try:
        Worker.write(_Me.name, beat_at=timezone.now())
    except Error:
        _log.warning("the heartbeat couldn't be written", exc_info=True)


def end() -> None:
    """Be no worker any more: one that stopped because it was told to is missed by nobody."""
    worker, _Me.name = _Me.name, None
    if worker is None:
        return
    try:
        Worker.objects.filter(name=worker).delete()
    except Error:
        _log.warning("the worker's row couldn't be deleted", exc_info=True)
