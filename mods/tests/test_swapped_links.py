"""A link put in the place of a mod folder, or of our staging, is not followed; one that was there all along is.

The folders belong to whoever runs the game server, who may swap them at any moment.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import ServerDir
from mods import operations, placing
from mods.models import GameServer, KeptCopy, Operation, Step
from mods.tests.changes import World, sha256
from mods.tests.planned import Stage

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    place = tmp_path / "elsewhere"
    place.mkdir()
    return place


def swap(folder: Path, elsewhere: Path) -> Path:
    """Put a link in the place of a folder; returns where the folder is now."""
    away = folder.with_name(f"{folder.name}.real")
    if folder.exists():
        folder.rename(away)
    folder.symlink_to(elsewhere)
    return away


def test_mods_swapped_since_the_plan(world: World, elsewhere: Path) -> None:
    world.scan()
    operation = world.queued(world.install(world.release("a", "1.0.0")))
    real = swap(world.mods, elsewhere)
    ended = operations.run(operation.pk)
    assert ended.state == State.FAILED
    assert ended.message.startswith("Something changed since the plan was made, so nothing was done.")
    assert "leads elsewhere than when" in ended.message
    assert os.listdir(elsewhere) == os.listdir(real) == []
    assert not (elsewhere.parent / ".vsadmin").exists()


def test_mods_swapped_while_files_are_placed(world: World, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.zip", "a")
    world.scan()
    place = placing.place
    real: list[Path] = []

    def swapping(change: placing.Change, seen: Any) -> None:
        real.append(swap(world.mods, elsewhere))
        place(change, seen)

    monkeypatch.setattr(placing, "place", swapping)
    world.run(world.replace("a.zip", world.release("a", "1.1.0")))
    assert os.listdir(elsewhere) == []
    assert os.listdir(real[0]) == ["a_1.1.0.zip"]


@pytest.mark.parametrize("where", ["beside", "inside"])
def test_staging_that_is_a_link(world: World, elsewhere: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.zip", "a")
    world.scan()
    if where == "inside":
        monkeypatch.setattr("mods.staging._mount_of", lambda folder: (0, folder.path.name))
    place = (world.mods if where == "inside" else world.mods.parent) / ".vsadmin"
    operation = world.queued(world.replace("a.zip", world.release("a", "1.1.0")))
    place.symlink_to(elsewhere)
    ended = operations.run(operation.pk)
    assert "a link or a file where a folder of vsadmin's should be. Remove it." in ended.message
    assert os.listdir(elsewhere) == []
    assert "a.zip" in os.listdir(world.mods)
    assert world.run(world.disable("a.zip")).state == State.DONE, "a rename needs no staging"


def cut_short(world: World, monkeypatch: pytest.MonkeyPatch) -> Operation:
    """A change whose process died with the old file aside and the new one in place."""
    operation = world.queued(world.replace("a.zip", world.release("a", "1.1.0")))

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(placing, "sync", die)
        with pytest.raises(KeyboardInterrupt):
            operations.run(operation.pk)
    return operation


@pytest.mark.parametrize("swapped", ["Mods", ".vsadmin"])
def test_recovery_waits_until_the_link_is_gone(
    world: World, elsewhere: Path, swapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = world.put("a.zip", "a")
    world.scan()
    operation = cut_short(world, monkeypatch)
    assert set(world.files()) == {"a_1.1.0.zip"}
    place = world.mods.parent / swapped
    real = swap(place, elsewhere)
    for _minute in range(2):
        operations.recover(at_start=True)
        assert os.listdir(elsewhere) == []
    assert Step.objects.get().state == Step.State.PLACING
    assert str(place) in Step.objects.get().message
    place.unlink()
    real.rename(place)
    operations.recover(at_start=True)
    assert world.files() == {"a.zip": a}
    assert Step.objects.get(operation=operation).state == Step.State.FAILED
    assert world.leftovers() == []


def test_recovery_waits_for_a_disk_that_is_not_mounted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a = world.put("a.zip", "a")
    world.scan()
    cut_short(world, monkeypatch)
    mounted = world.mods.rename(world.mods.with_name("disk"))
    world.mods.mkdir()
    GameServer.objects.update(mod_folders=[{"path": str(world.mods), "device": 1}])
    operations.recover(at_start=True)
    assert "its disk seems to be unmounted" in Step.objects.get().message
    assert Step.objects.get().state == Step.State.PLACING
    world.mods.rmdir()
    mounted.rename(world.mods)
    operations.recover(at_start=True)
    assert world.files() == {"a.zip": a}


def test_a_file_taken_away_meanwhile_is_not_said_to_be_as_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.zip", "a")
    world.scan()
    cut_short(world, monkeypatch)
    for path in sorted((world.mods.parent / ".vsadmin").rglob("old-*")):
        path.unlink()
    operations.recover(at_start=True)
    assert "a.zip is gone: somebody took it away." in Step.objects.get().message


def test_without_its_staging_folder_a_new_file_goes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.scan()
    operation = world.queued(world.install(world.release("a", "1.0.0")))

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(placing, "sync", die)
        with pytest.raises(KeyboardInterrupt):
            operations.run(operation.pk)
    shutil.rmtree(world.mods.parent / ".vsadmin")
    operations.recover(at_start=True)
    assert world.files() == {}
    assert Step.objects.get().state == Step.State.FAILED


def test_mods_that_is_a_link_all_along(settings: Any, stage: Stage, tmp_path: Path) -> None:
    """As where two servers share a folder, or it lies on another disk."""
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    mods, real = stage.folder.mods, tmp_path / "shared" / "TheMods"
    real.parent.mkdir()
    mods.rename(real)
    mods.symlink_to(real)
    stage.put(stage.release("carry", "1.0.0"))
    newer = stage.release("carry", "1.1.0")
    operation = operations.plan(stage.ready(read=False).ask("update"))
    operations.confirm(operation)
    assert operations.run(operation.pk).message == "1 of 1 done."
    assert [path.read_bytes() for path in real.iterdir()] == [newer.content]
    assert os.listdir(real.parent) == ["TheMods"]
    assert ".vsadmin" not in os.listdir(stage.folder.path)

    operation = operations.plan(stage.ask("remove", "carry"))
    operations.confirm(operation)
    mods.unlink()
    mods.symlink_to(tmp_path)
    assert "leads elsewhere than when" in operations.run(operation.pk).message
    assert len(list(real.iterdir())) == 1


def test_what_lies_aside_behind_a_link_is_not_swept(world: World, elsewhere: Path) -> None:
    world.scan()
    place = elsewhere / "999-0123abcd"
    place.mkdir()
    (place / "old-0-a.zip").write_bytes(b"theirs")
    (world.mods.parent / ".vsadmin").symlink_to(elsewhere)
    operations.recover(at_start=True)
    assert (place / "old-0-a.zip").read_bytes() == b"theirs"
    assert not KeptCopy.objects.exists()


def test_a_link_aside_is_not_read(world: World, elsewhere: Path) -> None:
    world.scan()
    (elsewhere / "secret").write_bytes(b"theirs")
    place = world.mods.parent / ".vsadmin" / "999-0123abcd"
    place.mkdir(parents=True)
    (place / "old-0-a.zip").symlink_to(elsewhere / "secret")
    operations.recover(at_start=True)
    assert sha256(b"theirs") not in KeptCopy.objects.values_list("sha256", flat=True)
    assert (elsewhere / "secret").exists()
