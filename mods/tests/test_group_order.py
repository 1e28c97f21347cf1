"""Steps of one group lean on each other: they are undone in the reverse of their order, and under the server's lock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import ServerDir
from mods import inventory, operations, placing
from mods.models import GameServer, KeptCopy, Operation, Step
from mods.tests.changes import World
from vsadmin.lib import locks

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


@pytest.fixture
def queued(world: World) -> Operation:
    """The old a.zip goes, and a new one takes its name."""
    world.put("a.zip", "a")
    world.scan()
    return world.queued(world.remove("a.zip"), world.install(world.release("b", "1.0.0"), file_name="a.zip"))


def test_a_name_that_an_earlier_step_makes_free(world: World, queued: Operation) -> None:
    assert operations.run(queued.pk).message == "2 of 2 done."
    assert world.files() == {"a.zip": world.releases["b", "1.0.0"]}


def test_a_group_that_fails_at_its_end_is_put_back(
    world: World, queued: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.files()
    sync = placing.sync

    def fail_once(changes: list[placing.Change]) -> None:
        monkeypatch.setattr(placing, "sync", sync)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(placing, "sync", fail_once)
    ended = operations.run(queued.pk)
    assert ended.state == State.FAILED
    assert world.files() == before
    assert not KeptCopy.objects.exists()
    assert world.leftovers() == []


def test_a_group_that_is_cut_short_at_its_end_is_put_back(
    world: World, queued: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = world.files()

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mods.journal.commit", die)
        with pytest.raises(KeyboardInterrupt):
            operations.run(queued.pk)
    assert world.files() == {"a.zip": world.releases["b", "1.0.0"]}
    operations.recover(at_start=True)
    assert world.files() == before
    assert {step.message for step in Step.objects.all()} == {"It was cut short, and the mod is as it was."}
    assert not KeptCopy.objects.exists()
    assert world.leftovers() == []


@pytest.mark.parametrize("name", ["place", "undo"])
def test_files_are_moved_under_the_servers_lock(
    world: World, queued: Operation, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan that came in between would take the moment for the state of things."""
    free: list[bool] = []
    real = {which: getattr(placing, which) for which in ("place", "undo")}

    def watched(change: placing.Change, *more: Any) -> None:
        free.append(locks.is_free(inventory.server_lock(world.server.pk)))
        real[name](change, *more)

    def dies(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(placing, name, watched)
        if name == "undo":
            patched.setattr("mods.journal.commit", dies)
            with pytest.raises(KeyboardInterrupt):
                operations.run(queued.pk)
            patched.undo()
            patched.setattr(placing, name, watched)
            operations.recover()
        else:
            operations.run(queued.pk)
    assert free == [False, False]


@pytest.mark.parametrize("how", ["replaced", "written"])
def test_a_file_changed_while_it_is_being_replaced_stays(
    world: World, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the first look at it, right before the new one takes its name."""
    world.put("a_1.1.0.zip", "a")
    world.scan()
    path = world.mods / "a_1.1.0.zip"
    real = placing._link

    def meanwhile(source: Any, target: Any) -> bool:
        done = real(source, target)
        if target.name.startswith("put-"):
            if how == "replaced":
                (world.scratch / "theirs").write_bytes(b"somebody's")
                (world.scratch / "theirs").replace(path)
            else:
                path.write_bytes(b"somebody's")
        return done

    monkeypatch.setattr(placing, "_link", meanwhile)
    ended = world.run(world.replace("a_1.1.0.zip", world.release("a", "1.1.0")))
    assert "changed by somebody else" in ended.message
    assert world.files() == {"a_1.1.0.zip": b"somebody's"}
    assert world.leftovers() == []
