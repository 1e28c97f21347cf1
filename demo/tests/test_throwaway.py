"""The demo's folder: gone at its end, whatever happens; a killed demo's is swept, nobody else's is touched."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from demo import throwaway


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_behind(place: Path, name: str = "killed") -> Path:
    """A folder as a killed demo leaves it."""
    folder = place / f"{throwaway.PREFIX}{name}"
    folder.mkdir(mode=0o700)
    (folder / ".demo-is-running").touch()
    (folder / "servers").mkdir()
    (folder / "servers" / "a file").write_text("x")
    return folder


def test_it_is_this_users_alone_and_gone_at_the_end(place: Path) -> None:
    def interrupted() -> None:
        with throwaway.folder() as folder:
            assert folder.stat().st_mode & 0o777 == 0o700
            (folder / "deep" / "er").mkdir(parents=True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not list(place.iterdir())


def test_what_a_killed_demo_left_is_swept_by_the_next(place: Path) -> None:
    left = left_behind(place)
    with throwaway.folder() as folder:
        assert not left.exists()
        assert folder.exists()


def test_a_running_demos_folder_stays() -> None:
    with throwaway.folder() as running:
        assert throwaway.sweep() == 0
        with throwaway.folder():
            assert running.exists()
        assert running.exists()


def test_one_that_is_just_being_made_stays_until_it_is_old(place: Path) -> None:
    young = place / f"{throwaway.PREFIX}young"
    young.mkdir(mode=0o700)
    assert throwaway.sweep() == 0
    then = time.time() - 3600
    os.utime(young, (then, then))
    assert throwaway.sweep() == 1


def test_nobody_elses_folders_and_no_links_are_swept(place: Path) -> None:
    open_to_others = left_behind(place, "open")
    open_to_others.chmod(0o755)
    precious = place / "precious"
    precious.mkdir(mode=0o700)
    (precious / ".demo-is-running").touch()
    (place / f"{throwaway.PREFIX}link").symlink_to(precious)
    assert throwaway.sweep() == 0
    assert open_to_others.exists()
    assert precious.exists()
