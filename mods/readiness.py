"""Upgrade readiness: how each installed mod stands to a game version, and what to do to get there.

A fixed number of queries, however many mods and servers; asks nobody.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext as _

from mods import fits, judging, versions, wording
from mods.judging import Case, Do, Judgement, Offer, Standing, Verdict
from mods.models import GameServer, Hold, InstalledMod, Lookup, Release
from mods.versions import Compatibility

_ORDER = list(Verdict)[::-1]


@dataclass(frozen=True, slots=True)
class Rival:
    """Another mod of the mod database that claims the same id and has a release for the game version."""

    mod: int
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Finding:
    """An installed file, and how it stands."""

    row: InstalledMod
    judgement: Judgement
    hold: Hold | None = None
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


@dataclass(frozen=True, slots=True)
class Report:
    """One server's mods, those that stand in the way first."""

    server: GameServer
    game_version: str
    findings: tuple[Finding, ...]

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict is verdict for one in self.findings)

    @property
    def updates(self) -> int:
        """How many updates a plan can make."""
        return sum(one.do is Do.UPDATE and not one.by_hand for one in self.findings)

    @property
    def is_blocked(self) -> bool:
        return any(one.verdict is Verdict.BLOCKING for one in self.findings)

    @property
    def is_there(self) -> bool:
        """Whether the server runs that version already."""
        return versions.same(self.server.game_version, self.game_version)


def readable(game_version: str) -> str:
    """The version as the mod database would write it; "" for what is no exact game version."""
    text = fits.exact(game_version)
    return text if fits.series(text) else ""


def of(servers: Sequence[GameServer], game_version: str) -> list[Report]:
    """How the mods of each server stand to `game_version`, which is exact, like 1.22.0; three queries."""
    rows = list(
        InstalledMod.objects.filter(server__in=servers)
        .select_related("lookup__mod", "successor")
        .only(
            "server", "folder", "file_name", "kind", "enabled", "disabled_by_config", "modid", "modid_key", "name",
            "version", "dependencies", "side", "wont_load", "retracted", "retraction_reason", "recommended",
            "lookup__state", "lookup__mod__name", "lookup__mod__tags", "gone", "latest", "successor__modid",
            "successor__version",
        )
        .order_by("name", "file_name")
    )  # fmt: skip
    offers, names = _offers(servers)
    holds: dict[int, dict[str, Hold]] = defaultdict(dict)
    for hold in Hold.objects.filter(server__in=servers):
        holds[hold.server_id][hold.modid_key] = hold
    by_server: dict[int, list[InstalledMod]] = defaultdict(list)
    for row in rows:
        by_server[row.server_id].append(row)
    return [
        Report(server, game_version, _judge_all(by_server[server.pk], game_version, offers, names, holds[server.pk]))
        for server in servers
    ]


@dataclass(frozen=True, slots=True)
class _Offer(Offer):
    """`is_gone`: not retracted, but no longer in the mod database's answers."""

    is_gone: bool = False


_Offers = Mapping[str, Mapping[int, list[_Offer]]]


def _offers(servers: Sequence[GameServer]) -> tuple[_Offers, dict[int, str]]:
    """The releases by the modid that they carry and their mod; and the mods' names."""
    found: dict[str, dict[int, list[_Offer]]] = defaultdict(lambda: defaultdict(list))
    names: dict[int, str] = {}
    keys = InstalledMod.objects.filter(server__in=servers).exclude(modid_key="").values("modid_key")
    wanted = ("pk", "mod_id", "mod__name", "modid_key", "version", "game_versions", "retracted", "gone_since",
              "file_id")  # fmt: skip
    for pk, mod, name, key, version, listed, retracted, gone, file_id, needs in Release.objects.filter(
        modid_key__in=keys
    ).values_list(*wanted, "dependencies"):
        names[mod] = name
        is_lost = retracted or gone is not None or file_id is None
        offer = _Offer(
            version, listed, is_lost, needs if isinstance(needs, dict) else None, pk,
            is_gone=gone is not None and not retracted,
        )  # fmt: skip
        found[key][mod].append(offer)
    return found, names


def _is_gone(row: InstalledMod, offers: Iterable[_Offer]) -> bool:
    """Whether what is installed vanished from the mod database: no word of a retraction was ever said of it."""
    own = [one for one in offers if row.version and versions.same(one.version, row.version)]
    return not row.retraction_reason and bool(own) and all(one.is_gone for one in own)


def _judge_all(
    rows: Sequence[InstalledMod],
    game_version: str,
    offers: _Offers,
    names: Mapping[int, str],
    holds: Mapping[str, Hold],
) -> tuple[Finding, ...]:
    counting = _counting(rows)
    findings = []
    for row in rows:
        hold = holds.get(row.modid_key)
        known = offers.get(row.modid_key, {}) if row.modid_key else {}
        rival = _rival(row, known, names, game_version)
        case = _case(row, known, hold, rival, counts=not row.modid_key or counting[row.modid_key] == row.pk)
        judgement = judging.judge(case, game_version)
        blocks = judgement.verdict is Verdict.BLOCKING
        findings.append(Finding(row, judgement, hold, rival if blocks else None))
    return tuple(sorted(_with_needs(findings, set(counting.values())), key=lambda one: _ORDER.index(one.verdict)))


def _counting(rows: Iterable[InstalledMod]) -> dict[str, int]:
    """Of each modid the file that counts: what the game loads, else the highest; by primary key."""
    found: dict[str, InstalledMod] = {}
    for row in rows:
        other = found.get(row.modid_key)
        if row.modid_key and (other is None or _weight(row) > _weight(other)):
            found[row.modid_key] = row
    return {key: row.pk for key, row in found.items()}


def _weight(row: InstalledMod) -> tuple[bool, versions.SortKey]:
    return _loaded(row), versions.sort_key(row.version)


def _loaded(row: InstalledMod) -> bool:
    return row.enabled and not row.disabled_by_config


def _case(
    row: InstalledMod, known: Mapping[int, list[_Offer]], hold: Hold | None, rival: Rival | None, *, counts: bool
) -> Case:
    lookup = row.lookup
    there = lookup is not None and lookup.state == Lookup.State.FOUND
    offers = known.get(lookup.mod_id, []) if lookup is not None and lookup.mod_id else []
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
        needs=row.dependencies if isinstance(row.dependencies, dict) else {},
        retracted=row.retracted and not gone,
        retraction_reason=row.retraction_reason,
        wont_load=row.wont_load,
        is_gone=gone,
        is_loaded=_loaded(row),
        is_held=hold is not None,
        is_known=there,
        is_asked=not row.modid_key or (lookup is not None and lookup.state != Lookup.State.UNKNOWN),
        counts=counts,
        recommended=row.recommended,
        rival=words,
        successor=wording.successor(row),
    )


def _rival(
    row: InstalledMod, known: Mapping[int, list[_Offer]], names: Mapping[int, str], game_version: str
) -> Rival | None:
    """Of the other mods that carry this modid, the one with the highest stable release for the game version."""
    own = row.lookup.mod_id if row.lookup else None
    there = [
        (versions.sort_key(one.version), mod, one.version)
        for mod, offers in known.items()
        if mod != own
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
    """Those that are fine by themselves, but need one that isn't, stand in the way too."""
    loaded = {one.row.pk: one for one in findings if one.row.pk in counting and _loaded(one.row)}
    why = judging.unmet(
        {
            one.row.modid_key: Standing(
                one.row.name, one.judgement, one.judgement.version or one.row.version, _needs(one)
            )
            for one in loaded.values()
        },
        {one.row.modid_key for one in findings if one.row.pk not in loaded},
    )
    return [
        replace(one, judgement=_blocked(one.judgement, why[one.row.modid_key]))
        if one.row.pk in loaded and one.row.modid_key in why
        else one
        for one in findings
    ]


def _needs(one: Finding) -> Mapping[str, str]:
    """What the file needs that will be there; of a release whose file nobody read yet, as the installed one does."""
    if one.row.side == "client":  # a server doesn't run those
        return {}
    if one.judgement.update is not None and one.judgement.update.needs is not None:
        return one.judgement.update.needs
    return one.row.dependencies if isinstance(one.row.dependencies, dict) else {}


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
