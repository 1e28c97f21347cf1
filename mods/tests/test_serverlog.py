"""What a server's log tells of its start."""

import os
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mods import serverlog

VIENNA = ZoneInfo("Europe/Vienna")

LOG = """\
2.12.2024 09:24:14 [Notification] Server logger started.
2.12.2024 09:24:14 [Notification] Game Version: v1.20.0-rc.2 (Unstable)
2.12.2024 09:24:15 [Notification] Found 12 mods (1 disabled)
2.12.2024 09:24:15 [Warning] Multiple mods share the mod ID 'Lib' ('Lib_1.zip', 'Lib (2).zip'). Will only load the \
highest version one - v2.4.0.
2.12.2024 09:24:15 [Error] [rails] Could not resolve some dependencies:
2.12.2024 09:24:15 [Error] [rails]     transport@6.9.0 - Missing
2.12.2024 09:24:15 [Error] [rails]     lib@3.0.0 - Version mismatch (has 2.4.0)
2.12.2024 09:24:15 [Error] [signals] Could not resolve some dependencies:
2.12.2024 09:24:15 [Error] [signals]     rails@0.7.5 - Dependency 'rails.zip' (rails) has dependency errors itself
2.12.2024 09:24:16 [Notification] Mods, sorted by dependency: game, Lib, carry on, creative, survival, village
2.12.2024 09:24:17 [Error] [village] An exception was thrown when trying to start the mod:
2.12.2024 09:24:17 [Error] [village] Exception: Could not load type 'Vs.Quest'.
   at Village.Mod.Start(ICoreAPI api) in /opt/build/Mod.cs:line 9
2.12.2024 09:24:17 [Error] Failed to run mod phase Start for mod Village.Mod
2.12.2024 09:24:18 [Error] [carryon] an error of its own, while it runs
"""


def test_what_is_loaded_and_what_is_not() -> None:
    told = serverlog.parse(LOG)
    assert told.game_version == "1.20.0-rc.2"
    assert (told.found, told.disabled) == (12, 1)
    assert told.loaded == ("game", "Lib", "carry on", "creative", "survival", "village")
    assert set(told.failures) == {"lib", "rails", "signals", "village"}
    assert "Lib_1.zip, Lib (2).zip" in told.failures["lib"][0]
    assert "It loaded 2.4.0." in told.failures["lib"][0]
    missing, mismatch = told.failures["rails"]
    assert "transport 6.9.0, which was missing" in missing
    assert "lib 3.0.0, but there was 2.4.0" in mismatch
    assert "rails 0.7.5, which wasn't loaded either" in told.failures["signals"][0]
    assert told.failures["village"] == ("When the server started it, it failed: Could not load type 'Vs.Quest'.",)


@pytest.mark.parametrize(
    "lines",
    [
        "1.2.2026 1:02:03 [Server Error] [a] Could not resolve some dependencies:\nb@1.0.0 - Missing\n",
        "1.2.2026 1:02:03 [Error] [A] Could not resolve some dependencies:\r\n1.2.2026 1:02:03 [Error] b@1.0 - Missing",
        "1.2.2026 1:02:03 [Error] [a] Could not resolve some dependencies:\n1.2.2026 1:02:03 [Error] [a]   b - Missing",
    ],
)
def test_dependencies_in_the_ways_they_are_written(lines: str) -> None:
    (sentence,) = serverlog.parse(lines).failures["a"]
    assert " b" in sentence
    assert "missing" in sentence


@pytest.mark.parametrize("kind", ["Could not resolve some dependencies:", "An exception was thrown trying to load:"])
def test_a_failure_without_particulars_is_said_all_the_same(kind: str) -> None:
    told = serverlog.parse(f"1.2.2026 01:02:03 [Error] [x.zip] {kind}\n1.2.2026 01:02:04 [Event] Going on\n")
    assert len(told.failures["x.zip"]) == 1


def test_the_exception_on_a_line_of_its_own() -> None:
    told = serverlog.parse(
        "1.2.2026 01:02:03 [Error] [a] An exception was thrown when trying to start the mod:\n"
        "System.TypeLoadException: Could not load it\n   at A.B()\n"
    )
    assert told.failures["a"] == (
        "When the server started it, it failed: System.TypeLoadException: Could not load it.",
    )


def test_frames_alone_are_no_particulars() -> None:
    told = serverlog.parse("1.2.2026 01:02:03 [Error] [a] An exception was thrown:\n   at A.B() in /opt/build/x.cs\n")
    assert told.failures["a"] == ("When the server started it, it failed; its log doesn't say why.",)


def test_a_server_that_has_only_begun_to_start() -> None:
    told = serverlog.parse("1.2.2026 01:02:03 [Notification] Server logger started.\n1.2.2026 01:0")
    assert told == serverlog.Telling()


def write(tmp_path: Path, text: str, changed: datetime | None = None) -> Path:
    path = tmp_path / "server-main.log"
    path.write_text(text)
    moment = (changed or datetime(2020, 1, 1, 0, 0, 7, tzinfo=UTC)).timestamp()
    os.utime(path, (moment, moment))
    return path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2.7.2026 20:04:05 [Notification] x", datetime(2026, 7, 2, 18, 4, 5, tzinfo=UTC)),
        ("2.12.2026 20:04:05 [Notification] x", datetime(2026, 12, 2, 19, 4, 5, tzinfo=UTC)),
        ("02.12.2026 9.04.05 [Notification] x", datetime(2026, 12, 2, 8, 4, 5, tzinfo=UTC)),
        ("12/2/2026 9:04:05 PM [Notification] x", datetime(2026, 12, 2, 20, 4, 5, tzinfo=UTC)),
        ("12/2/2026 12:04:05\u202fAM [Notification] x", datetime(2026, 12, 1, 23, 4, 5, tzinfo=UTC)),
        ("no time\n2.12.2026 20:04:05.123 [Notification] x", datetime(2026, 12, 2, 19, 4, 5, tzinfo=UTC)),
        ("31.2.2026 20:04:05 [Notification] x", None),
        ("2.12.9999 20:04:05 [Notification] x", None),
        ("", None),
    ],
)
def test_the_start_is_the_first_time_day_first_in_the_machines_zone(
    tmp_path: Path, line: str, expected: datetime | None
) -> None:
    assert serverlog.started_at(write(tmp_path, line), VIENNA) == expected


def test_a_start_before_the_clocks_change_has_its_own_offset(tmp_path: Path) -> None:
    """Summer time ended on 25 October 2026: the last line is an hour nearer to UTC than the first."""
    text = "24.10.2026 20:00:00 [Notification] x\n26.10.2026 20:00:00 [Notification] y\n"
    path = write(tmp_path, text, datetime(2026, 10, 26, 19, 0, 0, tzinfo=UTC))
    assert serverlog.started_at(path, VIENNA) == datetime(2026, 10, 24, 18, 0, tzinfo=UTC)


def test_a_container_with_a_zone_of_its_own_is_noticed_by_when_the_log_was_written(tmp_path: Path) -> None:
    text = "22.11.2026 18:04:00 [Notification] x\n22.11.2026 18:30:10 [Notification] y\n   at z\n"
    path = write(tmp_path, text, datetime(2026, 11, 22, 18, 30, 11, tzinfo=UTC))
    assert serverlog.started_at(path, VIENNA) == datetime(2026, 11, 22, 18, 4, tzinfo=UTC)


@pytest.mark.parametrize(
    "changed",
    [
        datetime(2026, 11, 22, 18, 37, 0, tzinfo=UTC),  # touched later
        datetime(2026, 11, 24, 18, 30, 10, tzinfo=UTC),  # whole hours, but no zone is so far from another
    ],
)
def test_a_log_that_was_touched_later_is_read_in_the_machines_zone(tmp_path: Path, changed: datetime) -> None:
    path = write(tmp_path, "22.11.2026 18:04:00 [Notification] x\n22.11.2026 18:30:10 [Notification] y\n", changed)
    assert serverlog.started_at(path, VIENNA) == datetime(2026, 11, 22, 17, 4, tzinfo=UTC)


def test_a_log_of_one_moment_says_nothing_of_its_zone(tmp_path: Path) -> None:
    """Such as one that was made up at another time."""
    text = "22.11.2026 18:04:00 [Notification] x\n22.11.2026 18:04:00 [Notification] y\n"
    path = write(tmp_path, text, datetime(2026, 11, 22, 18, 4, 0, tzinfo=UTC))
    assert serverlog.started_at(path, VIENNA) == datetime(2026, 11, 22, 17, 4, tzinfo=UTC)


def test_only_the_beginning_of_a_long_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "server-main.log"
    with path.open("w") as file:
        file.write(LOG)
        while file.tell() < 3 * serverlog.MAX_READ:
            file.write("2.12.2024 09:30:00 [Event] somebody says something\n" * 1000)
        file.write("2.12.2024 10:00:00 [Error] [late] Could not resolve some dependencies:\n")
    told = serverlog.read(path)
    assert told is not None
    assert "late" not in told.failures
    assert "village" in told.failures


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "server-main.log"
    path.write_bytes(LOG.encode(encoding))
    told = serverlog.read(path)
    assert told is not None
    assert told.loaded[:2] == ("game", "Lib")
    assert serverlog.started_at(path, VIENNA) is not None


def test_the_log_by_its_newer_or_older_name(tmp_path: Path) -> None:
    assert serverlog.find(tmp_path / "Logs") is None
    logs = tmp_path / "Logs"
    (logs / "server-main.log").mkdir(parents=True)
    assert serverlog.find(tmp_path / "Logs") is None
    (logs / "server-main.txt").touch()
    assert serverlog.find(tmp_path / "Logs") == logs / "server-main.txt"
    (logs / "server-main.log").rmdir()
    (logs / "server-main.log").touch()
    assert serverlog.find(tmp_path / "Logs") == logs / "server-main.log"


def test_a_log_that_cannot_be_read(tmp_path: Path) -> None:
    assert serverlog.read(tmp_path / "gone") is None
    assert serverlog.started_at(tmp_path / "gone", VIENNA) is None
