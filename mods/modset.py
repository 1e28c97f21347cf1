"""The set of mods that a server has, as plain values that go into JSON and back. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple, Protocol, TypeVar

from mods import versions


class Entry(NamedTuple):
    """One file of the set. `enabled`: whether the game may load it, `side`: universal, client, server or unknown.

    A tuple, since pages make and compare thousands of them.
    """

    modid: str = ""
    version: str = ""
    sha256: str = ""
    enabled: bool = True
    file_name: str = ""
    name: str = ""
    side: str = ""


class Like(Protocol):
    """What tells which of several files of one mod the game loads."""

    @property
    def modid(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def file_name(self) -> str: ...
    @property
    def enabled(self) -> bool: ...


L = TypeVar("L", bound=Like)

_DEFAULTS = tuple(Entry())

#: A file whose name ends so, in any letter case, isn't loaded: the game asks for .zip, .cs or .dll at its end.
DISABLED = ".disabled"


def to_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [one._asdict() for one in entries]


def from_json(data: Iterable[dict[str, Any]]) -> tuple[Entry, ...]:
    """Inverse of `to_json`; what another version of vsadmin wrote besides is passed over."""
    return tuple(Entry._make(map(one.get, Entry._fields, _DEFAULTS)) for one in data)


def is_disabled(file_name: str) -> bool:
    return file_name.lower().endswith(DISABLED)


def bare_name(file_name: str) -> str:
    """The file's name without what disables it."""
    return file_name[: -len(DISABLED)] if is_disabled(file_name) else file_name


def key(modid: str, file_name: str) -> str:
    """What says that two files are the same mod: the modid in any letter case, else the file's name.

    A key of the second sort begins with a slash.
    """
    return modid.lower() or "/" + bare_name(file_name)


def by_mod(files: Iterable[L]) -> dict[str, list[L]]:
    """The files of each mod by its `key`, first the one that the game loads: of those enabled the highest version."""
    found: dict[str, list[L]] = defaultdict(list)
    for one in sorted(files, key=lambda one: one.file_name):
        found[key(one.modid, one.file_name)].append(one)
    for same in found.values():
        if len(same) > 1:  # few are, and versions take time to read
            same.sort(key=lambda one: (one.enabled, versions.sort_key(one.version)), reverse=True)
    return dict(found)


def differing(one: Sequence[Entry], other: Sequence[Entry]) -> tuple[Sequence[Entry], Sequence[Entry]]:
    """Both sets without the mods whose files are all equal in both: of two sets of thousands a few are left."""
    these, those = set(one), set(other)
    if (len(these), len(those)) != (len(one), len(other)):
        return one, other  # equal files in two folders: how many there are counts
    changed = {key(entry.modid, entry.file_name) for entry in these ^ those}
    if not changed:
        return (), ()
    left, right = ([entry for entry in each if key(entry.modid, entry.file_name) in changed] for each in (one, other))
    return left, right


Pair = tuple[Entry | None, Entry | None]


def pairs(then: Iterable[Entry], now: Iterable[Entry]) -> list[Pair]:
    """The files of two sets, mod by mod: each with the one that stands in its place (the same bytes, where there are
    any), or None. Those handed in are handed back themselves, not equal ones."""
    old_ones, new_ones = by_mod(then), by_mod(now)
    found: list[Pair] = []
    for mod in sorted({*old_ones, *new_ones}):
        left = list(new_ones.get(mod, []))
        others = []
        for old in old_ones.get(mod, []):
            match = next((new for new in left if is_same_file(old, new)), None)
            if match is None:
                others.append(old)
            else:
                left = [new for new in left if new is not match]
                found.append((old, match))
        found += zip_longest(others, left)
    return found


def spares(entries: Iterable[Entry]) -> set[int]:
    """Of several enabled files of a mod those that the game doesn't load, by their `id()`: they aren't brought back."""
    several = (files for key, files in by_mod(entries).items() if not key.startswith("/"))
    return {id(one) for files in several for one in files[1:] if one.enabled}


def is_same_file(one: Entry, other: Entry) -> bool:
    """Whether both have the same bytes; folders, which have no SHA-256, count by their version."""
    return one.sha256 == other.sha256 and (bool(one.sha256) or one.version == other.version)


def deeds(then: Sequence[Entry], now: Sequence[Entry]) -> frozenset[str]:
    """What it takes to make `then` of `now`, less its spares: of "install", "update", "remove" and "toggle"."""
    wanted = set()
    left, right = differing(then, now)
    spare = spares(left)
    for old, new in pairs(left, right):
        if old is None or new is None:
            if old is None or id(old) not in spare:
                wanted.add("remove" if old is None else "install")
        elif not is_same_file(old, new):
            wanted.add("remove" if id(old) in spare else "update")
        elif old.enabled != new.enabled:
            wanted.add("toggle")
    return frozenset(wanted)


def same(one: Sequence[Entry], other: Sequence[Entry]) -> bool:
    """Whether both sets are the same mods: a file that was only renamed is no other mod."""
    left, right = differing(one, other)
    return _essence(left) == _essence(right)


def _essence(entries: Iterable[Entry]) -> list[tuple[str, str, str, bool]]:
    return sorted((key(one.modid, one.file_name), one.version, one.sha256, one.enabled) for one in entries)
