"""Kept copies: durable, verified, deleted only by hand; files and rows agree after a crash."""

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model

from cache.store import FetchError
from conftest import Events
from mods import keeping
from mods.models import GameServer, KeptCopy
from mods.plans import OldFile
from mods.tests.changes import mod_zip, sha256
from mods.tests.rows import make_server
from vsadmin.lib import locks

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _data_dir(settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"


@pytest.fixture
def server() -> GameServer:
    return make_server()


def keep(server: GameServer, path: Path, content: bytes, *, modid: str = "carryon", version: str = "1.0.0") -> KeptCopy:
    path.write_bytes(content)
    old = OldFile("/srv/Mods", path.name, "", 0, modid=modid, version=version, name="Carry On")
    with path.open("rb") as source:
        return keeping.keep(source, server=server, old=old, why="Nobody else has it.", operation=None)


def test_a_copy_is_durable_private_and_named_for_people(server: GameServer, tmp_path: Path) -> None:
    content = mod_zip("carryon", "1.0.0")
    kept = keep(server, tmp_path / "my carry.zip.disabled", content)
    assert kept.stored_name == f"carryon_1.0.0~{sha256(content)[:12]}.zip"
    assert (kept.server_name, kept.name, kept.file_name) == ("Public", "Carry On", "my carry.zip.disabled")
    path = keeping.folder() / kept.stored_name
    assert path.read_bytes() == content
    assert keeping.folder().stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "my carry.zip.disabled").exists()
    assert keeping.total() == (1, len(content))
    with closing(keeping.open(kept)) as file:
        assert file.read() == content


def test_names_are_made_of_harmless_characters(server: GameServer, tmp_path: Path) -> None:
    kept = keep(server, tmp_path / "a.cs", b"x", modid="../../etc/ü\n", version="1/2")
    assert kept.stored_name == f"etc_1_2~{sha256(b'x')[:12]}.cs"


def test_the_same_file_is_kept_once_of_each_server(server: GameServer, tmp_path: Path) -> None:
    first = keep(server, tmp_path / "a.zip", b"x")
    assert keep(server, tmp_path / "a.zip", b"x").pk == first.pk
    other = keep(make_server("Other"), tmp_path / "a.zip", b"x")
    assert other.stored_name == f"carryon_1.0.0~{sha256(b'x')[:12]}-2.zip"
    assert len(os.listdir(keeping.folder())) == 3  # and staging


def test_what_a_crash_left_without_a_row_is_taken(server: GameServer, tmp_path: Path) -> None:
    kept = keep(server, tmp_path / "a.zip", b"x")
    KeptCopy.objects.all().delete()
    assert keep(server, tmp_path / "a.zip", b"x").stored_name == kept.stored_name


def test_altered_and_missing_copies_are_not_handed_out(server: GameServer, tmp_path: Path) -> None:
    kept = keep(server, tmp_path / "a.zip", b"x")
    path = keeping.folder() / kept.stored_name
    path.write_bytes(b"y")
    with pytest.raises(FetchError, match="altered"):
        keeping.open(kept)
    path.unlink()
    with pytest.raises(FetchError, match="gone"):
        keeping.open(kept)
    path.symlink_to(tmp_path / "a.zip")
    with pytest.raises(FetchError):
        keeping.open(kept)


def test_deleting_is_recorded(server: GameServer, tmp_path: Path) -> None:
    kept = keep(server, tmp_path / "a.zip", b"x")
    user = get_user_model().objects.create_user("ada")
    keeping.delete(kept, user)
    assert keeping.total() == (0, 0)
    assert not (keeping.folder() / kept.stored_name).exists()
    assert kept.stored_name in LogEntry.objects.get(user=user).change_message


def test_files_and_rows_are_brought_together(server: GameServer, tmp_path: Path, events: Events) -> None:
    content = mod_zip("carryon", "1.0.0")
    stray, lost = keep(server, tmp_path / "a.zip", content), keep(server, tmp_path / "b.zip", b"y")
    KeptCopy.objects.filter(pk=stray.pk).delete()
    (keeping.folder() / lost.stored_name).unlink()
    (keeping.folder() / "notes.txt").write_text("mine")
    (keeping.folder() / "a_1.0.0~000000000000.zip").write_bytes(b"other bytes than its name says")
    (keeping.folder() / ".staging" / "dead.part").write_bytes(b"x")
    assert keeping.tend() == 1
    adopted = KeptCopy.objects.exclude(pk=lost.pk).get()
    assert (adopted.stored_name, adopted.modid, adopted.version) == (stray.stored_name, "carryon", "1.0.0")
    assert (adopted.sha256, adopted.size, adopted.server) == (sha256(content), len(content), None)
    assert {event["file"] for event in events.named("kept_foreign_file")} == {"notes.txt", "a_1.0.0~000000000000.zip"}
    assert (keeping.folder() / "notes.txt").exists()
    assert os.listdir(keeping.folder() / ".staging") == []
    assert keeping.tend() == 0
    assert KeptCopy.objects.filter(pk=lost.pk).exists()
    assert {tuple(event["files"]) for event in events.named("kept_copies_missing")} == {(lost.stored_name,)}


@pytest.mark.parametrize("mount_point", [True, False])
def test_a_folder_that_is_not_mounted_loses_no_row(
    server: GameServer, tmp_path: Path, mount_point: bool, events: Events
) -> None:
    first, second = keep(server, tmp_path / "a.zip", b"x"), keep(server, tmp_path / "b.zip", b"y")
    assert keeping.tend() == 0
    assert events.named("kept_copies_missing") == []
    mounted = keeping.folder().rename(tmp_path / "elsewhere")
    if mount_point:
        keeping.folder().mkdir()
    for _turn in range(2):
        assert keeping.tend() == 0
    assert set(KeptCopy.objects.all()) == {first, second}
    assert [event["count"] for event in events.named("kept_copies_missing")] == [2, 2]
    keep(server, tmp_path / "c.zip", b"z")  # what is kept meanwhile
    assert keeping.tend() == 0
    assert KeptCopy.objects.count() == 3
    shutil.rmtree(keeping.folder())
    mounted.rename(keeping.folder())
    with closing(keeping.open(first)) as file:
        assert file.read() == b"x"


@pytest.mark.parametrize("verb", ["keep", "delete", "delete_all", "tend"])
def test_whoever_changes_the_kept_copies_is_alone(
    server: GameServer, tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keep(server, tmp_path / "a.zip", b"x")
    stray = keeping.folder() / f"b_1.0.0~{sha256(b'y')[:12]}.zip"
    stray.write_bytes(b"y")
    monkeypatch.setattr(keeping, "_WAIT", 0)
    verbs: dict[str, Callable[[], object]] = {
        "keep": lambda: keep(server, tmp_path / "c.zip", b"z"),
        "delete": lambda: keeping.delete(kept, None),
        "delete_all": lambda: keeping.delete_all([kept], None),
        "tend": keeping.tend,
    }
    with locks.hold("kept"), pytest.raises(locks.Busy):
        verbs[verb]()
    assert (keeping.folder() / kept.stored_name).exists()
    assert KeptCopy.objects.get() == kept
    verbs[verb]()
    assert KeptCopy.objects.count() == (0 if verb.startswith("delete") else 2)
