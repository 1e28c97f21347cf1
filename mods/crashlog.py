"""What a server's crash log tells: when it crashed, what the game names as the culprit, the error, what was loaded.

Pure, without ORM. The game appends an entry at each crash; the file may be of any size and in any encoding, be begun
anew or cut short, and end in the middle of an entry. Mods write into it too: whatever is read is taken for hostile.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from io import BufferedReader
from pathlib import Path

from mods import logdates, logfile, manifest, serverlog, stack

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
#: Fatal lines that are no further apart tell of one crash.
_ONE_CRASH = timedelta(minutes=1)
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
_HEAD = re.compile(r"(?P<when>[^\n]{0,120}?):? ?Critical error occurred(?P<rest>[^\n]*)")
_CULPRIT = re.compile(r"\s*in the following mods?:?\s*(.*)")
_ID = re.compile(r"([A-Za-z0-9_.\-]{1,200})@([^\s,;@]{1,100})")
_LOADED = re.compile(r"Loaded Mods:\s?(.*)")
_HARMONY = re.compile(r"Involved Harmony IDs?:\s?(.*)")
# That a thread died, and what of, where that line doesn't tell.
_DIED = "unhandled exception in thread"
_EXCEPTION = re.compile(r"Exception: |(?:[A-Z]\w*\.)+\w*Exception\b")

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
    #: Of its words: the same for the same entry however often it is read, and for one that says the very same.
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
    """New entries, the earliest first, and where to go on. `written`: when the file was last changed (aware UTC)."""

    entries: tuple[Entry, ...]
    position: Position
    written: datetime
    #: The local time of the file's last entry; None if it has none, or isn't whole.
    last: datetime | None = None
    #: Whether it went on where it was left: then every entry is another crash, whatever it says.
    is_continued: bool = False


def is_unchanged(told: os.stat_result, name: str, before: Position) -> bool:
    """Whether nothing was written since that position was noted, as far as `stat` tells."""
    return before.is_whole and (name, told.st_ino, told.st_size, told.st_mtime_ns) == (
        before.name,
        before.inode,
        before.size,
        before.mtime,
    )


def continues(path: Path, before: Position) -> bool:
    """Whether this is the file, or a copy of it, that was read up to there. Raises OSError."""
    with logfile.open_log(path) as file:
        return bool(_where_to_begin(file, before))


def read(path: Path, before: Position | None, *, now: float) -> Reading:
    """What was written after `before` (None: nobody looked at the file yet; then only its end is read).

    `now`: seconds since 1970. Raises OSError.
    """
    with logfile.open_log(path) as file:
        told = os.fstat(file.fileno())
        encoding = logfile.encoding_of(file)
        begin_at = _where_to_begin(file, before)
        start = begin_at if before is not None else max(0, told.st_size - FIRST_READ)
        collected: list[_Collected] = []
        consumed = told.st_size
        age = abs(now - told.st_mtime)  # whichever way a clock was set
        is_whole = age >= RESTING
        for begin, end in _parts(start, told.st_size):
            text, begin = logfile.text(file, begin, end, encoding)
            found = list(_entries(text))
            if end == told.st_size and found and not found[-1][1].error:
                is_whole = age >= RESTING_BARE
            if end == told.st_size and not is_whole:  # somebody may be in the middle of writing the last one
                place, _entry = found.pop() if found else (0, None)
                consumed = begin + len(text[:place].encode(*encoding))
            collected += [entry for _place, entry in found]
        position = Position(
            name=path.name,
            inode=told.st_ino,
            size=told.st_size,
            mtime=told.st_mtime_ns,
            offset=consumed,
            mark=_mark(file, consumed),
            is_whole=is_whole,
        )
    written = datetime.fromtimestamp(int(told.st_mtime), UTC)
    entries = _finished(collected, written.replace(tzinfo=None))[-MAX_ENTRIES:]
    last = entries[-1].happened if entries and is_whole else None
    return Reading(entries, position, written, last, is_continued=bool(begin_at))


def parse(text: str, written: datetime | None = None) -> tuple[Entry, ...]:
    """The entries of a crash log, or of a part of one. `written`: when it was last changed, in UTC without a zone; a
    date that can be read in several ways is taken to be the one that is next before it."""
    return _finished([entry for _place, entry in _entries(text)], written)


def fatal(path: Path, zone: tzinfo) -> list[tuple[Entry, datetime]]:
    """What killed a server as its main log tells it, each with its time as aware UTC. Raises OSError, OverflowError."""
    with logfile.open_log(path) as file:
        told = os.fstat(file.fileno())
        text, _begin = logfile.text(file, max(0, told.st_size - _FATAL_READ), told.st_size, logfile.encoding_of(file))
        if "Fatal]" not in text:
            return []
        entries = parse_fatal(text, datetime.fromtimestamp(told.st_mtime, UTC).replace(tzinfo=None))
        return [(entry, serverlog.to_utc(file, entry.happened, zone)) for entry in entries if entry.happened]


def parse_fatal(text: str, written: datetime | None = None) -> tuple[Entry, ...]:
    """The groups of `[Fatal]` entries in a main log's text, which a server writes when it crashes.

    A thread that dies says so in one, and of what in an `[Error]` that follows, perhaps after lines of others.
    """
    found: list[_Collected] = []
    began: datetime | None = None
    is_open = has_died = False
    untold = 0  # of how many threads it isn't said yet what they died of
    for line in logfile.lines(text):
        stamped = serverlog.split(line)
        if stamped is None:
            if is_open:
                if has_died and stack.is_frame(line[:_LINE]):
                    untold, has_died = untold - 1, False
                found[-1].take(line)
            continue
        when, level, said = stamped
        is_wanted = bool(found) and (untold > 0 or not found[-1].frames)
        is_cause = level == "error" and is_wanted and bool(_EXCEPTION.match(said))
        is_open = level == "fatal" or is_cause
        if not is_open:
            continue
        moment = logdates.moment(when, written)
        is_near = began is not None and moment is not None and abs(moment - began) <= _ONE_CRASH
        if is_cause and not is_near:
            is_open = False
            continue
        if not is_near:
            found.append(_Collected(when))
            began, untold = moment, 0
        has_died = level == "fatal" and _DIED in said
        untold = max(0, untold + has_died - is_cause)
        found[-1].take(said)
    return _finished(found, written)


# --- the file


def _where_to_begin(file: BufferedReader, before: Position | None) -> int:
    """After what was read, if this is the file it was read from, wherever it is now; else at the beginning."""
    if before is None or not before.name or os.fstat(file.fileno()).st_size < before.offset:
        return 0
    return before.offset if _mark(file, before.offset) == before.mark else 0


def _mark(file: BufferedReader, offset: int) -> str:
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


# --- entries


def _entries(text: str) -> Iterator[tuple[int, "_Collected"]]:
    """Each entry with the place in `text` where it begins. What comes before the first is passed over."""
    current: _Collected | None = None
    began = place = 0
    before: list[tuple[int, str]] = []  # lines that may begin the next entry
    version = ""
    for line in _lines_with_ends(text):
        bare = line.rstrip("\r\n").removeprefix("\ufeff")
        head = _head(bare, has_version=bool(version))
        if head is not None:
            if current is not None:
                yield began, current
            began = before[0][0] if before else place
            current = _Collected(*head, game_version=version)
            for _place, held in before:
                current.take_list(held)
            before, version = [], ""
        elif _RUNNING.match(bare) or _VERSION.match(bare):
            if _RUNNING.match(bare):
                before, version = [], ""
            before.append((place, bare))
            said = _VERSION.search(bare)
            version = said[1] if said else version
        elif before and (_LOADED.match(bare) or _HARMONY.match(bare)):  # they stood here up to 1.16
            before.append((place, bare))
        elif bare.strip():
            for _place, held in before:  # it was no beginning after all
                if current is not None:
                    current.take(held)
            before, version = [], ""
            if current is not None:
                current.take(bare)
        place += len(line)
    if current is not None:
        yield began, current


def _lines_with_ends(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield text[start:end]
        start = end


def _head(line: str, *, has_version: bool) -> tuple[str, str] | None:
    """When it happened, as it stands there, and the culprit, if this line is the one that says so; else None."""
    if "Critical error occurred" not in line[: logdates.LONGEST + 30]:
        return None
    match = _HEAD.match(line[: _LINE * 4])
    if match is None:
        return None
    when = match["when"].strip(" :")
    if not has_version and not logdates.readings(when):
        return None  # somebody's words
    culprit = _CULPRIT.match(match["rest"])
    return when, culprit[1].strip() if culprit else ""


def _finished(collected: list["_Collected"], written: datetime | None) -> tuple[Entry, ...]:
    """As entries, with the time of each."""
    moments = logdates.resolve([one.when for one in collected], written)
    return tuple(one.entry(moment) for one, moment in zip(collected, moments, strict=True))


@dataclass
class _Collected:
    """An entry in the making."""

    when: str
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
        if self.take_list(line):
            return
        if head := _CRITICAL.match(line[: _LINE * 4]):  # of a main log
            culprit = _CULPRIT.match(head[1])
            self.culprit = self.culprit or (culprit[1].strip() if culprit else "")
        else:
            if stack.is_frame(line[:_LINE]) and len(self.frames) < _MAX_FRAMES:
                self.frames.append(tidy(line.strip()))
            if len(self.error) < _ERROR_LINES:
                self.error.append(tidy(line.rstrip()))

    def take_list(self, line: str) -> bool:
        """Take the list of what was loaded or patched, if the line is one."""
        if self.loaded is None and (match := _LOADED.match(line[:_MAX_LOADED])):
            self.loaded = tuple(_ids(match[1]))
        elif not self.harmony and (match := _HARMONY.match(line[:_MAX_LOADED])):
            self.harmony = tuple(_names(match[1]))
        else:
            return False
        return True

    def entry(self, happened: datetime | None) -> Entry:
        blamed = tidy(self.culprit, 300).strip()
        named = _ID.search(blamed)
        error = "\n".join(self.error)
        essence = "\0".join((self.when, blamed, *self.error[:3]))
        return Entry(
            happened=happened,
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
