"""Crashes of servers, as their logs tell of them: written once each. `causes` says what may have caused them.

The only writer of `Crash` and of `GameServer.crash_log`. It is called after each scan; a log that nobody wrote to costs
one `stat` and no query. What was over when it was first seen is history: it is listed, and nobody is alarmed.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.kinds import Kind
from events.record import record
from mods import crashlog, logclock, logfile, modset, serverlog, stack, starts
from mods.crashlog import Entry, Position
from mods.models import Crash, GameServer, ServerStart
from mods.needs import BASE_GAME
from mods.starts import Noted
from vsadmin.lib import files, logs

#: Of a log that was never looked at, so many of its latest entries are kept as history.
HISTORY = 5
MAX_CRASHES = 200
#: An entry of the main log and one of the crash log that are no further apart tell of the same crash.
_SAME = timedelta(minutes=2)
#: Characters of what the game names that fit into a sentence; the rest stands on the crash's page.
_LONGEST_BLAMED = 80
#: Older than this, and from before the latest start known, a crash is history.
_NEWS = timedelta(days=1)


# --- after a scan


def after_scan(server: GameServer, noted: Noted | None, *, now: datetime) -> None:
    """Write down the crashes that a server's logs newly tell of. `noted`: what `starts.after_scan` returned.

    Raises OSError where a log can't be read, DatabaseError.
    """
    state = dict(server.crash_log)
    found = list(_found_in(server, state, now))
    if state == server.crash_log:
        return
    with transaction.atomic():
        written = _write(server, found, noted, now) if found else []
        server.crash_log = state
        server.save(update_fields=["crash_log"])
        if written:
            _tell(server, written)
            _forget(server)


@dataclass(frozen=True, slots=True)
class _Found:
    """An entry with its time as aware UTC. `is_new`: it is another crash, whatever was read before."""

    entry: Entry
    at: datetime
    is_new: bool = False
    from_main_log: bool = False


def _found_in(server: GameServer, state: dict[str, Any], now: datetime) -> Iterator[_Found]:
    """What the logs newly tell, those that were moved away since the last look first; `state` notes how far they were
    read. Raises OSError if one that wasn't moved away can't be read."""
    data_dir = Path(server.data_dir)
    places = [*starts.new_archives(server), data_dir / "Logs"]
    current = logfile.find(places[-1], logfile.CRASH)
    known = _position(state.get("log"))
    is_here = current is not None and known is not None and len(places) > 1 and crashlog.continues(current[0], known)
    for place in places:
        is_past = place != places[-1]
        crash_log = current if not is_past else None if is_here else logfile.find(place, logfile.CRASH)
        try:
            if crash_log is not None:
                yield from _in_crash_log(*crash_log, state, now)
            yield from _in_main_log(place, state, now)
        except OSError as error:
            if not is_past:
                raise
            logs.event("crash_log_unreadable", server=server.name, reason=files.in_words(error))  # the others go on
    # One that comes later is new from its first line on.
    state.setdefault("log", asdict(Position()))
    state["archives"] = logfile.archives(data_dir)


def _in_crash_log(path: Path, told: os.stat_result, state: dict[str, Any], now: datetime) -> Iterator[_Found]:
    """New entries of a crash log; notes in `state` how far it was read."""
    known = _position(state.get("log"))
    if known is not None and crashlog.is_unchanged(told, path.name, known):
        return
    reading = crashlog.read(path, known, now=now.timestamp())
    state["log"] = asdict(reading.position)
    zone = timezone.get_default_timezone()
    offset = logclock.offset_told(reading.last, reading.written, zone) if reading.last is not None else None
    for entry in reading.entries if known is not None else reading.entries[-HISTORY:]:
        at = logclock.to_utc(entry.happened, zone, offset) if entry.happened is not None else reading.written
        is_new = reading.is_continued or (known is not None and entry.happened is None)
        yield _Found(entry, min(at, reading.written, now), is_new)


def _position(stored: Any) -> Position | None:
    """None where nobody looked yet, or another version of vsadmin wrote it."""
    try:
        return Position(**stored)
    except TypeError:
        return None


def _in_main_log(place: Path, state: dict[str, Any], now: datetime) -> Iterator[_Found]:
    """What killed the server as its main log tells it, where that was written to since the last look."""
    log = serverlog.find(place)
    if log is None:
        return
    log = logfile.last_part(log)
    told = log.stat()
    stamp = [told.st_ino, told.st_size, told.st_mtime_ns]
    if state.get("main") == stamp:
        return
    state["main"] = stamp
    for entry, at in crashlog.fatal(log, timezone.get_default_timezone()):
        yield _Found(entry, min(at, now), from_main_log=True)


def _write(server: GameServer, found: Sequence[_Found], noted: Noted | None, now: datetime) -> list[Crash]:
    """Write those that aren't written yet; returns the new ones, the earliest first."""
    begin, end = min(one.at for one in found) - _SAME, max(one.at for one in found) + _SAME
    around = Crash.objects.filter(server=server)
    near = list(around.filter(happened_at__gte=begin, happened_at__lte=end))
    digests = set(around.values_list("digest", flat=True))
    names = _names(server)
    earlier = list(ServerStart.objects.filter(server=server, started_at__lte=end).defer("failures", "loaded")[:20])
    written: list[Crash] = []
    read: Counter[str] = Counter()
    for one in sorted(found, key=lambda one: (one.from_main_log, one.at)):
        start = _start_of(one, earlier)
        read[one.entry.digest] += 1
        digest = _digest(one, start, 1 if one.is_new else read[one.entry.digest])
        number = 1
        while one.is_new and digest in digests:  # it says the very same as an earlier one
            number += 1
            digest = _digest(one, start, number)
        if digest in digests:
            continue
        same = next((row for row in (*near, *written) if _is_same(row, one, start)), None)
        if same is not None and not (same.from_main_log and not one.from_main_log):
            continue
        crash = same or Crash(server=server, seen_at=now)
        _fill(crash, one, start, names)
        crash.digest = digest
        digests.add(digest)
        if same is None:
            crash.dismissed_at = None if _is_news(one.at, noted, now) else now
            written.append(crash)
        crash.save()
        if start is not None and one.at < start.started_at + starts.GOOD_AFTER:
            starts.not_good(start)
    return sorted(written, key=lambda crash: crash.happened_at)


def _digest(one: _Found, start: ServerStart | None, number: int) -> str:
    """What tells a crash from others of its server. `number`: it is the so manieth that says the very same."""
    if one.from_main_log and start is not None:  # one a run, whatever else mods write there
        return hashlib.sha256(f"main:{start.started_at.isoformat()}".encode()).hexdigest()
    return one.entry.digest if number == 1 else hashlib.sha256(f"{one.entry.digest}:{number}".encode()).hexdigest()


def _is_same(crash: Crash, one: _Found, start: ServerStart | None) -> bool:
    """Whether a crash known tells of the one found: a server that runs crashes once, whichever log says it."""
    if not (crash.from_main_log or one.from_main_log):
        return False
    if crash.start_id is not None and start is not None:
        return crash.start_id == start.pk
    return abs(crash.happened_at - one.at) <= _SAME


def _is_news(at: datetime, noted: Noted | None, now: datetime) -> bool:
    """Whether somebody should hear of it: it ended the latest run known, or is younger than a day."""
    return now - at < _NEWS or (noted is not None and at >= noted.start.started_at)


def _fill(crash: Crash, one: _Found, start: ServerStart | None, names: dict[str, str]) -> None:
    entry = one.entry
    loaded = {modid.lower(): version for modid, version in entry.loaded or ()}
    known = {**dict.fromkeys(loaded, ""), **names}
    crash.happened_at = one.at
    crash.game_version = entry.game_version
    crash.blamed = entry.blamed
    crash.blamed_key = _blamed(entry, known)
    crash.blamed_version = entry.blamed_version or loaded.get(crash.blamed_key, "")
    crash.error = entry.error
    crash.loaded = [list(pair) for pair in entry.loaded] if entry.loaded is not None else None
    mods = [(modid, name) for modid, name in known.items() if modid not in BASE_GAME]
    crash.involved = list(stack.involved(entry.frames, entry.harmony, mods))[:50]
    crash.start = start
    crash.from_main_log = one.from_main_log


def _blamed(entry: Entry, names: dict[str, str]) -> str:
    """The id, in lower case, of the mod that the game names; "" where its words name none that is known."""
    if entry.blamed_id:
        return entry.blamed_id.lower()
    said = entry.blamed.strip().lower()
    if not said:
        return ""
    return next((modid for modid, name in names.items() if said in {modid, name.lower()}), "")


def _names(server: GameServer) -> dict[str, str]:
    """Of each mod of the server's its name, by its id in lower case."""
    return {one.modid.lower(): one.name for one in starts.sets_now([server])[server.pk] if one.modid}


def _start_of(one: _Found, earlier: Sequence[ServerStart]) -> ServerStart | None:
    """The start of the run that crashed; None where that one was never seen: what was loaded then was something
    else. `earlier`: the latest first."""
    start = next((start for start in earlier if start.started_at <= one.at), None)
    if start is None or start.mods is None or not one.entry.loaded:
        return start
    loaded: dict[str, set[str]] = defaultdict(set)
    for modid, version in one.entry.loaded:
        loaded[modid.lower()].add(version)
    for key, same in modset.by_mod(modset.from_json(start.mods)).items():
        there = {file.version for file in same if file.enabled}  # of a mod that is there twice any may be named
        if there and "" not in there | loaded[key] and loaded[key] and not there & loaded[key]:
            return None
    return start


def _tell(server: GameServer, written: Sequence[Crash]) -> None:
    """One event, however many crashes a scan finds: a server in a loop crashes every minute."""
    alarming = [crash for crash in written if crash.dismissed_at is None]
    for crash in written:
        logs.event("server_crash_seen", server=server.name, at=crash.happened_at.isoformat(), blamed=crash.blamed_key)
    if not alarming:
        return
    last = alarming[-1]
    title = _("%s crashed.") % server.name
    if last.blamed:
        title += " " + _("The game names %s.") % blamed_in_words(last)
    others = len(alarming) - 1
    lines = [first_line(last)]
    if others:
        lines.append(ngettext("It crashed %d time before, too.", "It crashed %d times before, too.", others) % others)
    record(
        Kind.CRASHED,
        f"{server.pk}:{last.digest}",
        title,
        text="\n".join(line for line in lines if line),
        at=last.happened_at,
        about=last,
        server=server,
    )


def _forget(server: GameServer) -> None:
    surplus = list(Crash.objects.filter(server=server).values_list("pk", flat=True)[MAX_CRASHES:])
    if surplus:
        Crash.objects.filter(pk__in=surplus).delete()


# --- what people do about it


def dismiss(crash: Crash, *, by: str) -> int:
    """Say that it needs nothing more, nor do those of its server before it; returns how many were open."""
    open_ones = Crash.objects.filter(server=crash.server_id, happened_at__lte=crash.happened_at, dismissed_at=None)
    return open_ones.update(dismissed_at=timezone.now(), dismissed_by_name=by[:150])


# --- in words


def blamed_in_words(crash: Crash) -> str:
    """The mod that the game names, such as "deepmining 0.9.4"; its own words where they name none that is known."""
    text = crash.blamed if len(crash.blamed) <= _LONGEST_BLAMED else f"{crash.blamed[:_LONGEST_BLAMED].rstrip()}…"
    if crash.blamed_key and text.count("@") == 1 and " " not in text:
        return text.replace("@", " ")
    return text if crash.blamed_key else f"“{text}”"


def first_line(crash: Crash) -> str:
    return crash.error.split("\n", 1)[0].strip()[:300]
