"""The commands of crashes and of putting a start's mods back; the latter through real files."""

import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import inventory, modset, refresh, starts
from mods.models import Crash, GameServer, ServerStart
from mods.tests.test_change_commands import run

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now().replace(microsecond=0)


@pytest.fixture(autouse=True)
def _data_dir(settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"


@pytest.fixture
def updated(server_dir: Callable[..., ServerDir], mod_database: ModDatabase) -> ServerDir:
    """A good start with alpha 1.0.0 two days ago; alpha 1.1.0 is there now, and a mod of one's own is gone."""
    folder = server_dir()
    mod = mod_database.add_mod(name="Alpha", modids=["alpha"])
    old, new = (
        mod_database.add_release(mod, "alpha", version, game_versions=["1.21.5"]) for version in ("1.0.0", "1.1.0")
    )
    (folder.mods / "alpha_1.0.0.zip").write_bytes(old.content)
    server = GameServer.objects.create(name="Public", data_dir=str(folder.path))
    inventory.scan(server)
    refresh.refresh()
    mods = modset.to_json(starts.sets_now([server])[server.pk])
    started = {"started_at": NOW - timedelta(days=2), "good": True, "mods": mods}
    ServerStart.objects.create(server=server, **started)
    ServerStart.objects.create(server=server, started_at=NOW - timedelta(days=1))
    (folder.mods / "alpha_1.0.0.zip").unlink()
    (folder.mods / "alpha_1.1.0.zip").write_bytes(new.content)
    (folder.mods / "old.bytes").write_bytes(old.content)
    return folder


def files(folder: ServerDir) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.mods.iterdir() if path.suffix == ".zip"}


@pytest.mark.parametrize("by_time", [True, False])
def test_the_files_of_a_start_are_put_back(updated: ServerDir, by_time: bool) -> None:
    wanted = (updated.mods / "old.bytes").read_bytes()
    when = f"{timezone.localtime(NOW - timedelta(days=2)):%Y-%m-%d %H:%M}"
    which = ["--start", when] if by_time else ["--last-good"]
    code, out, _err = run("put_back", *which, "--dry-run")
    assert code == 0
    assert "replace Alpha 1.1.0 -> 1.0.0" in out
    assert set(files(updated)) == {"alpha_1.1.0.zip"}
    code, out, err = run("put_back", *which, "--yes", "--json")
    assert code == 0, err
    document = json.loads(out)
    assert document["state"] == "done"
    assert [step["to_version"] for step in document["steps"]] == ["1.0.0"]
    assert files(updated) == {"alpha_1.0.0.zip": wanted}


@pytest.mark.parametrize("given", [[], ["--start", "21:04", "--last-good"], ["--start", "some evening"]])
def test_which_start_must_be_said(updated: ServerDir, given: list[str]) -> None:
    code, _out, err = run("put_back", *given, "--yes")
    assert code == 2
    when = f"{timezone.localtime(NOW - timedelta(days=2)):%Y-%m-%d %H:%M} (good)"
    assert f"Starts with known mods: {when}." in err


def test_without_a_good_start_it_says_so(updated: ServerDir) -> None:
    ServerStart.objects.update(good=False)
    code, _out, err = run("put_back", "--last-good", "--yes")
    assert code == 1
    assert "No good start of Public" in err


def test_crashes_are_listed(updated: ServerDir) -> None:
    local = timezone.localtime(NOW - timedelta(seconds=10))
    log = updated.path / "Logs" / "server-crash.log"
    log.write_text(
        f"{local:%d.%m.%Y %H:%M:%S}: Critical error occurred in the following mod: alpha@1.1.0\n"
        "Loaded Mods: alpha@1.1.0\nSystem.Exception: Boom\x1b[2J\n"
    )
    os.utime(log, (NOW.timestamp() - 10, NOW.timestamp() - 10))
    inventory.scan_all()
    code, out, _err = run("list_crashes", "--open")
    assert code == 0
    assert f"{local:%Y-%m-%d %H:%M:%S}  Public: the game names alpha 1.1.0\n  System.Exception: Boom" in out
    assert "Alpha 1.0.0 → 1.1.0" in out
    assert "\x1b" not in out
    (told,) = json.loads(run("list_crashes", "--json", "--server", "Public")[1])
    assert (told["blamed_modid"], told["suspects"][0]["before"]) == ("alpha", "1.0.0")
    assert told["loaded"] == [["alpha", "1.1.0"]]
    Crash.objects.update(dismissed_at=NOW)
    assert run("list_crashes", "--open")[1] == "0 crashes\n"
    assert run("list_crashes", "--server", "No")[0] == 2
