"""A demo's server crashes when it is told to, and no other folder is written to."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from demo import crash
from demo.modfiles import build_mod
from mods import crashlog, serverlog

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def server(place: Path) -> Path:
    for folder in ("Mods", "Logs"):
        (place / folder).mkdir(parents=True)
    (place / "Logs" / "server-main.log").write_text("1.1.2026 10:00:00 [Notification] Game Version: v1.21.6 (Stable)\n")
    for number, (modid, version) in enumerate([("candlerow", "1.1.0"), ("doorlatch", "2.0.0")]):
        path = place / "Mods" / f"{modid}.zip"
        path.write_bytes(build_mod({"type": "content", "modid": modid, "version": version}))
        os.utime(path, (number, number))
    (place / "Mods" / "broken.zip").write_bytes(b"<html>")
    return place


def test_the_mod_changed_last_is_to_blame(tmp_path: Path) -> None:
    place = server(tmp_path / "vsadmin-demo-x" / "servers" / "Public")
    (tmp_path / "vsadmin-demo-x" / ".demo-is-running").touch()
    assert crash.crash(place, NOW) == "doorlatch@2.0.0"
    reading = crashlog.read(place / "Logs" / "server-crash.log", None, now=NOW.timestamp())
    (entry,) = reading.entries
    assert reading.position.is_whole, "a scan may come at once"
    assert entry.happened == (NOW - timedelta(seconds=3)).astimezone().replace(tzinfo=None)
    assert (entry.blamed_id, entry.blamed_version, entry.game_version) == ("doorlatch", "2.0.0", "1.21.6")
    assert entry.loaded is not None
    assert entry.loaded[:2] == (("candlerow", "1.1.0"), ("doorlatch", "2.0.0"))
    assert "/home" not in entry.error
    assert serverlog.parse((place / "Logs" / "server-main.log").read_text()).game_version == "1.21.6"


def test_a_real_server_is_left_alone(tmp_path: Path) -> None:
    place = server(tmp_path / "servers" / "Public")
    before = (place / "Logs" / "server-main.log").read_text()
    with pytest.raises(crash.NoDemo, match="is no server of a running demo"):
        crash.crash(place, NOW)
    assert (place / "Logs" / "server-main.log").read_text() == before
    assert not (place / "Logs" / "server-crash.log").exists()
