"""Of several changes of one server that wait, the one that waited longest runs first."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.utils import timezone
from django_q.models import OrmQ

from conftest import ServerDir
from mods import carrying, fetching, operations, recovery, tasks, turns
from mods.models import GameServer, Operation
from mods.progress import Watch
from mods.tests.changes import World
from vsadmin.lib.jobs.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    """Three mods, of which each can be disabled."""
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    world = World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")
    for name in "abc":
        world.put(f"{name}.zip", name)
    world.scan()
    return world


@pytest.fixture
def three(world: World) -> list[Operation]:
    """Three plans, the second of which was said yes to first."""
    planned = [world.planned(world.disable(f"{name}.zip")) for name in "abc"]
    for number in (1, 0, 2):
        operations.confirm(planned[number])
    return planned


def ran() -> list[int]:
    done = Operation.objects.filter(state=State.DONE).order_by("started_at")
    return list(done.values_list("pk", flat=True))


def work_through() -> None:
    """As the worker does: one task after the other, in the order of the queue, until none waits."""
    while waiting := OrmQ.objects.order_by("pk").first():
        pk = int(str(waiting.name()).removeprefix("change-"))
        waiting.delete()
        tasks.run_operation(pk)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (2, 0, 1)])
def test_the_longest_waiting_one_goes_first_whatever_the_queue_says(
    three: list[Operation], order: tuple[int, ...]
) -> None:
    Worker.write(beat_at=timezone.now())
    Worker.write("attic", beat_at=timezone.now() - timedelta(hours=1))  # one that lives is enough
    for number in order:
        turns.run_later(three[number].pk)
    work_through()
    assert ran() == [three[1].pk, three[0].pk, three[2].pk]


def test_so_too_where_they_began_to_wait_while_another_ran(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each task finds the server taken; the end of the change under way calls the right one."""
    Worker.write(beat_at=timezone.now())
    monkeypatch.setattr("mods.carrying._PATIENCE", 0)
    planned = [world.planned(world.disable(f"{name}.zip")) for name in "abc"]
    fetch_all = fetching.fetch_all

    def meanwhile(items: Any, watch: Watch) -> None:
        if watch.operation == planned[0]:
            for number in (2, 1):
                operations.confirm(planned[number])
                turns.run_later(planned[number].pk)
            tasks.run_operation(planned[1].pk)  # the worker's other process: the server is taken
        fetch_all(items, watch)

    monkeypatch.setattr(fetching, "fetch_all", meanwhile)
    operations.confirm(planned[0])
    turns.run_later(planned[0].pk)
    work_through()
    assert ran() == [planned[0].pk, planned[2].pk, planned[1].pk]


def test_without_a_worker_nobody_waits_for_one_that_nobody_would_run(three: list[Operation]) -> None:
    """Somebody at a terminal carries out the own change."""
    assert operations.run(three[2].pk).state == State.DONE
    assert turns.queued_tasks() == {turns.run_task(three[1].pk)}


def test_the_longest_waiting_one_is_told_by_the_yes(three: list[Operation]) -> None:
    server = three[0].server
    assert recovery.longest_waiting(server) == three[1].pk
    operations.cancel(three[1])
    assert recovery.longest_waiting(server) == three[0].pk
    Operation.objects.update(state=State.DONE)
    assert recovery.longest_waiting(server) is None


def test_trouble_with_the_queue_of_one_server_stops_no_other(
    world: World, three: list[Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GameServer.objects.create(name="Zweiter", data_dir=str(world.dir.path / "none"))
    tried: list[int] = []

    def broken(server: GameServer) -> None:
        tried.append(server.pk)
        raise DatabaseError("no such table")

    monkeypatch.setattr(recovery, "run_next", broken)
    assert recovery.recover() == 0
    assert tried == [world.server.pk, other.pk]


def test_trouble_with_lost_plans_stops_no_recovery(
    world: World, three: list[Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    Operation.objects.filter(pk=three[0].pk).update(state=State.RUNNING)
    monkeypatch.setattr(recovery, "_close_lost_plans", breaks)
    assert recovery.recover() == 1
    three[0].refresh_from_db()
    assert three[0].is_over


def breaks(*_arguments: Any) -> None:
    raise RuntimeError("broken")


def test_after_an_error_the_connection_that_holds_the_lock_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL the lock of the change goes with its connection, however old that is."""
    closed: list[bool] = []
    monkeypatch.setattr(carrying, "_compare_and_place", breaks)
    monkeypatch.setattr(connection, "close_at", 0.0)
    monkeypatch.setattr(connection, "close", lambda: closed.append(True))
    assert "RuntimeError: broken" in world.run(world.disable("a.zip")).message
    assert not closed


def test_without_its_connection_a_change_leaves_mending_to_whoever_has_the_lock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrying, "_compare_and_place", breaks)
    with monkeypatch.context() as lost:
        lost.setattr(connection, "is_usable", lambda: False)
        assert world.run(world.disable("a.zip")).state == State.RUNNING
    assert recovery.recover() == 1
    assert Operation.objects.get().message.startswith("It was interrupted")
    assert set(world.files()) == {"a.zip", "b.zip", "c.zip"}
