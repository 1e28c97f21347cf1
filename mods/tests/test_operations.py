"""Carrying out a plan: what is there afterwards, on disk and in the rows."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model

from cache.models import CacheEntry
from cache.store import FetchError
from conftest import Events, ServerDir
from mods import keeping, operations, placing, staging
from mods.models import GameServer, InstalledMod, KeptCopy, Operation, Step
from mods.tests.changes import World, sha256

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


def test_every_kind_of_step(world: World, events: Events) -> None:
    a = world.put("carryon.zip", "carryon")
    b = world.put("b_1.0.0.zip", "b")
    world.put("c_1.0.0.zip", "c")
    d = world.put("d.zip", "d")
    e = world.put("e.zip.disabled", "e")
    other = world.put("mine.zip", "mine")
    world.scan()
    user = get_user_model().objects.create_user("ada")
    new = [world.release("carryon", "1.1.0"), world.release("b", "1.1.0"), world.release("fresh", "2.0.0")]
    operation = world.run(
        world.replace("carryon.zip", new[0], group=0),
        world.replace("b_1.0.0.zip", new[1], group=1, file_name="b_1.0.0.zip"),
        world.remove("c_1.0.0.zip", group=2),
        world.disable("d.zip", group=3),
        world.enable("e.zip.disabled", group=4),
        world.install(new[2], group=5),
        user=user,
        asked_by_name="ada",
    )
    assert (operation.state, operation.message) == (State.DONE, "6 of 6 done.")
    assert (operation.done, operation.total, operation.doing) == (6, 6, "")
    assert operation.started_at is not None
    assert operation.ended_at is not None
    assert world.files() == {
        "carryon_1.1.0.zip": world.releases["carryon", "1.1.0"],
        "b_1.0.0.zip": world.releases["b", "1.1.0"],
        "d.zip.disabled": d,
        "e.zip": e,
        "fresh_2.0.0.zip": world.releases["fresh", "2.0.0"],
        "mine.zip": other,
    }
    assert world.leftovers() == []
    assert set(operation.steps.values_list("state", flat=True)) == {Step.State.DONE}
    assert operation.steps.carried_out().filter(done_at__isnull=False).count() == 6
    rows = InstalledMod.objects.values_list("file_name", "version", "enabled").order_by("file_name")
    assert list(rows) == [
        ("b_1.0.0.zip", "1.1.0", True),
        ("carryon_1.1.0.zip", "1.1.0", True),
        ("d.zip.disabled", "1.0.0", False),
        ("e.zip", "1.0.0", True),
        ("fresh_2.0.0.zip", "2.0.0", True),
        ("mine.zip", "1.0.0", True),
    ]
    assert set(KeptCopy.objects.values_list("sha256", flat=True)) >= {sha256(a), sha256(b)}
    assert KeptCopy.objects.count() == 3
    said = LogEntry.objects.filter(user=user).values_list("change_message", flat=True)
    assert f"Replaced Carryon 1.0.0 by 1.1.0 (change {operation.pk})" in said
    assert len(said) == 6
    names = ["mod_installed", "mod_replaced", "mod_removed", "mod_enabled", "mod_disabled"]
    assert [len(events.named(name)) for name in names] == [1, 2, 1, 1, 1]
    told = events.named("mod_installed")[0]
    assert {key: told[key] for key in ("server", "modid", "to_version", "operation")} == {
        "server": "Public",
        "modid": "fresh",
        "to_version": "2.0.0",
        "operation": operation.pk,
    }
    assert len(events.named("mod_change_started")) == len(events.named("mod_change_completed")) == 1


def test_a_replaced_file_that_can_be_fetched_again_goes_into_the_cache(world: World) -> None:
    old = world.release("carryon", "1.0.0", cached=False)
    (world.mods / "carryon.zip").write_bytes(world.releases["carryon", "1.0.0"])
    world.scan()
    key = f"moddb:{old.file_id}"
    world.run(world.replace("carryon.zip", world.release("carryon", "1.1.0"), cache_key=key))
    assert CacheEntry.objects.get(key=key).sha256 == old.sha256
    assert not KeptCopy.objects.exists()


def test_one_whose_number_has_other_bytes_becomes_a_kept_copy(world: World) -> None:
    content = world.put("carryon.zip", "carryon")
    world.scan()
    new = world.release("carryon", "1.1.0")
    world.run(world.replace("carryon.zip", new, cache_key=f"moddb:{new.file_id}"))
    assert KeptCopy.objects.get().sha256 == sha256(content)
    assert CacheEntry.objects.get().sha256 == new.sha256


def test_a_kept_copy_is_put_back(world: World) -> None:
    content = world.put("carryon.zip", "carryon")
    world.scan()
    assert world.run(world.replace("carryon.zip", world.release("carryon", "1.1.0"))).state == State.DONE
    kept = KeptCopy.objects.get()
    again = world.run(world.replace("carryon_1.1.0.zip", kept, file_name="carryon.zip"), kind="restore")
    assert again.state == State.DONE
    assert world.files() == {"carryon.zip": content}
    assert KeptCopy.objects.filter(pk=kept.pk).exists()


def test_a_folder_is_renamed_only(world: World) -> None:
    world.folder("work", "work")
    world.folder("rest.disabled", "rest")
    world.scan()
    assert world.run(world.disable("work"), world.enable("rest.disabled", group=1)).state == State.DONE
    assert set(world.files()) == {"work.disabled", "rest"}


def test_new_files_look_like_their_neighbours(world: World) -> None:
    world.put("a.zip", "a")
    (world.mods / "a.zip").chmod(0o664)
    world.scan()
    world.run(world.replace("a.zip", world.release("a", "1.1.0")), world.install(world.release("b", "1.0.0"), group=1))
    assert {(world.mods / name).stat().st_mode & 0o777 for name in world.files()} == {0o664}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_owner_and_group_are_the_neighbours_where_privileged(world: World) -> None:
    world.put("a.zip", "a")
    (world.mods / "a.zip").chmod(0o640)
    os.chown(world.mods / "a.zip", 12345, 23456)
    world.scan()
    world.run(world.replace("a.zip", world.release("a", "1.1.0")))
    made = (world.mods / "a_1.1.0.zip").stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o777) == (12345, 23456, 0o640)


def test_a_group_that_cannot_be_given_is_no_error_but_the_file_is_readable(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.zip", "a")
    (world.mods / "a.zip").chmod(0o640)
    world.scan()
    monkeypatch.setattr(placing, "looks_for", lambda *_: placing.Looks(0o640, os.geteuid() + 1, os.getegid() + 1))

    def refuse(*_arguments: int) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    assert world.run(world.replace("a.zip", world.release("a", "1.1.0"))).state == State.DONE
    assert (world.mods / "a_1.1.0.zip").stat().st_mode & 0o777 == 0o644


def test_staging_is_in_the_mod_folder_where_that_is_a_mount_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put("a.zip", "a")
    world.scan()
    real = staging._mount_of
    monkeypatch.setattr(
        staging, "_mount_of", lambda folder: (0, "other") if folder.path == world.mods.parent else real(folder)
    )
    seen: list[set[str]] = []
    stage = placing.stage

    def staged(*arguments: Any) -> None:
        stage(*arguments)
        seen.append(set(os.listdir(world.mods)))

    monkeypatch.setattr(placing, "stage", staged)
    assert world.run(world.replace("a.zip", world.release("a", "1.1.0"))).state == State.DONE
    assert seen == [{"a.zip", ".vsadmin"}]
    assert set(world.files()) == {"a_1.1.0.zip"}


def test_without_hard_links(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.zip", "a")
    b = world.put("b_1.1.0.zip", "b")
    world.put("c.zip", "c")
    d = world.put("d.zip", "d")
    world.scan()
    monkeypatch.setattr(os, "link", lambda *_, **__: (_ for _ in ()).throw(PermissionError(1, "no links")))
    done = world.run(
        world.replace("a.zip", world.release("a", "1.1.0")),
        world.replace("b_1.1.0.zip", world.release("b", "1.1.0"), group=1),
        world.remove("c.zip", group=2),
        world.disable("d.zip", group=3),
    )
    assert done.message == "4 of 4 done."
    assert world.files() == {
        "a_1.1.0.zip": world.releases["a", "1.1.0"],
        "b_1.1.0.zip": world.releases["b", "1.1.0"],
        "d.zip.disabled": d,
    }
    assert sha256(b) in KeptCopy.objects.values_list("sha256", flat=True)
    assert world.leftovers() == []


def test_one_that_fails_leaves_its_group_as_it_was_and_the_others_go_on(world: World) -> None:
    a = world.put("a.zip", "a")
    b = world.put("b.zip", "b")
    world.put("c.zip", "c")
    world.scan()
    damaged = world.release("b", "1.1.0")
    steps = (
        world.replace("a.zip", world.release("a", "1.1.0"), group=0),
        world.replace("b.zip", damaged, group=0),
        world.replace("c.zip", world.release("c", "1.1.0"), group=1),
    )
    operation = world.queued(*steps)
    plan = operation.plan
    assert plan is not None
    plan["steps"][1]["new"]["sha256"] = "0" * 64
    Operation.objects.filter(pk=operation.pk).update(plan=plan)
    ended = operations.run(operation.pk)
    assert ended.state == State.FAILED
    assert ended.message.startswith("1 of 3 done; 2 failed: A: It belongs together with B, so it was left as it was.")
    assert "B: Its file isn't the one that was planned: the content differs. Plan it again." in ended.message
    assert world.files() == {"a.zip": a, "b.zip": b, "c_1.1.0.zip": world.releases["c", "1.1.0"]}
    assert list(ended.steps.values_list("state", flat=True)) == ["failed", "failed", "done"]
    assert world.leftovers() == []


def test_a_download_that_fails_says_why(world: World) -> None:
    a = world.put("a.zip", "a")
    world.put("b.zip", "b")
    world.scan()
    ended = world.run(
        world.replace("a.zip", world.release("a", "1.1.0", cached=False)),
        world.replace("b.zip", world.release("b", "1.1.0"), group=1),
    )
    assert ended.state == State.FAILED
    assert "1 of 2 done; 1 failed: A: No connection to 127.0.0.1" in ended.message
    assert world.files() == {"a.zip": a, "b_1.1.0.zip": world.releases["b", "1.1.0"]}


def test_a_name_taken_in_the_last_moment_is_never_overwritten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    a = world.put("a.zip", "a")
    world.put("b.zip", "b")
    world.scan()
    place = placing.place

    def meanwhile(change: placing.Change, seen: Any) -> None:
        if change.number == 0:
            (world.mods / "a_1.1.0.zip").write_bytes(b"somebody's")
        place(change, seen)

    monkeypatch.setattr(placing, "place", meanwhile)
    ended = world.run(
        world.replace("a.zip", world.release("a", "1.1.0")),
        world.replace("b.zip", world.release("b", "1.1.0"), group=1),
    )
    assert "There is a file" in ended.message
    assert world.files()["a_1.1.0.zip"] == b"somebody's"
    assert world.files()["a.zip"] == a
    assert "b_1.1.0.zip" in world.files()


def test_a_file_changed_in_the_last_moment_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a_1.1.0.zip", "a")
    world.scan()
    place = placing.place

    def meanwhile(change: placing.Change, seen: Any) -> None:
        (world.mods / "a_1.1.0.zip").write_bytes(b"somebody's")
        place(change, seen)

    monkeypatch.setattr(placing, "place", meanwhile)
    ended = world.run(world.replace("a_1.1.0.zip", world.release("a", "1.1.0")))
    assert "changed by somebody else" in ended.message
    assert world.files() == {"a_1.1.0.zip": b"somebody's"}


def test_progress_is_told_and_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        world.put(f"{name}.zip", name)
    world.scan()
    operation = world.queued(
        *(world.replace(f"{n}.zip", world.release(n, "1.1.0"), group=i) for i, n in enumerate("abc"))
    )
    monkeypatch.setattr("mods.progress.REPORT_EVERY", 0)
    told: list[tuple[int, int, str]] = []
    written: list[int] = []

    def report(done: int, total: int, doing: str) -> None:
        told.append((done, total, doing))
        written.append(Operation.objects.get(pk=operation.pk).done)

    operations.run(operation.pk, report=report)
    assert [done for done, _total, _doing in told] == sorted(done for done, _total, _doing in told)
    assert told[-1][:2] == (6, 6)
    assert any("Fetching" in doing for _done, _total, doing in told)
    assert 0 < max(written) <= 6


def test_undoing_marks_what_it_undoes(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    first = world.run(world.disable("a.zip"))
    assert operations.undo_wish(first).operation == first.pk
    second = world.run(world.enable("a.zip.disabled"), kind="undo", undoes=first)
    assert second.state == State.DONE
    first.refresh_from_db()
    assert first.state == State.UNDONE
    with pytest.raises(operations.NotNow, match="already"):
        operations.undo_wish(first)
    third = operations.ask(world.server, operations.undo_wish(second))
    assert third.title == f"Again: {first.title}"
    world.run(world.disable("a.zip"), kind="undo", undoes=second)
    first.refresh_from_db()
    assert first.state == State.DONE


def test_stopping_ends_after_the_group_at_hand(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        world.put(f"{name}.zip", name)
    world.scan()
    steps = [world.replace(f"{n}.zip", world.release(n, "1.1.0"), group=i) for i, n in enumerate("abc")]
    stop = threading.Event()
    place = placing.place

    def stopping(change: placing.Change, seen: Any) -> None:
        place(change, seen)
        stop.set()

    monkeypatch.setattr(placing, "place", stopping)
    ended = operations.run(world.queued(*steps).pk, stop=stop)
    assert ended.state == State.FAILED
    assert "shutting down" in ended.message
    assert "1 of 3 done. The others are as they were. Plan it again." in ended.message
    assert set(world.files()) == {"a_1.1.0.zip", "b.zip", "c.zip"}
    operations.recover()  # puts away what the stop left no time for
    assert world.leftovers() == []
    assert keeping.total()[0] == 1
    assert list(ended.steps.values_list("state", flat=True)) == ["done", "skipped", "skipped"]


def test_cancelling(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ab":
        world.put(f"{name}.zip", name)
    world.scan()
    steps = [world.replace(f"{n}.zip", world.release(n, "1.1.0"), group=i) for i, n in enumerate("ab")]
    waiting = world.queued(*steps)
    operations.cancel(waiting)
    assert waiting.state == State.CANCELLED
    assert operations.run(waiting.pk).state == State.CANCELLED
    assert set(world.files()) == {"a.zip", "b.zip"}

    running = world.queued(*steps)
    place = placing.place

    def cancelling(change: placing.Change, seen: Any) -> None:
        place(change, seen)
        operations.cancel(Operation.objects.get(pk=running.pk))

    monkeypatch.setattr(placing, "place", cancelling)
    ended = operations.run(running.pk)
    assert (ended.state, set(world.files())) == (State.CANCELLED, {"a_1.1.0.zip", "b.zip"})
    assert ended.message == "It was cancelled. 1 of 2 done. The others are as they were. Plan it again."
    assert world.leftovers() == []
    with pytest.raises(operations.NotNow, match="over"):
        operations.cancel(ended)


def test_a_download_that_cancelling_cut_short_did_not_fail(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("a.zip", "a")
    world.scan()
    running = world.queued(world.replace("a.zip", world.release("a", "1.1.0", cached=False)))

    def cut_short(_release: object, *, client: object, stop: threading.Event) -> None:
        operations.cancel(Operation.objects.get(pk=running.pk))
        assert stop.wait(60)
        raise FetchError("The request was stopped because the program is shutting down.", "source")

    monkeypatch.setattr("mods.fetching.downloads.fetch_release", cut_short)
    ended = operations.run(running.pk)
    assert (ended.state, set(world.files())) == (State.CANCELLED, {"a.zip"})
    assert ended.message == "It was cancelled. 0 of 1 done. The others are as they were. Plan it again."
    assert ended.steps.get().state == Step.State.SKIPPED
    assert world.leftovers() == []
