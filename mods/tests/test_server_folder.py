"""What a data folder must look like, and what the person is told where it doesn't."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ServerDir
from mods import serverdir

MakeServer = Callable[..., ServerDir]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(serverdir.Unusable, match=r"There is no folder .*Check the path"):
        serverdir.check(tmp_path / "nowhere")


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(serverdir.Unusable, match="a file, not a folder"):
        serverdir.check(tmp_path / "file")


def test_the_folder_above_is_recognised(server_dir: MakeServer) -> None:
    folder = server_dir()
    with pytest.raises(serverdir.Unusable, match="Perhaps it is") as told:
        serverdir.check(folder.path.parent)
    assert str(folder.path) in told.value.remedy


def test_a_folder_that_may_not_be_read_names_the_command(
    server_dir: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = server_dir("it's")

    def refuse(path: object) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(serverdir.Unusable, match="permission denied") as told:
        serverdir.check(folder.path)
    assert "setfacl" in told.value.remedy
    assert "it'\\''s" in told.value.remedy, "the path is quoted for the shell"


@pytest.mark.parametrize(
    "config",
    [
        "{",
        "[]",
        "null",
        '{"ModPaths": 3}',
        '{"ModPaths": [3, "", null]}',
        '{"WorldConfig": []}',
        "\ufeff{}",
        "[" * 5000,
    ],
)
def test_an_odd_serverconfig_is_survived(server_dir: MakeServer, config: str) -> None:
    folder = server_dir()
    (folder.path / "serverconfig.json").write_text(config, encoding="utf-8")
    found = serverdir.read(folder.path)
    assert found.mod_folders == (folder.mods,)
    assert found.disabled_mods == ()


def test_a_config_that_cannot_be_read_is_said(server_dir: MakeServer) -> None:
    folder = server_dir()
    (folder.path / "serverconfig.json").write_text("{ nonsense")
    assert "serverconfig.json can't be read" in serverdir.read(folder.path).notes[0]


def test_mods_are_counted_without_opening_them(server_dir: MakeServer) -> None:
    folder = server_dir()
    for name in ("a.zip", "b.zip.disabled", "c.cs", "d.dll", "notes.txt", ".hidden.zip"):
        (folder.mods / name).touch()
    (folder.mods / "unpacked").mkdir()
    assert serverdir.count_mods(serverdir.read(folder.path)) == 5
