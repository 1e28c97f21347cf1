"""A server's game version: by its setting, by hand, from its log, from the version file."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import ServerDir
from mods import inventory, serverdir
from mods.models import GameServer

MakeServer = Callable[..., ServerDir]


def detected(folder: ServerDir) -> tuple[str, str]:
    found = serverdir.read(folder.path)
    return found.game_version, Path(found.game_version_source).name


def test_from_the_log(server_dir: MakeServer) -> None:
    assert detected(server_dir(game_version="1.22.0-rc.3")) == ("1.22.0-rc.3", "server-main.log")


def test_from_the_older_log(server_dir: MakeServer) -> None:
    folder = server_dir()
    (folder.path / "Logs" / "server-main.log").rename(folder.path / "Logs" / "server-main.txt")
    assert detected(folder) == ("1.21.5", "server-main.txt")


@pytest.mark.parametrize("place", ["data/assets", "assets", "install/assets"])
def test_from_the_version_file_beside_it(server_dir: MakeServer, place: str) -> None:
    folder = server_dir(game_version="")
    assets = folder.path.parent / place
    assets.mkdir(parents=True)
    (assets / "version-1.20.12.txt").touch()
    assert detected(folder) == ("1.20.12", "version-1.20.12.txt")


def version_files(folder: Path, *found: str) -> None:
    (folder / "assets").mkdir(parents=True)
    for version in found:
        (folder / "assets" / f"version-{version}.txt").touch()


def test_of_several_version_files_the_highest_counts(server_dir: MakeServer) -> None:
    """An update leaves the old one."""
    folder = server_dir(game_version="")
    version_files(folder.path.parent / "install", "1.9.14", "1.20.12", "1.20.2", "1.20.12-rc.1")
    assert detected(folder) == ("1.20.12", "version-1.20.12.txt")


@pytest.mark.parametrize("place", ["", "data", "VintagestoryData"])
def test_a_neighbours_program_is_not_this_servers(server_dir: MakeServer, place: str) -> None:
    folder = server_dir(game_version="")
    version_files(folder.path.parent / "other", "1.22.0")
    (folder.path.parent / "other" / place).mkdir(exist_ok=True)
    (folder.path.parent / "other" / place / "serverconfig.json").touch()
    assert detected(folder) == ("", "")


def test_beside_another_server_nobody_knows_whose_a_program_is(server_dir: MakeServer) -> None:
    folder = server_dir(game_version="")
    version_files(folder.path.parent / "install", "1.22.0")
    assert detected(folder)[0] == "1.22.0"
    (folder.path.parent / "second").mkdir()
    (folder.path.parent / "second" / "serverconfig.json").touch()
    assert detected(folder) == ("", "")


def test_of_two_programs_nobody_knows_which_is_used(server_dir: MakeServer) -> None:
    folder = server_dir(game_version="")
    version_files(folder.path.parent / "install", "1.22.0")
    version_files(folder.path.parent / "old", "1.21.0")
    assert detected(folder) == ("", "")


def test_the_log_changed_last_tells(server_dir: MakeServer) -> None:
    folder = server_dir(game_version="1.20.4")
    logs = folder.path / "Logs"
    (logs / "server-main.txt").write_text("1.2.2026 20:00:00 [Notification] Game Version: v1.19.8 (Stable)\n")
    os.utime(logs / "server-main.log", (1_700_000_000, 1_700_000_000))
    assert detected(folder) == ("1.19.8", "server-main.txt")
    os.utime(logs / "server-main.txt", (1_600_000_000, 1_600_000_000))
    assert detected(folder) == ("1.20.4", "server-main.log")


def test_the_log_wins_over_the_version_file(server_dir: MakeServer) -> None:
    folder = server_dir(game_version="1.21.5")
    (folder.path / "assets").mkdir()
    (folder.path / "assets" / "version-1.20.12.txt").touch()
    assert detected(folder)[0] == "1.21.5"


@pytest.mark.parametrize("log", ["", "Game Version: none", "Game Version: v1.2", "\x00\xff" * 1000])
def test_unknown_where_nothing_tells(server_dir: MakeServer, log: str) -> None:
    folder = server_dir(game_version="")
    folder.log(log)
    assert detected(folder) == ("", "")


@pytest.mark.django_db
def test_by_hand_wins_over_the_log_and_the_setting_over_both(
    server_dir: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, other_dir = server_dir(), server_dir("testing")
    server = GameServer.objects.create(name="Public", data_dir=str(folder.path))
    other = GameServer.objects.create(name="Testing", data_dir=str(other_dir.path))
    inventory.scan(server)
    assert server.game_version == "1.21.5"
    server.game_version_by_hand = "1.21.6"
    inventory.scan(server)
    assert (server.game_version, server.game_version_source) == ("1.21.6", "set by hand")
    monkeypatch.setenv("VS_GAME_VERSION", "v1.22.0")
    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(folder.path))
    inventory.scan_all([server, other])
    assert (server.game_version, server.game_version_source) == ("1.22.0", "VS_GAME_VERSION")
    assert other.game_version == "1.21.5", "the setting is for its own server only"


@pytest.mark.django_db
def test_a_log_begun_anew_does_not_unlearn_the_version(server_dir: MakeServer) -> None:
    folder = server_dir()
    server = GameServer.objects.create(name="Public", data_dir=str(folder.path))
    inventory.scan(server)
    folder.log("")
    inventory.scan(server)
    assert server.game_version == "1.21.5"
