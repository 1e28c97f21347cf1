"""Whether the world still is what a plan was made for. Changes nothing."""

import os
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from mods import modinfo, modset, placing, plans, wording
from mods.journal import Item
from mods.models import GameServer, Hold, InstalledMod, KeptCopy, Operation, Release
from mods.plans import OldFile, Plan
from vsadmin.lib import files
from vsadmin.lib.folders import Name

#: Kinds of wish that may name a version that is gone from the mod database already.
_MAY_BE_GONE = {
    Operation.Kind.ROLL_BACK,
    Operation.Kind.UNDO,
    Operation.Kind.ALIGN,
    Operation.Kind.RESTORE,
    Operation.Kind.PUT_BACK,
}


def find(operation: Operation, plan: Plan, items: Sequence[Item], stop: threading.Event) -> list[str]:
    """What is different now, one sentence each; none: the plan may be carried out.

    Call it with the server's lock held, after a scan. Sets each item's `seen`, and `problem` where its file can't be
    read. Raises `placing.Stopped`.
    """
    look = _Look(operation, plan, items, GameServer.objects.get(pk=operation.server_id))
    return [*look.server_differs(), *look.database_differs(), *look.files_differ(stop)]


def known(operation: Operation, plan: Plan, items: Sequence[Item]) -> list[str]:
    """The same of what the database alone knows: worth a look before anything is fetched."""
    look = _Look(operation, plan, items, GameServer.objects.get(pk=operation.server_id))
    return [*look.server_differs(), *look.database_differs()]


@dataclass
class _Look:
    operation: Operation
    plan: Plan
    items: Sequence[Item]
    server: GameServer
    #: Of each group, the names that its earlier steps make free.
    freed: dict[int, set[Name]] = field(default_factory=dict)

    def server_differs(self) -> Iterator[str]:
        if self.server.game_version not in (self.plan.game_version, self.plan.made_for or self.plan.game_version):
            yield _("The server's game version was %(before)s and is %(now)s now.") % {
                "before": self.plan.game_version or _("unknown"),
                "now": self.server.game_version or _("unknown"),
            }
        places = {entry["path"] for entry in self.server.mod_folders}
        named = {one.folder for item in self.items for one in (item.planned.old, item.planned.new) if one is not None}
        for folder in sorted(named - places):
            yield _("%s is no longer a folder in which the server looks for mods.") % folder

    # What the database knows

    def database_differs(self) -> Iterator[str]:
        yield from self._releases_differ()
        yield from self._kept_copies_differ()
        yield from self._holds_differ()
        yield from self._twins_appeared()

    def _releases_differ(self) -> Iterator[str]:
        wanted = {
            item.planned.new.release: item for item in self.items if item.planned.new and item.planned.new.release
        }
        found = Release.objects.in_bulk([pk for pk in wanted if pk is not None])
        asked_for = {target.get("version") for target in self.operation.wish.get("targets", [])} - {"", None}
        for pk, item in wanted.items():
            release = found.get(pk)
            version = {"mod": item.planned.name, "version": item.planned.to_version}
            by_name = item.planned.to_version in asked_for or self.operation.kind in _MAY_BE_GONE
            if release is None or (release.gone_since and not by_name):
                yield _("%(mod)s %(version)s is no longer in the mod database.") % version
            elif release.retracted and not self._is_agreed(item):
                yield wording.retracted(f"{version['mod']} {version['version']}", release.retraction_reason)
            elif item.planned.new and item.planned.new.file_id not in (None, release.file_id):
                yield _("The author has put another file in the place of %(mod)s %(version)s.") % version

    def _is_agreed(self, item: Item) -> bool:
        """Whether somebody said yes to a retracted release."""
        wish = self.operation.wish
        key = plans.offer_key(item.planned.modid, item.planned.to_version)
        return bool(wish.get("allow_retracted")) or key in wish.get("agreed", ())

    def _kept_copies_differ(self) -> Iterator[str]:
        wanted = {item.planned.new.kept: item for item in self.items if item.planned.new and item.planned.new.kept}
        found = set(KeptCopy.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        for pk, item in wanted.items():
            if pk not in found:
                yield _("The kept copy of %(mod)s %(version)s was deleted.") % {
                    "mod": item.planned.name,
                    "version": item.planned.to_version,
                }

    def _holds_differ(self) -> Iterator[str]:
        """A hold set before the plan was made is the plan's to speak of."""
        keys = {item.step.modid_key for item in self.items if item.planned.old and not item.planned.rename_to}
        since = self.operation.planned_at or self.operation.asked_at
        for hold in Hold.objects.filter(server=self.server, modid_key__in=keys - {""}, since__gt=since):
            yield _("%(mod)s was put on hold by %(who)s.") % {
                "mod": hold.modid,
                "who": hold.set_by_name or _("somebody"),
            }

    def _twins_appeared(self) -> Iterator[str]:
        """Further enabled files of a mod that the plan installs, replaces or enables."""
        ours = {(item.planned.old.folder, item.planned.old.file_name) for item in self.items if item.planned.old}
        since = self.operation.planned_at or self.operation.asked_at
        keys = {
            item.step.modid_key
            for item in self.items
            if (item.planned.new and not modset.is_disabled(item.planned.new.file_name))
            or (item.planned.rename_to and not modset.is_disabled(item.planned.rename_to))
        }
        rows = InstalledMod.objects.filter(server=self.server, enabled=True, modid_key__in=keys - {""})
        for row in rows.filter(first_seen_at__gt=since):
            if (row.folder, row.file_name) not in ours:
                yield _("Another file of %(mod)s appeared: %(file)s.") % {"mod": row.name, "file": row.file_name}

    # What the disk holds

    def files_differ(self, stop: threading.Event) -> Iterator[str]:
        for item in self.items:
            if stop.is_set():
                raise placing.Stopped
            yield from self._names_differ(item)
            if item.planned.old is not None:
                yield from _old_differs(item, item.planned.old)

    def _names_differ(self, item: Item) -> Iterator[str]:
        freed = self.freed.setdefault(item.step.group, set())
        target = item.change.new or item.change.rename_to
        if target is not None and target not in freed and not item.change.keeps_name and target.exists():
            yield _("There is a file %s now, which isn't part of this.") % target.path
        if item.change.old is not None:
            freed.add(item.change.old)


def _old_differs(item: Item, old: OldFile) -> Iterator[str]:
    name = item.change.old
    assert name is not None
    words = {"mod": item.planned.name, "file": old.file_name}
    try:
        if item.change.is_folder:
            item.seen = name.lstat()
            same = _is_that_folder(name, item.seen, old)
        else:
            item.seen, digest = placing.look(name, through_links=bool(item.planned.rename_to))
            same = digest == old.sha256
    except FileNotFoundError:
        yield _("%(mod)s: %(file)s isn't there any more.") % words
    except files.NotRegular:
        yield _("%(mod)s: %(file)s is a link or a folder now.") % words
    except OSError as error:
        item.problem = files.in_words(error)
    else:
        if not same:
            yield _("%(mod)s: %(file)s has been replaced or changed.") % words


def _is_that_folder(name: Name, seen: os.stat_result, old: OldFile) -> bool:
    if not stat.S_ISDIR(seen.st_mode) and not name.path.is_dir():
        return False
    info = modinfo.read_file(name.path, InstalledMod.Kind.FOLDER).info
    return not old.modid or (info is not None and (info.modid, info.version) == (old.modid, old.version))
