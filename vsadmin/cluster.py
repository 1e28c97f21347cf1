"""django-q2's cluster, as a worker of ours: it stops when told to, shows that it lives, and bears clocks that jump."""

import contextlib
import logging
import socket
import time
import uuid
from collections.abc import Iterator
from itertools import count
from queue import Full
from types import FrameType
from typing import Any

from django.utils import timezone
from django_q import cluster as q_cluster
from django_q.scheduler import scheduler

from vsadmin import login, schedules
from vsadmin.lib import locks, logs
from vsadmin.lib.jobs import heartbeat, runner

_log = logging.getLogger(__name__)

#: Seconds that the clock may differ from the time that passed, between two looks at the schedules.
_JUMP = 60.0


@contextlib.contextmanager
def own_name(*, of_up: bool) -> Iterator[str]:
    """What this worker is called: "" of `up`, else after its machine, with a number where several are on it.

    Processes forked inside keep the name taken for as long as one of them lives.
    """
    if of_up:
        yield ""
        return
    host = socket.gethostname()[:80] or "worker"
    for number in count(1):
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(locks.share(f"worker-{number}", alone=True))
            except locks.Busy:
                continue
            yield host if number == 1 else f"{host} ({number})"
            return


def sign_of_life() -> None:
    """A task that goes from the cluster's guard to one of its processes: whether both do their work."""
    heartbeat.beat()


class Clock:
    """Whether the time of day jumped since the last look."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def jumped(self) -> float:
        """By how many seconds it was set forward (back: less than 0); 0 where that may be chance."""
        ahead = time.time() - time.monotonic()
        jump, self._ahead = ahead - self._ahead, ahead
        return jump if abs(jump) > _JUMP else 0.0


class Guard(q_cluster.Sentinel):  # type: ignore[misc]  # django_q has no types
    """django-q2's guard of a cluster; every half a minute it looks at the schedules, and so do we."""

    def start(self) -> None:
        self._clock = Clock()
        q_cluster.scheduler = self._look  # in this process, which was forked for this guard
        super().start()

    def _look(self, broker: Any = None) -> None:
        try:
            if jump := self._clock.jumped():
                logs.event("clock_jumped", level=logging.WARNING, seconds=round(jump))
                runner.deliver_again()  # by their times, tasks would wait for as long as the clock was set back
                login.mend_times()
            schedules.pull_in()
        except Exception:  # noqa: BLE001  # django-q2's guard must live; the next look may go better
            _log.exception("looking at the schedules")
        scheduler(broker=broker)
        with contextlib.suppress(Full):  # then all of its processes are at work, and show it themselves
            self.task_queue.put(_sign_of_life(), block=False)


def _sign_of_life() -> dict[str, Any]:
    """A task as django-q2's pusher hands it on; of its result nothing is kept."""
    function = f"{sign_of_life.__module__}.{sign_of_life.__name__}"
    named = {"id": uuid.uuid4().hex, "name": "sign_of_life", "func": function, "args": (), "kwargs": {}}
    return {**named, "started": timezone.now(), "save": False}


class StoppingCluster(q_cluster.Cluster):  # type: ignore[misc]  # django_q has no types
    """On SIGTERM and SIGINT, running jobs are asked to stop at their next safe point."""

    def start(self) -> int:
        q_cluster.Sentinel = Guard
        pid: int = super().start()
        return pid

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        runner.stop_all()
        super().sig_handler(signum, frame)  # returns once all of its processes have ended
        heartbeat.end()
