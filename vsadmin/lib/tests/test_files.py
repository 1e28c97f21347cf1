"""Staged files: private, durable, gone when abandoned; leftovers told from work under way."""

import errno
import os
import stat
from pathlib import Path

import pytest

from vsadmin.lib import files


def test_a_staged_file_is_private_and_gone_unless_placed(tmp_path: Path) -> None:
    with files.staged(tmp_path / "a" / "staging") as staged:
        staged.file.write(b"content")
        assert stat.S_IMODE(staged.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(staged.path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    assert not staged.path.exists()


def test_a_placed_file_stays_and_replaces_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")
    with files.staged(tmp_path / "staging") as staged:
        staged.file.write(b"new")
        staged.sync()
        staged.place(target)
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path / "staging") == []


def test_file_and_folder_are_on_the_disk_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def replaced(*names: Path) -> None:
        done.append("replace")
        replace(*names)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    with files.staged(tmp_path / "staging") as staged:
        staged.sync()
        staged.place(tmp_path / "target")
    assert done == ["file", "replace", "folder"]


def test_leftovers_are_swept_and_work_under_way_is_not(tmp_path: Path) -> None:
    with files.staged(tmp_path) as staged:
        (tmp_path / "dead.part").write_bytes(b"12345")
        assert files.leftovers(tmp_path) == files.Leftovers(1, 5, 5)
        assert files.leftovers(tmp_path, remove=True) == files.Leftovers(1, 5, 0)
        assert os.listdir(tmp_path) == [staged.path.name]
    assert files.leftovers(tmp_path / "missing", remove=True) == files.Leftovers()


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    files.open_regular(tmp_path / "file").close()
    for name in ("link", "pipe", "folder"):
        with pytest.raises(files.NotRegular):
            files.open_regular(tmp_path / name)


def test_free_space_is_told_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert files.free_bytes(tmp_path / "not" / "yet") > 0


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "Access was refused to /some/file"),
        (errno.EISDIR, "is a folder"),
        (errno.EMFILE, "Too many files"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_errors_of_the_system_in_plain_words(number: int, words: str) -> None:
    assert words in files.in_words(OSError(number, os.strerror(number), "/some/file"))
