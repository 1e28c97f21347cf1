"""Crashes of servers, as their logs tell of them: written once each, with what may have caused them.

The only writer of `Crash` and of `GameServer.crash_log`. It is called after each scan; a log that nobody wrote to costs
one `stat` and no query. What was over when it was first seen is history: it is listed, and nobody is alarmed.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.kinds import Kind
from events.record import record
from mods import crashlog, modset, serverlog, starts
from mods.crashlog import Entry, Position
from mods.models import Crash, CrashQuerySet, GameServer, ServerStart, Step
from mods.needs import BASE_GAME
from mods.starts import Change, Difference, Noted
from vsadmin.lib import logs

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
    found = [*_in_crash_log(server, state, now), *_in_main_log(server, state)]
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
    """An entry with its time as aware UTC."""

    entry: Entry
    at: datetime
    from_main_log: bool = False


def _in_crash_log(server: GameServer, state: dict[str, Any], now: datetime) -> list[_Found]:
    """New entries of the crash log; notes in `state` how far it was read."""
    known = _position(state.get("log"))
    there = crashlog.find(Path(server.data_dir))
    if there is None:
        # One that comes later is new from its first line on.
        state.setdefault("log", asdict(Position()))
        return []
    path, told = there
    if known is not None and crashlog.is_unchanged(told, path.name, known):
        return []
    reading = crashlog.read(path, known, now=now.timestamp())
    state["log"] = asdict(reading.position)
    entries = reading.entries if known is not None else reading.entries[-HISTORY:]
    zone = timezone.get_default_timezone()
    found = []
    for entry in entries:
        at = reading.written
        if entry.happened is not None:
            at = serverlog.to_utc(entry.happened, zone, reading.offset)
        found.append(_Found(entry, at if at <= now + _NEWS else reading.written))
    return found


def _position(stored: Any) -> Position | None:
    """None where nobody looked yet, or another version of vsadmin wrote it."""
    try:
        return Position(**stored)
    except TypeError:
        return None


def _in_main_log(server: GameServer, state: dict[str, Any]) -> list[_Found]:
    """What killed the server as its main log tells it, where that was written to since the last look."""
    log = serverlog.find(Path(server.data_dir))
    if log is None:
        return []
    told = log.stat()
    stamp = [told.st_ino, told.st_size, told.st_mtime_ns]
    if state.get("main") == stamp:
        return []
    state["main"] = stamp
    entry = crashlog.fatal(log)
    if entry is None or entry.happened is None:
        return []
    at = serverlog.fatal_at(log, entry.happened, timezone.get_default_timezone())
    return [_Found(entry, at, from_main_log=True)]


def _write(server: GameServer, found: Sequence[_Found], noted: Noted | None, now: datetime) -> list[Crash]:
    """Write those that aren't written yet; returns the new ones, the earliest first."""
    begin, end = min(one.at for one in found) - _SAME, max(one.at for one in found) + _SAME
    around = Crash.objects.filter(server=server)
    near = list(around.filter(happened_at__gte=begin, happened_at__lte=end))
    digests = set(around.filter(digest__in=[one.entry.digest for one in found]).values_list("digest", flat=True))
    names = _names(server)
    earlier = list(ServerStart.objects.filter(server=server, started_at__lte=end).defer("failures", "loaded")[:20])
    written: list[Crash] = []
    for one in sorted(found, key=lambda one: (one.from_main_log, one.at)):
        if one.entry.digest in digests:
            continue
        start = _start_of(one, earlier)
        same = next((row for row in (*near, *written) if _is_same(row, one, start)), None)
        if same is not None and not (same.from_main_log and not one.from_main_log):
            continue
        crash = same or Crash(server=server, seen_at=now)
        _fill(crash, one, start, names)
        if same is None:
            crash.dismissed_at = None if _is_news(one.at, noted, now) else now
            written.append(crash)
        crash.save()
        if start is not None and one.at < start.started_at + starts.GOOD_AFTER:
            starts.not_good(start)
    return sorted(written, key=lambda crash: crash.happened_at)


def _is_same(crash: Crash, one: _Found, start: ServerStart | None) -> bool:
    """Whether a crash known tells of the one found: a server that runs crashes once, whichever log says it."""
    if not (crash.from_main_log or one.from_main_log):
        return False
    of_that_run = one.from_main_log and start is not None and crash.start_id == start.pk
    return of_that_run or abs(crash.happened_at - one.at) <= _SAME


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
    crash.involved = list(crashlog.involved(entry, mods))[:50]
    crash.start = start
    crash.digest = entry.digest
    crash.from_main_log = one.from_main_log
    if one.from_main_log and start is not None:  # one a run, whatever else mods write there
        crash.digest = hashlib.sha256(f"main:{start.started_at.isoformat()}".encode()).hexdigest()


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
    start = next((start for start in earlier if start.started_at <= one.at + timedelta(seconds=2)), None)
    if start is None or start.mods is None or not one.entry.loaded:
        return start
    loaded: dict[str, set[str]] = defaultdict(set)
    for modid, version in one.entry.loaded:
        loaded[modid.lower()].add(version)
    for key, files in modset.by_mod(modset.from_json(start.mods)).items():
        there = {file.version for file in files if file.enabled}  # of a mod that is there twice any may be named
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


# --- what may have caused it


@dataclass(frozen=True, slots=True)
class Suspect:
    """A mod that may have caused a crash. `before`: its version at the last good start, "" where it wasn't there."""

    key: str
    name: str
    version: str = ""
    before: str = ""
    #: Whether it changed since the last good start, the game names it, and it occurs in the stack.
    is_changed: bool = True
    is_named: bool = False
    is_involved: bool = False
    #: When vsadmin placed that version; None where it didn't.
    changed_at: datetime | None = None
    #: Whether the version from before isn't what is installed now.
    can_go_back: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """A crash, and what is known around it."""

    crash: Crash
    #: The last good start before that run, and what changed from there to it; None and empty where none is known.
    good: ServerStart | None = None
    changed: Difference = field(default_factory=Difference)
    #: The mod that the game names, then those changed since the last good start: those in the stack first.
    suspects: tuple[Suspect, ...] = ()
    #: Whether the server's folder has that start's very set (again); and both sets.
    is_put_back: bool = False
    then: tuple[modset.Entry, ...] = ()
    now: tuple[modset.Entry, ...] = ()
    #: How many crashes of that server are open, this one included.
    open_ones: int = 1


def latest_open(servers: Iterable[GameServer]) -> list[Story]:
    """Of each of these servers the latest crash that somebody should look at, the latest first.

    One query where there is none, else a number that follows nothing.
    """
    mine = Crash.objects.filter(server__in=list(servers)).open()
    newest = Crash.objects.filter(server=OuterRef("server")).open().values("pk")[:1]
    found = stories(mine.filter(pk=Subquery(newest)))
    if not found:
        return []
    counted = dict(mine.order_by().values_list("server").annotate(Count("pk")))
    return [replace(story, open_ones=counted.get(story.crash.server_id, 1)) for story in found]


def story_of(crash: Crash) -> Story:
    return stories(Crash.objects.filter(pk=crash.pk))[0]


def stories(crashes: CrashQuerySet) -> list[Story]:
    """What is known around each of these crashes; at most four queries."""
    rows = list(crashes.select_related("server", "start").annotate(good_start=_last_good()))
    chosen: dict[int, int | None] = {row.pk: getattr(row, "good_start") for row in rows}  # noqa: B009  # annotated
    good = ServerStart.objects.in_bulk({pk for pk in chosen.values() if pk})
    now = starts.sets_now({row.server for row in rows}) if rows else {}
    told = [_story(row, good.get(chosen[row.pk] or 0), tuple(now.get(row.server_id, ()))) for row in rows]
    return _with_times(told) if told else []


def _last_good() -> Coalesce:
    """The key of the last good start before the run that crashed; one whose own run ended in a crash comes last."""
    run_began = Coalesce(OuterRef("start__started_at"), OuterRef("happened_at"))
    good = ServerStart.objects.filter(
        server=OuterRef("server"), good=True, mods__isnull=False, started_at__lt=run_began
    ).order_by("-started_at", "-pk")
    quiet = good.filter(~Exists(Crash.objects.filter(start=OuterRef("pk"))))
    return Coalesce(Subquery(quiet.values("pk")[:1]), Subquery(good.values("pk")[:1]))


def _story(crash: Crash, good: ServerStart | None, now: tuple[modset.Entry, ...]) -> Story:
    if good is None:
        return Story(crash, suspects=_suspects(crash, Difference(), (), now), now=now)
    then = modset.from_json(good.mods or ())
    changed = starts.between(good.started_at, then, _set_of(crash, then, now))
    return Story(
        crash=crash,
        good=good,
        changed=changed,
        suspects=_suspects(crash, changed, then, now),
        is_put_back=modset.same(then, now),
        then=then,
        now=now,
    )


def _set_of(crash: Crash, then: Sequence[modset.Entry], now: Sequence[modset.Entry]) -> Sequence[modset.Entry]:
    """The set that crashed: the run's, else as the entry names it, else what is there now."""
    if crash.start is not None and crash.start.mods is not None:
        return modset.from_json(crash.start.mods)
    if not crash.loaded:
        return now
    known = {(one.modid.lower(), one.version): one for one in (*now, *then) if one.modid}
    found = []
    for modid, version in crash.loaded:
        if modid.lower() not in BASE_GAME:
            like = known.get((modid.lower(), version), modset.Entry(modid, version, name=modid))
            found.append(replace(like, enabled=True))
    return [*found, *(one for one in then if not one.modid)]  # of files without an id it says nothing


def _suspects(
    crash: Crash, changed: Difference, then: Sequence[modset.Entry], now: Sequence[modset.Entry]
) -> tuple[Suspect, ...]:
    versions_then = {key: files[0] for key, files in modset.by_mod(then).items()}
    versions_now = {key: files[0].version for key, files in modset.by_mod(now).items()}
    changes = {one.key: one for one in (*changed.changed, *changed.added, *changed.enabled)}
    changes |= {one.key: one for one in (*changed.removed, *changed.disabled) if one.key not in changes}
    order = {key: place for place, key in enumerate(crash.involved)}
    keys = sorted(changes, key=lambda key: (key not in order, order.get(key, 0)))
    if crash.blamed_key:
        keys = [crash.blamed_key, *(key for key in keys if key != crash.blamed_key)]
    names = {key: files[0].name for key, files in modset.by_mod(now).items()}
    found = []
    for key in keys:
        change = changes.get(key) or Change(key, names.get(key) or key, after=versions_now.get(key, ""))
        before = versions_then[key].version if key in versions_then else ""
        found.append(
            Suspect(
                key=key,
                name=change.name,
                version=crash.blamed_version if key == crash.blamed_key and crash.blamed_version else change.after,
                before=before,
                is_changed=key in changes,
                is_named=key == crash.blamed_key,
                is_involved=key in order,
                can_go_back=bool(before) and not key.startswith("/") and versions_now.get(key) not in (before, None),
            )
        )
    return tuple(found)


def _with_times(told: Sequence[Story]) -> list[Story]:
    """With when vsadmin placed the suspects' versions; one query."""
    keys = {suspect.key for story in told for suspect in story.suspects if suspect.version}
    steps: dict[tuple[int, str, str], list[datetime]] = {}
    if keys:
        placed = Step.objects.carried_out().filter(
            server__in={story.crash.server_id for story in told}, modid_key__in=keys, done_at__isnull=False
        )
        for server, key, version, at in placed.annotate(at=F("done_at")).values_list(
            "server_id", "modid_key", "to_version", "at"
        ):
            steps.setdefault((server, key, version), []).append(at)
    found = []
    for story in told:
        suspects = []
        for suspect in story.suspects:
            moments = steps.get((story.crash.server_id, suspect.key, suspect.version), [])
            before = [moment for moment in moments if moment <= story.crash.happened_at]
            suspects.append(replace(suspect, changed_at=max(before, default=None)))
        found.append(replace(story, suspects=tuple(suspects)))
    return found


# --- in words


def blamed_in_words(crash: Crash) -> str:
    """The mod that the game names, such as "deepmining 0.9.4"; its own words where they name none that is known."""
    text = crash.blamed if len(crash.blamed) <= _LONGEST_BLAMED else f"{crash.blamed[:_LONGEST_BLAMED].rstrip()}…"
    if crash.blamed_key and text.count("@") == 1 and " " not in text:
        return text.replace("@", " ")
    return text if crash.blamed_key else f"“{text}”"


def first_line(crash: Crash) -> str:
    return crash.error.split("\n", 1)[0].strip()[:300]
