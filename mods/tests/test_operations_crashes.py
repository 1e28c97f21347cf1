"""Whatever step of a change fails or dies: each mod is there exactly once, old or new, and nothing is left over."""

import errno
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django_q.models import OrmQ

from cache import eviction, verify
from cache.models import CacheEntry, KnownDigest
from cache.tests import steps
from cache.tests.helpers import disagreements
from conftest import ServerDir, eventually
from mods import downloads, keeping, operations
from mods.models import GameServer, InstalledMod, KeptCopy, Operation, Release, Step
from mods.tests.changes import World, sha256

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State
CALLS = ("open", "write", "fsync", "link", "rename", "replace", "unlink", "mkdir", "rmdir", "listdir")
#: A process that dies before one of these dies, as far as the disk knows, before the next of the others.
HARMLESS = {"open", "write", "fsync", "mkdir", "listdir"}
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EPERM, errno.EIO)


class Steps(steps.Steps):
    """Those of the cache's tests and some more; locks, and files opened for reading, are none."""

    def __init__(self, chosen: int, fault: steps.Fault, *, harmless: bool = True) -> None:
        super().__init__(chosen, fault)
        self._harmless = harmless

    def _wrapped(self, name: str, original: Callable[..., Any], *, sql: bool = False) -> Callable[..., Any]:
        counted = super()._wrapped(name, original, sql=sql)
        if not self._harmless and name in HARMLESS:
            return original

        def call(*arguments: Any, **more: Any) -> Any:
            about_locks = name in {"open", "mkdir"} and "locks" in Path(str(arguments[0])).parts
            reads = name == "open" and not arguments[1] & (os.O_CREAT | os.O_DIRECTORY)
            return (original if about_locks or reads else counted)(*arguments, **more)

        return call


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk, which only a power cut would show; and one thread, so that steps have an order."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    monkeypatch.setattr(steps, "_CALLS", tuple((os, name) for name in CALLS))
    monkeypatch.setattr(downloads, "CONNECTIONS", 1)
    relax()


def relax() -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")


def nobody_holds_a_lock() -> bool:
    """PostgreSQL hears a moment later that a process was killed. Files' locks are free at once."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        return bool(cursor.fetchone()[0] == 0)


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


class Case:
    """A change with every kind of step, ready to be run; `before` and `after` are each group's files."""

    def __init__(self, world: World) -> None:
        self.world = world
        new = {name: release_of(world, name, "1.1.0") for name in "abef"}
        old = release_of(world, "a", "1.0.0")
        forget(world, old)
        made = {name: world.releases[name, "1.1.0"] for name in "abef"}
        a = world.releases["a", "1.0.0"]
        (world.mods / "a.zip").write_bytes(a)
        b, c = world.put("b_1.1.0.zip", "b"), world.put("c.zip", "c")
        d, self.other = world.put("d.zip", "d"), world.put("mine.zip", "mine")
        world.scan()
        self.operation = world.queued(
            world.replace("a.zip", new["a"], group=0, cache_key=downloads.cache_key(old.file_id or 0)),
            world.install(new["e"], group=0),
            world.replace("b_1.1.0.zip", new["b"], group=1),
            world.remove("c.zip", group=2),
            world.install(new["f"], group=2, file_name="c.zip"),
            world.disable("d.zip", group=3),
        )
        self.before: dict[int, dict[str, bytes]] = {
            0: {"a.zip": a}, 1: {"b_1.1.0.zip": b}, 2: {"c.zip": c}, 3: {"d.zip": d},
        }  # fmt: skip
        self.after: dict[int, dict[str, bytes]] = {
            0: {"a_1.1.0.zip": made["a"], "e_1.1.0.zip": made["e"]},
            1: {"b_1.1.0.zip": made["b"]},
            2: {"c.zip": made["f"]},
            3: {"d.zip.disabled": d},
        }
        self.to_keep = {1: b, 2: c}

    def recover(self) -> None:
        operations.recover(at_start=True)
        verify.verify(rehash=False, repair=True)
        self.world.scan()  # as every few minutes

    def check(self) -> None:
        """Exactly the old or the new files of each group, and rows that say the same."""
        self.operation.refresh_from_db()
        found = self.world.files()
        expected = {"mine.zip": self.other}
        states: dict[int, set[str]] = {}
        for group, state in self.operation.steps.values_list("group", "state"):
            states.setdefault(group, set()).add(state)
        for group in self.before:
            done = states.get(group) == {Step.State.DONE}
            expected |= self.after[group] if done else self.before[group]
            assert states.get(group, set()) in ({Step.State.DONE}, {Step.State.FAILED}, {Step.State.SKIPPED}, set())
            if done and group in self.to_keep:
                assert sha256(self.to_keep[group]) in KeptCopy.objects.values_list("sha256", flat=True)
        assert found == expected
        assert self.world.leftovers() == []
        self._check_rows()
        self._check_kept(states)
        assert disagreements() == []

    def _check_rows(self) -> None:
        assert self.operation.is_over or self.operation.state == State.QUEUED
        if self.operation.state == State.QUEUED:
            assert not self.operation.steps.exists()
        rows = {row.file_name: row.sha256 for row in InstalledMod.objects.filter(server=self.world.server)}
        assert rows == {name: sha256(content) for name, content in self.world.files().items()}

    def _check_kept(self, states: dict[int, set[str]]) -> None:
        place = keeping.folder()
        names = {name for name in os.listdir(place) if name != ".staging"} if place.exists() else set()
        copies = {copy.stored_name: copy.sha256 for copy in KeptCopy.objects.all()}
        assert names == set(copies)
        for name, digest in copies.items():
            assert sha256((place / name).read_bytes()) == digest
        done = {sha256(self.to_keep[g]) for g in self.to_keep if states.get(g) == {Step.State.DONE}}
        assert sorted(copies.values()) == sorted(done), "each once, and none of what is still there"
        assert not (place / ".staging").exists() or os.listdir(place / ".staging") == []


def release_of(world: World, modid: str, version: str) -> Release:
    """Made once; all but the old one stay in the cache."""
    found = Release.objects.filter(modid=modid, version=version).first()
    return found or world.release(modid, version, cached=version != "1.0.0")


def forget(world: World, old: Release) -> None:
    """As if the server had just been added, and the old release never been in the cache."""
    Operation.objects.all().delete()
    KeptCopy.objects.all().delete()
    InstalledMod.objects.all().delete()
    OrmQ.objects.all().delete()
    key = downloads.cache_key(old.file_id or 0)
    eviction.evict_selected(CacheEntry.objects.filter(key=key).values_list("pk", flat=True))
    KnownDigest.objects.filter(key=key).delete()
    for place in (world.mods, keeping.folder()):
        shutil.rmtree(place, ignore_errors=True)
    world.mods.mkdir()


def test_each_step_failing_in_turn(world: World) -> None:
    number = done = 0
    while True:
        case = Case(world)
        watched = Steps(number, steps.fail(ERRORS[number % len(ERRORS)]))
        with suppress(OSError, DatabaseError), watched.watched():
            operations.run(case.operation.pk)
        case.recover()
        try:
            case.check()
        except AssertionError as error:
            raise AssertionError(f"step {number} of {watched.names}") from error
        if not watched.reached:
            break
        done += case.operation.state == State.DONE
        number += 1
    assert case.operation.state == State.DONE
    assert 0 < done < number
    assert number > 60


def killed(action: Callable[[], object], before: int) -> bool:
    """Run it in a process that is killed before its step of this number; False: it came to its end."""

    def child() -> None:
        relax()
        with Steps(before, steps.die, harmless=False).watched():
            action()

    status = steps.in_child(child)
    relax()
    eventually(nobody_holds_a_lock)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert status == 0
    return False


def test_killed_before_each_step_in_turn(world: World) -> None:
    number = 0
    alive = False
    while not alive:
        case = Case(world)
        alive = not killed(lambda pk=case.operation.pk: operations.run(pk), number)  # type: ignore[misc]  # as it is now
        case.recover()
        try:
            case.check()
        except AssertionError as error:
            raise AssertionError(f"killed before step {number}") from error
        number += 1
    assert case.operation.state == State.DONE
    assert number > 40


@pytest.mark.parametrize("cut", ["in the middle", "placed"])
def test_recovery_killed_before_each_of_its_steps_in_turn(world: World, cut: str) -> None:
    """Of a run that was killed with a group in the middle, and of one whose groups all were placed."""
    case = Case(world)
    with (watched := Steps(-1, steps.die, harmless=False)).watched():
        operations.run(case.operation.pk)
    first = watched.names.index("replace") + 1
    if cut == "placed":
        first = watched.names.index("INSERT", first)  # into the cache
    number = 0
    alive = False
    while not alive:
        case = Case(world)
        assert killed(lambda pk=case.operation.pk: operations.run(pk), first)  # type: ignore[misc]  # as it is now
        alive = not killed(lambda: operations.recover(at_start=True), number)
        case.recover()
        try:
            case.check()
        except AssertionError as error:
            raise AssertionError(f"recovery killed before step {number}") from error
        number += 1
    assert number > 8
