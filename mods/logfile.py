"""A server's log files on disk: which ones count, opened safely, decoded, line by line. No ORM.

Servers write them, and so do mods: a name may be a link, a pipe or a folder, and a file of any size and encoding.
"""

import codecs
import os
import re
import stat
from collections.abc import Iterator
from io import BufferedReader
from itertools import islice
from pathlib import Path

from vsadmin.lib import files

#: By the game's versions from 1.20 on, and by those before.
MAIN = ("server-main.log", "server-main.txt")
CRASH = ("server-crash.log", "server-crash.txt")

#: How many folders of archived logs are looked at.
MAX_ARCHIVES = 100
_ARCHIVE = re.compile(r"[0-9]{2,4}-[0-9]{1,2}-[0-9]{1,2}_[0-9]{1,2}_[0-9]{1,2}_[0-9]{1,2}")
_MAX_LISTED = 2000
_MAX_PARTS = 1000

#: Each with a way to decode that can be turned back, so that a place in the text is one in the file.
Encoding = tuple[str, str]
_UTF_8, _UTF_16_LE, _UTF_16_BE = (
    ("utf-8", "surrogateescape"),
    ("utf-16-le", "surrogatepass"),
    ("utf-16-be", "surrogatepass"),
)

# What the first lines of a start say; a log that was appended to holds several starts.
_MARKS = ("Server logger started", "Game Version: v")
_BEGINS = re.compile(rf"[^\[\n]{{6,80}} \[(?:Server )?Notification\] (?:{'|'.join(_MARKS)})")
_LONGEST_STAMP = 400
_BLOCK = 1024 * 1024
#: So much of a log's end is searched for the beginning of its last start.
_MAX_SEARCHED = 64 * _BLOCK


def find(folder: Path, names: tuple[str, ...]) -> tuple[Path, os.stat_result] | None:
    """The file with one of these names; None if there is none. A server that went back to an older version of the game
    leaves the newer name behind: the one changed last counts."""
    found = []
    for name in names:
        path = folder / name
        try:
            told = path.stat()
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(told.st_mode):
            found.append((path, told))
    return max(found, key=lambda one: one[1].st_mtime_ns, default=None)


def last_part(path: Path) -> Path:
    """Of a main log the part written to: a long one goes on in `server-main-2.log` (`LogFileSplitAfterLine`)."""
    last, changed = path, path.stat().st_mtime_ns
    for number in range(2, _MAX_PARTS):
        part = find(path.parent, (f"{path.stem}-{number}{path.suffix}",))
        if part is None or part[1].st_mtime_ns < changed:
            break
        last, changed = part[0], part[1].st_mtime_ns
    return last


def archives(data_dir: Path) -> list[str]:
    """The folders in `Logs/Archive` to which starts moved the logs of the runs before: their names, oldest first."""
    try:
        with os.scandir(data_dir / "Logs" / "Archive") as entries:
            found = [
                entry.name
                for entry in islice(entries, _MAX_LISTED)
                if _ARCHIVE.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            ]
    except (OSError, ValueError):
        return []
    return sorted(found)[-MAX_ARCHIVES:]


def open_log(path: Path) -> BufferedReader:
    """A log, or what a link in its place leads to. Raises OSError, also for what is no regular file."""
    return files.open_regular(path, follow=True)


def encoding_of(file: BufferedReader) -> Encoding:
    file.seek(0)
    head = file.read(512)
    if head.startswith(codecs.BOM_UTF16_LE):
        return _UTF_16_LE
    if head.startswith(codecs.BOM_UTF16_BE):
        return _UTF_16_BE
    half = len(head) // 2
    if half > 8 and head[1::2].count(0) > half * 0.7 and head[::2].count(0) < half * 0.1:
        return _UTF_16_LE
    if half > 8 and head[::2].count(0) > half * 0.7 and head[1::2].count(0) < half * 0.1:
        return _UTF_16_BE
    return _UTF_8


def text(file: BufferedReader, begin: int, end: int, encoding: Encoding) -> tuple[str, int]:
    """That part of the file, and where it really begins: between two characters."""
    if encoding is not _UTF_8:
        begin += begin % 2
        end -= (end - begin) % 2
    file.seek(begin)
    return file.read(max(0, end - begin)).decode(*encoding), begin


def lines(text: str) -> Iterator[str]:
    """Line by line; only what ends lines in a log does, so that nobody's odd characters begin a new one."""
    for line in text.split("\n"):
        yield line.removesuffix("\r").removeprefix("\ufeff")


def last_start(file: BufferedReader, encoding: Encoding) -> int:
    """Where in a main log the lines of its last start begin: 0 unless it was appended to (`--append`)."""
    size = file.seek(0, os.SEEK_END)
    for mark in _MARKS:
        wanted = mark.encode(encoding[0])
        end = size
        while end > max(0, size - _MAX_SEARCHED):
            begin = max(0, end - _BLOCK)
            file.seek(begin)
            block = file.read(end - begin + len(wanted))
            place = block.rfind(wanted)
            while place >= 0:
                found = _beginning(file, begin + place, encoding)
                if found is not None:
                    return found
                place = block.rfind(wanted, 0, place)
            end = begin
    return 0


def _beginning(file: BufferedReader, place: int, encoding: Encoding) -> int | None:
    """Where the line around that place begins, if it is one that a start begins with."""
    around, begin = text(file, max(0, place - _LONGEST_STAMP), place + _LONGEST_STAMP, encoding)
    first = len(text(file, begin, place, encoding)[0])
    line = around.rfind("\n", 0, first) + 1
    if not _BEGINS.match(around[line:].removeprefix("\ufeff")):
        return None
    return begin + len(around[:line].encode(*encoding))
