"""Search in the stored list of all mods, for the page that installs them."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When

from mods import fits, versions
from mods.admin.catalogue_words import shown_fit
from mods.models import GameServer, InstalledMod, Mod, Release

SHOWN = 24
#: Of the mod database's types, the one that is no mod.
_TOOL = "externaltool"


@dataclass(frozen=True)
class Found:
    """A mod of the list as the chosen server would see it."""

    mod: Mod
    #: The ids that it is installed by; several where one entry of the database releases several mods.
    modids: tuple[str, ...]
    installed: tuple[InstalledMod, ...] = ()
    #: What would be installed, as far as its releases are stored.
    best: Release | None = None
    #: Tone, word and reason of its compatibility, as the catalogue has them; None without a server.
    fit: tuple[str, str, str] | None = None

    @property
    def is_up_to_date(self) -> bool:
        """Whether it is installed, and nothing newer is known to fit."""
        if not self.installed:
            return False
        return self.best is None or any(row.version == self.best.version for row in self.installed)

    @property
    def is_tool(self) -> bool:
        return self.mod.type.lower().replace(" ", "") == _TOOL


@dataclass
class _Offer:
    """A release as `versions` wants it."""

    release: Release
    version: str
    game_versions: list[str]
    retracted: bool


def search(text: str, server: GameServer | None) -> tuple[list[Found], bool]:
    """The mods that fit best, and whether there are more; without a text those that are trending. Six queries."""
    mods = list(_matching(text.strip())[: SHOWN + 1])
    return _with_server(mods[:SHOWN], server), len(mods) > SHOWN


def _matching(text: str) -> QuerySet[Mod]:
    listed = Mod.objects.defer("description").prefetch_related("claims")
    if not text:
        return listed.exclude(type__iexact=_TOOL).order_by("-trending", "-downloads")
    wanted = Q()
    for word in text.split()[:8]:
        wanted &= (
            Q(name__icontains=word)
            | Q(summary__icontains=word)
            | Q(author__icontains=word)
            | Q(pk__in=Mod.objects.filter(claims__key__contains=word.lower()).values("pk"))
        )
    exact = Mod.objects.filter(claims__key=text.lower()).values("pk")
    rank = Case(
        When(Q(pk__in=exact) | Q(name__iexact=text), then=Value(0)),
        When(name__istartswith=text, then=Value(1)),
        When(name__icontains=text, then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )
    return listed.filter(wanted).annotate(rank=rank).order_by("rank", "-downloads", "name")


def _with_server(mods: list[Mod], server: GameServer | None) -> list[Found]:
    ids = {mod.pk: tuple(sorted(claim.key for claim in mod.claims.all())) for mod in mods}
    here: dict[str, list[InstalledMod]] = {}
    if server is not None:
        keys = {key for keys in ids.values() for key in keys}
        rows = InstalledMod.objects.filter(server=server, modid_key__in=keys).only(
            "modid_key", "version", "name", "compatibility"
        )
        for row in rows:
            here.setdefault(row.modid_key, []).append(row)
    offers = _offers(mods)
    judged = fits.judge(mods, server.game_version, fits.answered()) if server is not None else {}
    return [_found(mod, ids[mod.pk], here, offers.get(mod.pk, []), server, judged.get(mod.pk)) for mod in mods]


def _offers(mods: Iterable[Mod]) -> dict[int, list[_Offer]]:
    found: dict[int, list[_Offer]] = {}
    stored = Release.objects.filter(mod__in=[mod.pk for mod in mods]).only(
        "mod_id", "version", "game_versions", "retracted", "gone_since", "file_id"
    )
    for release in stored:
        offer = _Offer(release, release.version, release.game_versions, not release.can_be_had)
        found.setdefault(release.mod_id, []).append(offer)
    return found


def _found(
    mod: Mod,
    modids: tuple[str, ...],
    here: dict[str, list[InstalledMod]],
    offers: list[_Offer],
    server: GameServer | None,
    fit: fits.Fit | None,
) -> Found:
    installed = tuple(row for key in modids for row in here.get(key, ()))
    best = None
    if server is not None:
        best = versions.recommended(offers, server.game_version, installed="", installed_retracted=False)
    return Found(mod, modids, installed, best.release if best else None, shown_fit(fit, installed, server))
