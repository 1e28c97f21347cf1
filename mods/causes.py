"""What may have caused a crash: what changed since the last good start, the mod that the game names, the stack.

It reads what `crashes` and `starts` wrote, and writes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db.models import Count, Exists, F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from mods import modset, restart, starts, versions
from mods.models import Crash, CrashQuerySet, GameServer, InstalledMod, ServerStart, Step
from mods.needs import BASE_GAME
from mods.restart import Change, Difference


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
    #: When vsadmin placed that version, and the version that it replaced ("": none); None where it didn't.
    changed_at: datetime | None = None
    replaced: str = ""
    #: Whether the version from before isn't what is installed now.
    can_go_back: bool = False
    #: Whether the server would load it at its next start, and whether it wasn't there at the last good one.
    can_be_disabled: bool = False
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class GameChange:
    """The server's game went from one version to another since the last good start."""

    before: str
    after: str
    #: Names of the mods whose installed release isn't listed for the later version.
    unlisted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Story:
    """A crash, and what is known around it."""

    crash: Crash
    #: The last good start before that run, and what changed from there to it; None and empty where none is known.
    good: ServerStart | None = None
    changed: Difference = field(default_factory=Difference)
    game: GameChange | None = None
    #: The mod that the game names, then those changed since the last good start: those in the stack first.
    suspects: tuple[Suspect, ...] = ()
    #: Whether the set that crashed was another, and the server's folder has that start's very set again; whether it
    #: has another set now; and both sets.
    is_put_back: bool = False
    can_be_put_back: bool = False
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
    """What is known around each of these crashes; at most five queries."""
    unread = ("start__loaded", "start__failures")  # long, as the sets are
    rows = list(crashes.select_related("server", "start").defer(*unread).annotate(good_start=_last_good()))
    chosen: dict[int, int | None] = {row.pk: getattr(row, "good_start") for row in rows}  # noqa: B009  # annotated
    good = ServerStart.objects.defer("loaded", "failures").in_bulk({pk for pk in chosen.values() if pk})
    now = starts.sets_now({row.server for row in rows}) if rows else {}
    told = [_story(row, good.get(chosen[row.pk] or 0), tuple(now.get(row.server_id, ()))) for row in rows]
    return _with_times(_with_unlisted(told)) if told else []


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
    changed = restart.between(good.started_at, then, _set_of(crash, then, now))
    is_same = modset.same(then, now)
    after = crash.game_version or (crash.start.game_version if crash.start else "")
    has_other_game = bool(good.game_version and after) and not versions.same(good.game_version, after)
    return Story(
        crash=crash,
        good=good,
        changed=changed,
        game=GameChange(good.game_version, after) if has_other_game else None,
        suspects=_suspects(crash, changed, then, now),
        is_put_back=is_same and changed.any,
        can_be_put_back=not is_same,
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
            found.append(like._replace(enabled=True))
    return [*found, *(one for one in then if not one.modid)]  # of files without an id it says nothing


def _suspects(
    crash: Crash, changed: Difference, then: Sequence[modset.Entry], now: Sequence[modset.Entry]
) -> tuple[Suspect, ...]:
    added = {one.key for one in changed.added}
    changes = {one.key: one for one in (*changed.changed, *changed.added, *changed.enabled)}
    changes |= {one.key: one for one in (*changed.removed, *changed.disabled) if one.key not in changes}
    order = {key: place for place, key in enumerate(crash.involved)}
    keys = sorted(changes, key=lambda key: (key not in order, order.get(key, 0)))
    if crash.blamed_key:
        keys = [crash.blamed_key, *(key for key in keys if key != crash.blamed_key)]
    there, here = _files_of(keys, then), _files_of(keys, now)
    found = []
    for key in keys:
        one = here.get(key)
        change = changes.get(key) or Change(key, (one.name if one else "") or key, after=one.version if one else "")
        before = there[key].version if key in there else ""
        found.append(
            Suspect(
                key=key,
                name=change.name,
                version=crash.blamed_version if key == crash.blamed_key and crash.blamed_version else change.after,
                before=before,
                is_changed=key in changes,
                is_named=key == crash.blamed_key,
                is_involved=key in order,
                can_go_back=bool(before) and not key.startswith("/") and one is not None and one.version != before,
                can_be_disabled=one is not None and one.enabled and not key.startswith("/"),
                is_new=key in added,
            )
        )
    return tuple(found)


def _files_of(keys: Iterable[str], mods: Iterable[modset.Entry]) -> dict[str, modset.Entry]:
    """Of each of these mods that is in the set, by its key, the file that the game loads."""
    wanted = set(keys)
    files = modset.by_mod(one for one in mods if modset.key(one.modid, one.file_name) in wanted)
    return {key: same[0] for key, same in files.items()}


def _with_unlisted(told: Sequence[Story]) -> list[Story]:
    """With the mods that aren't listed for a game version that is new; one query, none if no game changed."""
    servers = {story.crash.server_id for story in told if story.game}
    listed: dict[tuple[int, str, str], tuple[str, list[str]]] = {}
    if servers:
        rows = InstalledMod.objects.filter(server__in=servers, release__isnull=False).values_list(
            "server_id", "modid_key", "version", "name", "release__game_versions"
        )
        listed = {(server, key, version): (name, names) for server, key, version, name, names in rows}
    found = []
    for story in told:
        if story.game:
            ran = {
                (one.modid.lower(), one.version) for one in _set_of(story.crash, story.then, story.now) if one.enabled
            }
            unlisted = [
                name
                for (server, key, version), (name, names) in listed.items()
                if server == story.crash.server_id
                and (key, version) in ran
                and versions.lists_any(names)
                and versions.compatibility(names, story.game.after) is not versions.Compatibility.COMPATIBLE
            ]
            story = replace(story, game=replace(story.game, unlisted=tuple(sorted(unlisted, key=str.lower))))
        found.append(story)
    return found


def _with_times(told: Sequence[Story]) -> list[Story]:
    """With when vsadmin placed the suspects' versions; one query."""
    keys = {suspect.key for story in told for suspect in story.suspects if suspect.version}
    steps: dict[tuple[int, str, str], list[tuple[datetime, str]]] = {}
    if keys:
        placed = Step.objects.carried_out().filter(
            server__in={story.crash.server_id for story in told}, modid_key__in=keys, done_at__isnull=False
        )
        for server, key, version, at, replaced in placed.annotate(at=F("done_at")).values_list(
            "server_id", "modid_key", "to_version", "at", "from_version"
        ):
            steps.setdefault((server, key, version), []).append((at, replaced))
    found = []
    for story in told:
        suspects = []
        for suspect in story.suspects:
            moments = steps.get((story.crash.server_id, suspect.key, suspect.version), [])
            before = [(at, replaced) for at, replaced in moments if at <= story.crash.happened_at]
            at, replaced = max(before, default=(None, ""))
            suspects.append(replace(suspect, changed_at=at, replaced=replaced))
        found.append(replace(story, suspects=tuple(suspects)))
    return found
