"""Which data folders are offered to somebody who hasn't named a server yet."""

import os
from pathlib import Path

import pytest

from mods import discovery, serverdir


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "proc").mkdir()
    return tmp_path


def make_server(path: Path, *, mods: int = 0, game: str = "") -> Path:
    (path / "Mods").mkdir(parents=True)
    for number in range(mods):
        (path / "Mods" / f"mod{number}.zip").touch()
    if game:
        (path / "Logs").mkdir()
        (path / "Logs" / "server-main.log").write_text(f"[Notification] Game Version: v{game} (Stable)\n")
    return path


def make_process(root: Path, number: int, *arguments: str, cwd: Path | None = None) -> Path:
    process = root / "proc" / str(number)
    process.mkdir()
    (process / "cmdline").write_bytes("\0".join(arguments).encode() + b"\0")
    if cwd is not None:
        (process / "cwd").symlink_to(cwd)
    return process


def test_nothing_to_find(root: Path) -> None:
    assert discovery.find(root) == []


def test_a_usual_place_with_version_and_mods(root: Path) -> None:
    place = make_server(root / "home" / "games" / ".config" / "VintagestoryData", mods=3, game="1.21.5")
    assert discovery.find(root) == [discovery.Found(place, game_version="1.21.5", mods=3)]
    assert str(discovery.find(root)[0]) == f"{place}: game 1.21.5 · 3 mods"


@pytest.mark.parametrize("arguments", [("--dataPath", "{}"), ("--dataPath={}",), ("--datapath", "{}")])
@pytest.mark.parametrize(
    "program",
    [("./VintagestoryServer",), ("dotnet", "/opt/vs/VintagestoryServer.dll"), ("mono", "VintagestoryServer.exe")],
)
def test_a_running_server(root: Path, program: tuple[str, ...], arguments: tuple[str, ...]) -> None:
    place = make_server(root / "anywhere", mods=1)
    make_process(root, 12, *program, *(argument.format(place) for argument in arguments))
    assert discovery.find(root) == [discovery.Found(place, running=True, mods=1)]


def test_a_running_server_with_a_relative_path(root: Path) -> None:
    place = make_server(root / "install" / "data")
    make_process(root, 12, "./VintagestoryServer", "--dataPath", "./data", cwd=root / "install")
    (found,) = discovery.find(root)
    assert found.path.samefile(place)


def test_each_folder_once_and_running_ones_first(root: Path) -> None:
    usual = make_server(root / "srv" / "gameserver" / "data" / "vs")
    other = make_server(root / "var" / "vintagestory" / "data")
    link = root / "link"
    link.symlink_to(other)
    make_process(root, 12, "VintagestoryServer", "--dataPath", str(link))
    assert [found.path for found in discovery.find(root)] == [link, usual]


def test_a_running_servers_folder_that_cannot_serve_says_why_and_what_to_do(root: Path) -> None:
    (root / "empty").mkdir()
    make_process(root, 12, "VintagestoryServer", "--dataPath", str(root / "empty"))
    (found,) = discovery.find(root)
    assert "neither a Mods folder nor a serverconfig.json" in found.problem
    assert found.remedy
    assert found.problem in str(found)
    assert found.remedy in str(found)


def test_a_folder_that_may_not_be_read_comes_with_the_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make_server(root / "home" / "games" / "VintagestoryData")
    real_scandir = os.scandir

    def refuse(path: Path) -> object:
        if Path(path) == place:
            raise PermissionError(13, "Permission denied")
        return real_scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    monkeypatch.setattr("os.access", lambda path, mode: Path(path) != place)
    (found,) = discovery.find(root)
    assert "permission denied" in found.problem
    assert found.remedy == "Let vsadmin's user in:"
    assert found.command.startswith("sudo setfacl ")
    assert str(found).endswith(f"permission denied. Let vsadmin's user in: {found.command}")


def test_a_path_in_a_container_is_left_out(root: Path) -> None:
    make_process(root, 12, "VintagestoryServer", "--dataPath", str(root / "inside-a-container"))
    assert discovery.find(root) == []


def test_other_programs_and_other_games_are_left_out(root: Path) -> None:
    place = make_server(root / "anywhere")
    (root / "var" / "lib" / "pterodactyl" / "volumes" / "0a1b" / "data").mkdir(parents=True)
    make_process(root, 12, "/usr/bin/other", "--dataPath", str(place))
    make_process(root, 13)
    (root / "proc" / "14").mkdir()
    (root / "proc" / "self").mkdir()
    assert discovery.find(root) == []


def test_whatever_fails_leaves_the_others(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = make_server(root / "srv" / "vintagestory-bad")
    good = make_server(root / "srv" / "vintagestory-good")
    read = serverdir.read

    def fail(path: Path) -> object:
        if path == bad:
            raise RuntimeError("unforeseen")
        return read(path)

    monkeypatch.setattr(serverdir, "read", fail)
    assert [found.path for found in discovery.find(root)] == [good]


def test_this_machine_can_be_looked_at() -> None:
    assert isinstance(discovery.find(), list)
