"""Runs the web server and the background worker side by side: starts, watches and stops them, leaves nothing behind.

Each runs in a session of its own, so that Ctrl-C reaches this process alone: a SIGTERM to all of django-q2's processes
hangs it, one to its main process stops it cleanly. Whatever ends this process ends them too.
"""

import contextlib
import ctypes
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from django.db import Error, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from vsadmin.address import FirstAnswer
from vsadmin.lib import logs
from vsadmin.lib.jobs.models import SILENT_AFTER, Worker

Say = Callable[[str], None]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
#: Seconds for killed processes to be gone.
_GONE_WITHIN = 2.0
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Timing:
    """How long things may take, in seconds, and how often the worker is restarted."""

    #: For both to end by themselves after SIGTERM.
    stop: float = 8.0
    #: Without a heartbeat, until the worker counts as silent.
    silent: float = SILENT_AFTER.total_seconds()
    #: Between two looks at the heartbeat.
    look: float = 10.0
    #: Restarts of the worker within a window.
    restarts: int = 3
    window: float = 600.0


class Child:
    """A process with everything it starts, in a process group of its own."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path | None = None, pass_fds: Sequence[int] = ()) -> None:
        self._arguments = arguments
        self._cwd = cwd
        self._pass_fds = pass_fds
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        parent = os.getpid()
        self._process = subprocess.Popen(  # noqa: S603  # our own programs
            self._arguments,
            cwd=self._cwd,
            stdin=subprocess.DEVNULL,
            pass_fds=self._pass_fds,
            start_new_session=True,
            preexec_fn=lambda: end_with(parent),  # safe beside a look's thread: it takes no lock
        )

    @property
    def pid(self) -> int:
        """Of its main process, and so of its group."""
        return self._process.pid if self._process else 0

    def has_ended(self) -> bool:
        """Whether its main process has. It isn't reaped yet, so that nobody else can get its number."""
        if self._process is None or self._process.returncode is not None:
            return True
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is not None

    def ask_to_stop(self) -> None:
        """SIGTERM to its main process alone."""
        if not self.has_ended():
            os.kill(self.pid, signal.SIGTERM)

    def end(self) -> int:
        """Kill whatever is left of the group. Returns the main process's exit code, negative for a signal."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            _reap_group(self._process.pid)
        return self._process.wait()


def end_with(parent: int) -> None:
    """In the child before it runs its program: get a SIGTERM when the parent dies, even by kill -9."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)


@contextlib.contextmanager
def _adopting() -> Iterator[None]:
    """Inside, what its parent leaves behind becomes this process's child, so that its end can be waited for."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        if _libc is not None:
            _libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)


def _reap_group(pgid: int) -> None:
    """Wait for those of a killed group that this process adopted."""
    deadline = time.monotonic() + _GONE_WITHIN
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline:
            if os.waitpid(-pgid, os.WNOHANG) == (0, 0):
                time.sleep(0.005)


class Pulse:
    """Whether something still beats, judged by its heartbeat changing.

    The heartbeat is a time of day, but is only compared with the one before: clocks that jump don't matter.
    """

    def __init__(self, silent_after: float) -> None:
        self._silent_after = silent_after
        self._last: object = None
        self._since = 0.0

    def begin(self, now: float) -> None:
        """It was just started, or couldn't be heard until now: it has its time to beat first."""
        self._since = now

    def seen(self, beat: object, now: float) -> None:
        if beat != self._last:
            self._last, self._since = beat, now

    def is_silent(self, now: float) -> bool:
        return now - self._since >= self._silent_after


class Restarts:
    """At most so many restarts within a moving window."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit = limit
        self._window = window
        self._times: deque[float] = deque()

    def count(self, now: float) -> int:
        """How many there were in the window that ends now."""
        while self._times and now - self._times[0] >= self._window:
            self._times.popleft()
        return len(self._times)

    def take(self, now: float) -> int:
        """The number of restarts in the window with this one; 0 where there is none left."""
        if self.count(now) >= self.limit:
            return 0
        self._times.append(now)
        return len(self._times)


class Record(Protocol):
    """Where the worker's heartbeat is read and its restarts are written; each raises `django.db.Error`, or hangs."""

    def beat(self) -> object: ...

    def restarts(self, count: int) -> None:
        """How many there were in the window, each time that changes."""

    def close(self) -> None:
        """Let go of what a look took; called in its thread."""


class DatabaseRecord:
    """The row of the worker that is ours, which the panel shows."""

    def __init__(self) -> None:
        self._restarts = 0

    def beat(self) -> object:
        return Worker.objects.filter(name="").values_list("beat_at", flat=True).first()

    def restarts(self, count: int) -> None:
        again = {"restarted_at": timezone.now()} if count > self._restarts else {}
        Worker.write(restarts=count, **again)
        self._restarts = count

    def close(self) -> None:
        connection.close()


class Looks:
    """Looks at the record, each time in a thread of its own.

    A database that is frozen, unlike one that is down, may keep a look waiting for ever; nobody waits for it then,
    not even the end of the process.
    """

    #: So many times the next look lets one that is under way go on. Then it counts as lost: its connection may be one
    #: of which nothing will ever be heard again, while the database answers others.
    PATIENCE = 18

    def __init__(self, record: Record) -> None:
        self._record = record
        self._recorded = -1
        self._look: Future[object] | None = None
        self._waited = 0

    def begin(self, restarts: int) -> bool:
        """Start a look, which also writes the number of restarts where it changed; False where one is under way."""
        if self._look is not None and self._waited < self.PATIENCE:
            self._waited += 1
            return False
        self._look, self._waited = Future(), 0
        threading.Thread(target=self._run, args=(self._look, restarts), name="look", daemon=True).start()
        return True

    def result(self) -> Future[object] | None:
        """The look that has returned, once: its result is the heartbeat, its exception what it raised."""
        look = self._look
        if look is None or not look.done():
            return None
        self._look = None
        return look

    def _run(self, look: Future[object], restarts: int) -> None:
        try:
            try:
                if restarts != self._recorded:
                    self._record.restarts(restarts)
                    self._recorded = restarts
                beat = self._record.beat()
            finally:
                with contextlib.suppress(Error):
                    self._record.close()
        except Exception as error:  # noqa: BLE001  # the loop raises what isn't the database's
            look.set_exception(error)
        else:
            look.set_result(beat)


class Supervisor:
    """Keeps both running until it is told to stop, the web server dies or the worker can't be kept alive."""

    def __init__(
        self,
        web: Child,
        worker: Child,
        *,
        record: Record,
        say: Say,
        first_answer: FirstAnswer | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._web = web
        self._worker = worker
        self._looks = Looks(record)
        self._say = say
        self._first_answer = first_answer
        self._timing = timing or Timing()
        self._clock = clock
        self._pulse = Pulse(self._timing.silent)
        self._restarts = Restarts(self._timing.restarts, self._timing.window)
        self._next_look = clock()
        self._asked_to_stop = 0

    def run(self, meanwhile: Callable[[], None] | None = None) -> int:
        """Run both; returns 0 where it was told to stop, else 1. `meanwhile` is called once they are starting."""
        with _adopting(), self._signals() as wakeup:
            try:
                self._web.start()
                self._worker.start()
                self._pulse.begin(self._clock())
                if meanwhile is not None:
                    meanwhile()
                code = self._watch(wakeup)
                self._stop(wakeup)
                return code
            finally:
                self._web.end()
                self._worker.end()
                if self._first_answer is not None:
                    self._first_answer.close()

    def _watch(self, wakeup: int) -> int:
        while not self._asked_to_stop:
            if self._web.has_ended():
                return self._give_up("web_server_died", _("The web server ended (%s).") % _how(self._web.end()))
            now = self._clock()
            self._look(now)
            if self._worker.has_ended():
                reason = _("ended (%s)") % _how(self._worker.end())
            elif self._pulse.is_silent(now):
                reason = _("gave no sign of life for %d seconds") % self._timing.silent
            else:
                self._wait(wakeup, min(1.0, self._timing.look))
                continue
            if not self._restart_worker(reason, now):
                return 1
        return 0

    def _look(self, now: float) -> None:
        """Take what the last look saw, and begin the next one when it is time.

        What isn't known is no silence: while the database doesn't answer the worker can't write its heartbeat either,
        and to restart it would only use up the restarts and take the panel down. So neither a look that failed nor one
        that hasn't returned by the time of the next counts against it, and once the database answers again, the worker
        has its whole time to beat. Silence is the same old heartbeat, seen for three minutes.
        """
        if (seen := self._looks.result()) is not None:
            try:
                self._pulse.seen(seen.result(), now)
            except Error:
                self._pulse.begin(now)
        if now >= self._next_look:
            self._next_look = now + self._timing.look
            if not self._looks.begin(self._restarts.count(now)):
                self._pulse.begin(now)

    def _restart_worker(self, reason: str, now: float) -> bool:
        """Start the worker anew; False where it was restarted often enough."""
        count = self._restarts.take(now)
        text = _("The background worker %s.") % reason
        if not count:
            text += " " + _("It was restarted %d times already in ten minutes.") % self._restarts.limit
            self._give_up("worker_given_up", text)
            return False
        limit = self._restarts.limit
        self._say(text + " " + _("Restarting it, %(count)d of %(limit)d.") % {"count": count, "limit": limit})
        logs.event("worker_restarted", level=logging.WARNING, reason=reason, restarts=count, limit=limit)
        self._worker.end()
        self._worker.start()
        self._pulse.begin(now)
        self._next_look = now  # the panel says so at once
        return True

    def _give_up(self, event: str, text: str) -> int:
        logs.event(event, level=logging.ERROR, reason=text)
        self._say(f"{text} " + _("Stopping; the log above says more. Start again with ./run.sh."))
        return 1

    def _stop(self, wakeup: int) -> None:
        """Let both end by themselves, for as long as they may take; a second signal ends the wait."""
        deadline = time.monotonic() + self._timing.stop
        patience = self._asked_to_stop + 1
        self._web.ask_to_stop()
        self._worker.ask_to_stop()
        while not (self._web.has_ended() and self._worker.has_ended()):
            left = deadline - time.monotonic()
            if left <= 0 or self._asked_to_stop >= patience:
                return
            self._wait(wakeup, min(left, 1.0))

    def _wait(self, wakeup: int, seconds: float) -> None:
        """Until a signal, the web server's first answer, or the time is over."""
        answer = self._first_answer
        sources: list[int | FirstAnswer] = [wakeup]
        if answer is not None and answer.is_awaited():
            sources.append(answer)
        ready, _writable, _failed = select.select(sources, [], [], seconds)
        if wakeup in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wakeup, 4096)
        if answer is not None and answer in ready:
            answer.read()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[int]:
        """Note the wish to stop, and wake up for it and for children that end; yields what to wait on."""
        wakeup, writer = os.pipe()
        os.set_blocking(wakeup, False)
        os.set_blocking(writer, False)

        def note(number: int, _frame: object) -> None:
            if number != signal.SIGCHLD:
                self._asked_to_stop += 1

        numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGCHLD]
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup
            numbers.append(signal.SIGHUP)
        before = {number: signal.signal(number, note) for number in numbers}
        before_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        try:
            yield wakeup
        finally:
            signal.set_wakeup_fd(before_wakeup)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(wakeup)
            os.close(writer)


def _how(code: int) -> str:
    """An exit code as a person says it."""
    if code < 0:
        return _("killed by signal %d") % -code
    return _("exit code %d") % code
