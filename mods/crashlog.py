"""What a server's crash log tells: when it crashed, what the game names as the culprit, the error, what was loaded.

Pure, without ORM. The game appends an entry at each crash; the file may be of any size and in any encoding, be begun
anew or cut short, and end in the middle of an entry. Mods write into it too: whatever is read is taken for hostile.
"""

import codecs
import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from mods import manifest, serverlog

NAMES = ("server-crash.log", "server-crash.txt")

#: Bytes read at a time; of more than this, the beginning and the end, half each.
MAX_READ = 8 * 1024 * 1024
#: Of a file that nobody looked at before, only the end: what stands there is past.
FIRST_READ = 512 * 1024
#: Entries handed out at a time, the latest ones.
MAX_ENTRIES = 20
#: Bytes of the main log's end that are searched for what killed the server.
_FATAL_READ = 512 * 1024
#: Seconds that a file must rest before its last entry is taken to be whole.
RESTING = 2.0
#: The same where that entry tells of no error yet: a server that is going down may be slow.
RESTING_BARE = 30.0
#: Bytes before the position, by which the file is known again.
_MARK = 256

_LINE = 500  # characters of a line that count
_ENTRY_LINES = 2000
_ERROR_LINES = 12
_MAX_FRAMES = 300
_MAX_IDS = 2000
_MAX_LOADED = 256 * 1024  # characters of the one line that names them all

_RUNNING = re.compile(r"(?:I am )?Running on ")
_VERSION = re.compile(r"Game Version: v?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(?:-[0-9A-Za-z.\-]{1,30})?)")
_HEAD = re.compile(r"(?P<when>[^\n]{0,60}?):? ?Critical error occurred(?P<rest>[^\n]*)")
_CULPRIT = re.compile(r"\s*in the following mods?:?\s*(.*)")
_DATE = re.compile(
    r"(?P<a>[0-9]{1,4})(?P<dot>[./\-]) ?(?P<b>[0-9]{1,2})(?P=dot) ?(?P<c>[0-9]{1,4})[.,]?[ \u00a0\u202f]+"
    r"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})[:.](?P<second>[0-9]{2})"
    r"(?:[ \u00a0\u202f]?(?P<half>[AaPp]\.?[Mm]\.?))?\s*"
)
_ID = re.compile(r"([A-Za-z0-9_.\-]{1,200})@([^\s,;@]{1,100})")
_LOADED = re.compile(r"Loaded Mods:\s?(.*)")
_HARMONY = re.compile(r"Involved Harmony IDs?:\s?(.*)")
_FRAME = re.compile(r"\s*at (?=\S)")
_STAMPED_FATAL = re.compile(r"\[(?:Server )?Fatal\] ?")

# Paths say who the machine's user is: only the file's name stays. Each pattern goes over a line once.
_HOME = re.compile(
    r"(?:file:)?(?:(?<![A-Za-z])[A-Za-z]:)?[\\/]+(?:home|users|documents and settings)[\\/]+[^\\/\n'\":*?<>|]+",
    re.IGNORECASE,
)
_PATHS = (
    re.compile(r"~(?:[\\/]+[^\\/\n'\":*?<>|]+)*[\\/]+"),
    re.compile(r"(?:file:/+|(?<![A-Za-z]))[A-Za-z]:[\\/](?:[^\\/:*?\"<>|\n]*[\\/])*"),
    re.compile(r"\\\\(?:[^\\/:*?\"<>|\n]+[\\/])+"),
    re.compile(r"(?:file:/{1,3}|(?<![\w.:/<>~\-])/)(?:[^/\n'\":]+/)+"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One crash. Texts are bounded and clean, and name no folder."""

    #: By the machine's clock, without a zone; None where its date can't be read.
    happened: datetime | None
    game_version: str = ""
    #: What the game names as the culprit, as it stands there; "" where it names none.
    blamed: str = ""
    #: What of it is an id and a version; "" where it is free text.
    blamed_id: str = ""
    blamed_version: str = ""
    #: The error's first lines.
    error: str = ""
    #: Pairs of id and version, the base game's included; None where it isn't said.
    loaded: tuple[tuple[str, str], ...] | None = None
    harmony: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    #: The same for the same entry however often, and with whatever around it, it is read.
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a log was read: everything before `offset`. The file is known again by its inode and `mark`, a hash of
    what stood just before; size and mtime (ns) tell that nothing happened since. `is_whole` is False while its last
    entry may still be growing."""

    name: str = ""
    inode: int = 0
    size: int = 0
    mtime: int = 0
    offset: int = 0
    mark: str = ""
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Reading:
    """New entries, the earliest first, and where to go on. `written`: when the file was last changed (aware UTC).

    `offset`: how far the log's clock is from UTC as its last entry and the file's time tell, None where they don't.
    """

    entries: tuple[Entry, ...]
    position: Position
    written: datetime
    offset: timedelta | None = None


def find(data_dir: Path) -> tuple[Path, os.stat_result] | None:
    """The crash log of the server with this data folder; None where there is none that can be seen."""
    for name in NAMES:
        path = data_dir / "Logs" / name
        try:
            told = path.stat()
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(told.st_mode):
            return path, told
    return None


def is_unchanged(told: os.stat_result, name: str, before: Position) -> bool:
    """Whether nothing was written since that position was noted, as far as `stat` tells."""
    return before.is_whole and (name, told.st_ino, told.st_size, told.st_mtime_ns) == (
        before.name,
        before.inode,
        before.size,
        before.mtime,
    )


def read(path: Path, before: Position | None, *, now: float) -> Reading:
    """What was written after `before` (None: nobody looked at the file yet; then only its end is read).

    `now`: seconds since 1970. Raises OSError.
    """
    with path.open("rb") as file:
        told = os.fstat(file.fileno())
        encoding = _encoding(file)
        start = _where_to_begin(file, told, before)
        if before is None:
            start = max(start, told.st_size - FIRST_READ)
        entries: list[Entry] = []
        consumed = told.st_size
        age = abs(now - told.st_mtime)  # whichever way a clock was set
        is_whole = age >= RESTING
        for begin, end in _parts(start, told.st_size):
            text, begin = _text(file, begin, end, encoding)
            found = list(_entries(text, _local(told.st_mtime).date()))
            if end == told.st_size and found and not found[-1][1].error:
                is_whole = age >= RESTING_BARE
            if end == told.st_size and not is_whole:  # somebody may be in the middle of writing the last one
                place, _entry = found.pop() if found else (0, None)
                consumed = begin + len(text[:place].encode(*encoding))
            entries += [entry for _place, entry in found]
        position = Position(
            name=path.name,
            inode=told.st_ino,
            size=told.st_size,
            mtime=told.st_mtime_ns,
            offset=consumed,
            mark=_mark(file, consumed),
            is_whole=is_whole,
        )
    latest = {entry.digest: entry for entry in entries}
    last = entries[-1].happened if entries else None
    return Reading(
        entries=tuple(latest.values())[-MAX_ENTRIES:],
        position=position,
        written=datetime.fromtimestamp(told.st_mtime, UTC),
        offset=serverlog.offset_told(last, told.st_mtime) if last and is_whole else None,
    )


def parse(text: str, written: date | None = None) -> tuple[Entry, ...]:
    """The entries of a crash log, or of a part of one. `written`: the day on which it was last changed; a date that
    can be read in two ways is taken to be the one that is next before it."""
    return tuple(entry for _place, entry in _entries(text, written))


def fatal(path: Path) -> Entry | None:
    """The last group of `[Fatal]` entries of a main log, which a server writes when it crashes. Raises OSError."""
    with path.open("rb") as file:
        told = os.fstat(file.fileno())
        text, _begin = _text(file, max(0, told.st_size - _FATAL_READ), told.st_size, _encoding(file))
    return parse_fatal(text) if "Fatal]" in text else None


def parse_fatal(text: str) -> Entry | None:
    """The same of a log's text. The times of a main log are `serverlog`'s."""
    found: _Collected | None = None
    is_open = False
    for line in _lines(text):
        stamped = serverlog.stamp_of(line)
        if stamped is None:
            if found is not None and is_open:
                found.take(line)
            continue
        moment, rest = stamped
        said = _STAMPED_FATAL.match(rest)
        is_open = said is not None
        if said is None:
            continue
        if found is None or found.happened is None or moment - found.happened > timedelta(minutes=1):
            found = _Collected(moment)
        found.take(rest[said.end() :])
    return found.entry() if found is not None else None


# --- the file


def _where_to_begin(file: BinaryIO, told: os.stat_result, before: Position | None) -> int:
    """After what was read, where this is the file it was read from; else at the beginning."""
    if before is None or not before.name or told.st_ino != before.inode or told.st_size < before.offset:
        return 0
    return before.offset if _mark(file, before.offset) == before.mark else 0


def _mark(file: BinaryIO, offset: int) -> str:
    begin = max(0, offset - _MARK)
    file.seek(begin)
    return hashlib.sha256(file.read(offset - begin)).hexdigest()[:32]


def _parts(start: int, end: int) -> Iterator[tuple[int, int]]:
    """What of a file is read: all that is new, unless that is too much; then its beginning and its end."""
    if end - start <= MAX_READ:
        yield start, end
    else:
        yield start, start + MAX_READ // 2
        yield end - MAX_READ // 2, end


#: Each with a way to decode that can be turned back, so that a place in the text is one in the file.
_UTF_8, _UTF_16_LE, _UTF_16_BE = (
    ("utf-8", "surrogateescape"),
    ("utf-16-le", "surrogatepass"),
    ("utf-16-be", "surrogatepass"),
)


def _encoding(file: BinaryIO) -> tuple[str, str]:
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


def _text(file: BinaryIO, begin: int, end: int, encoding: tuple[str, str]) -> tuple[str, int]:
    """That part of the file, and where it really begins: between two characters."""
    if encoding is not _UTF_8:
        begin += begin % 2
        end -= (end - begin) % 2
    file.seek(begin)
    return file.read(max(0, end - begin)).decode(*encoding), begin


def _lines(text: str) -> Iterator[str]:
    """Line by line; only what ends lines in a log does, so that nobody's odd characters begin a new one."""
    for line in text.split("\n"):
        yield line.removesuffix("\r").removeprefix("\ufeff")


def _local(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)


# --- entries


def _entries(text: str, written: date | None) -> Iterator[tuple[int, Entry]]:
    """Each entry with the place in `text` where it begins. What comes before the first is passed over."""
    current: _Collected | None = None
    began = place = 0
    before: list[tuple[int, str]] = []  # lines that may begin the next entry
    version = ""
    for line in _lines_with_ends(text):
        bare = line.rstrip("\r\n").removeprefix("\ufeff")
        head = _head(bare, written, has_version=bool(version))
        if head is not None:
            if current is not None:
                yield began, current.entry()
            began = before[0][0] if before else place
            current = _Collected(*head, game_version=version)
            before, version = [], ""
        elif _RUNNING.match(bare) or _VERSION.match(bare):
            if _RUNNING.match(bare):
                before, version = [], ""
            before.append((place, bare))
            said = _VERSION.search(bare)
            version = said[1] if said else version
        elif bare.strip():
            for _place, held in before:  # it was no beginning after all
                if current is not None:
                    current.take(held)
            before, version = [], ""
            if current is not None:
                current.take(bare)
        place += len(line)
    if current is not None:
        yield began, current.entry()


def _lines_with_ends(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _head(line: str, written: date | None, *, has_version: bool) -> tuple[datetime | None, str] | None:
    """When it happened and the culprit, where this line is the one that says so; else None."""
    if "Critical error occurred" not in line[:100]:
        return None
    match = _HEAD.match(line[: _LINE * 4])
    if match is None:
        return None
    happened = _moment(match["when"].strip(" :"), written)
    if happened is None and not has_version:
        return None  # somebody's words
    culprit = _CULPRIT.match(match["rest"])
    return happened, culprit[1].strip() if culprit else ""


def _moment(text: str, written: date | None) -> datetime | None:
    """A date as any machine's locale may write it; None where it can't be read.

    With AM or PM the month comes first. Where a slash leaves it open which is the month (a machine without any locale,
    as in many containers, writes 12/05/2026 20:39:11 on 5 December), it is the reading that is next before `written`,
    and the day comes first where nobody knows when that was.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    a, b, c = int(match["a"]), int(match["b"]), int(match["c"])
    if len(match["a"]) == 4:
        days = [(a, b, c)]
    elif match["half"]:
        days = [(c, a, b), (c, b, a)]
    else:
        days = [(c, b, a), *([(c, a, b)] if match["dot"] == "/" else [])]
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"][0] in "Pp" else 0)
    found = []
    for year, month, day in days:
        try:
            moment = datetime(year, month, day, hour, int(match["minute"]), int(match["second"]))  # noqa: DTZ001  # the log has no zone
        except ValueError:
            continue
        if 2000 <= year < 2200:
            found.append(moment)
    if written is not None and not match["half"]:
        latest = written + timedelta(days=1)  # of another zone
        found.sort(key=lambda moment: (moment.date() > latest, abs(moment.date() - written)))
    return found[0] if found else None


@dataclass
class _Collected:
    """An entry in the making."""

    happened: datetime | None
    culprit: str = ""
    game_version: str = ""
    error: list[str] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    loaded: tuple[tuple[str, str], ...] | None = None
    harmony: tuple[str, ...] = ()
    lines: int = 0

    def take(self, line: str) -> None:
        """One of its further lines."""
        if not line.strip() or self.lines >= _ENTRY_LINES:
            return
        self.lines += 1
        if self.loaded is None and (match := _LOADED.match(line[:_MAX_LOADED])):
            self.loaded = tuple(_ids(match[1]))
        elif not self.harmony and (match := _HARMONY.match(line[:_MAX_LOADED])):
            self.harmony = tuple(_names(match[1]))
        elif head := _CRITICAL.match(line[: _LINE * 4]):  # of a main log
            culprit = _CULPRIT.match(head[1])
            self.culprit = self.culprit or (culprit[1].strip() if culprit else "")
        else:
            if _FRAME.match(line[:_LINE]) and len(self.frames) < _MAX_FRAMES:
                self.frames.append(tidy(line.strip()))
            if len(self.error) < _ERROR_LINES:
                self.error.append(tidy(line.rstrip()))

    def entry(self) -> Entry:
        blamed = tidy(self.culprit, 300).strip()
        named = _ID.search(blamed)
        error = "\n".join(self.error)
        when = self.happened.isoformat() if self.happened else ""
        essence = "\0".join((when, blamed, *self.error[:3]))
        return Entry(
            happened=self.happened,
            game_version=self.game_version,
            blamed=blamed,
            blamed_id=named[1] if named else "",
            blamed_version=named[2] if named else "",
            error=error,
            loaded=self.loaded,
            harmony=self.harmony,
            frames=tuple(self.frames),
            digest=hashlib.sha256(essence.encode("utf-8", "surrogatepass")).hexdigest(),
        )


_CRITICAL = re.compile(r"Critical error occurred(.*)")


def _ids(listed: str) -> Iterator[tuple[str, str]]:
    """`id@version, id@version`; what has no version is an id alone."""
    for one in listed.split(",", _MAX_IDS)[:_MAX_IDS]:
        modid, _at, version = manifest.clean(one.strip(), 301).partition("@")
        if modid.strip():
            yield modid.strip()[:200], version.strip()[:100]


def _names(listed: str) -> Iterator[str]:
    for one in listed.split(",", _MAX_IDS)[:_MAX_IDS]:
        if name := tidy(one.strip(), 200):
            yield name


def tidy(text: str, limit: int = _LINE) -> str:
    """A line as it may be shown: of bounded length, printable, and with paths cut down to the file's name."""
    text = _HOME.sub("~", manifest.clean(text[: limit * 2], limit * 2))
    for pattern in _PATHS:
        text = pattern.sub("", text)
    return text[:limit]


# --- which mods are involved

#: Of the game and its libraries: every stack has them.
_EVERYWHERE = frozenset(
    {"system", "microsoft", "vintagestory", "vintagestoryapi", "vintagestorylib", "vintagestoryserver", "vsessentials",
     "vssurvivalmod", "vscreativemod", "harmonylib", "harmony", "opentk", "monomod", "protobuf", "newtonsoft", "cairo"}
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_]+")
#: Shorter names occur by chance in longer ones.
_LONG_ENOUGH = 5


def involved(entry: Entry, names: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Which of these mods (pairs of id and name) occur in the entry's stack or among its patches, as ids in lower
    case, that which occurs first first.

    A mod occurs where a part of a frame's namespace or type, or of a patch's name, is its id or its name; of the
    first part, and of a patch, it is enough that one begins with the other.
    """
    first: dict[str, tuple[int, int]] = {}
    others: dict[str, tuple[int, int]] = {}
    for place, frame in enumerate(entry.frames):
        words = _WORD.findall(frame.partition("(")[0].rpartition(" ")[2])
        for number, word in enumerate(words[:-1]):  # the last one is the method
            (others if number else first).setdefault(_plain(word), (place, number))
    for place, patch in enumerate(entry.harmony, start=len(entry.frames)):
        for word in _WORD.findall(patch):
            first.setdefault(_plain(word), (place, 0))
    found: list[tuple[tuple[int, int], str]] = []
    for modid, name in names:
        wanted = {_plain(modid), _plain(name)} - {""} - _EVERYWHERE
        places = [place for part, place in others.items() if part in wanted]
        places += [place for part, place in first.items() if part not in _EVERYWHERE and _is_about(part, wanted)]
        if places:
            found.append((min(places), modid.lower()))
    return tuple(dict.fromkeys(modid for _place, modid in sorted(found)))


def _is_about(part: str, wanted: set[str]) -> bool:
    return any(
        part == one or (min(len(part), len(one)) >= _LONG_ENOUGH and (part.startswith(one) or one.startswith(part)))
        for one in wanted
    )


def _plain(name: str) -> str:
    return "".join(character for character in name[:200].lower() if character.isalnum())
