"""What a restart would change: what is in a server's folders now against what it read when it started.

It writes nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from django.db.models import OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import modset, starts
from mods.models import FolderState, GameServer, ServerStart
from mods.modset import Entry
from mods.needs import BASE_GAME
from vsadmin.lib import times


@dataclass(frozen=True, slots=True)
class Change:
    """One mod that differs. `before`: the version that the server runs, `after`: the one in its folder; "" is none,
    or not known."""

    key: str
    name: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is in the server's folders now, against what it read when it started.

    `started_at`: None where no start is known; then nothing is said. `known`: whether the versions it runs are known;
    otherwise `added`, `removed` and `disabled` are told by the ids in its log, and what was changed by what was seen
    first after the start.
    """

    started_at: datetime | None = None
    known: bool = False
    changed: tuple[Change, ...] = ()
    added: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    enabled: tuple[Change, ...] = ()
    disabled: tuple[Change, ...] = ()

    @property
    def any(self) -> bool:
        """Whether a restart would change anything."""
        return bool(self.changed or self.added or self.removed or self.enabled or self.disabled)

    def summary(self) -> str:
        """Such as "3 changed, 1 added since the server started at 20:04"; "" where a restart would change nothing."""
        if self.started_at is None or not self.any:
            return ""
        return _("%(changes)s since the server started %(when)s") % {
            "changes": self._changes(),
            "when": _when(self.started_at),
        }

    def shown(self) -> SafeString | str:
        """The same for a page, whose reader may be in another zone than the server."""
        if self.started_at is None or not self.any:
            return ""
        return format_html(_("{} since the server started {}"), self._changes(), times.ago(self.started_at))

    def _changes(self) -> str:
        counts = (
            (len(self.changed), ngettext("%d changed", "%d changed", len(self.changed))),
            (len(self.added), ngettext("%d added", "%d added", len(self.added))),
            (len(self.removed), ngettext("%d removed", "%d removed", len(self.removed))),
            (len(self.enabled), ngettext("%d enabled", "%d enabled", len(self.enabled))),
            (len(self.disabled), ngettext("%d disabled", "%d disabled", len(self.disabled))),
        )
        return ", ".join(words % count for count, words in counts if count)


def _when(moment: datetime) -> str:
    local = timezone.localtime(moment)
    if local.date() == timezone.localdate():
        return _("at %s") % formats.date_format(local, "H:i")
    return _("on %s") % formats.date_format(local, "j M Y, H:i")


def between(started_at: datetime, before: Sequence[Entry], after: Sequence[Entry]) -> Difference:
    """How the second set differs from the first, which a server read when it started then; mods that a server
    doesn't run aside."""
    return _by_sets(started_at, before, after)


def restart_needed(server: GameServer) -> Difference:
    """What has changed since the server started; empty where nothing has, or nothing is known."""
    return _compared([server])[server.pk]


def for_servers(servers: Iterable[GameServer]) -> dict[int, Difference]:
    """The same for several servers, by their keys, as of their last scans; in at most seven queries.

    A set that was noted never changes, so what differs between two of them is worked out once in a process: a page
    that is looked at again and again asks only which two they are, however many mods they have.
    """
    wanted = list(servers)
    pairs = _pairs(wanted)
    found = {pair: _worked_out[pair] for pair in pairs.values() if pair in _worked_out}
    found |= _work_out({pair for pair in pairs.values() if pair not in found})
    if len(found.keys() | _worked_out.keys()) > _MAX_WORKED_OUT:
        _worked_out.clear()
    _worked_out.update(found)
    others = _compared([server for server in wanted if server.pk not in pairs])
    return {server.pk: found[pairs[server.pk]] if server.pk in pairs else others[server.pk] for server in wanted}


class _Pair(NamedTuple):
    """The set that a server read at its start and the one noted last, told apart from all others of all times.

    `loaded`: the ids that its log names, as JSON; while the log grows, they may make the start's set another one.
    """

    start: int
    started_at: datetime
    loaded: str
    state: int
    seen_at: datetime


_worked_out: dict[_Pair, Difference] = {}
_MAX_WORKED_OUT = 500


def _pairs(servers: list[GameServer]) -> dict[int, _Pair]:
    """By the keys of those servers of which both are known; one query."""
    noted = FolderState.objects.filter(server=OuterRef("server")).order_by("-seen_at", "-pk")
    known = _latest(servers).filter(mods__isnull=False).annotate(
        state=Subquery(noted.values("pk")[:1]), seen_at=Subquery(noted.values("seen_at")[:1])
    )  # fmt: skip
    columns = ("server_id", "pk", "started_at", Cast("loaded", TextField()), "state", "seen_at")
    return {server: _Pair(*pair) for server, *pair in known.filter(state__isnull=False).values_list(*columns)}


def _work_out(pairs: set[_Pair]) -> dict[_Pair, Difference]:
    """Two queries, none where there is nothing to work out."""
    if not pairs:
        return {}
    started = dict(ServerStart.objects.filter(pk__in=[pair.start for pair in pairs]).values_list("pk", "mods"))
    noted = dict(FolderState.objects.filter(pk__in=[pair.state for pair in pairs]).values_list("pk", "mods"))
    return {
        pair: _by_sets(
            pair.started_at,
            modset.from_json(started.get(pair.start) or ()),
            modset.from_json(noted.get(pair.state) or ()),
        )
        for pair in pairs
    }


def _compared(servers: list[GameServer]) -> dict[int, Difference]:
    """The differences by the servers' keys, mod by mod: in two queries; in four where it isn't known what one read."""
    if not servers:
        return {}
    latest = {start.server_id: start for start in _latest(servers)}
    now = starts.sets_now([server for server in servers if server.pk in latest])
    first = _first_seen([start for start in latest.values() if start.mods is None])
    return {
        server.pk: _difference(latest[server.pk], now[server.pk], first.get(server.pk))
        if server.pk in latest
        else Difference()
        for server in servers
    }


def _first_seen(unwatched: Iterable[ServerStart]) -> dict[int, tuple[Entry, ...]]:
    """The sets of mods as they were first seen once these servers had read theirs, by the servers' keys.

    Whatever differs from that was changed later than the server's start.
    """
    read_by = {start.server_id: start.started_at + starts.READING for start in unwatched}
    if not read_by:
        return {}
    chosen: dict[int, int] = {}
    states = FolderState.objects.filter(server__in=read_by).order_by("seen_at", "pk")
    for server, pk, seen_at in states.values_list("server_id", "pk", "seen_at"):
        if server not in chosen or seen_at <= read_by[server]:
            chosen[server] = pk
    found = FolderState.objects.in_bulk(chosen.values())
    return {server: modset.from_json(found[pk].mods) for server, pk in chosen.items() if pk in found}


def _latest(servers: Iterable[GameServer]) -> QuerySet[ServerStart]:
    newest = ServerStart.objects.filter(server=OuterRef("server")).order_by("-started_at", "-pk").values("pk")[:1]
    return ServerStart.objects.filter(server__in=list(servers), pk=Subquery(newest))


def _difference(start: ServerStart, now: list[Entry], first_seen: Sequence[Entry] | None) -> Difference:
    if start.mods is not None:
        return _by_sets(start.started_at, modset.from_json(start.mods), now)
    since = replace(_by_sets(start.started_at, now if first_seen is None else first_seen, now), known=False)
    return replace(_by_ids(start, now), changed=since.changed) if start.loaded else since


def _by_sets(started_at: datetime, before: Sequence[Entry], now: Sequence[Entry]) -> Difference:
    told: dict[str, list[Change]] = defaultdict(list)
    old_ones, new_ones = (modset.by_mod(files) for files in modset.differing(before, now))
    for key in sorted({*old_ones, *new_ones}):
        old = next(iter(old_ones.get(key, [])), None)
        new = next(iter(new_ones.get(key, [])), None)
        if "client" not in {one.side for one in (old, new) if one}:  # a server doesn't run those
            how = _how(old, new)
            if how:
                told[how].append(_change(key, old, new))
    return Difference(started_at, known=True, **{how: tuple(changes) for how, changes in told.items()})


def _how(old: Entry | None, new: Entry | None) -> str:
    """How the mod that the server runs differs from what it would run after a restart; "" where it doesn't."""
    ran, would_run = old is not None and old.enabled, new is not None and new.enabled
    if ran and would_run:
        return "" if old and new and (old.version, old.sha256) == (new.version, new.sha256) else "changed"
    if ran:
        return "removed" if new is None else "disabled"
    if would_run:
        return "added" if old is None else "enabled"
    return ""


def _change(key: str, old: Entry | None, new: Entry | None) -> Change:
    subject = new or old or Entry()
    return Change(
        key=key,
        name=subject.name or subject.modid or subject.file_name,
        before=old.version if old and old.enabled else "",
        after=new.version if new and new.enabled else "",
    )


def _by_ids(start: ServerStart, now: Iterable[Entry]) -> Difference:
    """Where nobody was watching: by the ids that the log names as loaded.

    Mods that the log says failed count as tried: they were there. Files without an id say nothing, nor do mods for
    players' machines, which some versions of the game name and some don't.
    """
    loaded = {modid.lower(): modid for modid in start.loaded if modid.lower() not in BASE_GAME}
    there = {key: files[0] for key, files in modset.by_mod(now).items() if files[0].modid}
    failed = {modset.bare_name(key) for key in start.failures}
    added, removed, disabled = [], [], []
    for key, entry in sorted(there.items()):
        if entry.side == "client" or key in BASE_GAME:
            continue
        if key in loaded and not entry.enabled:
            disabled.append(_change(key, None, entry))
        elif key not in loaded and entry.enabled and not {key, entry.file_name.lower()} & failed:
            added.append(_change(key, None, entry))
    for key, modid in sorted(loaded.items()):
        if key not in there:
            removed.append(Change(key, modid))
    return Difference(start.started_at, added=tuple(added), removed=tuple(removed), disabled=tuple(disabled))
