"""What a refresh asks about, and what the batch answers say of each: that decides whose full details are wanted."""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import answers, conf, moddb, versions
from mods.models import ClaimedModId, InstalledMod, Lookup, Release

#: Details are renewed within a day, in seconds.
RENEWED_WITHIN = 86_400


@dataclass(eq=False)
class Target:
    """One modid to ask about, and what this run has learnt of it."""

    lookup: Lookup
    #: The id in the mod database's own letter case, where known.
    asked_as: str
    #: Of each game version among the servers that have it: the versions installed there.
    installed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    #: Numbers of the mods that claim the id, as far as known.
    claimed_by: list[int] = field(default_factory=list)
    #: Number of the mod that it was found to be.
    number: int | None = None
    #: The mod database is asked again about what its last answer made doubtful.
    is_doubted: bool = False
    wants_details: bool = False
    answered: bool = False
    changed: bool = False
    error: str = ""
    unaskable: bool = False
    newest: tuple[int | None, str] | None = None
    infos: list[tuple[str, str, moddb.InstallInfo]] = field(default_factory=list)

    @property
    def retracted(self) -> set[str]:
        """Installed versions that the mod database called retracted just now."""
        return {version for _game_version, version, info in self.infos if info.retracted}


def find() -> dict[str, Target]:
    """What to ask about, by lower-case modid."""
    targets: dict[str, Target] = {}
    installed = InstalledMod.objects.filter(lookup__isnull=False)
    rows = Lookup.objects.filter(installed_mods__isnull=False).distinct()
    lookups = {one.pk: one for one in rows.annotate(number=F("mod__mod_id"), mod_doubted_at=F("mod__doubted_at"))}
    for pk, version, game_version in installed.values_list("lookup", "version", "server__game_version"):
        lookup = lookups.get(pk)
        if lookup is None:  # a scan has just added it; the next refresh knows it
            continue
        target = targets.setdefault(lookup.key, Target(lookup, lookup.modid, number=lookup.number))
        target.is_doubted = lookup.doubted_since is not None or lookup.mod_doubted_at is not None
        target.installed[game_version].add(version)
    canonical = Release.objects.filter(modid_key__in=targets, gone_since=None).exclude(modid="")
    for key, modid in canonical.values_list("modid_key", "modid").distinct():
        if modid.lower() == key:
            targets[key].asked_as = modid
    claims = ClaimedModId.objects.filter(key__in=targets).order_by("mod__mod_id")
    for key, number in claims.values_list("key", "mod__mod_id"):
        targets[key].claimed_by.append(number)
    return targets


def mark_due(targets: Collection[Target], *, force: bool) -> None:
    """Mark whose details are due whatever the batches say: all, or the new, the doubted, and the oldest in turn."""
    known = [target for target in targets if target.lookup.fetched_at is not None]
    now = timezone.now()

    def age(target: Target) -> tuple[bool, datetime, int]:
        """From the future (the clock was set back) is as good as never."""
        fetched_at = target.lookup.fetched_at or now
        return fetched_at <= now, fetched_at, target.lookup.pk

    known.sort(key=age)
    interval = min(conf.REFRESH_INTERVAL.get() or RENEWED_WITHIN, RENEWED_WITHIN)
    due = {id(target) for target in known[: math.ceil(len(targets) * interval / RENEWED_WITHIN)]}
    for target in targets:
        is_new = target.lookup.fetched_at is None
        target.wants_details = force or is_new or target.is_doubted or id(target) in due


class Known:
    """The releases that we know of some mods."""

    def __init__(self, targets: Collection[Target]) -> None:
        mods = {target.lookup.mod_id for target in targets if target.lookup.mod_id}
        self._game_versions: dict[tuple[int | None, str], set[str]] = defaultdict(set)
        self._files: dict[tuple[int | None, str, str], set[int | None]] = defaultdict(set)
        rows = Release.objects.filter(mod__in=mods, gone_since=None, retracted=False)
        for mod, key, version, listed, file_id in rows.values_list(
            "mod_id", "modid_key", "version", "game_versions", "file_id"
        ):
            self._game_versions[mod, version].update(listed)
            self._files[mod, key, version].add(file_id)

    def fits(self, lookup: Lookup, version: str, game_version: str) -> bool:
        """Whether a release of that version, under whichever id, is for that game version."""
        return game_version in self._game_versions.get((lookup.mod_id, version), ())

    def has_other_file(self, lookup: Lookup, version: str, file_id: int) -> bool:
        """Whether the release has another file than the one with this number: its author exchanged it."""
        files = self._files.get((lookup.mod_id, lookup.key, version))
        return files is not None and file_id not in files


def take_newest(target: Target, newest: moddb.ReleaseInfo | None) -> None:
    target.newest = (newest.file_id, newest.version) if newest else (None, "")
    if target.newest != (target.lookup.newest_file, target.lookup.newest_version):
        target.wants_details = True


def take_info(target: Target, game_version: str, version: str, info: moddb.InstallInfo, known: Known) -> None:
    target.infos.append((game_version, version, info))
    lookup = target.lookup
    if info.recommended and info.recommended != lookup.recommendations.get(game_version):
        target.wants_details |= not known.fits(lookup, info.recommended, game_version)
    if info.is_offered and info.file_id is not None and version:
        target.wants_details |= known.has_other_file(lookup, version, info.file_id)


def settle(target: Target, now: datetime) -> bool:
    """Set on the look-up (unsaved) what the batches and failures said; returns whether anything changed."""
    lookup = target.lookup
    before = (lookup.tried_at, lookup.error, lookup.newest_file, lookup.newest_version)
    if target.error:
        lookup.tried_at, lookup.error = now, target.error
    elif target.unaskable:
        lookup.tried_at, lookup.error = now, _("The mod database can't be asked about such an id.")
    if target.newest is not None and target.answered:
        lookup.newest_file, lookup.newest_version = target.newest
    said = False
    for _game_version, version, info in target.infos:
        said |= answers.take_retraction(lookup, version, info)
    if target.answered or not target.wants_details:  # else the release isn't known yet: it is asked for again
        for game_version, recommended in _recommended(target).items():
            if lookup.recommendations.get(game_version, "") != recommended:
                lookup.recommendations[game_version] = recommended
                said = True
    target.changed |= said
    return said or before != (lookup.tried_at, lookup.error, lookup.newest_file, lookup.newest_version)


def _recommended(target: Target) -> Mapping[str, str]:
    """What is recommended for each game version; only what is newer than the version asked about is.

    So the oldest one installed hears of it.
    """
    found: dict[str, str] = {}
    for game_version, _version, info in target.infos:
        if game_version and (info.is_offered or info.retracted) and "recommended" not in info.unsaid:
            found[game_version] = max(found.get(game_version, ""), info.recommended, key=versions.sort_key)
    return found
