"""A command run as another user than the data folder's: refused with the line to type; what it left behind is named."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from pytest_django import Settings

from vsadmin.lib import locks, owner
from vsadmin.tests.test_checks import run

PROGRAM = Path("/srv/my app/run.sh")


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process plays user 4321, who has no name; what the test makes belongs to somebody else."""
    monkeypatch.setattr(os, "geteuid", lambda: 4321)


def test_the_owner_may(tmp_path: Path) -> None:
    assert owner.not_ours(tmp_path, PROGRAM, []) is None
    assert owner.foreign_within(tmp_path) is None


def test_anybody_else_is_told_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another: None) -> None:
    monkeypatch.setattr(owner, "name_of", {4321: "root", 1234: "games"}.__getitem__)
    monkeypatch.setattr(Path, "stat", lambda _path: os.stat_result((0o40700, 0, 0, 1, 1234, 0, 0, 0, 0, 0)))
    trouble = owner.not_ours(tmp_path, PROGRAM, ["manage", "scan_mods", "a b"])
    monkeypatch.undo()
    assert trouble is not None
    assert "belongs to games, and this is run by root" in trouble.text
    assert trouble.command == "sudo -u games '/srv/my app/run.sh' manage scan_mods 'a b'"


@pytest.mark.skipif(os.getuid() != 0, reason="makes something that is root's")
def test_what_is_roots_becomes_ones_own(tmp_path: Path, another: None) -> None:
    trouble = owner.not_ours(tmp_path, PROGRAM, [])
    assert trouble is not None
    assert trouble.command == f"sudo chown -Rh 4321 {tmp_path}"


def test_what_was_left_behind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache" / "deep").mkdir(parents=True)
    (tmp_path / "cache" / "deep" / "file").touch()
    (tmp_path / "link").symlink_to("/nowhere")
    (tmp_path / "x.lock").touch()
    assert owner.foreign_within(tmp_path) is None
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    trouble = owner.foreign_within(tmp_path)
    assert trouble is not None
    assert trouble.text.endswith(f" and 1 more in the data folder belongs to {owner.name_of(os.getuid())}.")
    assert trouble.command == f"sudo chown -Rh 4321 {tmp_path}"


@pytest.mark.skipif(os.getuid() != 0, reason="gives files away")
def test_one_file_deep_below_is_found(tmp_path: Path) -> None:
    (tmp_path / "cache" / "deep").mkdir(parents=True)
    (tmp_path / "cache" / "deep" / "file").touch()
    os.chown(tmp_path / "cache" / "deep" / "file", 4321, -1)
    trouble = owner.foreign_within(tmp_path)
    assert trouble is not None
    assert trouble.text == f"{tmp_path}/cache/deep/file in the data folder belongs to #4321."


@pytest.mark.django_db
@pytest.mark.parametrize("take", [locks.hold, locks.share])
def test_a_lock_that_root_left_is_made_anew(
    take: Callable[[str], AbstractContextManager[None]],
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path
    with locks.hold("x"):
        pass
    left = (tmp_path / "locks" / "x.lock").open()
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with left, take("x"):
        assert os.fstat(left.fileno()).st_nlink == 0


@pytest.mark.skipif(os.getuid() != 0, reason="plays root in somebody's folder")
@pytest.mark.parametrize("command", [["scan_mods"], ["up"], ["qcluster"], ["doctor"]])
def test_commands_refuse_and_write_nothing(tmp_path: Path, command: list[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 4321, -1)
    done = run(["manage.py", *command], data)
    assert done.returncode == 1
    typed = "" if command == ["up"] else f" manage {command[0]}"
    assert f"sudo -u '#4321' {Path.cwd()}/run.sh{typed}" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(data.iterdir()) == []


@pytest.mark.skipif(os.getuid() != 0, reason="gives files away")
def test_the_panel_does_not_start_on_what_root_left(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "kept").mkdir(parents=True)
    os.chown(data / "kept", 4321, -1)
    done = run(["manage.py", "up"], data)
    assert done.returncode == 1
    assert f"{data}/kept in the data folder belongs to #4321." in done.stderr
    assert f"sudo chown -Rh root {data}" in done.stderr
