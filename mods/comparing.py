"""Two servers' mods side by side, and the wish that makes the one like the other."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext as _

from mods import modset, versions
from mods.models import GameServer, InstalledMod, InstalledModQuerySet, Operation
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


@dataclass(frozen=True, slots=True)
class Row:
    """One mod on both servers. `left`, `right`: the file that the game loads there, None where it has none."""

    #: As of `modset.key`.
    key: str
    name: str
    relation: Relation
    left: InstalledMod | None = None
    right: InstalledMod | None = None
    #: Every file of it on the right server.
    right_files: tuple[InstalledMod, ...] = ()

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
    files: dict[int, list[InstalledMod]] = {left.pk: [], right.pk: []}
    for one in _files([left, right]):
        files[one.server_id].append(one)
    lefts, rights = modset.by_mod(files[left.pk]), modset.by_mod(files[right.pk])
    rows = [_row(key, lefts.get(key, []), rights.get(key, [])) for key in {*lefts, *rights}]
    return tuple(sorted(rows, key=lambda row: (row.name.lower(), row.key)))


def wish(left: GameServer, right: GameServer, keys: Collection[str]) -> Wish:
    """The wish to make `right` like `left` for the mods with these keys. Those that are the same by now, or gone from
    both, are passed over."""
    targets: list[Target] = []
    for row in compare(left, right):
        if row.key not in keys or not row.can_be_wished:
            continue
        if row.left is not None:
            targets.append(target(row.left))
        else:
            targets += [Target(row=one.pk, remove=True) for one in row.right_files]
    return Wish(Operation.Kind.ALIGN.value, tuple(targets))


def target(one: InstalledMod) -> Target:
    """This very file, as a target for another server: its id, version and contents, and whether it is enabled."""
    return Target(
        modid=one.modid, version=one.version, file_id=file_id(one), sha256=one.sha256, enabled=one.enabled, held=None
    )


def file_id(one: InstalledMod) -> int | None:
    """The file's number in the mod database; None where it isn't known to be that very file."""
    release = one.release
    if release is None or (release.sha256 and one.sha256 and release.sha256 != one.sha256):
        return None
    return release.file_id


def _files(servers: Collection[GameServer]) -> InstalledModQuerySet:
    return (
        InstalledMod.objects.filter(server__in=servers)
        .select_related("release")
        .defer("description", "release__changelog", "release__file_url")
    )


def _row(key: str, lefts: list[InstalledMod], rights: list[InstalledMod]) -> Row:
    left, right = next(iter(lefts), None), next(iter(rights), None)
    subject = left or right
    assert subject is not None
    return Row(key, subject.name, _relation(left, right), left, right, tuple(rights))


def _relation(left: InstalledMod | None, right: InstalledMod | None) -> Relation:
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
