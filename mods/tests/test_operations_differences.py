"""When the world changed between plan and run, nothing is done, and it is said what changed."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from conftest import ServerDir
from mods import moddb, operations
from mods.models import GameServer, Hold, InstalledMod, KeptCopy, Operation, Release, Step
from mods.tests.changes import World
from mods.tests.planned import Stage

pytestmark = pytest.mark.django_db(transaction=True)

Meddle = Callable[[World], object]


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


def planned(world: World, **more: Any) -> Operation:
    world.put("a.zip", "a")
    world.put("b.zip", "b")
    world.folder("work", "work")
    world.scan()
    return world.queued(
        world.replace("a.zip", world.release("a", "1.1.0"), group=0),
        world.disable("b.zip", group=1),
        world.disable("work", group=2),
        **more,
    )


def hold(world: World) -> None:
    Hold.objects.create(server=world.server, modid="a", modid_key="a", set_by_name="Ada", since=timezone.now())


def release(**values: Any) -> Meddle:
    return lambda world: Release.objects.filter(modid="a", version="1.1.0").update(**values)


def other_folder(world: World) -> None:
    (world.mods / "work" / "modinfo.json").write_text('{"type": "content", "modid": "work", "version": "9.0.0"}')


def game_version(world: World) -> None:
    world.dir.log("1.2.2026 20:00:00 [Notification] Game Version: v1.22.0 (Stable)\n")


def to_link(world: World) -> None:
    (world.mods / "a.zip").rename(world.scratch / "a.zip")
    (world.mods / "a.zip").symlink_to(world.scratch / "a.zip")


CASES: list[tuple[Meddle, str]] = [
    (lambda world: world.put("a.zip", "a", "1.0.5"), "A: a.zip has been replaced or changed."),
    (lambda world: (world.mods / "a.zip").unlink(), "A: a.zip isn't there any more."),
    (to_link, "A: a.zip is a link or a folder now."),
    (lambda world: (world.mods / "a_1.1.0.zip").write_bytes(b"x"), "which isn't part of this"),
    (lambda world: (world.mods / "b.zip.disabled").write_bytes(b"x"), "b.zip.disabled now, which isn't part of this"),
    (lambda world: world.put("another.zip", "a"), "Another file of A appeared: another.zip."),
    (other_folder, "work has been replaced or changed."),
    (game_version, "The server's game version was 1.21.5 and is 1.22.0 now."),
    (hold, "a was put on hold by Ada."),
    (release(retracted=True, retraction_reason="Eats worlds."), "A 1.1.0 was retracted: Eats worlds."),
    (release(gone_since=timezone.now()), "A 1.1.0 is no longer in the mod database."),
    (lambda world: Release.objects.all().delete(), "A 1.1.0"),
]


@pytest.mark.parametrize(("meddle", "words"), CASES, ids=[str(number) for number in range(len(CASES))])
def test_it_stops_and_says_what_changed(world: World, meddle: Meddle, words: str) -> None:
    operation = planned(world)
    meddle(world)
    before = world.files()
    ended = operations.run(operation.pk)
    assert ended.state == Operation.State.FAILED
    assert words in ended.message
    assert "Plan it again." in ended.message
    assert "0 of 3 done" in ended.message
    assert world.files() == before
    assert not ended.steps.exclude(state=Step.State.SKIPPED).exists()
    assert world.leftovers() == []
    assert not KeptCopy.objects.exists()


def test_the_mod_folder_is_gone(world: World) -> None:
    operation = planned(world)
    world.mods.rename(world.scratch / "Mods")
    ended = operations.run(operation.pk)
    assert "Public can't be changed: The folder" in ended.message
    assert "0 of 3 done" in ended.message
    assert not world.mods.exists()


def test_what_was_so_when_it_was_planned_is_no_difference(world: World) -> None:
    Hold.objects.create(server=world.server, modid="a", modid_key="a")
    operation = planned(world, kind="roll_back")
    Release.objects.update(gone_since=timezone.now())  # a roll-back names the version
    assert operations.run(operation.pk).message == "3 of 3 done."


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ({"agreed": ["a@1.1.0"]}, 3),
        ({"allow_retracted": True}, 3),
        ({"agreed": ["a@1.0.0"]}, 0),
        ({"allow_downgrades": True}, 0),
        ({"targets": [{"modid": "a", "version": "1.1.0"}]}, 0),
    ],
)
def test_a_retracted_release_takes_a_yes_of_its_own(world: World, said: dict[str, Any], done: int) -> None:
    operation = planned(world, kind="roll_back")
    Operation.objects.update(wish={**operation.wish, **said})
    Release.objects.update(retracted=True)
    assert f"{done} of 3 done." in operations.run(operation.pk).message


def test_a_mod_folder_that_the_server_no_longer_uses(world: World) -> None:
    more = world.dir.path / "More"
    more.mkdir()
    world.dir.configure(ModPaths=["More"])
    world.dir.add_zip("x.zip", folder=more, modid="x")
    world.scan()
    operation = world.queued(world.disable("x.zip"))
    world.dir.configure()
    assert "More is no longer a folder in which the server looks for mods." in operations.run(operation.pk).message
    assert (more / "x.zip").exists()


def test_names_that_lead_elsewhere_are_refused(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    with pytest.raises(operations.NotNow, match="no usable file name"):
        world.run(world.replace("a.zip", world.release("a", "1.1.0"), file_name="../a.zip"))
    assert not (world.mods.parent / "a.zip").exists()


def test_of_many_differences_some_are_named(world: World) -> None:
    names = [f"m{number}" for number in range(8)]
    for name in names:
        world.put(f"{name}.zip", name)
    world.scan()
    operation = world.queued(*(world.disable(f"{name}.zip", group=group) for group, name in enumerate(names)))
    for name in names:
        (world.mods / f"{name}.zip").unlink()
    message = operations.run(operation.pk).message
    assert message.count("isn't there any more") == 5
    assert "And 3 more." in message


def test_a_release_that_was_retracted_since_and_nobody_has_heard_of_it(settings: Any, stage: Stage) -> None:
    settings.VSADMIN_DATA_DIR = stage.folder.path.parent / "state"
    old = stage.release("carry", "1.0.0")
    new = stage.release("carry", "1.1.0")
    stage.put(old)
    operation = operations.plan(stage.ready(read=False).ask("update"))
    operations.confirm(operation)
    stage.database.retract(new, "Eats <b>worlds</b>.")
    ended = operations.run(operation.pk)
    assert (ended.state, os.listdir(stage.folder.mods)) == (Operation.State.FAILED, [old.file_name])
    assert "Carry 1.1.0 was retracted: Eats worlds." in ended.message
    assert not InstalledMod.objects.get().outdated, "it isn't offered again"


def test_an_outage_of_the_mod_database_keeps_nobody_from_what_is_at_hand(settings: Any, stage: Stage) -> None:
    settings.VSADMIN_DATA_DIR = stage.folder.path.parent / "state"
    stage.put(stage.release("carry", "1.0.0"))
    stage.release("carry", "1.1.0")
    operation = operations.plan(stage.ready(read=False).ask("update"))
    operations.confirm(operation)
    stage.database.fault("/", "500_html")
    before = len(stage.database.log)
    assert operations.run(operation.pk).message == "1 of 1 done."
    assert len(stage.database.log) == before + 1, "it is asked once"


@pytest.fixture
def confirmed(settings: Any, stage: Stage) -> Operation:
    """An update of carry 1.0.0 to 1.1.0 that is about to be carried out."""
    settings.VSADMIN_DATA_DIR = stage.folder.path.parent / "state"
    stage.put(stage.release("carry", "1.0.0"))
    stage.release("carry", "1.1.0")
    operation = operations.plan(stage.ready(read=False).ask("update"))
    operations.confirm(operation)
    return operation


def test_a_mod_that_a_moderator_locked_is_not_installed(stage: Stage, confirmed: Operation) -> None:
    (mod,) = stage.database.store.mods.values()
    mod.status = "locked"
    ended = operations.run(confirmed.pk)
    assert (ended.state, os.listdir(stage.folder.mods)) == (Operation.State.FAILED, ["carry_1.0.0.zip"])
    assert "Carry 1.1.0 is no longer in the mod database." in ended.message


def test_a_release_that_its_mod_no_longer_lists_is_not_installed(
    stage: Stage, confirmed: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = moddb.ModDB.mod

    def without_newest(self: moddb.ModDB, key: str | int) -> moddb.ModDetails:
        details = real(self, key)
        return replace(details, releases=tuple(one for one in details.releases if one.version != "1.1.0"))

    monkeypatch.setattr(moddb.ModDB, "mod", without_newest)
    ended = operations.run(confirmed.pk)
    assert (ended.state, os.listdir(stage.folder.mods)) == (Operation.State.FAILED, ["carry_1.0.0.zip"])
    assert "Carry 1.1.0 is no longer in the mod database." in ended.message


def test_what_an_answer_may_have_left_out_is_installed(
    stage: Stage, confirmed: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = moddb.ModDB.mod
    monkeypatch.setattr(moddb.ModDB, "mod", lambda *args: replace(real(*args), releases=(), is_complete=False))
    assert operations.run(confirmed.pk).message == "1 of 1 done."


def test_a_file_that_its_author_exchanged_since_is_not_installed_as_the_one_that_was_planned(
    stage: Stage, confirmed: Operation
) -> None:
    (release,) = (one for one in stage.database.store.files.values() if one.version == "1.1.0")
    release.file_id = 4711
    ended = operations.run(confirmed.pk)
    assert (ended.state, os.listdir(stage.folder.mods)) == (Operation.State.FAILED, ["carry_1.0.0.zip"])
    assert "has put another file in the place of Carry 1.1.0" in ended.message
