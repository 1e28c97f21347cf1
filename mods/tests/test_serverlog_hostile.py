"""Whatever stands in a log, reading it ends soon and gives what can be stored."""

import json
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mods import serverlog

_PIECES = [
    "1.2.2026 20:00:00 ", "12/2/2026 9:04:05 PM ", "99.99.2026 99:99:99 ", "[Error] ", "[Warning] ", "[Notification] ",
    "[a] ", "[A.zip] ", "Could not resolve some dependencies:", "    b@1.0 - Missing", " - ", "@", "(", ")", "'", ", ",
    "An exception was thrown when trying to start the mod:", "Exception: ", "   at X.Y()", "\n", "\r\n", "\r", "\0",
    "Multiple mods share the mod ID 'a' ('x', 'y'). Will only load the highest version one - v1.", "Found 3 mods (1 ",
    "Mods, sorted by dependency: ", "Game Version: v1.21.5", "\ud800", "\u202e", "٣", "é",
]  # fmt: skip


def check(told: serverlog.Telling) -> None:
    texts = [told.game_version, *told.loaded, *told.failures]
    texts += [sentence for sentences in told.failures.values() for sentence in sentences]
    for text in texts:
        text.encode()  # no half characters
        assert not set(text) & set("\0\n\r\u202e")
        assert len(text) < 2000
    json.dumps(told.failures)


@given(st.lists(st.sampled_from(_PIECES) | st.text(max_size=20), max_size=60).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_text(text: str) -> None:
    check(serverlog.parse(text))


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("log") / "server-main.log"
    path.write_bytes(raw)
    told = serverlog.read(path)
    assert told is not None
    check(told)


_LONG = serverlog.MAX_READ
_STAMP = "1.2.2026 20:00:00 "


@pytest.mark.parametrize(
    "unit",
    [
        "[",
        "1",
        "1.",
        " ",
        "a, ",
        _STAMP,
        "[Error] [a] ",
        "). Will only load v",
        "x - ",
        "@ - ",
        f"{_STAMP}[Error] [a] Could not resolve some dependencies:\n",
        f"{_STAMP}[Error] Multiple mods share the mod ID 'a' (). Will only load v\n",
    ],
)
@pytest.mark.parametrize(
    "begin",
    [
        "",
        f"{_STAMP}[Error] [a] ",
        f"{_STAMP}[Error] Multiple mods share the mod ID 'a' (",
        f"{_STAMP}[Notification] Mods, sorted by dependency: ",
        f"{_STAMP}[Error] [a] Could not resolve some dependencies:\n{_STAMP}[Error] [a] ",
    ],
)
def test_time_grows_with_length_only(begin: str, unit: str) -> None:
    """Many times what a plain log of this length takes; backtracking would take hours."""
    text = (begin + unit * (_LONG // len(unit)))[:_LONG]
    before = time.process_time()
    told = serverlog.parse(text)
    assert time.process_time() - before < 10
    check(told)


def test_a_flood_of_failures_is_bounded() -> None:
    lines = (f"{_STAMP}[Error] [m{n}] An exception was thrown:\n{_STAMP}[Error] [m{n}] {n}\n" for n in range(10_000))
    assert len(serverlog.parse("".join(lines)).failures) == 5000
    lines = (f"{_STAMP}[Error] [m] An exception was thrown:\n{_STAMP}[Error] [m] {n}\n" for n in range(10_000))
    assert len(serverlog.parse("".join(lines)).failures["m"]) == 10


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=100, deadline=None)
def test_of_any_bytes_the_start_is_that_of_the_first_proper_line(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, has_line: bool
) -> None:
    path = tmp_path_factory.mktemp("log") / "server-main.log"
    line = f"{_STAMP}[Notification] x\n".encode()
    path.write_bytes(raw + b"\n" + (line if has_line else b""))
    is_wide = raw.startswith((b"\xff\xfe", b"\xfe\xff")) or raw.count(0) > 5
    started = serverlog.started_at(path, ZoneInfo("Europe/Vienna"))
    assert started is None or started.utcoffset() == timedelta(0)
    if not is_wide:
        assert started == (datetime(2026, 2, 1, 19, 0, tzinfo=UTC) if has_line else None)
