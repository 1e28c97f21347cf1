"""From what is asked for to all that it takes: dependencies, and who would be left without what they need.

Works on rows in memory; only `Candidates` asks the database, the mod database and the cache.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from mods import versions, wording
from mods.candidates import Candidates
from mods.models import GameServer, Hold, InstalledMod, KeptCopy, Release, Step
from mods.needs import BASE_GAME
from mods.plans import Unmet
from mods.versions import Compatibility


@dataclass(eq=False)
class Draft:
    """One step in the making. Its source is `release` or `kept`; `row` is the file that it replaces or acts on."""

    action: Step.Action
    key: str
    why: str
    row: InstalledMod | None = None
    release: Release | None = None
    kept: KeptCopy | None = None
    #: Of `kept`: what its file says it needs.
    kept_needs: Mapping[str, str] = field(default_factory=dict)
    #: The name that the file is to have, exactly (`.disabled` included), because it had it before; "" for a name of
    #: ours.
    file_name: str = ""
    #: Where a new file goes; "" for where the replaced one is, else the server's first mod folder.
    folder: str = ""
    #: Of a list: the bytes that are wanted, whatever the release has; "" for any.
    sha256: str = ""
    #: Whether the game will load it.
    enabled: bool = True
    #: A person asked for it, rather than another mod needing it.
    asked: bool = True
    notes: list[str] = field(default_factory=list)
    #: Drafts that make no sense without this one, or the other way round.
    partners: list["Draft"] = field(default_factory=list)

    @property
    def version(self) -> str | None:
        """The version that the game will load because of this; None where it takes one away."""
        if self.action in (Step.Action.REMOVE, Step.Action.DISABLE) or not self.enabled:
            return None
        source = self.release or self.kept or self.row
        return source.version if source else None

    @property
    def needs(self) -> Mapping[str, str]:
        """Modid → minimum version."""
        if self.version is None:
            return {}
        if self.release is not None:
            return self.release.dependencies or {}
        if self.kept is not None:
            return self.kept_needs
        return self.row.dependencies if self.row else {}

    def __str__(self) -> str:
        if self.release is not None:
            return f"{self.release.mod.name} {self.release.version}"
        return str(self.kept or self.row or self.key)


class World:
    """A server's mods and holds as they are when a plan is made."""

    def __init__(
        self, server: GameServer, rows: Sequence[InstalledMod], holds: Mapping[str, Hold], game_version: str = ""
    ) -> None:
        """`game_version`: the one to plan for, where that isn't the server's."""
        self.server = server
        self.game_version = game_version or server.game_version
        self.rows = rows
        self.holds = holds
        self._by_key: dict[str, list[InstalledMod]] = defaultdict(list)
        for row in rows:
            if row.modid_key:
                self._by_key[row.modid_key].append(row)

    def of(self, key: str) -> list[InstalledMod]:
        """The files of this modid; the one that counts (loaded by the game, else the highest) first."""
        return sorted(
            self._by_key.get(key, ()), key=lambda row: (loaded(row), versions.sort_key(row.version)), reverse=True
        )

    def active(self, key: str) -> InstalledMod | None:
        """The file of this modid that the game loads."""
        return next((row for row in self.of(key) if loaded(row)), None)


def loaded(row: InstalledMod) -> bool:
    return row.enabled and not row.disabled_by_config


class Resolver:
    """Collects drafts, then completes them. `unmet` names what can't be had; `dropped`, drafts that fell away."""

    def __init__(self, world: World, candidates: Candidates) -> None:
        self.world = world
        self.candidates = candidates
        self.drafts: list[Draft] = []
        self.unmet: list[Unmet] = []
        self.dropped: list[tuple[Draft, str]] = []
        #: Nothing is added to what was asked for: it is a set that ran as it is.
        self.is_exact = False
        #: Then what the drafts need and don't get is named all the same.
        self.names_lacks = False
        self._by_key: dict[str, Draft] = {}

    def add(self, draft: Draft) -> Draft:
        """Take a draft in; one that provides a mod counts for that mod's dependents."""
        self.drafts.append(draft)
        if draft.version is not None or draft.key not in self._by_key:
            self._by_key[draft.key] = draft
        return draft

    def drafted(self, key: str) -> Draft | None:
        return self._by_key.get(key)

    def resolve(self) -> None:
        """Add what the drafts need, level by level, until nothing is lacking that can be had."""
        todo = list(self.drafts)
        while todo:
            self._drop_unreadable(todo)
            needs = [
                (draft, key, minimum)
                for draft in todo
                if draft in self.drafts
                for key, minimum in draft.needs.items()
                if key not in BASE_GAME
            ]
            if not self.is_exact:
                wanted = (key for _draft, key, minimum in needs if not self._is_met(key, minimum))
                self.candidates.load(key for key in wanted if key not in self._by_key)
            before = len(self.drafts)
            for draft, key, minimum in needs:
                self._require(draft, key, minimum)
            todo = self.drafts[before:]
        self._check_dependents()

    def explain(self, key: str, minimum: str = "") -> tuple[str, str]:
        """Why there is no release of a loaded modid to recommend: kind of `Unmet`, and words."""
        game = self.world.game_version or _("this server")
        offers = self.candidates.offered(key)
        if not offers:
            if trouble := self.candidates.trouble(key):
                return "unknown", _("the mod database couldn't be asked about it: %s") % trouble.rstrip(".")
            return "missing", _("it isn't in the mod database")
        fitting = [one for one in offers if versions.satisfies(one.version, minimum)]
        if not fitting:
            newest = max(offers, key=lambda one: versions.sort_key(one.version))
            return "too_old", _("its newest release is %s") % newest.version
        offered = [one for one in fitting if one.can_be_had]
        if not offered and not all(one.withdrawn for one in fitting):
            return "missing", _("the mod database has no file of it")
        if not offered:
            return "retracted", _("all its releases were retracted")
        by_compatibility: dict[Compatibility, list[Release]] = defaultdict(list)
        for one in offered:
            by_compatibility[versions.compatibility(one.game_versions, self.world.game_version)].append(one)
        near = by_compatibility[Compatibility.COMPATIBLE] + by_compatibility[Compatibility.NOT_VERIFIED]
        stable = [one for one in near if not versions.is_prerelease(one.version)]
        if stable:
            kind, words = "not_verified", _("only releases that are not verified for %s are there") % game
            chosen = stable
        elif near:
            kind, words, chosen = "prerelease", _("only prereleases are there for %s") % game, near
        else:
            kind, words, chosen = "incompatible", _("no release of it is for %s") % game, offered
        best = max(chosen, key=lambda one: versions.sort_key(one.version))
        listed = wording.game_versions(best.game_versions) or _("no game version")
        return kind, _("%(words)s; %(version)s names %(listed)s (asked for by name, as %(id)s, it can be had)") % {
            "words": words,
            "version": best.version,
            "listed": listed,
            "id": f"{best.modid}@{best.version}",
        }

    # Dependencies

    def _is_met(self, key: str, minimum: str) -> bool:
        """Whether a file of the server meets it, loaded or to be enabled, so that nobody needs to know what exists."""
        active = self.world.active(key)
        rows = [active] if active is not None else self.world.of(key)
        return any(versions.satisfies(row.version, minimum) for row in rows)

    def _require(self, draft: Draft, key: str, minimum: str) -> None:
        other = self._by_key.get(key)
        if other is not None:
            if other.version is None:
                if self.names_lacks:
                    self._lack("missing", draft, key, minimum, _("the plan takes it away"))
                return  # else `_check_dependents` says so
            if other is not draft:
                draft.partners.append(other)
            if not versions.satisfies(other.version, minimum) and (self.names_lacks or not self.is_exact):
                self._lack("too_old", draft, key, minimum, _("the plan has %s of it") % other.version)
            return
        active = self.world.active(key)
        if active is not None and versions.satisfies(active.version, minimum):
            return
        if self.is_exact:
            if self.names_lacks:
                self._lack("missing", draft, key, minimum, _("a roll-back brings nothing that wasn't there before"))
        elif active is not None:
            self._raise(draft, active, minimum)
        elif asleep := [row for row in self.world.of(key) if versions.satisfies(row.version, minimum)]:
            self._wake(draft, asleep[0], minimum)
        else:
            self._bring(draft, key, minimum)

    def _raise(self, draft: Draft, row: InstalledMod, minimum: str) -> None:
        """The installed one is too old. Releases decide, not the row's own verdict: it may not have been refreshed."""
        hold = self.world.holds.get(row.modid_key)
        release = self.candidates.recommended(row.modid_key, self.world.game_version, installed=row.version)
        if hold is not None:
            self._lack("held", draft, row.modid_key, minimum, _("%s is held") % row + _reason(hold))
        elif release is not None and versions.satisfies(release.version, minimum):
            self._add_for(draft, minimum, Draft(Step.Action.REPLACE, row.modid_key, "", row=row, release=release))
        else:
            kind, words = self.explain(row.modid_key, minimum)
            self._lack(kind, draft, row.modid_key, minimum, _("%s is installed, and ") % row.version + words)

    def _wake(self, draft: Draft, row: InstalledMod, minimum: str) -> None:
        """It is there, but the game doesn't load it."""
        if row.disabled_by_config:
            words = _("it is disabled in serverconfig.json: take it out of DisabledMods there")
            self._lack("disabled", draft, row.modid_key, minimum, words)
        else:
            self._add_for(draft, minimum, Draft(Step.Action.ENABLE, row.modid_key, "", row=row))

    def _bring(self, draft: Draft, key: str, minimum: str) -> None:
        """It isn't there, or only too old and disabled."""
        release = self.candidates.recommended(key, self.world.game_version)
        if release is not None and versions.satisfies(release.version, minimum):
            row = next(iter(self.world.of(key)), None)
            action = Step.Action.INSTALL if row is None else Step.Action.REPLACE
            self._add_for(draft, minimum, Draft(action, key, "", row=row, release=release))
        else:
            kind, words = self.explain(key, minimum)
            self._lack(kind, draft, key, minimum, words)

    def _add_for(self, draft: Draft, minimum: str, needed: Draft) -> None:
        needed.asked = False
        needed.why = (
            _("%(mod)s needs %(minimum)s or newer.") % {"mod": draft, "minimum": minimum}
            if _says_something(minimum)
            else _("%s needs it.") % draft
        )
        draft.partners.append(self.add(needed))

    def _lack(self, kind: str, draft: Draft, key: str, minimum: str, words: str) -> None:
        least = f" {minimum}" if _says_something(minimum) else ""
        text = _("%(mod)s needs %(key)s%(least)s: %(words)s.") % {
            "mod": draft, "key": key, "least": least, "words": words.rstrip("."),
        }  # fmt: skip
        self.unmet.append(Unmet(kind, key, text))

    def _drop_unreadable(self, drafts: Sequence[Draft]) -> None:
        troubles = self.candidates.read([draft.release for draft in drafts if draft.release is not None])
        for draft in drafts:
            trouble = troubles.get(draft.release.pk) if draft.release else None
            if trouble is None:
                continue
            self.drafts.remove(draft)
            if self._by_key.get(draft.key) is draft:
                del self._by_key[draft.key]
            for other in self.drafts:
                if draft in other.partners:
                    other.partners.remove(draft)
            if draft.asked:
                self.dropped.append((draft, trouble))
            else:
                self.unmet.append(
                    Unmet("unknown", draft.key, _("%(mod)s can't be had: %(why)s") % {"mod": draft, "why": trouble})
                )

    # Dependents

    def _check_dependents(self) -> None:
        """Name the mods that had what they need and would no longer have it."""
        touched = {draft.row.pk for draft in self.drafts if draft.row is not None}
        staying = [row for row in self.world.rows if row.pk not in touched and loaded(row)]
        after: dict[str, str] = {}
        for key, version in [
            *((row.modid_key, row.version) for row in staying if row.modid_key),
            *((draft.key, draft.version) for draft in self.drafts if draft.version is not None),
        ]:
            if key not in after or versions.newer(version, after[key]):
                after[key] = version
        changed = {draft.key for draft in self.drafts}
        for row in staying:
            for key, minimum in row.dependencies.items():
                if key not in changed or key in BASE_GAME:
                    continue
                before = self.world.active(key)
                if before is None or not versions.satisfies(before.version, minimum):
                    continue
                if key not in after:
                    self._breaks(row, key, _("%(mod)s needs %(key)s, which this takes away."))
                elif not versions.satisfies(after[key], minimum):
                    self._breaks(row, key, _("%(mod)s needs %(key)s %(minimum)s or newer."), minimum)

    def _breaks(self, row: InstalledMod, key: str, text: str, minimum: str = "") -> None:
        self.unmet.append(Unmet("breaks", key, text % {"mod": row, "key": key, "minimum": minimum}))


def groups(drafts: Iterable[Draft]) -> dict[Draft, int]:
    """Number the drafts so that those which need each other share a number; in order of appearance."""
    leader: dict[Draft, Draft] = {}

    def find(draft: Draft) -> Draft:
        while leader.setdefault(draft, draft) is not draft:
            leader[draft] = leader[leader[draft]]
            draft = leader[draft]
        return draft

    listed = list(drafts)
    for draft in listed:
        for partner in draft.partners:
            leader[find(partner)] = find(draft)
    numbers: dict[Draft, int] = {}
    return {draft: numbers.setdefault(find(draft), len(numbers) + 1) for draft in listed}


def _says_something(minimum: str) -> bool:
    return minimum.strip() not in {"", "*"}


def _reason(hold: Hold) -> str:
    return f" ({hold.reason})" if hold.reason else ""
