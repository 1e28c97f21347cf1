"""What is wrong with a server's installed mods: the one notion of a problem.

A mod has a problem if its file can't be read, if the game refuses it, if the same mod is there twice, if something it
needs isn't there, or if the server's log said that it wasn't loaded. The scan stores the sentences in
`InstalledMod.problems`, and in `has_problems` whether there are any; lists, counts, pages, JSON and events ask those.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from mods import manifest, modset, needs, serverlog, versions
from mods.models import GameServer, InstalledMod
from mods.modset import Entry
from mods.needs import State

#: What `judge` sets.
FIELDS = ("problems", "has_problems", "wont_load")
#: What `judge` reads of a row.
READ = (
    "modid", "modid_key", "file_name", "version", "sha256", "fingerprint", "enabled", "disabled_by_config", "side",
    "dependencies", "file_problems", "kind", *FIELDS,
)  # fmt: skip

#: The game itself among the files that a refusal remembers; no modid begins so.
_GAME = "@game"

Files = Mapping[str, Sequence[InstalledMod]]


def judge(rows: Sequence[InstalledMod], server: GameServer) -> list[InstalledMod]:
    """Set the problems of all the server's rows (unsaved), each of which has the columns `READ`.

    Returns those that this changed.
    """
    files = by_mod(rows)
    refused = standing(server, files)
    lacking, dependents = _lacking(files, server.game_version)
    unmet = lacking | _in_turn(files, refused, lacking, dependents)
    changed = []
    for row in rows:
        key = _key(row)
        problems = [*row.file_problems, *_duplicate(row, files[key]), *_named_as_disabled(row)]
        wont_load = rejection(row)
        if loads(row):
            refusal = refused.get(key, _NONE)
            problems += refusal.why
            if not refusal.for_needs:  # else the log says what is missing
                problems += unmet.get(key, ())
            if refusal.why and not (refusal.for_needs and key in lacking):
                wont_load = wont_load or refusal.why[0]
        if (problems, bool(problems), wont_load) != (row.problems, row.has_problems, row.wont_load):
            row.problems, row.has_problems, row.wont_load = problems, bool(problems), wont_load
            changed.append(row)
    return changed


def renew(server: GameServer) -> None:
    """Judge and save the server's rows again, once its log said something new of mods that weren't loaded."""
    rows = list(InstalledMod.objects.filter(server=server).only(*READ))
    InstalledMod.objects.bulk_update(judge(rows, server), FIELDS, batch_size=200)


def loads(row: InstalledMod) -> bool:
    """Whether the game tries to load the file."""
    return row.enabled and not row.disabled_by_config


def rejection(row: InstalledMod) -> str:
    """Why the game can't load the file, whatever else is there: it isn't a mod that can be read; "" if it is one."""
    fatal = (str(one) for one in row.file_problems if not row.modid_key or manifest.REJECTED in str(one))
    return next(fatal, "")


def by_mod(rows: Iterable[InstalledMod]) -> dict[str, list[InstalledMod]]:
    """The files of each mod by its `modset.key`, first the one that the game loads: of those enabled the highest
    version."""
    found: dict[str, list[InstalledMod]] = defaultdict(list)
    for row in rows:
        found[_key(row)].append(row)
    for same in found.values():
        if len(same) > 1:  # few are, and versions take time to read
            same.sort(key=lambda row: row.file_name)
            same.sort(key=lambda row: (loads(row), versions.sort_key(row.version)), reverse=True)
    return dict(found)


def _key(row: InstalledMod) -> str:
    return modset.key(row.modid_key, row.file_name)


def _duplicate(row: InstalledMod, same: Sequence[InstalledMod]) -> list[str]:
    others = [other for other in same if other is not row]
    if not others or not row.modid_key:
        return []
    names = ", ".join(
        f"{other.file_name} ({other.version or '?'})" for other in sorted(others, key=lambda other: other.file_name)[:5]
    )
    if row.enabled and any(other.enabled for other in others):
        consequence = _("The game loads only the highest version; remove the others.")
    else:
        consequence = _("Keep one of them.")
    return [_("The same mod is here more than once: also %s.") % names + " " + consequence]


def _named_as_disabled(row: InstalledMod) -> list[str]:
    if row.kind != InstalledMod.Kind.FOLDER or not modset.is_disabled(row.file_name) or row.disabled_by_config:
        return []
    said = _("The game loads a folder whatever its name, so .disabled at its end doesn't turn it off.")
    return [f"{said} {how_to_disable(row)}"]


def how_to_disable(row: InstalledMod) -> str:
    """What to do to have the game not load a mod that is a folder."""
    if not row.modid:
        return _("To disable it, move it out of the mod folder.")
    return _("To disable it, add “%s” to DisabledMods in serverconfig.json, under WorldConfig.") % row.modid


# --- what a mod needs


_Dependents = Mapping[str, Sequence[tuple[str, str]]]


def _lacking(files: Files, game_version: str) -> tuple[dict[str, list[str]], _Dependents]:
    """Of each mod that the game loads: what it needs and doesn't get, in sentences. And of each mod that is there, who
    needs it, with the id as that one writes it."""
    found: dict[str, list[str]] = {}
    dependents: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for key, same in files.items():
        row = same[0]
        if not loads(row) or row.side == "client":  # a server doesn't run those
            continue
        for modid, minimum in _needs(row).items():
            there = files.get(modid.lower(), ())
            has = there[0].version if there else None
            how = needs.state(modid, minimum, has, loads=bool(there) and loads(there[0]), game_version=game_version)
            if how is not State.MET:
                shown = game_version if modid.lower() in needs.BASE_GAME else has or "?"
                found.setdefault(key, []).append(needs.sentence(modid, minimum, how, shown))
            elif modid.lower() != key:
                dependents[modid.lower()].append((key, modid))
    return found, dependents


def _in_turn(
    files: Files, refused: Mapping[str, "Refusal"], lacking: Mapping[str, object], dependents: _Dependents
) -> dict[str, list[str]]:
    """What needs one that the game doesn't load isn't loaded either: those that lack nothing themselves."""
    found: dict[str, list[str]] = {}
    rejected = (key for key, same in files.items() if rejection(same[0]))
    todo = list({*rejected, *(key for key, one in refused.items() if one.for_needs), *lacking})
    seen = set(todo)
    while todo:
        for key, modid in dependents.get(todo.pop(), ()):
            if key not in lacking and key not in found:
                found[key] = [_("It needs %s, which the game doesn't load: see what is wrong with that one.") % modid]
            if key not in seen:
                seen.add(key)
                todo.append(key)
    return found


def _needs(row: InstalledMod) -> dict[str, str]:
    given = row.dependencies if isinstance(row.dependencies, dict) else {}
    return {str(modid): str(minimum or "") for modid, minimum in given.items()}


# --- what the server's log said


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the log said of a mod that wasn't loaded, in sentences. `for_needs`: for want of something that it needs.

    `files`: what was there then of the mod, and of all that it needs if `for_needs`, by the mods' keys. Once that
    differs, the refusal is out of date.
    """

    why: tuple[str, ...] = ()
    for_needs: bool = False
    files: Mapping[str, str] = field(default_factory=dict)


_NONE = Refusal()


def note(
    server: GameServer, told: serverlog.Telling, started_at: datetime, then: Sequence[Entry] | None
) -> dict[str, Any]:
    """The refusals that are known once a start's log was read, by the mods' keys, as JSON for `GameServer.refused`.

    A start that loaded a mod takes back what those before said of it; one that doesn't speak of it leaves it. `then`:
    the set of mods that the server read at its start, None if that isn't known.
    """
    files = by_mod(InstalledMod.objects.filter(server=server).only(*READ))
    loaded = {modid.lower() for modid in told.loaded}
    before, found = _known(server), {}
    for key, same in files.items():
        names = {key, *(row.file_name.lower() for row in same)}
        why = tuple(sentence for name in sorted(names & told.failures.keys()) for sentence in told.failures[name])
        if why and not (key in told.found_twice and len(same) > 1):  # else the files themselves say it
            for_needs = bool(names & told.unresolved)
            game = told.game_version or server.game_version
            # If it isn't known what the server read: the mod itself is taken for the same as now, what it needs isn't.
            since = dict.fromkeys(sorted(_reach(key, files) if for_needs else {key}), started_at) | {key: None}
            found[key] = Refusal(why, for_needs, {one: _then(one, files, then, since[one], game) for one in since})
        elif not why and key in before and key not in loaded and not (loaded and not same[0].modid_key):
            found[key] = before[key]
    return {key: asdict(one) | {"why": list(one.why)} for key, one in found.items()}


def standing(server: GameServer, files: Files) -> dict[str, Refusal]:
    """The refusals that are not out of date, by the mods' keys."""
    return {
        key: one
        for key, one in _known(server).items()
        if key in files
        and all(_now(other, files, server.game_version) == before for other, before in one.files.items())
    }


def _known(server: GameServer) -> dict[str, Refusal]:
    return {
        key: Refusal(tuple(map(str, one["why"])), bool(one["for_needs"]), dict(one["files"]))
        for key, one in (server.refused or {}).items()
    }


def _reach(key: str, files: Files) -> set[str]:
    """The mod and all that it needs, directly or not."""
    found, todo = {key}, [key]
    while todo:
        for row in files.get(todo.pop(), ()):
            for modid in _needs(row):
                one = _GAME if modid.lower() in needs.BASE_GAME else modid.lower()
                if one not in found:
                    found.add(one)
                    todo.append(one)
    return found


def _now(key: str, files: Files, game_version: str) -> str:
    if key == _GAME:
        return game_version
    return _essence((row.version, row.sha256) for row in files.get(key, ()) if loads(row))


def _then(key: str, files: Files, then: Sequence[Entry] | None, since: datetime | None, game_version: str) -> str:
    """What `_now` would have said when the server started; "?" if that isn't known and a file changed `since`."""
    if key == _GAME:
        return game_version
    if then is not None:
        same = [one for one in then if one.enabled and modset.key(one.modid, one.file_name) == key]
        return _essence((one.version, one.sha256) for one in same)
    if since is not None and any(_changed_at(row) > since.timestamp() for row in files.get(key, ())):
        return "?"
    return _now(key, files, game_version)


def _essence(files: Iterable[tuple[str, str]]) -> str:
    return " ".join(sorted(f"{version}:{sha256}" for version, sha256 in files))


def _changed_at(row: InstalledMod) -> float:
    """When the file last changed, in seconds since 1970; 0 if that isn't known."""
    try:
        return int(row.fingerprint.split(":")[2]) / 10**9
    except (ValueError, IndexError):
        return 0
