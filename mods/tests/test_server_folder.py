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
    assert told.value.command.startswith("sudo setfacl ")
    assert "it'\\''s" in told.value.command, "the path is quoted for the shell"
    assert str(told.value).splitlines() == [f"{told.value.text} {told.value.remedy}", told.value.command]


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


@pytest.mark.parametrize("entry", ["a" * 300, "\\ud800x", "a\\u0000b", "/dev/null/x"])
def test_a_mod_path_that_no_disk_takes_is_survived(server_dir: MakeServer, entry: str) -> None:
    folder = server_dir()
    config = f'{{"ModPaths": ["Mods", "{entry}"], "DisabledMods": ["{entry}"]}}'
    (folder.path / "serverconfig.json").write_text(config)
    found = serverdir.read(folder.path)
    assert found.notes or len(found.mod_folders) == 2
    "".join([*found.notes, *found.disabled_mods, *map(str, found.mod_folders)]).encode()  # can be stored
    assert "\0" not in "".join(found.disabled_mods)


def test_a_mod_path_that_is_no_folder_is_said_to_be_none(server_dir: MakeServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    given = ["/dev/null", str(tmp_path / "file"), str(tmp_path / "file" / "inside")]
    folder = server_dir()
    folder.configure(ModPaths=given)
    found = serverdir.read(folder.path)
    assert found.mod_folders == (folder.mods,)
    assert list(found.notes) == [
        f"ModPaths of serverconfig.json names {place}, which isn't a folder." for place in given
    ]


def test_a_mod_path_that_is_missing_or_closed_stays_a_mod_folder(
    server_dir: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Perhaps for a while only, so its mods aren't forgotten; the scan says why it can't list it."""
    real = Path.stat

    def refuse(path: Path, **options: bool) -> os.stat_result:
        if "closed" in path.parts:
            raise PermissionError(13, "Permission denied")
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", refuse)
    folder = server_dir()
    folder.configure(ModPaths=[str(tmp_path / "gone"), str(tmp_path / "closed")])
    found = serverdir.read(folder.path)
    assert found.mod_folders == (folder.mods, tmp_path / "gone", tmp_path / "closed")
    assert found.notes == ()


def test_a_closed_neighbour_does_not_hide_the_version_file(
    server_dir: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = server_dir(game_version="")
    (folder.path.parent / "lost+found").mkdir()
    assets = folder.path.parent / "zgame" / "assets"
    assets.mkdir(parents=True)
    (assets / "version-1.21.5.txt").touch()
    real = Path.is_dir

    def closed(path: Path) -> bool:
        if "lost+found" in path.parts:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(Path, "is_dir", closed)
    assert serverdir.read(folder.path).game_version == "1.21.5"


def test_a_config_that_cannot_be_read_is_said(server_dir: MakeServer) -> None:
    folder = server_dir()
    (folder.path / "serverconfig.json").write_text("{ nonsense")
    assert "serverconfig.json can't be read" in serverdir.read(folder.path).notes[0]


@pytest.mark.parametrize("name", ["serverconfig.json", "Logs/server-main.log", "Logs/server-main.txt"])
def test_a_pipe_in_place_of_a_file_holds_nobody_up(server_dir: MakeServer, name: str) -> None:
    folder = server_dir()
    (folder.path / name).unlink(missing_ok=True)
    os.mkfifo(folder.path / name)
    found = serverdir.read(folder.path)
    assert found.mod_folders == (folder.mods,)
    assert bool(found.notes) == (name == "serverconfig.json")
    (folder.path / name).unlink()
    os.mkfifo(folder.path.parent / "pipe")
    (folder.path / name).symlink_to(folder.path.parent / "pipe")
    assert bool(serverdir.read(folder.path).notes) == (name == "serverconfig.json")


def test_a_config_that_is_a_link_is_read(server_dir: MakeServer) -> None:
    """Nix and Kubernetes lay it out so."""
    folder = server_dir()
    (folder.path / "serverconfig.json").rename(folder.path.parent / "store.json")
    (folder.path.parent / "store.json").write_text('{"DisabledMods": ["lamp"]}')
    (folder.path / "serverconfig.json").symlink_to(folder.path.parent / "store.json")
    assert serverdir.read(folder.path).disabled_mods == ("lamp",)


def test_a_config_that_is_too_large_is_said(server_dir: MakeServer) -> None:
    folder = server_dir()
    with (folder.path / "serverconfig.json").open("w") as file:
        file.write("{}")
        file.truncate(serverdir._MAX_CONFIG + 1)
    assert "serverconfig.json can't be read" in serverdir.read(folder.path).notes[0]


def test_mods_are_counted_without_opening_them(server_dir: MakeServer) -> None:
    folder = server_dir()
    for name in ("a.zip", "b.zip.DISABLED", "c.cs", "d.dll", "notes.txt", ".hidden.zip"):
        (folder.mods / name).touch()
    for name in ("unpacked", ".vsadmin"):
        (folder.mods / name).mkdir()
    assert serverdir.count_mods(serverdir.read(folder.path)) == 6
