"""Upgrade readiness: how each installed mod stands to a game version, and what to do to get there.

A fixed number of queries, however many mods and servers; asks nobody.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

from django.db.models import Case as Choice
from django.db.models import IntegerField, TextField, Value, When
from django.db.models.functions import Cast
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from mods import fits, judging, versions, wording
from mods.judging import Case, Do, Judgement, Offer, Standing, Verdict
from mods.models import GameServer, Hold, InstalledMod, Lookup, Mod, Release
from mods.versions import Compatibility

_ORDER = list(Verdict)[::-1]


@dataclass(frozen=True, slots=True)
class Rival:
    """Another mod of the mod database that claims the same id and has a release for the game version."""

    mod: int
    name: str
    version: str


class Installed(NamedTuple):
    """What readiness asks of an installed file; a tuple, since there are thousands."""

    server: int
    pk: int
    file_name: str
    kind: str
    enabled: int
    disabled_by_config: int
    modid: str
    modid_key: str
    name: str
    version: str
    #: JSON.
    dependencies: str
    side: str
    wont_load: str
    retracted: int
    retraction_reason: str
    recommended: str
    latest: str
    #: What the mod database said of the modid (`Lookup.state`), and the key of the mod; None if nothing was asked yet.
    looked_up: str | None
    mod: int | None
    #: What its page has under another mod id that is newer.
    successor: str | None
    successor_version: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    @property
    def loads(self) -> bool:
        return bool(self.enabled and not self.disabled_by_config)


@dataclass(frozen=True, slots=True)
class Finding:
    """An installed file, and how it stands."""

    row: Installed
    judgement: Judgement
    is_held: bool = False
    rival: Rival | None = None

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def do(self) -> Do:
        return self.judgement.do

    @property
    def by_hand(self) -> bool:
        """Whether vsadmin can't update it itself: it never touches what lies inside a folder."""
        return self.row.kind == InstalledMod.Kind.FOLDER

    @property
    def needs_something(self) -> bool:
        """Whether a person should look at it."""
        return self.do is not Do.NOTHING or self.verdict is not Verdict.READY


@dataclass(frozen=True)
class Report:
    """One server's mods, those that stand in the way first."""

    server: GameServer
    game_version: str
    findings: tuple[Finding, ...]

    def count(self, verdict: Verdict) -> int:
        return self._counts[verdict]

    @cached_property
    def _counts(self) -> Counter[Verdict]:
        return Counter(one.verdict for one in self.findings)

    @cached_property
    def updates(self) -> int:
        """How many updates a plan can make."""
        return sum(one.do is Do.UPDATE and not one.by_hand for one in self.findings)

    @property
    def is_blocked(self) -> bool:
        return bool(self.count(Verdict.BLOCKING))

    @property
    def is_there(self) -> bool:
        """Whether the server runs that version already."""
        return versions.same(self.server.game_version, self.game_version)


def readable(game_version: str) -> str:
    """The version as the mod database would write it; "" for what is no exact game version."""
    text = fits.exact(game_version)
    return text if fits.series(text) else ""


def of(servers: Sequence[GameServer], game_version: str) -> list[Report]:
    """How the mods of each server stand to `game_version`, which is exact, like 1.22.0; four queries at most.

    What they stand on is read each time; what follows from it is worked out anew only if any of it changed.
    """
    facts = _read(servers)
    pks = tuple(sorted(server.pk for server in servers))
    known = _known.get(pks)
    if known is None or known.facts != facts:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        known = _known[pks] = _Known(facts, _rivals(facts.releases))
    names = dict(Mod.objects.filter(pk__in=known.rivals).values_list("pk", "name"))
    if known.names != names:
        known = _known[pks] = _Known(facts, known.rivals, names)
    found = known.judged.get((game_version, get_language()))
    if found is None:
        found = _judge(facts, names, game_version)
        if len(known.judged) >= _MOST_KNOWN:
            known.judged.clear()
        known.judged[game_version, get_language()] = found
    return [Report(server, game_version, found.get(server.pk, ())) for server in servers]


class _Facts(NamedTuple):
    """All that a verdict follows from, but the game version."""

    #: As `Installed` and `_RELEASE` have them.
    rows: list[tuple[Any, ...]]
    releases: list[tuple[Any, ...]]
    holds: set[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found for these facts, by game version and language: of each server, by its key."""

    facts: _Facts
    #: Mods that carry an id which another carries too, and how they are called.
    rivals: frozenset[int]
    names: Mapping[int, str] = field(default_factory=dict)
    judged: dict[tuple[str, str | None], Mapping[int, tuple[Finding, ...]]] = field(default_factory=dict)


#: By the servers' keys. Facts of thousands of mods take some ten MB, so few are kept.
_known: dict[tuple[int, ...], _Known] = {}
_MOST_KNOWN = 3

#: 0: offered, 1: retracted, 2: gone from the mod database's answers without that.
_STATE = Choice(
    When(retracted=True, then=Value(1)),
    When(gone_since__isnull=False, then=Value(2)),
    default=Value(0),
    output_field=IntegerField(),
)
_RELEASE = (
    *("modid_key", "mod_id", "release_id", "pk", "version"),
    Cast("game_versions", TextField()), _STATE, Cast("dependencies", TextField()),
)  # fmt: skip


def _as_number(name: str) -> Cast:
    """A column of truth values as 0 and 1: Django takes its time to make bool of thousands."""
    return Cast(name, IntegerField())


_INSTALLED = (
    *("server_id", "pk", "file_name", "kind"), _as_number("enabled"), _as_number("disabled_by_config"),
    *("modid", "modid_key", "name", "version"), Cast("dependencies", TextField()), "side", "wont_load",
    _as_number("retracted"), *("retraction_reason", "recommended", "latest", "lookup__state", "lookup__mod_id"),
    *("successor__modid", "successor__version"),
)  # fmt: skip


def _read(servers: Sequence[GameServer]) -> _Facts:
    installed = InstalledMod.objects.filter(server__in=servers)
    keys = installed.exclude(modid_key="").order_by().values("modid_key")
    rows = installed.order_by().values_list(*_INSTALLED)  # both are sorted when they are judged
    releases = Release.objects.filter(modid_key__in=keys).order_by().values_list(*_RELEASE)
    holds = Hold.objects.filter(server__in=servers).values_list("server_id", "modid_key")
    return _Facts(list(rows), list(releases), set(holds))


def _rivals(releases: Iterable[tuple[Any, ...]]) -> frozenset[int]:
    carrying: dict[str, set[int]] = defaultdict(set)
    for key, mod, *_rest in releases:
        carrying[key].add(mod)
    return frozenset(mod for mods in carrying.values() if len(mods) > 1 for mod in mods)


def _judge(facts: _Facts, names: Mapping[int, str], game_version: str) -> dict[int, tuple[Finding, ...]]:
    """Of each server that has mods, by its key. `names`: of the rivals."""
    offers = _offers(facts.releases)
    by_server: dict[int, list[Installed]] = defaultdict(list)
    for row in sorted(map(Installed._make, facts.rows), key=lambda row: (row.name, row.file_name, row.pk)):
        by_server[row.server].append(row)
    return {server: _judge_all(rows, game_version, offers, names, facts.holds) for server, rows in by_server.items()}


@dataclass(frozen=True, slots=True)
class _Offer(Offer):
    """`is_gone`: not retracted, but no longer in the mod database's answers."""

    is_gone: bool = False


_Offers = Mapping[str, Mapping[int, list[_Offer]]]


def _offers(releases: Iterable[tuple[Any, ...]]) -> _Offers:
    """The releases by the modid that they carry and their mod, the latest first."""
    found: dict[str, dict[int, list[_Offer]]] = defaultdict(lambda: defaultdict(list))
    for key, mod, _number, pk, version, listed, state, needs in sorted(releases, key=itemgetter(2), reverse=True):
        found[key][mod].append(_Offer(version, _texts(listed), state > 0, _mapping(needs), pk, is_gone=state == 2))
    return found


@lru_cache(maxsize=4096)
def _texts(listed: str) -> Sequence[str]:
    """The game versions that a release names; many name the same."""
    found = json.loads(listed)
    return tuple(map(str, found)) if isinstance(found, list) else ()


def _mapping(needs: str | None) -> Mapping[str, str] | None:
    """None if the file wasn't read."""
    found = json.loads(needs) if needs else None
    return found if isinstance(found, dict) else None


def _is_gone(row: Installed, offers: Iterable[_Offer]) -> bool:
    """Whether what is installed vanished from the mod database: no word of a retraction was ever said of it."""
    own = [one for one in offers if row.version and versions.same(one.version, row.version)]
    return not row.retraction_reason and bool(own) and all(one.is_gone for one in own)


def _judge_all(
    rows: Sequence[Installed],
    game_version: str,
    offers: _Offers,
    names: Mapping[int, str],
    holds: Container[tuple[int, str]],
) -> tuple[Finding, ...]:
    counting = _counting(rows)
    findings = []
    for row in rows:
        is_held = (row.server, row.modid_key) in holds
        known = offers.get(row.modid_key, {}) if row.modid_key else {}
        rival = _rival(row, known, names, game_version)
        case = _case(row, known, rival, is_held=is_held, counts=not row.modid_key or counting[row.modid_key] == row.pk)
        judgement = judging.judge(case, game_version)
        blocks = judgement.verdict is Verdict.BLOCKING
        findings.append(Finding(row, judgement, is_held, rival if blocks else None))
    return tuple(sorted(_with_needs(findings, set(counting.values())), key=lambda one: _ORDER.index(one.verdict)))


def _counting(rows: Iterable[Installed]) -> dict[str, int]:
    """Of each modid the file that counts: what the game loads, else the highest; by primary key."""
    found: dict[str, Installed] = {}
    for row in rows:
        other = found.get(row.modid_key)
        if row.modid_key and (other is None or _weight(row) > _weight(other)):
            found[row.modid_key] = row
    return {key: row.pk for key, row in found.items()}


def _weight(row: Installed) -> tuple[bool, versions.SortKey]:
    return row.loads, versions.sort_key(row.version)


def _case(
    row: Installed, known: Mapping[int, list[_Offer]], rival: Rival | None, *, is_held: bool, counts: bool
) -> Case:
    there = row.looked_up == Lookup.State.FOUND
    offers = known.get(row.mod, []) if row.mod else []
    if not there:  # what was known before it went still tells of the installed version, and of nothing else
        offers = [replace(one, retracted=True) for one in offers]
    gone = _is_gone(row, offers)
    words = ""
    if rival is not None:
        words = _("%(name)s claims the same mod id, and has %(version)s for it.") % {
            "name": rival.name, "version": rival.version,
        }  # fmt: skip
    return Case(
        version=row.version,
        offers=offers,
        needs=_mapping(row.dependencies) or {},
        retracted=bool(row.retracted) and not gone,
        retraction_reason=row.retraction_reason,
        wont_load=row.wont_load,
        is_gone=gone,
        is_loaded=row.loads,
        is_held=is_held,
        is_known=there,
        is_asked=not row.modid_key or row.looked_up not in (None, Lookup.State.UNKNOWN),
        counts=counts,
        recommended=row.recommended,
        rival=words,
        successor=wording.continues(row.successor, row.successor_version or "", row.latest)
        if row.successor is not None
        else "",
    )


def _rival(
    row: Installed, known: Mapping[int, list[_Offer]], names: Mapping[int, str], game_version: str
) -> Rival | None:
    """Of the other mods that carry this modid, the one with the highest stable release for the game version."""
    there = [
        (versions.sort_key(one.version), mod, one.version)
        for mod, offers in known.items()
        if mod != row.mod
        for one in offers
        if not one.retracted
        and not versions.is_prerelease(one.version)
        and versions.compatibility(one.game_versions, game_version) is Compatibility.COMPATIBLE
    ]
    if not there:
        return None
    _key, mod, version = max(there)
    return Rival(mod, names[mod], version)


def _with_needs(findings: list[Finding], counting: Container[int]) -> list[Finding]:
    """What needs more than is there: the other one is updated too, or it stands in the way itself."""
    loaded = {one.row.pk: one.row.modid_key for one in findings if one.row.pk in counting and one.row.loads}
    standing = {one.row.modid_key: _standing(one) for one in findings if one.row.pk in loaded}
    if newer := judging.needed_newer(standing):
        findings = [
            replace(one, judgement=_updated(one.judgement, newer[key]))
            if (key := loaded.get(one.row.pk)) in newer
            else one
            for one in findings
        ]
        standing = {one.row.modid_key: _standing(one) for one in findings if one.row.pk in loaded}
    why = judging.unmet(standing, {one.row.modid_key for one in findings if one.row.pk not in loaded})
    return [
        replace(one, judgement=_blocked(one.judgement, why[key])) if (key := loaded.get(one.row.pk)) in why else one
        for one in findings
    ]


def _standing(one: Finding) -> Standing:
    return Standing(
        one.row.name, one.judgement, one.judgement.version or one.row.version, _needs(one), is_held=one.is_held
    )


def _updated(judgement: Judgement, why: str) -> Judgement:
    """One that is ready as it is; its best release names the game version as well."""
    return replace(judgement, do=Do.UPDATE, update=judgement.best, why=f"{why} {judgement.why}")


def _needs(one: Finding) -> Mapping[str, str]:
    """What the file needs that will be there; of a release whose file nobody read yet, as the installed one does."""
    if one.row.side == "client":  # a server doesn't run those
        return {}
    if one.judgement.update is not None and one.judgement.update.needs is not None:
        return one.judgement.update.needs
    return _mapping(one.row.dependencies) or {}


def _blocked(judgement: Judgement, lack: judging.Lack) -> Judgement:
    return replace(
        judgement,
        verdict=Verdict.BLOCKING,
        do=Do.INSTALL if lack.missing else Do.REMOVE,
        update=None,
        back=None,
        missing=lack.missing,
        why=f"{lack.why} {judgement.why}",
    )


def counts(reports: Iterable[Report]) -> Counter[Verdict]:
    """Of all servers together."""
    return Counter(one.verdict for report in reports for one in report.findings)
