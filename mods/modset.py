"""The set of mods that a server has, as plain values that go into JSON and back. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any, Protocol, TypeVar

from mods import versions


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the set. `enabled`: whether the game may load it, `side`: universal, client, server or unknown."""

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

_NAMES = tuple(one.name for one in fields(Entry))


def to_json(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    return [asdict(one) for one in entries]


def from_json(data: Iterable[dict[str, Any]]) -> tuple[Entry, ...]:
    """Inverse of `to_json`; what another version of vsadmin wrote besides is passed over."""
    return tuple(Entry(**{name: one[name] for name in _NAMES if name in one}) for one in data)


def key(modid: str, file_name: str) -> str:
    """What says that two files are the same mod: the modid in any letter case, else the file's name.

    A key of the second sort begins with a slash.
    """
    return modid.lower() or "/" + file_name.removesuffix(".disabled")


def by_mod(files: Iterable[L]) -> dict[str, list[L]]:
    """The files of each mod by its `key`, first the one that the game loads: of those enabled the highest version."""
    found: dict[str, list[L]] = defaultdict(list)
    for one in sorted(files, key=lambda one: one.file_name):
        found[key(one.modid, one.file_name)].append(one)
    for same in found.values():
        same.sort(key=lambda one: (one.enabled, versions.sort_key(one.version)), reverse=True)
    return dict(found)


def same(one: Iterable[Entry], other: Iterable[Entry]) -> bool:
    """Whether both sets are the same mods: a file that was only renamed is no other mod."""
    return _essence(one) == _essence(other)


def _essence(entries: Iterable[Entry]) -> list[tuple[str, str, str, bool]]:
    return sorted((key(one.modid, one.file_name), one.version, one.sha256, one.enabled) for one in entries)
