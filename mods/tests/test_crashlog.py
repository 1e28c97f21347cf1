"""What a crash log tells: real-looking entries, and whatever else may stand in such a file."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mods import crashlog, logclock, logfile, stack
from mods.crashlog import Entry, Position

DAY_FIRST = """Running on 64 bit Linux 6.6.0 with 32000 MB RAM
Game Version: v1.22.2 (Stable)
22.02.2026 20:39:11: Critical error occurred in the following mod: somemod@4.0.3
Loaded Mods: othermod@1.14.0, somemod@4.0.3, game@1.22.2, creative@1.22.2, survival@1.22.2
Involved Harmony IDs: com.ann.somemod, othermod.patches
System.TypeLoadException: Could not load type 'SomeMod.Thing' from '/srv/ann/server/Mods/somemod_4.0.3.zip'.
   at SomeMod.Patches.Block.Postfix(BlockSelection selection) in C:\\Users\\Ann Smith\\src\\SomeMod\\Block.cs:line 42
   at Vintagestory.Server.ServerMain.Process() in VintagestoryLib\\Server\\ServerMain.cs:line 1150
"""
MONTH_FIRST = """Running on 64 bit Windows 10.0.19045.0 with 16263 MB RAM
Game Version: v1.22.2 (Stable)
5/29/2026 4:53:09 PM: Critical error occurred
Loaded Mods:
System.NullReferenceException: Object reference not set to an instance of an object.
   at Vintagestory.Server.ServerMain.Stop(String reason)
"""


MAY, JUNE, DECEMBER = (datetime(2026, month, day, 21) for month, day in ((5, 31), (6, 1), (12, 5)))  # noqa: DTZ001  # as logs have them


def test_an_entry_with_everything() -> None:
    (entry,) = crashlog.parse(DAY_FIRST)
    assert entry.happened == datetime(2026, 2, 22, 20, 39, 11)  # noqa: DTZ001  # the log has no zone
    assert entry.game_version == "1.22.2"
    assert (entry.blamed, entry.blamed_id, entry.blamed_version) == ("somemod@4.0.3", "somemod", "4.0.3")
    assert entry.loaded is not None
    assert entry.loaded[:2] == (("othermod", "1.14.0"), ("somemod", "4.0.3"))
    assert entry.harmony == ("com.ann.somemod", "othermod.patches")
    assert entry.error.splitlines() == [
        "System.TypeLoadException: Could not load type 'SomeMod.Thing' from 'somemod_4.0.3.zip'.",
        "   at SomeMod.Patches.Block.Postfix(BlockSelection selection) in Block.cs:line 42",
        "   at Vintagestory.Server.ServerMain.Process() in VintagestoryLib\\Server\\ServerMain.cs:line 1150",
    ]
    assert len(entry.frames) == 2


def test_an_entry_without_a_culprit() -> None:
    (entry,) = crashlog.parse(MONTH_FIRST)
    assert entry.happened == datetime(2026, 5, 29, 16, 53, 9)  # noqa: DTZ001  # the log has no zone
    assert (entry.blamed, entry.blamed_id, entry.loaded) == ("", "", ())


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("22.2.2026 20:39:11", (2026, 2, 22, 20, 39, 11)),
        ("22. 2. 2026 20:39:11", (2026, 2, 22, 20, 39, 11)),
        ("5/9/2026 12:05:09 AM", (2026, 5, 9, 0, 5, 9)),
        ("5/9/2026 12:05:09 PM", (2026, 5, 9, 12, 5, 9)),
        ("4/6/2025 7:39:45PM", (2025, 6, 4, 19, 39, 45)),
        ("5/9/2026 1:05:09\u202fPM", (2026, 5, 9, 13, 5, 9)),
        ("29/05/2026 16:53:09", (2026, 5, 29, 16, 53, 9)),
        ("05/29/2026 16:53:09", (2026, 5, 29, 16, 53, 9)),
        # The tenth of May hasn't come yet by the fifth: it is the fifth of October of no year that was.
        ("05/10/2025 16:53:09", (2025, 10, 5, 16, 53, 9)),
        ("05/06/2026 16:53:09", (2026, 5, 6, 16, 53, 9)),
        ("2026-05-29 16:53:09", (2026, 5, 29, 16, 53, 9)),
        ("31.31.2026 16:53:09", None),
        ("yesterday", None),
    ],
)
def test_dates_of_many_machines(written: str, expected: tuple[int, ...] | None) -> None:
    text = f"Game Version: v1.22.2 (Stable)\n{written}: Critical error occurred\nSystem.Exception: x\n"
    (entry,) = crashlog.parse(text, MAY)
    assert entry.happened == (datetime(*expected) if expected else None)  # type: ignore[arg-type]  # noqa: DTZ001  # six numbers; no zone


@pytest.mark.parametrize("written", ["12/05/2026 20:39:11", "05/12/2026 20:39:11"])
def test_a_date_that_can_be_read_in_two_ways_is_that_of_the_writing(written: str) -> None:
    """Containers often have no locale: the month comes first, and no AM or PM says so."""
    (entry,) = crashlog.parse(f"Game Version: v1.22.2\n{written}: Critical error occurred\n", DECEMBER)
    assert entry.happened == datetime(2026, 12, 5, 20, 39, 11)  # noqa: DTZ001  # the log has no zone


@pytest.mark.parametrize(
    ("culprit", "blamed", "modid", "version"),
    [
        (" in the following mod: somemod@4.0.3-rc.1", "somemod@4.0.3-rc.1", "somemod", "4.0.3-rc.1"),
        (" in the following mods: a.b@1.0.0, c@2.0.0", "a.b@1.0.0, c@2.0.0", "a.b", "1.0.0"),
        (" in the following mod: My Mod (by Ann)", "My Mod (by Ann)", "", ""),
        (" in the following mod: ", "", "", ""),
        ("", "", "", ""),
        (" somewhere", "", "", ""),
    ],
)
def test_culprits(culprit: str, blamed: str, modid: str, version: str) -> None:
    (entry,) = crashlog.parse(f"22.02.2026 20:39:11: Critical error occurred{culprit}\nSystem.Exception: x\n")
    assert (entry.blamed, entry.blamed_id, entry.blamed_version) == (blamed, modid, version)


def test_words_of_mods_begin_no_entry() -> None:
    text = DAY_FIRST + "Critical error occurred\nsomewhere: Critical error occurred in the following mod: good@1.0.0\n"
    assert len(crashlog.parse(text)) == 1


def test_entries_one_after_the_other() -> None:
    entries = crashlog.parse("rest of an older one\n   at X.Y()\n" + DAY_FIRST + "\n\n" + MONTH_FIRST + DAY_FIRST)
    assert [entry.game_version for entry in entries] == ["1.22.2"] * 3
    assert [entry.blamed_id for entry in entries] == ["somemod", "", "somemod"]
    assert entries[0].digest == entries[2].digest != entries[1].digest


def test_up_to_1_16_the_list_of_mods_stands_before_the_date() -> None:
    text = "".join(
        "Running on 64 bit Windows with 16 GB RAM \nGame Version: v1.16.5 (Stable)\n"
        f"Loaded Mods: haulage@0.6.{number}, game@1.16.5\nInvolved Harmony IDs: h{number}\n"
        f"0{number}-06-2022 10:00:00: Critical error occurred\nSystem.Exception: x\n"
        "   en Haulage.Common.Get(String key)\n"
        for number in (2, 3)
    )
    entries = crashlog.parse(text)
    assert [entry.loaded and entry.loaded[0] for entry in entries] == [("haulage", "0.6.2"), ("haulage", "0.6.3")]
    assert [entry.harmony for entry in entries] == [("h2",), ("h3",)]
    assert [entry.game_version for entry in entries] == ["1.16.5"] * 2
    assert entries[0].frames == ("en Haulage.Common.Get(String key)",)
    # Words of a mod that look like such a beginning stay with the entry that they stand in.
    (entry,) = crashlog.parse(DAY_FIRST + "Game Version: v1.0.0\nLoaded Mods: x@1\nand so on\n")
    assert entry.error.endswith("Game Version: v1.0.0\nLoaded Mods: x@1\nand so on")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at X.Y() in /srv/bob/My Mods/src/File.cs:line 3", "at X.Y() in File.cs:line 3"),
        ("at X.Y() in C:\\Users\\bob\\src\\File.cs:line 3", "at X.Y() in File.cs:line 3"),
        ("at X.Y() in \\\\nas\\bob\\src\\File.cs:line 3", "at X.Y() in File.cs:line 3"),
        ("from 'file:///srv/bob/File.dll' and D:/bob/x.zip", "from 'File.dll' and x.zip"),
        ("see https://example.com/bugs/42 for more", "see https://example.com/bugs/42 for more"),
        ("no part of the path '/home/bob'.", "no part of the path '~'."),
        ("C:\\\\Users\\\\bob\\\\x.json", "x.json"),
        ("\x1b[31mred\u202e", "\ufffd[31mred\ufffd"),
    ],
)
def test_paths_and_odd_characters_go(text: str, shown: str) -> None:
    assert crashlog.tidy(text) == shown
    assert "bob" not in crashlog.tidy(text)


def test_lines_and_lists_are_bounded() -> None:
    loaded = ", ".join(f"mod{number}@1.0.0" for number in range(10_000))
    text = DAY_FIRST.replace("Loaded Mods: ", f"Loaded Mods: {loaded}, ") + "   at " + "x" * 10_000 + "\n" * 5000
    (entry,) = crashlog.parse(text + "   at A.B.C()\n" * 10_000)
    assert entry.loaded is not None
    assert len(entry.loaded) <= 2000
    assert len(entry.error) < 12 * 501
    assert len(entry.frames) <= 300
    assert all(len(frame) <= 500 for frame in entry.frames)


# --- which mods are involved


def test_involved_are_those_of_the_stack_and_the_patches() -> None:
    (entry,) = crashlog.parse(DAY_FIRST)
    names = [("othermod", "Other"), ("SomeMod", "Some Mod"), ("game", "Essentials"), ("block", ""), ("quiet", "Quiet")]
    assert stack.involved(entry.frames, entry.harmony, names) == ("somemod", "block", "othermod")


def test_a_mod_is_known_by_its_name_too_and_short_ids_only_whole() -> None:
    entry = Entry(None, frames=("at DeepMining.Core.Drill.Tick()", "at Vintagestory.GameContent.Lib.Run()"))
    names = [("dm", "Deep Mining"), ("deep", ""), ("vintagestory", ""), ("run", "")]
    assert stack.involved(entry.frames, entry.harmony, names) == ("dm",)


# --- the file


def write(path: Path, data: bytes, *, rested: float = 60) -> None:
    path.write_bytes(data)
    os.utime(path, (NOW - rested, NOW - rested))


NOW = 1_780_000_000.0


@pytest.fixture
def log(tmp_path: Path) -> Path:
    place = tmp_path / "Logs"
    place.mkdir()
    return place / "server-crash.log"


ANEW = Position()


def read(log: Path, before: Position | None = ANEW) -> crashlog.Reading:
    return crashlog.read(log, before, now=NOW)


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_encodings_and_going_on_where_it_was_left(log: Path, encoding: str, ends: str) -> None:
    write(log, DAY_FIRST.replace("\n", ends).encode(encoding))
    first = read(log)
    assert [entry.blamed_id for entry in first.entries] == ["somemod"]
    append = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    with log.open("ab") as file:
        file.write(MONTH_FIRST.replace("\n", ends).encode(append))
    os.utime(log, (NOW - 60, NOW - 60))
    second = read(log, first.position)
    assert [entry.blamed_id for entry in second.entries] == [""]
    assert second.entries[0].error.startswith("System.NullReferenceException")
    assert not read(log, second.position).entries


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("cut", [20, 100, 190, 400, 700])
def test_an_entry_whose_end_isnt_written_yet_waits(log: Path, encoding: str, cut: int) -> None:
    whole = ("ümläut\n" + MONTH_FIRST + DAY_FIRST).encode(encoding)
    begin = len(("ümläut\n" + MONTH_FIRST).encode(encoding))
    write(log, whole[: begin + cut], rested=0.5)
    first = read(log)
    assert not first.position.is_whole
    assert "somemod" not in [entry.blamed_id for entry in first.entries]
    write(log, whole)
    second = read(log, first.position)
    assert [entry.blamed_id for entry in (*first.entries, *second.entries)] == ["", "somemod"]
    assert second.entries[-1] == crashlog.parse(DAY_FIRST)[0]


def test_an_entry_without_its_error_waits_longer(log: Path) -> None:
    whole = DAY_FIRST.encode()
    write(log, whole[: whole.index(b"System.")], rested=crashlog.RESTING + 3)
    first = read(log)
    assert (first.entries, first.position.is_whole) == ((), False)
    write(log, whole, rested=crashlog.RESTING + 3)
    (entry,) = read(log, first.position).entries
    assert entry.error.startswith("System.")


def test_an_entry_that_rests_is_whole_whichever_way_the_clock_was_set(log: Path) -> None:
    for rested in (60, -3600):
        write(log, DAY_FIRST.encode(), rested=rested)
        assert len(read(log).entries) == 1


def test_a_file_begun_anew_is_read_from_its_beginning(log: Path) -> None:
    write(log, DAY_FIRST.encode() * 3)
    before = read(log).position
    log.unlink()
    write(log, MONTH_FIRST.encode())
    assert [entry.blamed_id for entry in read(log, before).entries] == [""]


def test_a_file_cut_short_and_grown_beyond_is_read_from_its_beginning(log: Path) -> None:
    write(log, DAY_FIRST.encode())
    before = read(log).position
    write(log, (DAY_FIRST.replace("somemod", "another") + MONTH_FIRST).encode())  # the same inode
    assert [entry.blamed_id for entry in read(log, before).entries] == ["another", ""]


def test_of_a_file_nobody_looked_at_only_the_end_is_read(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashlog, "FIRST_READ", len(DAY_FIRST) + 100)
    write(log, (MONTH_FIRST * 10 + DAY_FIRST).encode())
    assert [entry.blamed_id for entry in read(log, None).entries] == ["somemod"]


def test_of_too_much_at_once_the_beginning_and_the_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashlog, "MAX_READ", 2 * len(DAY_FIRST) + 200)
    noise = "   at Somewhere.Far.Away()\n" * 5000
    write(log, (MONTH_FIRST + noise + DAY_FIRST).encode())
    reading = read(log)
    assert [entry.blamed_id for entry in reading.entries] == ["", "somemod"]
    assert reading.position.offset == log.stat().st_size


def test_a_huge_file_is_not_loaded(log: Path) -> None:
    with log.open("wb") as file:
        file.truncate(3 * 1024**3)  # a hole: it takes no room
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + DAY_FIRST.encode())
    os.utime(log, (NOW - 60, NOW - 60))
    assert [entry.blamed_id for entry in read(log).entries] == ["somemod"]


def test_the_offset_from_utc_is_told_by_the_files_time(log: Path) -> None:
    write(log, DAY_FIRST.encode())
    assert told(log) is None
    utc = datetime.fromisoformat("2026-02-22T18:39:11+00:00").timestamp()
    os.utime(log, (utc, utc))
    assert told(log) == timedelta(hours=2)


def told(log: Path) -> timedelta | None:
    reading = read(log)
    assert reading.last is not None
    return logclock.offset_told(reading.last, reading.written, UTC)


def test_the_older_name_is_found(log: Path) -> None:
    assert logfile.find(log.parent, logfile.CRASH) is None
    log.with_suffix(".txt").write_text("")
    found = logfile.find(log.parent, logfile.CRASH)
    assert found is not None
    assert found[0].name == "server-crash.txt"
    log.mkdir()
    assert logfile.find(log.parent, logfile.CRASH) is not None


def test_what_stat_tells_is_enough_to_pass_a_file_over(log: Path) -> None:
    write(log, DAY_FIRST.encode())
    position = read(log).position
    assert crashlog.is_unchanged(log.stat(), log.name, position)
    write(log, DAY_FIRST.encode(), rested=61)
    assert not crashlog.is_unchanged(log.stat(), log.name, position)


# --- the main log


def test_a_fatal_entry_of_the_main_log() -> None:
    text = (
        "22.2.2026 20:00:00 [Notification] Game Version: v1.22.2 (Stable)\n"
        "22.2.2026 20:39:11 [Fatal] Critical error occurred in the following mod: somemod@4.0.3\n"
        "22.2.2026 20:39:11 [Fatal] System.Exception: Boom in /srv/bob/x.zip\n"
        "   at SomeMod.Block.Tick()\n"
        "22.2.2026 20:39:12 [Notification] Server stopped\n"
        "   at Not.Of.It()\n"
    )
    (entry,) = crashlog.parse_fatal(text)
    assert entry.happened == datetime(2026, 2, 22, 20, 39, 11)  # noqa: DTZ001  # the log has no zone
    assert entry.blamed_id == "somemod"
    assert entry.error == "System.Exception: Boom in x.zip\n   at SomeMod.Block.Tick()"
    assert not crashlog.parse_fatal(text.replace("[Fatal]", "[Error]"))


def test_what_a_thread_died_of_may_follow_after_lines_of_others() -> None:
    died = "14.6.2025 21:59:43 [Fatal] Caught unhandled exception in thread 'chunkdbthread'. Shutting down server.\n"
    between = (
        "14.6.2025 21:59:43 [Notification] Something else\n14.6.2025 21:59:43 [Error] [othermod] a word of its own\n"
    )
    cause = "14.6.2025 21:59:43 [Error] Exception: Index was out of range.\n   at Brooks.Generator.Run()\n"
    after = "14.6.2025 21:59:44 [Error] Exception: Another.\n   at Else.Run()\n"
    (entry,) = crashlog.parse_fatal(died + between + cause + after)
    assert entry.error.splitlines() == [
        "Caught unhandled exception in thread 'chunkdbthread'. Shutting down server.",
        "Exception: Index was out of range.",
        "   at Brooks.Generator.Run()",
    ]
    assert entry.frames == ("at Brooks.Generator.Run()",)
    (entry,) = crashlog.parse_fatal(cause + died + between)  # what came before isn't of it
    assert not entry.frames
    (entry,) = crashlog.parse_fatal(died + cause.replace("21:59:43", "22:01:43"))  # nor what came much later
    assert not entry.frames
    (entry,) = crashlog.parse_fatal(died + "   at First.Run()\n" + cause)  # it said so itself
    assert entry.frames == ("at First.Run()",)


def test_of_several_threads_that_die_each_says_what_of() -> None:
    died = "14.6.2025 21:59:43 [Fatal] Caught unhandled exception in thread '%s'. Shutting down server.\n"
    cause = "14.6.2025 21:59:43 [Error] Exception: Boom.\n   at %s.Run()\n"
    each = died % "a" + cause % "Brooks" + died % "b" + cause % "Tallow"
    together = died % "a" + died % "b" + cause % "Brooks" + cause % "Tallow"
    told_itself = died % "a" + "   at Brooks.Run()\n" + died % "b" + cause % "Tallow"
    no_thread = "14.6.2025 21:59:43 [Fatal] Boom\n" + cause % "Brooks" + died % "b" + cause % "Tallow"
    for text in (each, together, told_itself, no_thread):
        (entry,) = crashlog.parse_fatal(text + cause % "Else")
        assert entry.frames == ("at Brooks.Run()", "at Tallow.Run()")
    # What one crash left untold, another later doesn't tell.
    later = ("[Fatal] Boom\n   at Tallow.Run()\n" + cause % "Else").replace("21:59", "22:59")
    _first, entry = crashlog.parse_fatal(died % "a" + "14.6.2025 22:59:43 " + later)
    assert entry.frames == ("at Tallow.Run()",)


def test_each_crash_of_a_log_that_was_appended_to() -> None:
    text = "".join(f"14.6.2025 2{hour}:59:43 [Fatal] Boom {hour}\n" for hour in range(4))
    assert [entry.error for entry in crashlog.parse_fatal(text)] == ["Boom 0", "Boom 1", "Boom 2", "Boom 3"]


def test_the_main_log_of_another_culture() -> None:
    text = "5/11/2026 9:12:41 [Server Fatal] Boom\n5/11/2026 9:12:42 [Notification] [Fatal] not so\n"
    (entry,) = crashlog.parse_fatal(text, datetime(2026, 11, 5, 9, 13))  # noqa: DTZ001  # logs have no zone
    assert (entry.happened, entry.error) == (datetime(2026, 11, 5, 9, 12, 41), "Boom")  # noqa: DTZ001


# --- hostile


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(DAY_FIRST.splitlines() + MONTH_FIRST.splitlines()), st.text()), max_size=30))
def test_any_lines_give_bounded_printable_entries(lines: list[str]) -> None:
    for entry in crashlog.parse("\n".join(lines), JUNE):
        assert len(entry.blamed) <= 300
        assert len(entry.error) <= 12 * 501
        for text in (entry.blamed, entry.blamed_id, *entry.error.split("\n"), *entry.harmony, *entry.frames):
            assert "\n" not in text
            assert not any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in text)
    crashlog.parse_fatal("\n".join(lines))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf"]), st.booleans())
def test_any_bytes_before_an_entry_leave_it_readable(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, mark: bytes, rests: bool
) -> None:
    log = tmp_path_factory.mktemp("x") / "server-crash.log"
    write(log, mark + noise + b"\n" + DAY_FIRST.encode(), rested=60 if rests else 0)
    reading = read(log)
    assert reading.position.offset <= log.stat().st_size
    again = read(log, reading.position)
    assert not (rests and again.entries)
    if mark in (b"", b"\xef\xbb\xbf") and rests and noise.count(0) < 10:
        assert "somemod" in [entry.blamed_id for entry in reading.entries]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(ENCODINGS), st.lists(st.sampled_from([DAY_FIRST, MONTH_FIRST, "ü\U0001f600\n"]), max_size=5),
    st.lists(st.integers(0, 3000), max_size=5),
)  # fmt: skip
def test_however_it_was_cut_each_entry_comes_once_it_is_whole(
    tmp_path_factory: pytest.TempPathFactory, encoding: str, parts: list[str], cuts: list[int]
) -> None:
    log = tmp_path_factory.mktemp("x") / "server-crash.log"
    whole = ("log\n" + "".join(parts)).encode(encoding)
    position: Position | None = Position()
    found: list[str] = []
    for cut in sorted(cuts):
        write(log, whole[:cut], rested=0)
        reading = read(log, position)
        position = reading.position
        found += [entry.digest for entry in reading.entries]
    write(log, whole)
    found += [entry.digest for entry in read(log, position).entries]
    assert set(found) == {entry.digest for entry in crashlog.parse("log\n" + "".join(parts))}
