"""What a server's main log tells of its latest start: when it was, what was loaded, what wasn't and why. No ORM.

The log is begun anew at each start, so all of it stands at the beginning. Mods write into it too: whatever is read is
taken for hostile.
"""

import codecs
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext as _

from mods import manifest

NAMES = ("server-main.log", "server-main.txt")

#: How much of the beginning is read: what the loading of mods writes is long before that.
MAX_READ = 2 * 1024 * 1024
_END = 16 * 1024
_MAX_IDS = 5000
_MAX_ID = 200
_MAX_DETAIL = 300
_MAX_SENTENCES = 10

# `2.12.2024 09:24:14 [Notification] …`; where the machine speaks English, `12/2/2024 9:24:14 AM [Notification] …` too.
_STAMP = re.compile(
    r"(?P<a>[0-9]{1,2})(?P<dot>[./])(?P<b>[0-9]{1,2})(?P=dot)(?P<year>2[01][0-9]{2})[,]?[ ]"
    r"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})[:.](?P<second>[0-9]{2})(?:[.,][0-9]{1,7})?"
    r"(?:[ \u00a0\u202f](?P<half>[AP]M))?[ ]"
)
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


def find(data_dir: Path) -> Path | None:
    """The main log of the server with this data folder; None where there is none that can be seen."""
    for name in NAMES:
        path = data_dir / "Logs" / name
        try:
            if stat.S_ISREG(path.stat().st_mode):
                return path
        except (OSError, ValueError):
            continue
    return None


def started_at(path: Path, zone: tzinfo) -> datetime | None:
    """When the server started (aware UTC, whole seconds), None where the log can't be read or doesn't say.

    Its lines have the local time of the machine, `zone`. A server in a container often has a zone of its own: where
    the last line and the file's time of change tell of another offset from UTC, that one counts.
    """
    try:
        with path.open("rb") as file:
            first = next((stamp for line in _lines(_text(file.read(_END))) if (stamp := _stamp(line))), None)
            if first is None:
                return None
            return _utc(first, zone, _observed_offset(file))
    except (OSError, OverflowError):
        return None


def read(path: Path) -> Telling | None:
    """What the log tells of the start; None where it can't be read."""
    try:
        with path.open("rb") as file:
            return parse(_text(file.read(MAX_READ)))
    except OSError:
        return None


def parse(text: str) -> Telling:
    """What this log, or this beginning of one, tells."""
    game_version, loaded = "", ""
    found: tuple[int, int] | None = None
    failures = _Failures()
    for line in _lines(text):
        stamp = _STAMP.match(line)
        if stamp is None:
            failures.go_on(line)
            continue
        level = _LEVEL.match(line, stamp.end())
        said = line[level.end() if level else stamp.end() :]
        if not game_version and (match := _VERSION.match(said)):
            game_version = match[1]
        elif found is None and (match := _FOUND.match(said)):
            found = int(match[1]), int(match[2])
        elif not loaded and said.startswith(_LOADED):
            loaded = said[len(_LOADED) :]
        else:
            failures.take(level[1].lower() if level else "", said)
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


def _text(raw: bytes) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    return raw.decode("utf-8-sig", "replace")


def _lines(text: str) -> Iterator[str]:
    """Line by line; only what ends lines in a log does, so that nobody's odd characters begin a new one."""
    for line in text.split("\n"):
        yield line.removesuffix("\r")


def _stamp(line: str) -> datetime | None:
    """The local time, without a zone, at the beginning of a line; None where there is none."""
    match = _STAMP.match(line)
    if match is None:
        return None
    day, month = int(match["a"]), int(match["b"])
    hour = int(match["hour"])
    if match["half"]:
        hour = hour % 12 + (12 if match["half"] == "PM" else 0)
        if match["dot"] == "/":
            day, month = month, day
    try:
        return datetime(int(match["year"]), month, day, hour, int(match["minute"]), int(match["second"]))  # noqa: DTZ001  # the log has no zone
    except ValueError:
        return None


def _utc(local: datetime, zone: tzinfo, observed: tuple[datetime, timedelta] | None) -> datetime:
    """A time of the log. An offset that the zone itself has at that time says nothing new: summer time may have ended
    between the start and the last line."""
    if observed is not None and observed[0] > local:  # else nobody wrote on after the first line
        last, offset = observed
        if offset not in {last.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}:
            return (local - offset).replace(tzinfo=UTC)
    return local.replace(tzinfo=zone).astimezone(UTC)


def stamp_of(line: str) -> tuple[datetime, str] | None:
    """The local time, without a zone, at the beginning of a line, and what follows it; None where there is none."""
    moment = _stamp(line)
    match = _STAMP.match(line)
    return (moment, line[match.end() :]) if moment is not None and match is not None else None


def fatal_at(path: Path, local: datetime, zone: tzinfo) -> datetime:
    """A local time from this log as aware UTC, as `started_at` reads them. Raises OSError, OverflowError."""
    with path.open("rb") as file:
        return _utc(local, zone, _observed_offset(file))


def offset_told(last: datetime, changed: float) -> timedelta | None:
    """How far a log's clock is from UTC if a file changed then (seconds since 1970) was written at the local time
    `last`; None where that is no whole number of quarter hours, as all offsets are."""
    apart = last - datetime.fromtimestamp(int(changed), UTC).replace(tzinfo=None)
    offset = timedelta(minutes=15) * round(apart / timedelta(minutes=15))
    if abs(apart - offset) > timedelta(seconds=3) or not timedelta(hours=-12) <= offset <= timedelta(hours=14):
        return None
    return offset


def to_utc(local: datetime, zone: tzinfo, offset: timedelta | None) -> datetime:
    """A log's local time as aware UTC: by the offset that was told, unless `zone` has that one too."""
    return _utc(local, zone, (local + timedelta(seconds=1), offset) if offset is not None else None)


def _observed_offset(file: BinaryIO) -> tuple[datetime, timedelta] | None:
    """The last line's local time, and how far it is from UTC if the file was changed when that line was written.

    None where `offset_told` says nothing: then the file was changed otherwise, or later.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END))
    lines = reversed(list(_lines(_text(file.read(_END)))))
    last = next((stamp for line in lines if (stamp := _stamp(line))), None)
    if last is None:
        return None
    offset = offset_told(last, os.fstat(file.fileno()).st_mtime)
    return None if offset is None else (last, offset)
