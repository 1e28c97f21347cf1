"""Two servers' mods side by side, and the wish that makes the one like the other."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from django.utils.translation import gettext as _

from mods import modset, versions
from mods.models import GameServer, InstalledMod, Operation
from mods.wishes import Target, Wish


class Relation(StrEnum):
    """What the left server has, seen from the right one."""

    SAME = "same"
    NEWER = "newer"
    OLDER = "older"
    #: The same version with other contents, enabled on one alone, or versions without an order.
    DIFFERENT = "different"
    ONLY_LEFT = "only_left"
    ONLY_RIGHT = "only_right"


class File(NamedTuple):
    """An installed file, as lists and comparisons name it; a tuple, since they take thousands."""

    server: int
    pk: int
    modid: str
    version: str
    sha256: str
    enabled: bool
    disabled_by_config: bool
    file_name: str
    name: str
    side: str
    required_on_client: bool
    #: Of the release that its version is: number of its file in the mod database, and the SHA-256 where it is known.
    release_file: int | None
    release_sha256: str | None
    #: The number of the mod's page there.
    asset: int | None

    @property
    def file_id(self) -> int | None:
        """The file's number in the mod database; None where it isn't known to be that very file."""
        is_other = self.release_sha256 and self.sha256 and self.release_sha256 != self.sha256
        return None if is_other else self.release_file


_COLUMNS = (
    *("server_id", "pk", "modid", "version", "sha256", "enabled", "disabled_by_config", "file_name", "name", "side"),
    *("required_on_client", "release__file_id", "release__sha256", "lookup__mod__asset_id"),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One mod on both servers. `left`, `right`: the file that the game loads there, None where it has none."""

    #: As of `modset.key`.
    key: str
    name: str
    relation: Relation
    left: File | None = None
    right: File | None = None
    #: Every file of it on the right server.
    right_files: tuple[File, ...] = ()

    @property
    def removes(self) -> bool:
        """Whether making the right server like the left one takes this mod away."""
        return self.relation is Relation.ONLY_RIGHT

    @property
    def can_be_wished(self) -> bool:
        """Whether there is anything to do, and a way to say it: a file without a mod id can't be had from anywhere."""
        return self.relation is not Relation.SAME and (self.removes or bool(self.left and self.left.modid))

    @property
    def words(self) -> str:
        """What the relation is, for a page that names the left server first."""
        return {
            Relation.SAME: _("same"),
            Relation.NEWER: _("newer on the left"),
            Relation.OLDER: _("older on the left"),
            Relation.DIFFERENT: self._how_different(),
            Relation.ONLY_LEFT: _("only on the left"),
            Relation.ONLY_RIGHT: _("only on the right"),
        }[self.relation]

    def _how_different(self) -> str:
        if self.left is None or self.right is None or not versions.same(self.left.version, self.right.version):
            return _("other version")
        if self.left.enabled != self.right.enabled:
            return _("disabled on the right") if self.left.enabled else _("disabled on the left")
        return _("same version, other contents")


def compare(left: GameServer, right: GameServer) -> tuple[Row, ...]:
    """Every mod that either has, by name; one query."""
    files = files_of([left, right])
    lefts, rights = (modset.by_mod(one for one in files if one.server == server.pk) for server in (left, right))
    rows = [_row(key, lefts.get(key, []), rights.get(key, [])) for key in {*lefts, *rights}]
    return tuple(sorted(rows, key=lambda row: (row.name.lower(), row.key)))


def wish(left: GameServer, right: GameServer, keys: Collection[str], *, all_but: Collection[str] | None = None) -> Wish:
    """The wish to make `right` like `left` for the mods with these keys. Those that are the same by now, or gone from
    both, are passed over.

    `all_but`: every other mod too but these, as far as that takes nothing away.
    """
    targets: list[Target] = []
    for row in compare(left, right):
        is_other = all_but is not None and row.key not in all_but and not row.removes
        if not (row.key in keys or is_other) or not row.can_be_wished:
            continue
        if row.left is not None:
            targets.append(target(row.left))
        else:
            targets += [Target(row=one.pk, remove=True) for one in row.right_files]
    return Wish(Operation.Kind.ALIGN.value, tuple(targets))


def target(one: File) -> Target:
    """This very file, as a target for another server: its id, version and contents, and whether it is enabled."""
    return Target(
        modid=one.modid, version=one.version, file_id=one.file_id, sha256=one.sha256, enabled=one.enabled, held=None
    )


def files_of(servers: Collection[GameServer]) -> list[File]:
    """The files of these servers, by their keys; one query."""
    rows = InstalledMod.objects.filter(server__in=servers).order_by("pk").values_list(*_COLUMNS)
    return [File._make(row) for row in rows]


def _row(key: str, lefts: list[File], rights: list[File]) -> Row:
    left, right = next(iter(lefts), None), next(iter(rights), None)
    subject = left or right
    assert subject is not None
    return Row(key, subject.name, _relation(left, right), left, right, tuple(rights))


def _relation(left: File | None, right: File | None) -> Relation:
    if right is None:
        return Relation.ONLY_LEFT
    if left is None:
        return Relation.ONLY_RIGHT
    if not versions.same(left.version, right.version):
        if versions.newer(left.version, right.version):
            return Relation.NEWER
        return Relation.OLDER if versions.newer(right.version, left.version) else Relation.DIFFERENT
    other_contents = left.sha256 and right.sha256 and left.sha256 != right.sha256  # a folder has no digest
    return Relation.DIFFERENT if other_contents or left.enabled != right.enabled else Relation.SAME
