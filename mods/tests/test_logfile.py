"""Which of a server's log files count, and where its last start begins."""

import os
import time
from pathlib import Path

import pytest

from mods import logfile, serverlog
from vsadmin.lib.files import NotRegular

START = (
    "2.12.2024 09:24:14 [Notification] Server logger started.\n"
    "2.12.2024 09:24:15 [Notification] Game Version: v1.20.0\n"
)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "Logs" / "Archive").mkdir(parents=True)
    return tmp_path / "Logs"


def write(path: Path, text: str = "", age: float = 60) -> None:
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))


@pytest.mark.parametrize(("log", "txt", "found"), [(60, 30, ".txt"), (30, 60, ".log")])
def test_of_the_two_names_the_file_changed_last_counts(logs: Path, log: float, txt: float, found: str) -> None:
    """A server that went back from 1.20 to 1.19 leaves the newer name behind."""
    for names in (logfile.MAIN, logfile.CRASH):
        write(logs / names[0], age=log)
        write(logs / names[1], age=txt)
        newest = logfile.find(logs, names)
        assert newest is not None
        assert newest[0].suffix == found


def test_what_is_no_file_is_no_log(logs: Path, tmp_path: Path) -> None:
    os.mkfifo(logs / "server-main.log")
    (logs / "server-main.txt").mkdir()
    assert logfile.find(logs, logfile.MAIN) is None
    with pytest.raises(NotRegular):
        logfile.open_log(logs / "server-main.log")
    (logs / "server-main.txt").rmdir()
    write(tmp_path / "elsewhere.txt", START)
    (logs / "server-main.txt").symlink_to(tmp_path / "elsewhere.txt")
    newest = logfile.find(logs, logfile.MAIN)
    assert newest is not None
    assert serverlog.game_version(newest[0]) == "1.20.0", "some keep logs on a disk of their own"


def test_archives_are_folders_named_by_their_time_the_oldest_first(logs: Path, tmp_path: Path) -> None:
    names = ["2026-11-05_09_12_41", "2026-11-04_23_00_00", "2567-1-2_3_4_5"]
    for name in (*names, "notes", "2026-11-05", "2026-11-05_09_12_41 copy"):
        (logs / "Archive" / name).mkdir()
    (logs / "Archive" / "2026-11-06_09_12_41").symlink_to(tmp_path)
    write(logs / "Archive" / "2026-11-07_09_12_41")
    assert logfile.archives(tmp_path) == [names[1], names[0], names[2]]
    assert logfile.archives(tmp_path / "gone") == []


def test_a_long_log_goes_on_in_parts(logs: Path) -> None:
    path = logs / "server-main.log"
    write(path, age=90)
    assert logfile.last_part(path) == path
    write(logs / "server-main-2.log", age=80)
    write(logs / "server-main-3.log", age=70)
    assert logfile.last_part(path).name == "server-main-3.log"
    write(path, age=60)  # the next run began; the parts are of the one before
    assert logfile.last_part(path) == path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16-le"])
@pytest.mark.parametrize("noise", ["", "2.12.2024 10:00:00 [Event] é\n" * 3])
def test_the_last_start_of_a_log_that_was_appended_to(logs: Path, encoding: str, noise: str) -> None:
    path = logs / "server-main.log"
    second = START.replace("1.20.0", "1.20.1")
    chat = "2.12.2024 10:00:01 [Chat] 1 | bob: Server logger started. Game Version: v9.9.9\n"
    for text, begin in ((START + noise, 0), (START + noise + second + noise + chat, len(START + noise))):
        path.write_bytes(text.encode(encoding))
        with logfile.open_log(path) as file:
            found = logfile.last_start(file, logfile.encoding_of(file))
        assert found == (len(text[:begin].encode(encoding)) if begin else 0)
    assert serverlog.game_version(path) == "1.20.1"


def test_the_last_start_is_found_across_blocks_and_by_its_version_where_it_says_no_more(
    logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = logs / "server-main.log"
    second = "2.12.2024 11:00:00 [Notification] Game Version: v1.20.1\n"
    text = START.splitlines(keepends=True)[1] * 2 + second + "2.12.2024 12:00:00 [Event] x\n" * 5
    path.write_text(text)
    for block in (7, 64, 100, 1000):
        monkeypatch.setattr(logfile, "_BLOCK", block)
        with logfile.open_log(path) as file:
            assert logfile.last_start(file, logfile.encoding_of(file)) == text.index(second)
    monkeypatch.setattr(logfile, "_MAX_SEARCHED", 0)
    with logfile.open_log(path) as file:
        assert logfile.last_start(file, logfile.encoding_of(file)) == 0
