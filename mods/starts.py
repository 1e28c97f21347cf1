"""Which mods a server runs: its starts, as its log tells of them, and the set of mods that it had then.

Writes `FolderState`, `ServerStart` and what the log says was refused, after each scan. What was changed since the
latest start takes effect at the next one only.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from events.kinds import Kind
from events.record import record
from mods import logfile, modset, problems, serverlog
from mods.models import Crash, FolderState, GameServer, InstalledMod, ServerStart
from mods.modset import Entry
from mods.needs import BASE_GAME
from vsadmin.lib import logs

MAX_STATES = 200
MAX_STARTS = 200
#: States are needed as long as one of so many starts may have had them.
_STARTS_WITH_STATES = 20

#: A start is good once the server ran so long without a crash and without being started again.
GOOD_AFTER = timedelta(minutes=10)
#: So many good starts of a server are never forgotten, however many others there are.
GOOD_KEPT = 20

#: So long after its start a server may still be writing what failed.
_SETTLING = timedelta(minutes=15)
#: So long after the first line of its log it has read its mods.
READING = timedelta(seconds=10)
_QUARTER = timedelta(minutes=15)


# --- after a scan


@dataclass(frozen=True, slots=True)
class Noted:
    """The latest start known after a scan, with its time and whether it was good alone; `is_new`: this scan saw it
    first."""

    start: ServerStart
    is_new: bool = False


def after_scan(server: GameServer, *, now: datetime, scanned_before: datetime | None) -> Noted | None:
    """Note a start that the log newly tells of. Call it when the rows of a scan are written, and their set is noted.

    `now`: when it listed the folders; `scanned_before`: when the last whole scan did (None: this is the first).
    Returns the latest start known.
    """
    if not FolderState.objects.filter(server=server).exists():
        note_set(server, now=now, scanned_before=scanned_before)
    return _note_starts(server, now, scanned_before)


def note_set(server: GameServer, *, now: datetime, scanned_before: datetime | None) -> None:
    """Note the set of mods that the rows hold, if it isn't the one noted last.

    Call it in the transaction that writes the rows: a set that was written but not noted would be taken for the old
    one at the next start. `now` and `scanned_before` as for `after_scan`.
    """
    states = FolderState.objects.filter(server=server)
    entries = sets_now([server])[server.pk]
    last = states.first()
    if last is None:
        FolderState.objects.create(server=server, seen_at=now, seen_before_at=None, mods=modset.to_json(entries))
        return
    if modset.same(modset.from_json(last.mods), entries):
        return
    FolderState.objects.create(
        server=server,
        seen_at=max(now, last.seen_at),  # of a clock that was put back
        seen_before_at=max(scanned_before or last.seen_at, last.seen_at),
        mods=modset.to_json(entries),
    )
    _forget_states(server)


def _forget_states(server: GameServer) -> None:
    """Drop what was before the oldest of the latest starts, and whatever is too many."""
    states = FolderState.objects.filter(server=server)
    oldest = ServerStart.objects.filter(server=server).values_list("started_at", flat=True)[
        _STARTS_WITH_STATES - 1 : _STARTS_WITH_STATES
    ]
    for started_at in oldest:
        in_force = states.filter(seen_at__lte=started_at).values_list("seen_at", flat=True).first()
        if in_force is not None:
            states.filter(seen_at__lt=in_force).delete()
    surplus = list(states.values_list("pk", flat=True)[MAX_STATES:])
    if surplus:
        states.filter(pk__in=surplus).delete()


def new_archives(server: GameServer) -> list[Path]:
    """The folders to which starts moved logs since the last look at the logs, the oldest first."""
    seen = server.crash_log.get("archives")
    if seen is None:  # nobody looked yet: what stands there is past
        return []
    data_dir = Path(server.data_dir)
    return [data_dir / "Logs" / "Archive" / name for name in logfile.archives(data_dir) if name not in seen]


def _note_starts(server: GameServer, now: datetime, scanned_before: datetime | None) -> Noted | None:
    """Of the logs moved away since the last scan, whose runs began and ended meanwhile, and of the log."""
    latest = ServerStart.objects.filter(server=server).only("started_at", "good").first()
    is_new = False
    places = [*new_archives(server), Path(server.data_dir, "Logs")]
    for place in places:
        log = serverlog.find(place)
        start = _note_start(server, log, latest, now, scanned_before, is_past=place != places[-1]) if log else None
        if start is not None:
            is_new = True
            latest = start if latest is None or start.started_at > latest.started_at else latest
    return Noted(latest, is_new) if latest is not None else None


def _note_start(
    server: GameServer,
    log: Path,
    latest: ServerStart | None,
    now: datetime,
    scanned_before: datetime | None,
    *,
    is_past: bool,
) -> ServerStart | None:
    """The start that a log tells of, if it is one that wasn't known. `is_past`: the log was moved away."""
    started_at = serverlog.started_at(log, timezone.get_default_timezone())
    if started_at is None:
        return None
    if latest is not None and _is_same(latest.started_at, started_at, scanned_before):
        if server.refused is None or scanned_before is None or scanned_before < latest.started_at + _SETTLING:
            _renew(server, latest.pk, log)
        return None
    if started_at > now + timedelta(minutes=1):
        return None  # its clock or its zone isn't ours, so nothing follows from it
    if is_past and (scanned_before is None or started_at <= scanned_before):
        return None  # known, or of a time when nobody watched
    if ServerStart.objects.filter(server=server, started_at=started_at).exists():
        return None  # an older log was put back
    note_set(server, now=now, scanned_before=scanned_before)  # an earlier version may have stopped before it did
    return _write_start(server, log, started_at, is_news=scanned_before is not None)


def _write_start(server: GameServer, log: Path, started_at: datetime, *, is_news: bool) -> ServerStart:
    told = serverlog.read(log) or serverlog.Telling()
    mods = _set_at(server, started_at, told.loaded)
    with transaction.atomic():  # what else it tells isn't looked at again once the start is known
        start = ServerStart.objects.create(
            server=server,
            started_at=started_at,
            game_version=told.game_version,
            loaded=list(told.loaded),
            failures={key: list(sentences) for key, sentences in told.failures.items()},
            mods=mods,
        )
        _note_refusals(server, told, start)
        _forget_starts(server)
        if is_news:
            _tell(server, start)
    logs.event("server_start_seen", server=server.name, started_at=started_at.isoformat(), failed=len(told.failures))
    return start


def _tell(server: GameServer, start: ServerStart) -> None:
    failed = len(start.failures)
    record(
        Kind.STARTED,
        f"{server.pk}:{start.started_at.isoformat()}",
        _("%s started.") % server.name,
        text=ngettext("%d mod failed to load.", "%d mods failed to load.", failed) % failed if failed else "",
        at=start.started_at,
        about=start,
        server=server,
    )


def _forget_starts(server: GameServer) -> None:
    """Drop the oldest of too many; the latest good ones stay."""
    starts = ServerStart.objects.filter(server=server)
    surplus = set(starts.values_list("pk", flat=True)[MAX_STARTS:])
    if surplus:
        good = starts.filter(good=True).values_list("pk", flat=True)
        surplus -= {*good[:1], *good.filter(mods__isnull=False)[:GOOD_KEPT]}
        starts.filter(pk__in=surplus).delete()


# --- which starts were good


def settle(server: GameServer, noted: Noted | None, *, now: datetime) -> None:
    """Decide which starts were good. Call it after a scan, when crashes are written.

    The latest one is decided once its time is ten minutes away, whichever way a clock was set meanwhile; those before
    it when the next one is seen. No query where there is nothing to decide.
    """
    if noted is None:
        return
    is_due = noted.start.good is None and abs(now - noted.start.started_at) >= GOOD_AFTER
    if not (is_due or noted.is_new):
        return
    undecided = list(ServerStart.objects.filter(server=server, good=None).only("started_at").order_by("started_at"))
    if not undecided:
        return
    first = undecided[0].started_at
    times = list(
        ServerStart.objects.filter(server=server, started_at__gt=first)
        .order_by("started_at")
        .values_list("started_at", flat=True)
    )
    crashed = set(
        Crash.objects.filter(start__in=undecided, happened_at__lt=F("start__started_at") + GOOD_AFTER).values_list(
            "start", flat=True
        )
    )
    for start in undecided:
        following = next((moment for moment in times if moment > start.started_at), None)
        if start.pk in crashed or (following is not None and following - start.started_at < GOOD_AFTER):
            start.good = False
        elif following is not None or abs(now - start.started_at) >= GOOD_AFTER:
            start.good = True
        if start.good is not None:
            start.save(update_fields=["good"])
            logs.event(
                "server_start_settled", server=server.name, started_at=start.started_at.isoformat(), good=start.good
            )


def not_good(start: ServerStart) -> None:
    """Take it back: a crash of its first ten minutes came to be known late."""
    ServerStart.objects.filter(pk=start.pk, good=True).update(good=False)


def good_ones(server: GameServer) -> QuerySet[ServerStart]:
    """The good starts whose set of mods is known, the latest first: what can be put back."""
    return ServerStart.objects.filter(server=server, good=True, mods__isnull=False)


def on_that_day(moment: datetime) -> str:
    """What a start is called for good: "Tue 17 Nov 21:04"."""
    return formats.date_format(timezone.localtime(moment), "D j M H:i")


def _is_same(known: datetime, told: datetime, scanned_before: datetime | None) -> bool:
    """Whether the start that the log tells of is the one known.

    A new one is later than the scan before. One that isn't, and is whole quarter hours apart, is the known one, read
    with another zone this time.
    """
    if known == told:
        return True
    apart = abs(known - told)
    return (
        scanned_before is not None and told <= scanned_before and apart <= timedelta(hours=26) and not apart % _QUARTER
    )


def _note_refusals(server: GameServer, told: serverlog.Telling, start: ServerStart) -> None:
    then = modset.from_json(start.mods) if start.mods is not None else None
    refused = problems.note(server, told, start.started_at, then)
    if refused != server.refused:
        server.refused = refused
        server.save(update_fields=["refused"])
        problems.renew(server)


def _renew(server: GameServer, start_id: int, log: Path) -> None:
    """Add what the server has written since: it had only begun to start."""
    told = serverlog.read(log)
    if told is None:
        return
    start = ServerStart.objects.get(pk=start_id)
    said: dict[str, object] = {
        "game_version": told.game_version,
        "loaded": list(told.loaded),
        "failures": {key: list(sentences) for key, sentences in told.failures.items()},
    }
    if start.mods is not None and told.loaded != tuple(start.loaded):
        said["mods"] = _set_at(server, start.started_at, told.loaded)
    differing = [name for name, value in said.items() if getattr(start, name) != value]
    for name in differing:
        setattr(start, name, said[name])
    with transaction.atomic():
        if differing:
            start.save(update_fields=differing)
        if differing or server.refused is None:
            _note_refusals(server, told, start)


def _set_at(server: GameServer, started_at: datetime, ids: Iterable[str]) -> list[dict[str, object]] | None:
    """The set of mods that a server started at that time read; None if that isn't certain. `ids`: of its log."""
    states = FolderState.objects.filter(server=server)
    state = states.filter(seen_at__lte=started_at).first()
    following = states.filter(seen_at__gt=started_at).order_by("seen_at", "pk").first()
    loaded = _names(ids)
    watched = following is None or (following.seen_before_at or started_at) >= started_at + READING
    if state is not None and watched:
        # What the folders hold and the server loaded was there then. What they don't hold is loaded from elsewhere.
        here = {one.modid.lower() for one in sets_now([server])[server.pk]}
        if loaded & here <= _enabled(state):
            return list(state.mods)
    # Nobody looked between the last change and the start. What was put there by hand before it tells so itself.
    state = states.first() if _is_untouched(server, started_at) else None
    return list(state.mods) if state is not None and loaded <= _enabled(state) else None


def _enabled(state: FolderState) -> set[str]:
    """The ids, in lower case, of the mods in that set that the game may load."""
    return {one.modid.lower() for one in modset.from_json(state.mods) if one.enabled}


def _is_untouched(server: GameServer, since: datetime) -> bool:
    """Whether, as far as their times of change tell, neither a mod folder nor a file in one was changed after that."""
    try:
        changed = [Path(entry["path"]).stat().st_ctime_ns for entry in server.mod_folders]
        rows = InstalledMod.objects.filter(server=server).values_list("fingerprint", flat=True)
        changed += [int(fingerprint.split(":")[2]) for fingerprint in rows]
    except (OSError, ValueError, LookupError):  # one that can't be read, or of another version of vsadmin
        return False
    return bool(changed) and max(changed) < since.timestamp() * 10**9


def _names(ids: Iterable[str]) -> set[str]:
    """In lower case, without the game itself."""
    return {modid.lower() for modid in ids} - BASE_GAME


# --- the sets


_COLUMNS = ("server_id", "modid", "version", "sha256", "enabled", "disabled_by_config", "file_name", "name", "side")


def sets_now(servers: Iterable[GameServer]) -> dict[int, list[Entry]]:
    """What is in these servers' folders as of the last scans, by their keys; one query."""
    found: dict[int, list[Entry]] = defaultdict(list)
    rows = InstalledMod.objects.filter(server__in=list(servers)).order_by("file_name", "pk").values_list(*_COLUMNS)
    for server, modid, version, sha256, enabled, disabled_by_config, file_name, name, side in rows:
        loads = enabled and not disabled_by_config
        found[server].append(Entry(modid, version, sha256, loads, file_name, name, side))
    return found
