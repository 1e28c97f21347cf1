"""scan_mods, refresh_mods and list_mods: thin, clear, with exit codes that scripts can use."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import inventory, refresh
from mods.models import GameServer

pytestmark = pytest.mark.django_db
MakeServer = Callable[..., ServerDir]

REQUIRED = {
    "server", "file", "modid", "name", "version", "enabled", "side", "latest", "recommended", "compatibility",
    "checked_at", "problems",
}  # fmt: skip


@pytest.fixture
def public(server_dir: MakeServer) -> ServerDir:
    folder = server_dir()
    GameServer.objects.create(name="Public", data_dir=str(folder.path))
    return folder


def run(*command: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*command, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def exit_code(*command: str) -> tuple[int, str]:
    out, err = StringIO(), StringIO()
    try:
        call_command(*command, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, str(error)
    except SystemExit as error:
        return int(error.code or 0), err.getvalue()
    return 0, out.getvalue()


def test_scan_says_what_it_found(public: ServerDir) -> None:
    public.add_zip("a.zip", modid="a")
    (public.mods / "b.zip").write_bytes(b"no zip")
    out, _err = run("scan_mods")
    assert out == "Public: 2 mods, 2 read, 2 new, 0 gone, 1 with a problem\n"


def test_scan_without_a_server_says_what_to_do() -> None:
    code, text = exit_code("scan_mods")
    assert code == 1
    assert "Add one in the panel, or set VS_SERVER_DATA_DIR" in text


def test_scan_makes_the_first_server(server_dir: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(server_dir("evening").path))
    assert "evening: 0 mods" in run("scan_mods")[0]


def test_scan_of_a_missing_folder_fails(public: ServerDir) -> None:
    public.path.rename(public.path.with_name("away"))
    code, text = exit_code("scan_mods")
    assert code == 1
    assert "There is no folder" in text


@pytest.mark.parametrize("command", ["scan_mods", "list_mods"])
def test_an_unknown_server_is_bad_usage(public: ServerDir, command: str) -> None:
    code, text = exit_code(command, "--server", "Nope")
    assert code == 2
    assert "Known: Public" in text


def test_refresh_says_what_came_of_it(public: ServerDir, mod_database: ModDatabase) -> None:
    mod = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(mod, "alpha", "1.1.0", game_versions=["1.21.5"])
    public.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan_all()
    assert run("refresh_mods")[0] == "1 checked, 1 update\n"


def test_refresh_without_any_answer_fails(
    public: ServerDir, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 1.0)
    public.add_zip("a.zip", modid="alpha")
    mod_database.fault("/", "garbage")
    code, text = exit_code("refresh_mods", "--force")
    assert code == 1
    assert "nothing was lost" in text


def listed(*options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("list_mods", "--json", *options)[0])
    return found


@pytest.fixture
def two_servers(public: ServerDir, server_dir: MakeServer, mod_database: ModDatabase) -> None:
    testing = server_dir("testing", game_version="1.20.4")
    GameServer.objects.create(name="Testing", data_dir=str(testing.path))
    alpha = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(alpha, "alpha", "1.0.0", game_versions=["1.21.5"])
    mod_database.add_release(alpha, "alpha", "1.1.0", game_versions=["1.21.5"])
    public.add_zip("alpha.zip", modid="alpha", version="1.0.0", side="server")
    public.add_zip("homemade.zip.disabled", modid="homemade")
    testing.add_zip("alpha.zip", modid="alpha", version="1.0.0")
    (testing.mods / "broken.zip").write_bytes(b"no zip")
    inventory.scan_all()
    refresh.refresh()


def test_json_has_every_mod_with_what_is_not_known_as_null(two_servers: None) -> None:
    mods = listed()
    assert len(mods) == 4
    assert all(set(mod) >= REQUIRED for mod in mods)
    alpha, homemade, _other, broken = mods
    assert (alpha["server"], alpha["file"], alpha["side"], alpha["enabled"]) == ("Public", "alpha.zip", "server", True)
    assert (alpha["recommended"], alpha["latest"], alpha["compatibility"]) == ("1.1.0", "1.1.0", "compatible")
    assert alpha["checked_at"].endswith("+00:00")
    assert (homemade["enabled"], homemade["latest"], homemade["recommended"]) == (False, None, None)
    assert (broken["modid"], broken["version"], broken["checked_at"]) == (None, None, None)
    assert broken["problems"]
    assert all(isinstance(problem, str) for problem in broken["problems"])


def test_the_list_can_be_narrowed(two_servers: None) -> None:
    assert [mod["server"] for mod in listed("--server", "Testing")] == ["Testing", "Testing"]
    assert [(mod["server"], mod["modid"]) for mod in listed("--outdated")] == [("Public", "alpha")]
    assert [(mod["server"], mod["modid"]) for mod in listed("--incompatible")] == [("Testing", "alpha")]
    assert len(listed("--outdated", "--incompatible")) == 2


def test_the_table_is_for_reading(two_servers: None) -> None:
    out, _err = run("list_mods")
    assert out.splitlines()[0].split() == [
        "SERVER",
        "MODID",
        "VERSION",
        "RECOMMENDED",
        "COMPATIBILITY",
        "STATE",
        "FILE",
    ]
    assert "! Testing: broken.zip: " in out
    assert out.endswith("4 mods\n")


def test_why_something_newer_is_not_recommended(two_servers: None, mod_database: ModDatabase) -> None:
    public, *_others = listed("--server", "Public")
    assert (public["newer"], public["newer_why"], public["back_to"], public["retraction_reason"]) == (None,) * 4
    testing = listed("--server", "Testing")[0]
    assert (testing["newer"], testing["newer_why"]) == ("1.1.0", "1.1.0 isn't listed for 1.20.4.")
    assert "> Testing: alpha: 1.1.0 isn't listed for 1.20.4.\n" in run("list_mods")[0]


def test_what_can_go_back_is_no_update(public: ServerDir, mod_database: ModDatabase) -> None:
    alpha = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(alpha, "alpha", "1.0.0", game_versions=["1.21.5"])
    bad = mod_database.add_release(alpha, "alpha", "1.1.0", game_versions=["1.21.5"])
    public.add_zip("alpha.zip", modid="alpha", version="1.1.0")
    mod_database.retract(bad, "Keep it until 1.2.")
    inventory.scan_all()
    refresh.refresh()
    (mod,) = listed()
    assert (mod["outdated"], mod["recommended"], mod["retracted"]) == (False, None, True)
    assert (mod["back_to"], mod["retraction_reason"]) == ("1.0.0", "Keep it until 1.2.")
    assert listed("--outdated") == []
    out = run("list_mods")[0]
    assert "< Public: alpha: 1.1.0 was retracted: Keep it until 1.2.\n  It can go back to 1.0.0: update_mods" in out


def test_a_hostile_name_does_not_reach_the_terminal(public: ServerDir) -> None:
    public.add_zip("evil\x1b[2J.zip", modid="evil")
    inventory.scan_all()
    assert "\x1b" not in run("list_mods")[0]


@pytest.mark.parametrize("command", ["scan_mods", "refresh_mods", "list_mods", "sync_schedules"])
def test_help_tells_the_policy(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command(command, "--help")
    assert ended.value.code == 0
    assert len(capsys.readouterr().out) > 300
