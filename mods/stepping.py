"""From drafts to steps: names on disk, groups, where replaced files go, what a person should know of each."""

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePosixPath

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cache import known
from mods import conf, modset, versions, wording
from mods.candidates import releases
from mods.downloads import cache_key
from mods.models import GameServer, InstalledMod, KeptCopy, Release, Step
from mods.plans import NewFile, OldFile, PlannedStep
from mods.resolving import Draft, World, groups

_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_MAX_NAME = 100


class Stepper:
    """From drafts to steps: names on disk, groups, where replaced files go, what a person should know."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._taken: dict[str, set[str]] = {}

    def of(self, drafts: list[Draft]) -> tuple[PlannedStep, ...]:
        there = {_place(draft.row): draft for draft in drafts if draft.row is not None}
        for draft in drafts:
            holder = there.get(self._wanted(draft), draft) if draft.file_name else draft
            if holder is not draft:
                draft.partners.append(holder)
        numbers = groups(drafts)
        keys = {cache_key(release.file_id) for draft in drafts for release in _releases_of(draft) if release.file_id}
        self._of_kept = self._releases_of_kept([draft.kept for draft in drafts if draft.kept is not None])
        self._digests = known.digests(keys)
        self._cached = known.at_hand(keys)
        for row in self._world.rows:
            self._names(row.folder).add(_folded(row.file_name))
        members: dict[int, list[Draft]] = defaultdict(list)
        for draft in drafts:
            members[numbers[draft]].append(draft)
        return tuple(step for number in sorted(members) for step in self._group(members[number], number))

    def _group(self, members: list[Draft], number: int) -> Iterator[PlannedStep]:
        """What goes makes room for what comes after it in the same group, and for nothing else: groups may fail."""
        freed = []
        for draft in self._in_order(members):
            if draft.row is not None:
                self._names(draft.row.folder).discard(_folded(draft.row.file_name))
                freed.append(draft.row)
            yield self._step(draft, number)
        for row in freed:
            self._names(row.folder).add(_folded(row.file_name))

    def _in_order(self, members: list[Draft]) -> Iterator[Draft]:
        """As they come, but who is to have a name that another one has now comes after that one."""
        left = list(members)
        while left:
            there = {_place(draft.row): draft for draft in left if draft.row is not None}
            ready = (draft for draft in left if there.get(self._wanted(draft), draft) is draft)
            draft = next(ready, left[0])
            left.remove(draft)
            yield draft

    def _wanted(self, draft: Draft) -> "_Place":
        return self._folder(draft), _folded(self._preferred(draft))

    def _folder(self, draft: Draft) -> str:
        return draft.row.folder if draft.row else draft.folder or _first_folder(self._world.server)

    def _step(self, draft: Draft, group: int) -> PlannedStep:
        new, renamed = self._new(draft), self._rename_to(draft)
        compatibility = ""
        release = self._told_of(draft)
        if release is not None:
            compatibility = versions.compatibility(release.game_versions, self._world.game_version).value
        elif new is not None or draft.action == Step.Action.ENABLE:
            compatibility = draft.row.compatibility if draft.row and draft.kept is None else "not_verified"
        return PlannedStep(
            action=draft.action.value,
            group=group,
            why=draft.why,
            old=self._old(draft.row) if draft.row else None,
            new=new,
            rename_to=renamed,
            compatibility=compatibility,
            notes=(*draft.notes, *_name_note(draft, new.file_name if new else renamed), *self._notes(draft)),
        )

    def _releases_of_kept(self, copies: list[KeptCopy]) -> dict[tuple[str, str], Release]:
        """What the mod database said of the versions that kept copies are of; one query, where there are any."""
        if not copies:
            return {}
        found = releases().filter(modid_key__in={one.modid_key for one in copies} - {""})
        return {(one.modid_key, one.version): one for one in found.filter(version__in={one.version for one in copies})}

    def _told_of(self, draft: Draft) -> Release | None:
        """The release that the new file is, wherever its bytes come from."""
        if draft.kept is not None:
            return self._of_kept.get((draft.kept.modid_key, draft.kept.version))
        return draft.release

    def _old(self, row: InstalledMod) -> OldFile:
        key, because = self._goes_to(row)
        return OldFile(
            folder=row.folder,
            file_name=row.file_name,
            sha256=row.sha256,
            size=row.size,
            modid=row.modid,
            version=row.version,
            name=row.name,
            kind=row.kind,
            enabled=row.enabled,
            cache_key=key,
            keep_because=because,
        )

    def _goes_to(self, row: InstalledMod) -> tuple[str, str]:
        """Under which key of the cache the file can be had again, or why it must be kept."""
        release = row.release
        if row.retracted:
            return "", _("It was retracted from the mod database.")
        if release is None or release.file_id is None:
            return "", _("The mod database doesn't have this version.")
        if release.gone_since is not None:
            return "", _("It is gone from the mod database.")
        key = cache_key(release.file_id)
        digest = self._digests.get(key) or release.sha256
        if not digest:
            return "", _("It isn't known whether the mod database's file is the same, byte for byte.")
        if digest != row.sha256:
            return "", _("The mod database's file of this version is another one.")
        return key, ""

    def _new(self, draft: Draft) -> NewFile | None:
        if draft.action not in (Step.Action.INSTALL, Step.Action.REPLACE):
            return None
        release, kept = draft.release, draft.kept
        folder = self._folder(draft)
        if release is not None:
            return NewFile(
                folder=folder,
                file_name=self._free(folder, self._preferred(draft)),
                sha256=release.sha256,
                size=release.size or 0,
                modid=release.modid,
                version=release.version,
                name=release.mod.name,
                release=release.pk,
                file_id=release.file_id,
                at_hand=release.file_id is not None and cache_key(release.file_id) in self._cached,
            )
        if kept is None:
            return None
        return NewFile(
            folder=folder,
            file_name=self._free(folder, self._preferred(draft)),
            sha256=kept.sha256,
            size=kept.size,
            modid=kept.modid,
            version=kept.version,
            name=kept.name,
            kept=kept.pk,
            at_hand=True,
        )

    def _rename_to(self, draft: Draft) -> str:
        if draft.row is None or draft.action not in (Step.Action.ENABLE, Step.Action.DISABLE):
            return ""
        return self._free(draft.row.folder, self._preferred(draft))

    def _preferred(self, draft: Draft) -> str:
        """The name that its file gets if that is free: the one from before, else one of ours, never the API's or the
        author's as it is; "" if there is no file."""
        if draft.file_name:
            return draft.file_name
        row = draft.row
        if row is not None and draft.action in (Step.Action.ENABLE, Step.Action.DISABLE):
            return modset.bare_name(row.file_name) + ("" if draft.enabled else modset.DISABLED)
        source = draft.release or draft.kept
        if source is None:
            return ""
        named = source.file_name if isinstance(source, Release) else source.stored_name
        modid = source.modid or (draft.key if isinstance(source, Release) else source.name)
        text = f"{modid}_{source.version}" if source.version else modid
        stem = _UNSAFE.sub("_", text).lstrip("._+-")[:_MAX_NAME] or "mod"
        # What serverconfig.json disables is so whatever its name; that needn't change.
        is_on = draft.enabled or (row is not None and row.enabled and row.disabled_by_config)
        return stem + PurePosixPath(named).suffix.lower() + ("" if is_on else modset.DISABLED)

    def _free(self, folder: str, name: str) -> str:
        """The name, or one with a number where something else has it already."""
        names = self._names(folder)
        bare = modset.bare_name(name)
        stem, dot, ending = bare.rpartition(".")
        tail = name[len(bare) :]
        wanted, number = name, 1
        while _folded(wanted) in names:
            number += 1
            wanted = f"{stem or bare}-{number}{dot}{ending if stem else ''}{tail}"
        names.add(_folded(wanted))
        return wanted

    def _names(self, folder: str) -> set[str]:
        """What stands in the folder, as disks that don't tell letter case or accents' spelling apart see it."""
        if folder not in self._taken:
            try:
                self._taken[folder] = {_folded(name) for name in os.listdir(folder)}
            except OSError:
                self._taken[folder] = set()
        return self._taken[folder]

    def _notes(self, draft: Draft) -> list[str]:
        release = self._told_of(draft)
        if release is None:
            return []
        notes = []
        game = self._world.game_version
        listed = wording.game_versions(release.game_versions) or _("no game version")
        match versions.compatibility(release.game_versions, game):
            case versions.Compatibility.INCOMPATIBLE:
                notes.append(_("Not made for %(game)s: it names %(listed)s.") % {"game": game, "listed": listed})
            case versions.Compatibility.NOT_VERIFIED if game:
                notes.append(_("Not verified for %(game)s: it names %(listed)s.") % {"game": game, "listed": listed})
        if release.retracted:
            reason = f": {release.retraction_reason.rstrip('.')}" if release.retraction_reason else ""
            notes.append(_("This release was retracted%s.") % reason)
        parsed = versions.parse(release.version)
        if parsed is not None and parsed.is_prerelease:
            notes.append(_("It is a prerelease."))
        if release.file_side == "client":
            notes.append(_("It is for players' own games only; a server doesn't need it."))
        age = timezone.now() - release.created if release.created else None
        soak = conf.SOAK_DAYS.get()
        if age is not None and timedelta(0) <= age < timedelta(days=soak):
            days = age.days
            notes.append(
                ngettext("Released %d day ago", "Released %d days ago", days) % days
                + " "
                + ngettext("(young: less than %d day).", "(young: less than %d days).", soak) % soak
                if days
                else _("Released today: others have hardly tried it yet.")
            )
        if draft.row is not None and versions.newer(draft.row.version, release.version):
            notes.append(_("This is older than what is installed."))
            why = wording.retracted(draft.row.version, draft.row.retraction_reason)
            if draft.row.retracted and why != draft.why:
                notes.append(why)
        return notes


def _releases_of(draft: Draft) -> list[Release]:
    found = [draft.release] if draft.release else []
    if draft.row is not None and draft.row.release is not None:
        found.append(draft.row.release)
    return found


_Place = tuple[str, str]


def _place(row: InstalledMod) -> _Place:
    return row.folder, _folded(row.file_name)


def _name_note(draft: Draft, name: str) -> list[str]:
    if draft.file_name in {"", name}:
        return []
    return [_("Its name from before, %s, belongs to another file now.") % draft.file_name]


def _first_folder(server: GameServer) -> str:
    if server.mod_folders:
        return str(server.mod_folders[0]["path"])
    return str(Path(server.data_dir) / "Mods")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
