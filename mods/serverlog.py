"""What a server's main log tells of its latest start: when it was, what was loaded, what wasn't and why. No ORM.

The log is begun anew at each start, so all of it stands at the beginning; one that is appended to (`--append`) is read
from its last start on. Mods write into it too: whatever is read is taken for hostile.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from io import BufferedReader
from pathlib import Path

from django.utils.translation import gettext as _

from mods import logclock, logdates, logfile, manifest

#: How much of the beginning is read: what the loading of mods writes is long before that.
MAX_READ = 2 * 1024 * 1024
_END = 16 * 1024
_HEAD = 512 * 1024
_MAX_IDS = 5000
_MAX_ID = 200
_MAX_DETAIL = 300
_MAX_SENTENCES = 10

# `2.12.2024 09:24:14 [Notification] …` is how nearly all lines begin; `logdates` knows the dates of other cultures.
_STAMP = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.2[01][0-9]{2} [0-9]{1,2}:[0-9]{2}:[0-9]{2} (?=\[)")
_LEVEL = re.compile(r"\[(?:Server )?([A-Za-z]{1,30})\] ?")
_VERSION = re.compile(r"Game Version: v?([0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(?:-[0-9A-Za-z.\-]{1,30})?)")
_FOUND = re.compile(r"Found ([0-9]{1,6}) mods \(([0-9]{1,6}) disabled\)")
_LOADED = "Mods, sorted by dependency:"
_SHARED = re.compile(r"Multiple mods share the mod ID '([^']{1,200})' \(")
_TAG = re.compile(r"\[([^\[\]]{1,200})\] ?")
_UNRESOLVED = "Could not resolve some dependencies"
_THROWN = "An exception was thrown"
_DEPENDENCY = re.compile(r"([^\s@]{1,200})(?:@(\S{0,100}))? - (.{1,300})")
_MISMATCH = re.compile(r"Version mismatch \(has (.{1,100})\)")


@dataclass(frozen=True, slots=True)
class Telling:
    """What the beginning of a log tells so far; a server that is just starting has yet to write the rest."""

    game_version: str = ""
    #: How many mods were found and how many of them are disabled; None where it isn't said.
    found: int | None = None
    disabled: int | None = None
    #: Ids as the log has them, the base game's included.
    loaded: tuple[str, ...] = ()
    #: Of each mod that failed, sentences why: by its id in lower case, or its file's name where no id was known.
    failures: dict[str, tuple[str, ...]] = field(default_factory=dict)
    #: Which of them failed for want of what they need, and which ids were found more than once.
    unresolved: frozenset[str] = frozenset()
    found_twice: frozenset[str] = frozenset()


def find(folder: Path) -> Path | None:
    """The main log in this folder of logs; None if there is none that can be seen."""
    found = logfile.find(folder, logfile.MAIN)
    return found[0] if found is not None else None


def game_version(path: Path) -> str:
    """The game's version as the log names it at its start, "" if it doesn't. Raises OSError."""
    match = _VERSION.search(_from_last_start(path, _HEAD))
    return match[1] if match else ""


def started_at(path: Path, zone: tzinfo) -> datetime | None:
    """When the server started (aware UTC, whole seconds), None where the log can't be read or doesn't say.

    Its lines have the local time of the machine, `zone`, or of the container that the server runs in (`logclock`).
    """
    try:
        with logfile.open_log(path) as file:
            encoding = logfile.encoding_of(file)
            begin = logfile.last_start(file, encoding)
            first = _first_stamp(logfile.text(file, begin, begin + _END, encoding)[0].split("\n"))
            last = _last_stamp(file)
            changed = _changed(file)
        if first is None or last is None:
            return None
        moment, latest = logdates.resolve([first, last], changed.replace(tzinfo=None))
        if moment is None or latest is None:
            return None
        # Where nobody wrote on after the first line, nothing follows from when that was.
        return logclock.to_utc(moment, zone, logclock.offset_told(latest, changed, zone) if latest > moment else None)
    except (OSError, OverflowError):
        return None


def read(path: Path) -> Telling | None:
    """What the log tells of its last start; None where it can't be read."""
    try:
        return parse(_from_last_start(path, MAX_READ))
    except OSError:
        return None


def _from_last_start(path: Path, limit: int) -> str:
    with logfile.open_log(path) as file:
        encoding = logfile.encoding_of(file)
        begin = logfile.last_start(file, encoding)
        return logfile.text(file, begin, begin + limit, encoding)[0]


def parse(text: str) -> Telling:
    """What this log, or this beginning of one, tells."""
    game_version, loaded = "", ""
    found: tuple[int, int] | None = None
    failures = _Failures()
    for line in logfile.lines(text):
        stamped = split(line)
        if stamped is None:
            failures.go_on(line)
            continue
        _when, level, said = stamped
        if not game_version and (match := _VERSION.match(said)):
            game_version = match[1]
        elif found is None and (match := _FOUND.match(said)):
            found = int(match[1]), int(match[2])
        elif not loaded and said.startswith(_LOADED):
            loaded = said[len(_LOADED) :]
        else:
            failures.take(level, said)
    return Telling(
        game_version=game_version,
        found=found[0] if found else None,
        disabled=found[1] if found else None,
        loaded=_ids(loaded),
        failures=failures.sentences(),
        unresolved=frozenset(failures.unresolved),
        found_twice=frozenset(failures.found_twice),
    )


class _Failures:
    """Collects what the log says of mods that weren't loaded, or threw an exception while they were."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = defaultdict(list)
        self.unresolved: set[str] = set()
        self.found_twice: set[str] = set()
        # Of which mod the next lines may give the missing dependencies, or the exception.
        self._unresolved = self._thrown = ""

    def take(self, level: str, said: str) -> None:
        """A line with a time of its own."""
        if level not in {"error", "warning", "fatal"}:
            self._close()
        elif match := _SHARED.match(said):
            self._close()
            files, _end, rest = said[match.end() :].partition("). ")
            words = {
                "files": _clean(files.replace("'", ""), _MAX_DETAIL),
                "version": _clean(rest.rpartition(" v")[2], 100).rstrip(". "),
            }
            text = _("When it started, the server found this mod id more than once (%(files)s). It loaded %(version)s.")
            self._add(match[1], text % words)
            self.found_twice.add(_key(match[1]))
        else:
            tag = _TAG.match(said)
            self._take_of_mod(tag[1] if tag else "", said[tag.end() :] if tag else said)

    def go_on(self, line: str) -> None:
        """A line without: it belongs to the one before."""
        if self._thrown and line.strip() and not line.lstrip().startswith("at "):
            self._add_exception(line)
        elif self._unresolved and (match := _DEPENDENCY.fullmatch(line.strip())):
            self._add(self._unresolved, _unresolved(match))

    def sentences(self) -> dict[str, tuple[str, ...]]:
        self._close()
        return {key: tuple(told) for key, told in self._found.items()}

    def _take_of_mod(self, mod: str, said: str) -> None:
        if mod and said.startswith(_UNRESOLVED):
            self._close()
            self._unresolved = mod
            self.unresolved.add(_key(mod))
        elif mod and said.startswith(_THROWN):
            self._close()
            self._thrown = mod
        elif self._thrown and mod == self._thrown:
            self._add_exception(said)
        elif self._unresolved and mod in {self._unresolved, ""} and (match := _DEPENDENCY.fullmatch(said.strip())):
            self._add(self._unresolved, _unresolved(match))
        else:
            self._close()

    def _add_exception(self, said: str) -> None:
        detail = _clean(said.strip().removeprefix("Exception: "), _MAX_DETAIL).rstrip(".")
        self._add(self._thrown, _("When the server started it, it failed: %s.") % detail)
        self._thrown = ""

    def _close(self) -> None:
        """Nothing more follows of what was begun: say it without the particulars."""
        if self._unresolved and not self._found.get(_key(self._unresolved)):
            self._add(self._unresolved, _("When the server started, it wasn't loaded: something it needs is missing."))
        if self._thrown:
            self._add(self._thrown, _("When the server started it, it failed; its log doesn't say why."))
        self._unresolved = self._thrown = ""

    def _add(self, mod: str, sentence: str) -> None:
        key = _key(mod)
        if key not in self._found and len(self._found) >= _MAX_IDS:
            return
        told = self._found[key]
        if sentence not in told and len(told) < _MAX_SENTENCES:
            told.append(sentence)


def _key(mod: str) -> str:
    """What the failures are kept by: an id, or a file's name."""
    return _clean(mod, _MAX_ID).strip().lower()


def _unresolved(match: re.Match[str]) -> str:
    words = {
        "mod": f"{_clean(match[1], _MAX_ID)} {_clean(match[2] or '', 100)}".strip(),
        "why": _clean(match[3], _MAX_DETAIL).rstrip("."),
    }
    if words["why"] == "Missing":
        return _("When the server started, it wasn't loaded: it needs %(mod)s, which was missing.") % words
    if mismatch := _MISMATCH.match(match[3]):
        words["has"] = _clean(mismatch[1], 100)
        return _("When the server started, it wasn't loaded: it needs %(mod)s, but there was %(has)s.") % words
    if "dependency errors itself" in words["why"]:
        return _("When the server started, it wasn't loaded: it needs %(mod)s, which wasn't loaded either.") % words
    return _("When the server started, it wasn't loaded: it needs %(mod)s (%(why)s).") % words


def _ids(listed: str) -> tuple[str, ...]:
    ids = (_clean(one.strip(), _MAX_ID) for one in listed.split(",", _MAX_IDS)[:_MAX_IDS])
    return tuple(dict.fromkeys(one for one in ids if one))


def _clean(text: str, limit: int) -> str:
    return manifest.clean(text, limit)


def split(line: str) -> tuple[str, str, str] | None:
    """Of a line with a time: that, its level in lower case, and what it says; None of any other line."""
    stamp = _STAMP.match(line)
    end = stamp.end() if stamp else line.find(" [", 0, logdates.LONGEST) + 1
    level = _LEVEL.match(line, end) if end else None
    if level is None or not (stamp or logdates.readings(line[:end])):
        return None
    return line[: end - 1], level[1].lower(), line[level.end() :]


def _first_stamp(lines: Iterable[str]) -> str | None:
    stamped = (split(line) for line in lines)
    return next((found[0] for found in stamped if found and logdates.readings(found[0])), None)


def _last_stamp(file: BufferedReader) -> str | None:
    size = file.seek(0, os.SEEK_END)
    text, _begin = logfile.text(file, max(0, size - _END), size, logfile.encoding_of(file))
    return _first_stamp(reversed(text.split("\n")))


def _changed(file: BufferedReader) -> datetime:
    """To the second, as logs have it."""
    return datetime.fromtimestamp(int(os.fstat(file.fileno()).st_mtime), UTC)


def to_utc(file: BufferedReader, local: datetime, zone: tzinfo) -> datetime:
    """A local time from this log as aware UTC, as `started_at` reads them. Raises OSError, OverflowError."""
    changed, last = _changed(file), _last_stamp(file)
    latest = logdates.moment(last, changed.replace(tzinfo=None)) if last else None
    offset = logclock.offset_told(latest, changed, zone) if latest is not None else None
    return min(logclock.to_utc(local, zone, offset), changed)
