"""Asking, confirming, waiting one's turn, and what becomes of what a dead process left."""

import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from django_q.models import OrmQ

from cache.tests.test_processes import together
from conftest import Events, ServerDir, eventually
from mods import fetching, keeping, operations, placing, plans, tasks, turns
from mods.models import ClaimedModId, GameServer, InstalledMod, KeptCopy, Operation
from mods.plans import Plan, Unmet
from mods.progress import Watch
from mods.staging import Places
from mods.tests.changes import World, sha256
from mods.tests.rows import install, make_mod
from mods.wishes import Target, Wish
from vsadmin import schedules
from vsadmin.lib import locks

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


def waiting_tasks() -> list[str]:
    return sorted(turns.queued_tasks())


@pytest.mark.parametrize(
    ("wish", "title"),
    [
        (Wish("update"), "Update all mods"),
        (Wish("update", tuple(Target(modid=f"m{n}") for n in range(12))), "Update 12 mods"),
        (Wish("install", (Target(modid="carryon", version="1.2.0"),)), "Install carryon 1.2.0"),
        (Wish("roll_back", (Target(modid="carryon"),)), "Roll back carryon"),
        (Wish("remove", (Target(row=0), Target(row=1))), "Remove 2 mods"),
        (Wish("disable", (Target(number=12),)), "Disable #12"),
        (Wish("restore", (Target(kept=1),)), "Restore the kept copy of a mod"),
        (Wish("align", (Target(modid="a"), Target(modid="b"))), "Bring in line with a list of 2 mods"),
        (Wish("undo", operation=7), "Roll back: #7"),
    ],
)
def test_titles_say_what_is_wanted(world: World, wish: Wish, title: str) -> None:
    assert operations._title(wish) == title


def test_titles_name_mods_as_people_know_them(world: World) -> None:
    install(world.server, "carryon", name="Carry On")
    mods = [make_mod(modid, name=name, alias=modid) for modid, name in (("wind", "Windwright"), ("twice", "Twice"))]
    ClaimedModId.objects.create(key="wind", mod=mods[0])
    for mod in mods:
        ClaimedModId.objects.create(key="twice", mod=mod)
    for target, named in (
        (Target(modid="CarryOn", version="1.2.0"), "Carry On 1.2.0"),
        (Target(modid="wind"), "Windwright"),
        (Target(alias="wind"), "Windwright"),
        (Target(modid="twice"), "twice"),
        (Target(alias="nobody"), "nobody"),
    ):
        assert operations._title(Wish("install", (target,))) == f"Install {named}"


def test_asking_writes_down_who_and_what(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    user = get_user_model().objects.create_user("ada")
    row = InstalledMod.objects.get()
    asked = operations.ask(world.server, Wish("disable", (Target(row=row.pk),)), user=user)
    assert (asked.state, asked.title, asked.asked_by, asked.asked_by_name) == (State.PLANNING, "Disable A", user, "ada")
    assert operations.ask(world.server, Wish("update"), actor="root").asked_by_name == "root"
    undone = world.run(world.disable("a.zip"))
    undo = operations.ask(world.server, operations.undo_wish(undone))
    assert (undo.undoes, undo.title) == (undone, "Roll back: A change")
    operations.plan_in_background(undo)
    assert waiting_tasks() == [f"plan-change-{undo.pk}"]


def test_confirming(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = world.planned(world.disable("a.zip"))
    operations.confirm(operation)
    assert operation.state == State.QUEUED
    with pytest.raises(operations.NotNow, match="waiting"):
        operations.confirm(operation)

    step = world.disable("a.zip")
    unmet = Plan((step,), unmet=(Unmet("missing", "b", "A needs b, which is missing."),), game_version="1.21.5")
    operation = world.planned(step)
    Operation.objects.filter(pk=operation.pk).update(plan=plans.to_json(unmet))
    with pytest.raises(operations.NotNow, match="needs b"):
        operations.confirm(operation)
    operations.confirm(operation, go_on=True)
    assert operation.plan is not None
    assert operation.plan["go_on"] is True
    assert operations.run(operation.pk).state == State.DONE

    blocked = world.planned(step)
    Operation.objects.filter(pk=blocked.pk).update(plan=plans.to_json(Plan((step,), obstacles=("Mods is read-only.",))))
    with pytest.raises(operations.NotNow, match="read-only"):
        operations.confirm(blocked, go_on=True)


def test_what_was_not_confirmed_is_not_run(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = world.planned(world.disable("a.zip"))
    assert operations.run(operation.pk).state == State.PLANNED
    with pytest.raises(operations.NotNow, match="planned"):
        operations.undo_wish(operation)
    assert set(world.files()) == {"a.zip"}


def test_a_second_one_waits_and_gets_its_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.zip", "a")
    world.put("b.zip", "b")
    world.scan()
    first, second = world.queued(world.disable("a.zip")), world.queued(world.disable("b.zip"))
    monkeypatch.setattr("mods.carrying._PATIENCE", 0)
    fetch_all = fetching.fetch_all

    def meanwhile(items: Any, watch: Watch) -> None:
        if watch.operation == first:
            assert operations.run(second.pk).state == State.QUEUED
            assert operations.recover() == 0
            assert waiting_tasks() == []
            assert Operation.objects.get(pk=first.pk).state == State.RUNNING
        fetch_all(items, watch)

    monkeypatch.setattr(fetching, "fetch_all", meanwhile)
    assert operations.run(first.pk).state == State.DONE
    assert waiting_tasks() == [f"change-{second.pk}"]
    tasks.run_operation(second.pk)
    assert set(world.files()) == {"a.zip.disabled", "b.zip.disabled"}


def test_two_processes_never_change_one_server_at_once(world: World, tmp_path: Path) -> None:
    for name in "abcdef":
        world.put(f"{name}.zip", name)
    world.scan()
    halves = [
        world.queued(*(world.replace(f"{n}.zip", world.release(n, "1.1.0"), group=i) for i, n in enumerate(names)))
        for names in ("abc", "def")
    ]
    log = tmp_path / "log"
    place = placing.place

    def logged(change: placing.Change, seen: Any) -> None:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        place(change, seen)

    def work(pk: int) -> None:
        placing.place = logged
        eventually(lambda: operations.run(pk).is_over)

    def both() -> None:
        """Fight for the other's too, which only one of them gets."""
        work(halves[1].pk)
        work(halves[0].pk)

    assert together(lambda: work(halves[0].pk), both) == [0, 0]
    assert set(world.files()) == {f"{name}_1.1.0.zip" for name in "abcdef"}
    processes = log.read_text().split()
    assert len(processes) == 6
    assert len({tuple(processes[:3]), tuple(processes[3:])}) <= 2
    assert len(set(processes[:3])) == len(set(processes[3:])) == 1
    assert {one.state for one in Operation.objects.all()} == {State.DONE}
    assert world.leftovers() == []


# --- after a crash


def test_what_waits_is_given_to_the_worker_once(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = world.queued(world.disable("a.zip"))
    operations.recover()
    schedules.heartbeat()
    assert waiting_tasks() == [f"change-{operation.pk}"]
    assert OrmQ.objects.count() == 1


def test_plans_that_nobody_makes_any_more(world: World) -> None:
    fresh, queued, held, lost = (operations.ask(world.server, Wish("update")) for _number in range(4))
    old = timezone.now() - timedelta(minutes=10)
    Operation.objects.filter(pk__in=[queued.pk, held.pk, lost.pk]).update(asked_at=old)
    operations.plan_in_background(queued)
    with locks.hold(turns.planning(held.pk)):
        assert operations.recover() == 1
    states = dict(Operation.objects.values_list("pk", "state"))
    assert states == {fresh.pk: "planning", queued.pk: "planning", held.pk: "planning", lost.pk: "failed"}
    lost.refresh_from_db()
    assert "ask again" in lost.message


def test_one_that_still_runs_is_left_alone(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = world.queued(world.disable("a.zip"))
    Operation.objects.update(state=State.RUNNING)
    with locks.hold(turns.changing(world.server.pk)):
        assert operations.recover() == 0
    assert operations.recover() == 1
    operation.refresh_from_db()
    assert operation.state == State.FAILED
    assert operation.message.startswith("It was interrupted")


def test_what_lies_in_staging_that_nobody_knows_becomes_a_kept_copy(world: World, events: Events) -> None:
    content = world.put("a.zip", "a")
    world.scan()
    place = world.mods.parent / ".vsadmin" / "999-0123abcd"
    place.mkdir(parents=True)
    (world.mods / "a.zip").rename(place / "old-0-a.zip")
    (place / "new-0").write_bytes(b"half")
    with Places([world.mods], {}, "999-0123abcd") as places:
        places.make(str(world.mods))
        operations.recover(at_start=True)
        assert not KeptCopy.objects.exists(), "another vsadmin works there"
    operations.recover(at_start=True)
    kept = KeptCopy.objects.get()
    assert (kept.sha256, kept.file_name, kept.modid, kept.server) == (sha256(content), "a.zip", "a", world.server)
    assert world.leftovers() == []
    assert events.named("mod_staging_swept")[0]["kept"] == 1


def test_files_of_others_in_staging_stay(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    place = world.mods.parent / ".vsadmin" / "999-0123abcd"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    operations.recover(at_start=True)
    assert (place / "notes.txt").read_text() == "mine"


def test_what_cannot_be_put_away_yet_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    content = world.put("a.zip", "a")
    world.scan()

    def full(*_arguments: Any, **_more: Any) -> None:
        raise OSError(28, "No space left on device")

    keep = keeping.keep
    monkeypatch.setattr(keeping, "keep", full)
    done = world.run(world.replace("a.zip", world.release("a", "1.1.0")))
    assert done.state == State.DONE
    assert "couldn't be put away yet" in done.message
    assert "The disk is full." in done.message
    assert set(world.files()) == {"a_1.1.0.zip"}
    operations.recover()
    assert not KeptCopy.objects.exists()
    monkeypatch.setattr(keeping, "keep", keep)
    operations.recover()
    assert KeptCopy.objects.get().sha256 == sha256(content)
    operations.recover(at_start=True)
    assert world.leftovers() == []


def test_what_cannot_be_put_back_stops_later_changes_until_it_can(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = world.put("a.zip", "a")
    world.put("b.zip", "b")
    world.scan()
    later = world.queued(world.disable("b.zip"))
    undo, sync = placing.undo, placing.sync

    def broken(*_arguments: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(placing, "sync", broken)
    monkeypatch.setattr(placing, "undo", broken)
    failed = world.run(world.replace("a.zip", world.release("a", "1.1.0")))
    assert failed.state == State.FAILED
    assert "couldn't be put back as it was yet" in failed.message
    assert "An earlier change" in operations.run(later.pk).message
    assert set(world.files()) == {"a_1.1.0.zip", "b.zip"}
    monkeypatch.setattr(placing, "undo", undo)
    monkeypatch.setattr(placing, "sync", sync)
    operations.recover()
    assert world.files()["a.zip"] == a
    assert "a_1.1.0.zip" not in world.files()
    assert failed.steps.get().state == "failed"
    operations.recover(at_start=True)
    assert world.leftovers() == []


@pytest.mark.parametrize(("task", "work"), [(tasks.plan_operation, "plan"), (tasks.run_operation, "run")])
def test_the_worker_shows_that_it_lives_while_a_change_waits(
    monkeypatch: pytest.MonkeyPatch, task: Callable[[int], None], work: str
) -> None:
    beaten = threading.Event()
    heard: list[bool] = []
    monkeypatch.setattr("vsadmin.lib.jobs.heartbeat.beat", beaten.set)
    monkeypatch.setattr(tasks, "_get", lambda pk: pk)
    monkeypatch.setattr(operations, work, lambda _operation, **_options: heard.append(beaten.wait(30)))
    task(1)
    assert heard == [True]


def test_tasks_never_raise(world: World, events: Events) -> None:
    tasks.run_operation(999)
    tasks.plan_operation(999)
    assert [event["operation"] for event in events.named("mod_change_failed")] == [999, 999]
    world.put("a.zip", "a")
    world.scan()
    tasks.run_operation(world.queued(world.disable("a.zip")).pk)
    assert set(world.files()) == {"a.zip.disabled"}
