"""How the web server and the worker are kept running and ended; small programs stand in for them."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from conftest import eventually
from vsadmin.lib.jobs.models import Worker
from vsadmin.supervisor import Child, DatabaseRecord, Looks, Pulse, Restarts, Supervisor, Timing
from vsadmin.tests import processes

# --- the decisions, on a clock of the test's own ------------------------------------------------------


def test_a_heartbeat_that_changes_is_a_sign_of_life() -> None:
    pulse = Pulse(180)
    pulse.begin(1000)
    pulse.seen("22:00", 1170)
    assert not pulse.is_silent(1349)
    assert pulse.is_silent(1350)


def test_the_same_heartbeat_again_is_none() -> None:
    pulse = Pulse(180)
    pulse.begin(1000)
    for now in range(1000, 1180, 10):
        pulse.seen("22:00", now)
    assert not pulse.is_silent(1179)
    assert pulse.is_silent(1180)


def test_a_clock_that_jumps_is_no_silence() -> None:
    pulse = Pulse(180)
    pulse.begin(1000)
    pulse.seen("22:00", 1000)
    pulse.seen("21:00", 1060)  # set back an hour
    pulse.seen("23:59", 1120)  # and ahead
    assert not pulse.is_silent(1299)


def test_a_worker_just_started_has_its_time_to_beat() -> None:
    pulse = Pulse(180)
    pulse.begin(1000)
    pulse.seen("22:00", 1000)
    pulse.begin(5000)
    pulse.seen("22:00", 5100)
    assert not pulse.is_silent(5179)
    assert pulse.is_silent(5180)


def test_three_restarts_in_ten_minutes() -> None:
    restarts = Restarts(3, 600)
    assert [restarts.take(now) for now in (0, 100, 200, 599)] == [1, 2, 3, 0]
    assert restarts.take(600) == 3  # the first is ten minutes ago
    assert restarts.take(601) == 0
    assert restarts.take(2000) == 1


@pytest.mark.django_db
def test_the_record_is_what_the_panel_reads() -> None:
    record = DatabaseRecord()
    Worker.write("attic", beat_at=timezone.now())
    assert record.beat() is None, "another worker's life is none of ours"
    Worker.objects.all().delete()
    record.restarts(1)
    first = Worker.load()
    assert (first.restarts, first.restarted_at is None) == (1, False)
    record.restarts(2)
    second = Worker.load()
    assert second.restarts == 2
    assert second.restarted_at != first.restarted_at
    record.restarts(0)  # ten minutes later
    third = Worker.load()
    assert (third.restarts, third.restarted_at) == (0, second.restarted_at)


# --- the looks at the record ----------------------------------------------------------------------------


class Script:
    """Stands in for the worker's row: each look at the heartbeat runs the next step, the last one again and again."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.steps = list(steps) or [object]
        self.recorded: list[int] = []
        self.closed = 0

    def beat(self) -> object:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        return step()

    def restarts(self, count: int) -> None:
        self.recorded.append(count)

    def close(self) -> None:
        self.closed += 1


def refuse(*_args: object) -> None:
    raise OperationalError("connection refused")


def look(looks: Looks, restarts: int = 0) -> Future[object]:
    """A look from its beginning to its end."""
    assert looks.begin(restarts)
    found: Future[object] = eventually(looks.result)
    return found


def test_restarts_are_written_once_the_database_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    record = Script()
    looks = Looks(record)
    with monkeypatch.context() as down:
        down.setattr(record, "restarts", refuse)
        assert isinstance(look(looks, 2).exception(), OperationalError)
    for _again in range(3):
        assert look(looks, 2).exception() is None
    assert record.recorded == [2]


@pytest.mark.parametrize("step", [object, refuse])
def test_each_look_lets_go_of_what_it_took(step: Callable[[], object]) -> None:
    record = Script(step)
    look(Looks(record))
    assert record.closed == 1


@pytest.mark.django_db(transaction=True)
def test_a_look_reads_the_row_and_leaves_no_connection_open() -> None:
    left: list[object] = []

    class Watched(DatabaseRecord):
        def close(self) -> None:
            super().close()
            left.append(connection.connection)

    moment = timezone.now()
    Worker.write(beat_at=moment)
    assert look(Looks(Watched()), 1).result() == moment
    assert left == [None]
    assert Worker.load().restarts == 1


def test_a_look_that_hangs_is_waited_for_and_at_last_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection may be one of which nothing is ever heard again, while the database answers others."""
    thawed = threading.Event()
    looks = Looks(Script(thawed.wait, lambda: "22:00"))
    monkeypatch.setattr(looks, "PATIENCE", 3)
    assert [looks.begin(0) for _look in range(5)] == [True, False, False, False, True]
    assert eventually(looks.result).result() == "22:00"
    thawed.set()


# --- with real processes ------------------------------------------------------------------------------

#: Ends at SIGTERM, having written which signal it got.
POLITE = """
import signal, sys, time
def end(number, frame):
    open(sys.argv[1], "a").write(signal.Signals(number).name + " ")
    sys.exit(0)
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, end)
open(sys.argv[1], "a").write("up ")
while True:
    time.sleep(60)
"""
#: Has a child of its own; both ignore SIGTERM.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
open(sys.argv[1], "a").write("up ")
while True:
    time.sleep(60)
"""
#: Passes a SIGTERM on to its parent as a Ctrl-C, and stays.
ECHO = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda number, frame: os.kill(os.getppid(), signal.SIGINT))
open(sys.argv[1], "a").write("up ")
while True:
    time.sleep(60)
"""
#: Ends by itself, once the other is up.
FAILING = """
import os, sys, time
while not os.path.exists(os.path.join(os.path.dirname(sys.argv[1]), "web")):
    time.sleep(0.01)
sys.exit(7)
"""


class Program(Child):
    """A small program that writes what happens to it into `log`."""

    def __init__(self, code: str, log: Path) -> None:
        super().__init__([sys.executable, "-c", code, str(log)])
        self.log = log
        self.pids: list[int] = []

    def start(self) -> None:
        super().start()
        self.pids.append(self.pid)

    def said(self) -> list[str]:
        return self.log.read_text().split() if self.log.exists() else []

    def is_up(self, processes_up: int = 1) -> bool:
        return self.said().count("up") >= processes_up


Make = Callable[[str, str], Program]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Program] = []

    def program(name: str, code: str) -> Program:
        made.append(Program(code, tmp_path / name))
        return made[-1]

    yield program
    for one in made:
        for pid in one.pids:
            processes.end_group(pid)


QUICK = Timing(stop=10, silent=1000, look=0.02)


def stop_once_up(*programs: Program, each: int = 1) -> Callable[[], object]:
    def step() -> object:
        for program in programs:
            processes.wait_for(lambda program=program: program.is_up(each))  # type: ignore[misc]
        os.kill(os.getpid(), signal.SIGTERM)
        return object()

    return step


def nothing_left(*programs: Program) -> bool:
    return not any(processes.group(pid) for program in programs for pid in program.pids)


def test_sigterm_stops_both_cleanly(make: Make) -> None:
    web, worker = make("web", POLITE), make("worker", POLITE)
    record = Script(stop_once_up(web, worker))
    assert Supervisor(web, worker, record=record, say=print, timing=QUICK).run() == 0
    assert web.said() == worker.said() == ["up", "SIGTERM"]
    assert nothing_left(web, worker)


def test_what_does_not_stop_is_killed_with_all_it_started(make: Make) -> None:
    web, worker = make("web", POLITE), make("worker", STUBBORN)

    def both_up() -> object:
        processes.wait_for(lambda: worker.is_up(2))
        assert len(processes.group(worker.pid)) == 2
        return stop_once_up(web)()

    timing = Timing(stop=0.3, silent=1000, look=0.02)
    assert Supervisor(web, worker, record=Script(both_up), say=print, timing=timing).run() == 0
    assert web.said() == ["up", "SIGTERM"]
    assert nothing_left(web, worker)


def test_a_second_ctrl_c_does_not_wait(make: Make) -> None:
    """The stand-in sends it; the time to stop is longer than the test may take."""
    web, worker = make("web", ECHO), make("worker", STUBBORN)
    timing = Timing(stop=1000, silent=1000, look=0.02)
    record = Script(stop_once_up(web, worker))
    assert Supervisor(web, worker, record=record, say=print, timing=timing).run() == 0
    assert nothing_left(web, worker)


def test_a_worker_that_dies_is_restarted_three_times_then_all_ends(make: Make) -> None:
    web, worker = make("web", POLITE), make("worker", FAILING)
    said: list[str] = []
    record = Script()
    assert Supervisor(web, worker, record=record, say=said.append, timing=QUICK).run() == 1
    assert record.recorded == sorted(set(record.recorded) & {0, 1, 2, 3})
    assert len(worker.pids) == 4
    assert web.said() == ["up", "SIGTERM"]
    assert "Restarting it, 2 of 3" in said[1]
    assert "exit code 7" in said[1]
    assert "restarted 3 times already" in said[-1]
    assert nothing_left(web, worker)


def test_a_killed_workers_children_are_ended_before_it_is_restarted(make: Make) -> None:
    web, worker = make("web", POLITE), make("worker", STUBBORN)

    def kill_main() -> object:
        processes.wait_for(lambda: worker.is_up(2))
        assert len(processes.group(worker.pid)) == 2
        os.kill(worker.pid, signal.SIGKILL)
        return object()

    def restarted() -> object:
        if len(worker.pids) == 2:
            processes.wait_for(lambda: worker.is_up(4))
            assert not processes.group(worker.pids[0])
            assert web.said() == ["up"]
            os.kill(os.getpid(), signal.SIGTERM)
        return object()

    timing = Timing(stop=0.3, silent=1000, look=0.02)
    record = Script(kill_main, restarted)
    assert Supervisor(web, worker, record=record, say=print, timing=timing).run() == 0
    assert record.recorded == [0, 1]
    assert nothing_left(web, worker)


def test_a_silent_worker_is_restarted(make: Make) -> None:
    """The clock is the test's: the heartbeat stays the same while it runs on."""
    web, worker = make("web", POLITE), make("worker", STUBBORN)
    now = [0.0]

    def time_passes() -> object:
        now[0] += 60
        if len(worker.pids) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return "22:00"

    said: list[str] = []
    record = Script(time_passes)
    timing = Timing(stop=0.3, silent=180, look=0.02)
    supervisor = Supervisor(web, worker, record=record, say=said.append, timing=timing, clock=lambda: now[0])
    assert supervisor.run() == 0
    assert "no sign of life for 180 seconds" in said[0]
    assert record.recorded == [0, 1]
    assert nothing_left(web, worker)


def test_a_database_that_does_not_answer_is_no_silence(make: Make) -> None:
    """Days pass on the clock, and each look ends in an error; then the heartbeat is what it was before."""
    web, worker = make("web", POLITE), make("worker", POLITE)
    now = [0.0]

    def time_passes(beat: Callable[[], object]) -> Callable[[], object]:
        def step() -> object:
            now[0] += 100
            return beat()

        return step

    before, after = time_passes(lambda: "22:00"), time_passes(lambda: "22:00")
    outage = [time_passes(refuse)] * 20
    record = Script(before, *outage, after, stop_once_up(web, worker))
    timing = Timing(stop=10, silent=180, look=0.02)
    assert Supervisor(web, worker, record=record, say=print, timing=timing, clock=lambda: now[0]).run() == 0
    assert len(worker.pids) == 1


def test_a_look_that_never_returns_is_no_silence_and_does_not_keep_it_from_stopping(make: Make) -> None:
    """As with a database that is frozen."""
    web, worker = make("web", POLITE), make("worker", POLITE)
    frozen, never = threading.Event(), threading.Event()
    now = [0.0]

    def hang() -> object:
        frozen.set()
        return never.wait()

    def clock() -> float:
        """Once a look hangs, each look at the clock is a minute later; an hour later somebody stops it all."""
        if frozen.is_set():
            now[0] += 60
        if now[0] == 3600:
            stop_once_up(web, worker)()
        return now[0]

    timing = Timing(stop=10, silent=180, look=0.02)
    record = Script(hang)
    assert Supervisor(web, worker, record=record, say=print, timing=timing, clock=clock).run() == 0
    assert len(worker.pids) == 1
    assert nothing_left(web, worker)
    never.set()


def test_when_the_web_server_dies_all_ends(make: Make) -> None:
    web, worker = make("web", POLITE), make("worker", POLITE)
    said: list[str] = []

    def kill_web() -> object:
        processes.wait_for(worker.is_up)
        os.kill(web.pid, signal.SIGKILL)
        return object()

    assert Supervisor(web, worker, record=Script(kill_web), say=said.append, timing=QUICK).run() == 1
    assert "The web server ended (killed by signal 9)" in said[0]
    assert worker.said() == ["up", "SIGTERM"]
    assert nothing_left(web, worker)


def test_an_error_of_our_own_leaves_nothing_behind(make: Make) -> None:
    web, worker = make("web", POLITE), make("worker", STUBBORN)

    def fail() -> object:
        processes.wait_for(lambda: worker.is_up(2))
        raise RuntimeError("unforeseen")

    with pytest.raises(RuntimeError, match="unforeseen"):
        Supervisor(web, worker, record=Script(fail), say=print, timing=QUICK).run()
    assert nothing_left(web, worker)


def test_signals_are_as_before_afterwards(make: Make) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)]
    web, worker = make("web", "import sys; sys.exit(7)"), make("worker", POLITE)
    Supervisor(web, worker, record=Script(), say=print, timing=QUICK).run()
    after = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP)]
    assert after == before
