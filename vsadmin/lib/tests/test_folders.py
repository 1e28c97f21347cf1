"""Names in open folders: no link is followed, whatever becomes of the folder's path."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vsadmin.lib import files, folders
from vsadmin.lib.folders import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    (tmp_path / "a" / "b").mkdir(parents=True)
    found = folders.opened(tmp_path / "a" / "b")
    yield found
    found.close()


def test_the_folder_stays_the_one_that_was_opened(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").rename(tmp_path / "a" / "moved")
    (tmp_path / "a" / "b").symlink_to(tmp_path)
    with os.fdopen((folder / "x").create(), "wb") as file:
        file.write(b"bytes")
    (folder / "x").link(folder / "y")
    (folder / "x").rename(folder / "z")
    assert folder.names() == ["y", "z"] == sorted(os.listdir(tmp_path / "a" / "moved"))
    assert (folder / "y").is_same(folder / "z")
    assert not (folder / "x").exists()
    with (folder / "y").open() as source:
        assert source.read() == b"bytes"


def test_threads_that_list_it_at_once_see_all_of_it(folder: Folder) -> None:
    for number in range(200):
        os.close((folder / f"{number}").create())
    with ThreadPoolExecutor(8) as pool:
        assert {len(names) for names in pool.map(lambda _turn: folder.names(), range(200))} == {200}


@pytest.mark.parametrize("swapped", ["a", "a/b"])
def test_a_link_on_the_way_is_not_followed(tmp_path: Path, swapped: str) -> None:
    real = tmp_path / "real"
    (real / "b").mkdir(parents=True)
    (tmp_path / "a").mkdir()
    if swapped == "a":
        (tmp_path / "a").rmdir()
    (tmp_path / swapped).symlink_to(real if swapped == "a" else real / "b")
    with pytest.raises(NotADirectoryError):
        folders.opened(tmp_path / "a" / "b")


def test_what_is_missing_or_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(FileNotFoundError):
        folders.opened(tmp_path / "none" / "b")
    with pytest.raises(NotADirectoryError):
        folders.opened(tmp_path / "file")
    nowhere = Folder(tmp_path / "none", None)
    assert nowhere.names() == []
    assert not (nowhere / "x").exists()
    with pytest.raises(FileNotFoundError):
        (nowhere / "x").unlink()
    nowhere.sync()


def test_links_are_no_files_and_no_folders(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "a" / "b" / "link").symlink_to(tmp_path)
    with pytest.raises(NotADirectoryError):
        (folder / "link").enter()
    with pytest.raises(NotADirectoryError):
        (folder / "link").enter(make=True)
    with pytest.raises(files.NotRegular):
        (folder / "link").open()
    (folder / "link").unlink()
    assert tmp_path.exists()


def test_a_folder_is_made_for_us_alone(folder: Folder, tmp_path: Path) -> None:
    made = (folder / "new").enter(make=True)
    again = (folder / "new").enter(make=True)
    assert (tmp_path / "a" / "b" / "new").stat().st_mode & 0o777 == 0o700
    (made / "x").folder.sync()
    again.close()
    made.close()
