"""With hardly any space left: what can't be put away stays aside and is said, and nothing else waits for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cache.models import CacheEntry
from cache.store import RESERVE_BYTES
from conftest import Events, ServerDir
from mods import keeping, operations
from mods.models import GameServer, KeptCopy, Operation, Step
from mods.tests.changes import World, sha256
from vsadmin.lib import files

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


def test_a_file_that_cannot_be_put_away_is_in_nobodys_way(
    world: World, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    old = world.release("a", "1.0.0", cached=False)
    (world.mods / "a.zip").write_bytes(world.releases["a", "1.0.0"])
    for name in "bcd":
        world.put(f"{name}.zip", name)
    world.scan()
    with monkeypatch.context() as full:
        full.setattr(files, "free_bytes", lambda folder: RESERVE_BYTES - 1)
        removed = world.run(world.remove("a.zip", cache_key=f"moddb:{old.file_id}"))
        assert removed.state == State.DONE
        assert "couldn't be put away yet; it lies in" in removed.message
        assert "The disk is full. Free some space" in removed.message
        assert set(world.files()) == {"b.zip", "c.zip", "d.zip"}
        assert world.run(world.disable("b.zip")).message == "1 of 1 done."
        assert world.run(world.enable("b.zip.disabled")).message == "1 of 1 done."
        assert world.run(world.remove("c.zip")).message == "1 of 1 done."
        for _minute in range(3):
            operations.recover(at_start=True)
        assert len(events.named("mod_change_recovery_failed")) == 1, "it isn't told each minute"
        assert removed.steps.get().state == Step.State.PLACED
        (aside,) = [place for place in world.leftovers() if "old-" in place]
        assert Path(aside).read_bytes() == world.releases["a", "1.0.0"]
    operations.recover()
    assert CacheEntry.objects.get().sha256 == old.sha256
    assert removed.steps.get().state == Step.State.DONE
    operations.recover(at_start=True)
    assert world.leftovers() == []


@pytest.mark.parametrize("what", ["a kept copy", "a new file"])
def test_the_cache_gives_way(world: World, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = world.put("a.zip", "a")
    world.scan()
    world.release("b", "1.0.0")
    step = world.remove("a.zip") if what == "a kept copy" else world.install(world.release("c", "1.0.0"))
    before = CacheEntry.objects.count()
    operation = world.queued(step)
    monkeypatch.setattr(files, "free_bytes", lambda folder: 1)
    monkeypatch.setattr(keeping, "_SPARE", 0)
    assert operations.run(operation.pk).message == "1 of 1 done."
    assert KeptCopy.objects.filter(sha256=sha256(content)).count() == (what == "a kept copy")
    assert CacheEntry.objects.count() < before
