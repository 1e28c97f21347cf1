"""What a power cut leaves: bytes are on the disk before a name leads to them, names before a row says so.

kill -9 doesn't find a missing fsync, so the order of the calls is looked at.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django.db import connection

from conftest import ServerDir
from mods import downloads, keeping, operations, placing
from mods.models import GameServer, KeptCopy, Operation
from mods.plans import OldFile
from mods.tests.changes import World
from vsadmin.lib.folders import Name

pytestmark = pytest.mark.django_db(transaction=True)

State = Operation.State
#: Statements that say that files are in place, or back in place.
_SAYS = {"UPDATE": ("placed", "failed"), "INSERT": ("mods_keptcopy",)}


class Disk:
    """What isn't on the disk yet: files' bytes by inode, folders' names by path. `faults`: what shouldn't have been."""

    def __init__(self) -> None:
        self.bytes: set[int] = set()
        self.names: set[str] = set()
        self.faults: list[str] = []
        self.said = 0
        self.placed = 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        real = {name: getattr(os, name) for name in ("open", "fsync", "link", "rename", "replace", "unlink", "mkdir")}

        def opened(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            descriptor: int = real["open"](path, flags, mode, dir_fd=dir_fd)
            if flags & os.O_CREAT and "locks" not in Path(str(path)).parts:
                self.bytes.add(os.fstat(descriptor).st_ino)
            return descriptor

        def synced(descriptor: int) -> None:
            found = os.fstat(descriptor)
            self.bytes.discard(found.st_ino)
            if stat.S_ISDIR(found.st_mode):
                self.names.discard(_folder("", descriptor))

        def moved(name: str) -> Callable[..., None]:
            def call(source: Any, target: Any, **more: Any) -> None:
                where = _folder(target, more.get("dst_dir_fd"))
                inode = os.stat(source, dir_fd=more.get("src_dir_fd"), follow_symlinks=False).st_ino
                if inode in self.bytes:
                    self.faults.append(f"{name} to {target} before its bytes were on the disk")
                real[name](source, target, **more)
                self.placed += 1
                self.names |= {where} | ({_folder(source, more.get("src_dir_fd"))} if name != "link" else set())
                self.names = {folder for folder in self.names if not folder.endswith(".staging")}  # that is swept

            return call

        def removed(name: Any, *, dir_fd: int | None = None) -> None:
            real["unlink"](name, dir_fd=dir_fd)
            self.names.add(_folder(name, dir_fd))

        def made(name: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
            real["mkdir"](name, mode, dir_fd=dir_fd)
            if dir_fd is not None:
                self.names.add(_folder(name, dir_fd))

        patches: dict[str, Any] = {
            "open": opened, "fsync": synced, "unlink": removed, "mkdir": made,
            **{name: moved(name) for name in ("link", "rename", "replace")},
        }  # fmt: skip
        with mock.patch.multiple(os, **patches), connection.execute_wrapper(self._executed):
            yield

    def _executed(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        verb = sql.split(" ", 1)[0]
        about = " ".join([sql, *map(str, params or ())])
        tells = "mods_step" in sql or verb == "INSERT"
        if tells and any(word in about for word in _SAYS.get(verb, ())):
            self.said += 1
            if self.names:
                self.faults.append(f"{sql[:60]} … before the names in {sorted(self.names)} were on the disk")
        return execute(sql, params, many, context)


def _folder(name: Any, dir_fd: int | None) -> str:
    return str(Path(os.fspath(name)).parent if dir_fd is None else Path(f"/proc/self/fd/{dir_fd}").readlink())


@pytest.fixture
def world(settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir], monkeypatch: Any) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    monkeypatch.setattr(downloads, "CONNECTIONS", 1)
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


def no_links(*_arguments: Any, **_more: Any) -> None:
    raise OSError(errno.EPERM, "no links")


@pytest.fixture(params=["links", "no links"])
def queued(world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Operation:
    """One group with every kind of step."""
    world.put("a.zip", "a")
    world.put("b_1.1.0.zip", "b")
    for name in "cde":
        world.put(f"{name}.zip" + ".disabled" * (name == "e"), name)
    world.scan()
    new = {name: world.release(name, "1.1.0") for name in "abf"}
    if request.param == "no links":
        monkeypatch.setattr(Name, "link", no_links)
    return world.queued(
        world.replace("a.zip", new["a"]), world.replace("b_1.1.0.zip", new["b"]), world.remove("c.zip"),
        world.disable("d.zip"), world.enable("e.zip.disabled"), world.install(new["f"]),
    )  # fmt: skip


def test_a_change(queued: Operation) -> None:
    disk = Disk()
    with disk.watched():
        assert operations.run(queued.pk).message == "6 of 6 done."
    assert disk.faults == []
    assert disk.said
    assert disk.placed > 6


def test_a_group_that_is_put_back(world: World, queued: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.files()
    place = placing.place

    def refused(change: placing.Change, seen: Any) -> None:
        place(change, seen)
        if change.number == 5:
            raise placing.Refused("no")

    monkeypatch.setattr(placing, "place", refused)
    disk = Disk()
    with disk.watched():
        assert operations.run(queued.pk).state == State.FAILED
    assert world.files() == before
    assert disk.faults == []
    assert disk.said


def test_a_recovery(world: World, queued: Operation, monkeypatch: pytest.MonkeyPatch) -> None:
    before = world.files()

    def die(*_arguments: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("mods.journal.commit", die)
        with pytest.raises(KeyboardInterrupt):
            operations.run(queued.pk)
    assert world.files() != before
    disk = Disk()
    with disk.watched():
        operations.recover()
    assert world.files() == before
    assert disk.faults == []
    assert disk.said


def test_a_kept_copy(world: World, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"bytes")
    world.scan()
    old = OldFile(str(tmp_path), path.name, "", 5, modid="a", version="1.0.0")
    disk = Disk()
    with path.open("rb") as source, disk.watched():
        keeping.keep(source, server=world.server, old=old, why="", operation=None)
    assert KeptCopy.objects.count() == disk.said == 1
    assert disk.faults == []
