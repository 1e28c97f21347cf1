"""Rows of a database restored from somebody else's backup move, write and delete nothing outside our folders."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from cache.store import FetchError
from conftest import ServerDir
from mods import journal, keeping, operations, plans
from mods.models import GameServer, KeptCopy, Operation, Step
from mods.plans import NotAPlan
from mods.tests.changes import World, sha256

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


def tree(place: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in place.rglob("*") if path.is_file()}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder of nobody's business, made to look like one in which a change was cut short."""
    place = tmp_path / "elsewhere"
    (place / "Mods").mkdir(parents=True)
    (place / "Mods" / "a_1.1.0.zip").write_bytes(b"theirs")
    return place


def cut_short(world: World, state: str, **changed: Any) -> Operation:
    """A change of a.zip that a process left in this state; `changed` of its only step's JSON, by dotted keys."""
    operation = world.planned(world.replace("a.zip", world.release("a", "1.1.0")))
    planned = operation.plan["steps"][0] if operation.plan else {}
    for key, value in changed.items():
        place, _dot, name = key.partition("__")
        (planned[place] if name else planned)[name or place] = value
    Operation.objects.filter(pk=operation.pk).update(state=State.RUNNING, plan=operation.plan)
    Step.objects.create(
        operation=operation, server=world.server, position=0, group=0, action="replace", name="A", planned=planned,
        state=state,
    )  # fmt: skip
    return operation


@pytest.mark.parametrize("name", ["../x.zip", "/etc/x.zip", "a/b.zip", "..", ".", "", ".vsadmin", "x\0.zip", "x" * 256])
def test_names_that_lead_elsewhere(name: str) -> None:
    assert not plans.is_plain_name(name)


@pytest.mark.parametrize("name", ["a.zip", ".a.zip", "..a", "a b\n.cs", "x" * 255, "\udcff.zip"])
def test_names_of_files(name: str) -> None:
    assert plans.is_plain_name(name)


@pytest.mark.parametrize("name", ["../x.zip", ""])
@pytest.mark.parametrize("key", ["old__file_name", "new__file_name"])
@pytest.mark.parametrize("state", ["placing", "placed"])
def test_a_name_that_leads_elsewhere_is_not_followed(world: World, name: str, key: str, state: str) -> None:
    world.put("a.zip", "a")
    world.scan()
    (world.dir.path / "x.zip").write_bytes(b"theirs")
    operation = cut_short(world, state, **{key: name})
    before = tree(world.dir.path)
    operations.recover(at_start=True)
    assert tree(world.dir.path) == before
    assert Step.objects.get().state == Step.State.FAILED
    assert "none of its files was touched" in Step.objects.get().message
    operation.refresh_from_db()
    assert operation.state == State.FAILED
    assert world.run(world.disable("a.zip")).state == State.DONE, "nothing is in the way of others"


@pytest.mark.parametrize("state", ["placing", "placed"])
@pytest.mark.parametrize("key", ["old__folder", "new__folder"])
def test_a_folder_that_is_not_the_servers_is_not_touched(world: World, elsewhere: Path, state: str, key: str) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = cut_short(world, state, **{key: str(elsewhere / "Mods")})
    aside = elsewhere / ".vsadmin" / journal.staging_name(operation)
    aside.mkdir(parents=True)
    (aside / "old-0-a.zip").write_bytes(b"put aside")
    (aside / "new-0").hardlink_to(elsewhere / "Mods" / "a_1.1.0.zip")
    GameServer.objects.update(mod_folders=[{"path": str(elsewhere / "Mods"), "device": 1}])
    before = tree(elsewhere), world.files()
    operations.recover(at_start=True)
    assert (tree(elsewhere), world.files()) == before
    assert Step.objects.get().state == Step.State.FAILED
    assert not KeptCopy.objects.exists()


def test_a_queued_change_of_a_folder_that_is_not_the_servers_writes_nothing(world: World, elsewhere: Path) -> None:
    world.scan()
    step = world.install(world.release("b", "1.0.0"))
    operation = world.queued(step)
    plan = operation.plan or {}
    plan["steps"][0]["new"]["folder"] = str(elsewhere / "Mods")
    Operation.objects.update(plan=plan)
    GameServer.objects.update(mod_folders=[{"path": str(elsewhere / "Mods"), "device": 1}])
    before = tree(elsewhere)
    ended = operations.run(operation.pk)
    assert "is no longer a folder in which the server looks for mods" in ended.message
    assert tree(elsewhere) == before
    assert not (elsewhere / ".vsadmin").exists()


@pytest.mark.parametrize(
    "plan",
    [
        {}, [], "x", None, {"steps": 1}, {"steps": [{}]}, {"steps": [{"old": []}]},
        {"steps": [{"action": "remove", "group": 0, "why": "", "old": None, "new": None, "notes": []}]},
    ],
)  # fmt: skip
def test_what_is_no_plan_ends_the_change(world: World, plan: Any) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = world.queued(world.disable("a.zip"))
    Operation.objects.update(plan=plan)
    assert "another version of vsadmin" in operations.run(operation.pk).message
    assert set(world.files()) == {"a.zip"}


@pytest.mark.parametrize(
    ("key", "value"),
    [("action", "copy"), ("action", "install"), ("group", "0"), ("group", True), ("old", {"folder": "x"}),
     ("notes", [1]), ("more", 1), ("rename_to", None)],
)  # fmt: skip
def test_values_of_another_kind_are_no_step(world: World, key: str, value: Any) -> None:
    world.put("a.zip", "a")
    world.scan()
    planned = {**plans.to_json(world.disable("a.zip")), key: value}
    with pytest.raises(NotAPlan):
        plans.step_from_json(planned)


def test_every_step_that_we_make_is_one(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    release = world.release("b", "1.0.0")
    for step in (
        world.disable("a.zip"),
        world.remove("a.zip"),
        world.install(release),
        world.replace("a.zip", release),
    ):
        assert plans.step_from_json(plans.to_json(step)) == step
        plan = plans.Plan(steps=(step,), places={"/srv": "/srv"}, unmet=(plans.Unmet("missing", "x", "y"),))
        assert plans.plan_from_json(plans.to_json(plan)) == plan


@pytest.mark.skipif(connection.vendor != "sqlite", reason="others keep text out of columns of numbers")
def test_a_position_that_is_text_is_part_of_no_name(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = cut_short(world, "placing")
    for name in ("put-0", "old-0", "new-0"):
        (world.dir.path / ".vsadmin" / journal.staging_name(operation) / name).mkdir(parents=True)
    (world.dir.path / "theirs").write_bytes(b"theirs")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE mods_step SET position = %s", ["0/../../../theirs"])
    before = world.files()
    operations.recover()
    assert world.files() == before
    assert (world.dir.path / "theirs").exists()
    assert Step.objects.values_list("state", flat=True).get() == Step.State.FAILED


def test_a_key_of_the_cache_that_is_none_makes_a_kept_copy(world: World) -> None:
    content = world.put("a.zip", "a")
    world.scan()
    done = world.run(world.remove("a.zip", cache_key="../../a"))
    assert done.message == "1 of 1 done."
    assert KeptCopy.objects.get().sha256 == sha256(content)


@pytest.mark.parametrize("name", ["../x.zip", "/etc/passwd", "x.zip", ""])
def test_a_kept_copy_of_another_name_is_neither_read_nor_deleted(world: World, name: str) -> None:
    keeping.folder().mkdir(parents=True)
    theirs = keeping.folder().parent / "x.zip"
    theirs.write_bytes(b"theirs")
    (keeping.folder() / "x.zip").write_bytes(b"theirs")
    kept = KeptCopy.objects.create(
        server=world.server, server_name="Public", name="X", file_name="x.zip", stored_name=name, size=6,
        sha256=sha256(b"theirs"), why="",
    )  # fmt: skip
    with pytest.raises(FetchError):
        keeping.open(kept)
    keeping.delete(kept, None)
    assert not KeptCopy.objects.exists()
    assert theirs.read_bytes() == b"theirs"
    assert os.listdir(keeping.folder()) == ["x.zip"]
