"""What was changed on a server's mods, by whom, what that brought, and which versions were there before."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from django.utils import timezone

from mods import versions
from mods.models import FolderState, GameServer, InstalledMod, KeptCopy, Lookup, Release, Step, StepQuerySet

#: Sets of mods, as scans saw them, that are searched for versions that nobody changed through vsadmin.
_STATES_SEARCHED = 50


def of_server(server: GameServer) -> StepQuerySet:
    """The steps carried out on `server`, newest first, each with its operation and who asked for it."""
    return (
        Step.objects.carried_out()
        .filter(server=server)
        .select_related("operation__asked_by")
        .defer("operation__plan", "operation__wish")  # hundreds of steps each
        .order_by("-done_at", "-pk")
    )


def of_mod(server: GameServer, modid_key: str) -> StepQuerySet:
    """The steps carried out on one mod of `server`, newest first; `modid_key` is in lower case."""
    return of_server(server).filter(modid_key=modid_key)


@dataclass(frozen=True, slots=True)
class Passage:
    """A mod's way from one version to another. "" as `from_version`: it wasn't there."""

    modid_key: str
    from_version: str
    to_version: str


def changelogs(modid_key: str, from_version: str, to_version: str) -> tuple[Release, ...]:
    """The releases passed on the way, newest first, withdrawn ones too; each has its changelog, unsanitised.

    Of an update those newer than `from_version`, up to and with `to_version`; of a way back those that were left
    again. A version without an order has none before it: of such a way, and of a first installation, `to_version`
    alone.
    """
    passage = Passage(modid_key, from_version, to_version)
    return changelogs_of([passage])[passage]


def changelogs_of(passages: Collection[Passage]) -> dict[Passage, tuple[Release, ...]]:
    """`changelogs` of many, in two queries."""
    keys = {passage.modid_key for passage in passages}
    released = _releases(keys)
    return {passage: tuple(_passed(passage, released.get(passage.modid_key, []))) for passage in passages}


def _releases(keys: Collection[str]) -> dict[str, list[Release]]:
    """Of each id the releases of the mod that it was looked up as, newest version first."""
    chosen = dict(Lookup.objects.filter(key__in=keys, mod__isnull=False).values_list("key", "mod_id"))
    found: dict[str, list[Release]] = {}
    for release in Release.objects.filter(modid_key__in=keys).select_related("mod"):
        # Two mods of the database can release the same id.
        if chosen.get(release.modid_key, release.mod_id) == release.mod_id:
            found.setdefault(release.modid_key, []).append(release)
    for releases in found.values():
        releases.sort(key=lambda release: (versions.sort_key(release.version), release.release_id), reverse=True)
    return found


def _passed(passage: Passage, releases: Iterable[Release]) -> Iterator[Release]:
    start, end = versions.parse(passage.from_version), versions.parse(passage.to_version)
    for release in releases:
        version = versions.parse(release.version)
        if start is None or end is None or version is None:
            if release.version == passage.to_version:
                yield release
        elif min(start, end) < version <= max(start, end):
            yield release


@dataclass(frozen=True, slots=True)
class HadVersion:
    """A version of a mod that a server had, and where it could be had again."""

    version: str
    #: It was there until about then.
    had_until: datetime
    #: The newest copy of ours, and the mod database's release unless that was withdrawn.
    kept: KeptCopy | None = None
    release: Release | None = None

    @property
    def can_be_had(self) -> bool:
        return self.kept is not None or self.release is not None


def versions_had(server: GameServer, modid_key: str) -> tuple[HadVersion, ...]:
    """The versions that `server` had of a mod and hasn't now, the one it had last first; six queries.

    Known from the changes carried out, from what scans saw, and from kept copies. A kept copy of the version that is
    installed counts where its bytes are others. `modid_key` is in lower case.
    """
    had: dict[_Key, HadVersion] = {}
    for version, moment in (*_replaced(server, modid_key), *_seen(server, modid_key)):
        known = had.get(_key(version))
        if known is None or known.had_until < moment:
            had[_key(version)] = HadVersion(version, moment)
    for copy in KeptCopy.objects.filter(server=server, modid_key=modid_key).order_by("kept_at", "pk"):
        known = had.get(_key(copy.version), HadVersion(copy.version, copy.kept_at))
        had[_key(copy.version)] = replace(known, kept=copy)
    for release in _releases([modid_key]).get(modid_key, []):
        key = _key(release.version)
        if key in had and not release.withdrawn:
            had[key] = replace(had[key], release=release)
    for version, sha256 in _here(server, modid_key):
        known = had.get(_key(version))
        if known is not None and (known.kept is None or known.kept.sha256 == sha256):
            del had[_key(version)]
    return tuple(sorted(had.values(), key=lambda one: one.had_until, reverse=True))


def version_before(server: GameServer, modid_key: str, installed: str) -> HadVersion | None:
    """The version to go back to where none is named: of those that can be had, the one `server` had last.

    Never one newer than `installed` ("": it isn't there), so that going back twice goes back two versions.
    """
    for had in versions_had(server, modid_key):
        if had.can_be_had and had.version != installed and not (installed and versions.newer(had.version, installed)):
            return had
    return None


#: Versions that are equal in order are the same; those without an order are by their text.
_Key = versions.Version | str


def _key(version: str) -> _Key:
    return versions.parse(version) or version


def _replaced(server: GameServer, modid_key: str) -> Iterator[tuple[str, datetime]]:
    """The versions that steps replaced, removed or placed, with when."""
    steps = Step.objects.carried_out().filter(server=server, modid_key=modid_key, done_at__isnull=False)
    for old, new, moment in steps.values_list("from_version", "to_version", "done_at"):
        yield from ((version, moment) for version in (old, new) if version and moment)


def _seen(server: GameServer, modid_key: str) -> Iterator[tuple[str, datetime]]:
    """The versions that scans saw, with until when: files may be changed by hand."""
    until = timezone.now()
    states = FolderState.objects.filter(server=server).values_list("mods", "seen_at")
    for mods, seen_at in states[:_STATES_SEARCHED]:
        for mod in mods:
            if str(mod.get("modid", "")).lower() == modid_key and mod.get("version"):
                yield str(mod["version"]), until
        until = seen_at


def _here(server: GameServer, modid_key: str) -> Iterable[tuple[str, str]]:
    return InstalledMod.objects.filter(server=server, modid_key=modid_key).values_list("version", "sha256")
