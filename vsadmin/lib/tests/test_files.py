"""Staged files: private, durable, gone when abandoned; leftovers told from work under way."""

import errno
import os
import socket
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


@pytest.fixture
def odd_places(tmp_path: Path) -> Path:
    """A folder with a file, a link to it, a link to nothing, one in a circle, one to a pipe, and what is no file."""
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "circle").symlink_to("circle")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link to pipe").symlink_to("pipe")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    return tmp_path


def test_only_regular_files_are_opened(odd_places: Path) -> None:
    assert files.open_regular(odd_places / "file").read() == b"12345"
    for name in ("link", "dangling", "circle", "pipe", "link to pipe", "folder", "socket", "/dev/null"):
        with pytest.raises(files.NotRegular):
            files.open_regular(odd_places / name)


def test_a_link_is_followed_on_request_to_regular_files_only(odd_places: Path) -> None:
    assert files.open_regular(odd_places / "link", follow=True).read() == b"12345"
    for name in ("link to pipe", "pipe", "folder", "socket"):
        with pytest.raises(files.NotRegular):
            files.open_regular(odd_places / name, follow=True)
    for name in ("dangling", "circle"):
        with pytest.raises(OSError, match=r"No such file|Too many levels"):
            files.open_regular(odd_places / name, follow=True)


def test_a_name_is_looked_up_in_an_open_folder(odd_places: Path) -> None:
    descriptor = os.open(odd_places, os.O_RDONLY | os.O_DIRECTORY)
    try:
        assert files.open_regular(Path("file"), dir_fd=descriptor).read() == b"12345"
        with pytest.raises(files.NotRegular):
            files.open_regular(Path("link"), dir_fd=descriptor)
    finally:
        os.close(descriptor)


def test_no_more_is_read_than_asked_for_and_one_byte_that_says_there_is_more(odd_places: Path) -> None:
    assert files.read_regular(odd_places / "file", 5) == b"12345"
    assert files.read_regular(odd_places / "file", 4) == b"12345"
    assert files.read_regular(odd_places / "file", 3) == b"1234"


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
