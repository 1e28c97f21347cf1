"""Backup while running, restore all or nothing, and archives that are none of ours."""

import io
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django_q.models import OrmQ

from mods import keeping
from mods.models import GameServer, KeptCopy
from vsadmin import backup
from vsadmin.backup import BackupError
from vsadmin.lib.jobs.models import JobRun, Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def data_dir(tmp_path: Path, settings: object) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    settings.VSADMIN_DATA_DIR = folder  # type: ignore[attr-defined]
    (folder / "secret_key").write_text("first")
    return folder


def keep(data_dir: Path, name: str = "one_1.0.0~0123456789ab.zip") -> KeptCopy:
    keeping.folder().mkdir(exist_ok=True)
    (keeping.folder() / name).write_bytes(b"kept")
    return KeptCopy.objects.create(
        server_name="Public", name="One", file_name="one.zip", stored_name=name, size=4, sha256="0" * 64, why="…"
    )


def test_everything_comes_back_and_the_queue_does_not(data_dir: Path, tmp_path: Path) -> None:
    GameServer.objects.create(name="Public", data_dir="/srv/example")
    keep(data_dir)
    OrmQ.objects.create(key="x", payload="y")
    target = tmp_path / "out" / "backup.tar.gz"
    target.parent.mkdir()
    made = backup.make(target)
    assert (made.kept_copies, made.vendor) == (1, connection.vendor)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600

    GameServer.objects.create(name="Later", data_dir="/srv/later")
    JobRun.objects.create(job="x")
    (data_dir / "secret_key").write_text("second")
    for kept in keeping.folder().iterdir():
        kept.unlink()
    backup.restore(target)
    assert list(GameServer.objects.values_list("name", flat=True)) == ["Public"]
    assert (data_dir / "secret_key").read_text() == "first"
    assert (keeping.folder() / "one_1.0.0~0123456789ab.zip").read_bytes() == b"kept"
    assert (OrmQ.objects.count(), JobRun.objects.count()) == (0, 0)


def test_a_backup_of_an_older_version_is_brought_up_to_date(data_dir: Path, tmp_path: Path) -> None:
    """It lacks a column, and a table's rights; what is new gets keys after those that came back."""
    GameServer.objects.create(name="Public", data_dir="/srv/example")
    call_command("migrate", "jobs", "0001", verbosity=0)
    try:
        ContentType.objects.filter(app_label="jobs", model="worker").delete()
        backup.make(tmp_path / "old.tar.gz")
    finally:
        call_command("migrate", verbosity=0)
    GameServer.objects.all().delete()
    backup.restore(tmp_path / "old.tar.gz")
    assert Permission.objects.filter(codename="view_worker").exists()
    Worker.write("attic")
    assert GameServer.objects.create(name="New", data_dir="/srv/new").pk > GameServer.objects.get(name="Public").pk


@pytest.mark.skipif(connection.vendor != "sqlite", reason="looks into SQLite's file")
def test_the_queues_tables_are_left_out(data_dir: Path, tmp_path: Path) -> None:
    backup.make(tmp_path / "backup.tar.gz")
    with tarfile.open(tmp_path / "backup.tar.gz") as archive:
        assert sorted(archive.getnames()) == ["database.sqlite3", "manifest.json", "secret_key"]
        content = archive.extractfile("database.sqlite3")
        assert content is not None
        (tmp_path / "database.sqlite3").write_bytes(content.read())
    with sqlite3.connect(tmp_path / "database.sqlite3") as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert "mods_gameserver" in tables
    assert not {name for name in tables if name.startswith("django_q")}


def test_a_power_cut_finds_a_backup_whole(data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are on the disk before it has its name, and so is its name when `make` returns."""
    done: list[tuple[str, int]] = []
    real_fsync, real_replace = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        real_fsync(descriptor)
        done.append(("synced", os.fstat(descriptor).st_ino))

    def replace(path: Path, target: Path) -> Path:
        done.append(("placed", path.stat().st_ino))
        return real_replace(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    target = tmp_path / "backup.tar.gz"
    backup.make(target)
    file, folder = target.stat().st_ino, tmp_path.stat().st_ino
    assert [one for one in done if one[1] in (file, folder)] == [("synced", file), ("placed", file), ("synced", folder)]


@pytest.mark.skipif(connection.vendor != "sqlite", reason="a new file is made")
def test_a_new_machine_has_nothing_to_back_up_before(tmp_path: Path, process_env: dict[str, str]) -> None:
    """What a restore is for: nothing is left but the backup."""
    GameServer.objects.create(name="Public", data_dir="/srv/example")
    backup.make(tmp_path / "backup.tar.gz")
    env = {**process_env, "DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"}
    command = [
        sys.executable,
        str(settings.BASE_DIR / "manage.py"),
        "restore",
        str(tmp_path / "backup.tar.gz"),
        "--yes",
    ]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "new.sqlite3") as database:
        assert database.execute("SELECT name FROM mods_gameserver").fetchall() == [("Public",)]


def test_nothing_is_overwritten(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.tar.gz").write_text("mine")
    with pytest.raises(BackupError, match="is there already"):
        backup.make(tmp_path / "mine.tar.gz")
    assert (tmp_path / "mine.tar.gz").read_text() == "mine"


def test_a_backup_that_cannot_be_written_leaves_nothing(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match="couldn't be made"):
        backup.make(tmp_path / "file" / "backup.tar.gz")
    assert list((data_dir / "tmp").iterdir()) == []


Change = Callable[[dict[str, bytes | tarfile.TarInfo]], None]


def altered(tmp_path: Path, change: Change) -> Path:
    """A backup whose members were changed."""
    backup.make(tmp_path / "good.tar.gz")
    with tarfile.open(tmp_path / "good.tar.gz") as archive:
        members: dict[str, bytes | tarfile.TarInfo] = {
            member.name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive
        }
    change(members)
    with tarfile.open(tmp_path / "bad.tar.gz", "w:gz") as archive:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            else:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return tmp_path / "bad.tar.gz"


def link(members: dict[str, bytes | tarfile.TarInfo]) -> None:
    member = tarfile.TarInfo("secret_key")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    members["secret_key"] = member


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda members: members.update({"../escape": b"x"}), "it holds '../escape'"),
        (lambda members: members.update({"kept/../../escape.zip": b"x"}), "it holds 'kept/"),
        (lambda members: members.update({"/etc/cron.d/x": b"x"}), "it holds '/etc/cron.d/x'"),
        (link, "it holds 'secret_key'"),
        (lambda members: members.pop("manifest.json"), "manifest is missing"),
        (lambda members: members.update({"manifest.json": b"[]"}), "manifest is missing or damaged"),
        (
            lambda members: members.update({"manifest.json": json.dumps({"form": 99, "version": "9"}).encode()}),
            "made by a newer vsadmin",
        ),
        (lambda members: [members.pop(name) for name in list(members) if name.startswith("database")], "no database"),
    ],
)
def test_what_is_no_backup_changes_nothing(data_dir: Path, tmp_path: Path, change: Change, words: str) -> None:
    GameServer.objects.create(name="Public", data_dir="/srv/example")
    bad = altered(tmp_path, change)
    GameServer.objects.create(name="Later", data_dir="/srv/later")
    before = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    with pytest.raises(BackupError, match=words):
        backup.restore(bad)
    assert GameServer.objects.count() == 2
    assert {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()} == before
    assert not (tmp_path / "escape").exists()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="damages SQLite's file")
def test_a_damaged_database_changes_nothing(data_dir: Path, tmp_path: Path) -> None:
    GameServer.objects.create(name="Public", data_dir="/srv/example")

    def damage(members: dict[str, bytes | tarfile.TarInfo]) -> None:
        good = members["database.sqlite3"]
        assert isinstance(good, bytes)
        members["database.sqlite3"] = good[:4096] + b"\xff" * 8192 + good[12288:]

    with pytest.raises(BackupError, match=r"damaged|malformed"):
        backup.restore(altered(tmp_path, damage))
    assert GameServer.objects.count() == 1


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00truncated"])
def test_what_is_no_archive(data_dir: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(BackupError, match="can't be read as a backup"):
        backup.look(tmp_path / "x.tar.gz")


def test_the_commands(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    GameServer.objects.create(name="Public", data_dir="/srv/example")
    call_command("backup", str(tmp_path / "backup.tar.gz"))
    assert "Backed up to" in capsys.readouterr().out
    GameServer.objects.all().delete()
    with pytest.raises(CommandError, match="Say --yes"):
        call_command("restore", str(tmp_path / "backup.tar.gz"))
    call_command("restore", str(tmp_path / "backup.tar.gz"), "--yes")
    assert "What was here is in" in capsys.readouterr().out
    assert GameServer.objects.count() == 1
    with pytest.raises(CommandError, match="can't be read"):
        call_command("restore", str(tmp_path / "nowhere.tar.gz"), "--yes")
