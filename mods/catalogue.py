"""The catalogue: every mod of the stored list, searched, filtered and sorted here, without asking anybody.

Also a mod's details, which the list doesn't have: they are fetched once somebody opens its page.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Case, IntegerField, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import answers, fits, gameversions, moddb, refresh, status
from mods.fits import Fit
from mods.models import (
    CatalogueEntry,
    CatalogueTag,
    ClaimedModId,
    GameServer,
    GameVersionFit,
    InstalledMod,
    ListAnswer,
    Mod,
)

#: Told while it works: how much is behind us, how much there is in all, what is being done.
Report = Callable[[int, int, str], None]

#: Of the mod database's types, the one that is no mod.
TOOL = "externaltool"
#: How the catalogue can be sorted, first the way it is where nobody chose; "best" is for searches.
SORTS: dict[str, tuple[str, ...]] = {
    "trending": ("-trending", "-downloads", "-number"),
    "updated": ("-released", "-number"),
    "newest": ("-number",),
    "downloads": ("-downloads", "-number"),
    "name": ("name", "number"),
}
BEST = "best"
#: Details younger than this needn't be fetched again, and after a failure nobody asks for so long.
FRESH = timedelta(days=1)
PAUSE = timedelta(minutes=10)
#: So many lists that don't come are enough to stop asking.
_GIVE_UP_AFTER = 2
#: Words of a search that count.
_MOST_WORDS = 8


@dataclass(frozen=True)
class Wanted:
    """What somebody looks for; "" is anything. `game_version`: exact (1.21.5) or a series (1.21)."""

    text: str = ""
    game_version: str = ""
    side: str = ""
    tag: str = ""
    type: str = ""
    #: Mods that this server has are left out.
    not_on: GameServer | None = None
    #: One of `SORTS`; "" and `BEST`: what fits the text best, or, without one, the first of them.
    sort: str = ""

    @property
    def is_narrowed(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.text or self.game_version or self.side or self.tag or self.type or self.not_on)


@dataclass(frozen=True)
class Listed:
    """A mod of the catalogue, as the chosen server would have it."""

    mod: Mod
    #: The ids that it is installed by, in lower case.
    modids: tuple[str, ...]
    tags: tuple[str, ...]
    fit: Fit | None = None
    installed: tuple[InstalledMod, ...] = ()

    @property
    def is_tool(self) -> bool:
        return is_tool(self.mod)


def is_tool(mod: Mod) -> bool:
    """Whether it is a program beside the game, which no server loads."""
    return mod.type.lower().replace(" ", "") == TOOL


def search(wanted: Wanted) -> QuerySet[CatalogueEntry]:
    """The entries that are looked for, in order."""
    found = CatalogueEntry.objects.all()
    text = " ".join(wanted.text.casefold().split())
    for word in text.split()[:_MOST_WORDS]:
        found = found.filter(words__contains=word)
    if wanted.game_version:
        # Not by joins: they would go through the long rows of the mods.
        found = found.filter(mod__in=GameVersionFit.objects.filter(version=wanted.game_version).values("mod"))
    if wanted.side:
        found = found.filter(side=wanted.side)
    if wanted.type:
        found = found.filter(type=wanted.type)
    if wanted.tag:
        found = found.filter(mod__in=CatalogueTag.objects.filter(tag=wanted.tag).values("entry"))
    if wanted.not_on is not None:
        found = _without(found, wanted.not_on)
    if text and wanted.sort not in SORTS:
        return found.annotate(rank=_rank(text)).order_by("rank", "-downloads", "-number")
    return found.order_by(*SORTS.get(wanted.sort, next(iter(SORTS.values()))))


def _rank(text: str) -> Case:
    """A name or id that is just this comes first, then names that begin with it, then names that have it."""
    return Case(
        When(words__contains=f"\n{text}\n", then=Value(0)),
        When(name__startswith=text, then=Value(1)),
        When(name__contains=text, then=Value(2)),
        default=Value(3),
        output_field=IntegerField(),
    )


def _without(found: QuerySet[CatalogueEntry], server: GameServer) -> QuerySet[CatalogueEntry]:
    """Two mods can claim one id: where the mod database was asked, only the one that it named is installed."""
    here = InstalledMod.objects.filter(server=server)
    named = here.filter(lookup__mod__isnull=False).values("lookup__mod")
    ids = here.filter(lookup__mod__isnull=True).exclude(modid_key="").values("modid_key")
    return found.exclude(mod__in=named).exclude(mod__in=ClaimedModId.objects.filter(key__in=ids).values("mod"))


@dataclass(frozen=True)
class Known:
    """How old the lists are, and what there is to choose from."""

    #: Of the list of all mods; None where it was never asked for.
    answer: ListAnswer | None = None
    #: As `fits.answered` says it.
    heard: dict[str, datetime] = field(default_factory=dict)
    #: With how many mods have each, the commonest first.
    tags: list[tuple[str, int]] = field(default_factory=list)
    types: list[str] = field(default_factory=list)


def known() -> Known:
    """One query."""
    rows = list(ListAnswer.objects.all())
    answer = next((row for row in rows if row.game_version == ""), None)
    facts = answer.facts if answer else {}
    tags = [(str(tag), int(count)) for tag, count in facts.get("tags", ())]
    return Known(answer, fits.answered(rows), tags, list(facts.get("types", ())))


def listed(pks: Sequence[int], server: GameServer | None, heard: dict[str, datetime]) -> list[Listed]:
    """The mods with these primary keys, in this order, as `server` would have them; at most four queries.

    `heard`: as `fits.answered` says it.
    """
    mods = Mod.objects.defer("description", "homepage_url", "source_url").in_bulk(pks)
    ids = claimed(pks)
    fitting = fits.judge(mods.values(), server.game_version, heard) if server is not None else {}
    here: dict[int, list[InstalledMod]] = {}
    if server is not None:
        rows = InstalledMod.objects.filter(server=server).defer("description", "dependencies")
        for row, mod in _installed(ids, rows):
            here.setdefault(mod, []).append(row)
    return [
        Listed(
            mods[pk],
            ids.get(pk, ()),
            clean_tags(mods[pk]),
            fitting.get(pk),
            tuple(here.get(pk, ())),
        )
        for pk in pks
        if pk in mods
    ]


def clean_tags(mod: Mod) -> tuple[str, ...]:
    return tuple(str(one) for one in mod.tags if one) if isinstance(mod.tags, list) else ()


def claimed(pks: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Of each mod the ids that it claims, in lower case; one query."""
    found: dict[int, tuple[str, ...]] = {}
    rows = ClaimedModId.objects.filter(mod__in=pks).order_by("key").values_list("mod_id", "key")
    for pk, key in rows:
        found[pk] = (*found.get(pk, ()), key)
    return found


def installed(mod: Mod, ids: Collection[str]) -> list[InstalledMod]:
    """Where the mod is installed, with everything a page shows of it; one query."""
    rows = InstalledMod.objects.for_pages().order_by("server__name", "file_name")
    return [row for row, _mod in _installed({mod.pk: tuple(ids)}, rows)]


def _installed(ids: dict[int, tuple[str, ...]], rows: QuerySet[InstalledMod]) -> list[tuple[InstalledMod, int]]:
    """Which of these rows are which mod; see `_without` about mods that claim the same id."""
    by_id: dict[str, list[int]] = {}
    for pk, keys in ids.items():
        for key in keys:
            by_id.setdefault(key, []).append(pk)
    which = Q(lookup__mod__in=list(ids)) | Q(lookup__mod__isnull=True, modid_key__in=list(by_id))
    found = []
    for row in rows.filter(which).select_related("server", "lookup"):
        named = row.lookup.mod_id if row.lookup else None
        found += [(row, pk) for pk in ([named] if named else by_id[row.modid_key])]
    return found


# --- asking the mod database


@dataclass(frozen=True)
class Lists:
    """What came of asking for the lists; `error`: why there was none of all mods."""

    mods: int = 0
    #: What is wrong with the list of all mods, though it came.
    doubt: str = ""
    #: The game versions whose lists came, and of the others why not.
    answered: tuple[str, ...] = ()
    failures: dict[str, str] = field(default_factory=dict)
    error: str = ""


def refresh_lists(report: Report | None = None, stop: threading.Event | None = None) -> Lists:
    """Ask for the list of all mods, then for those of a few game versions; what fails leaves what was.

    A dozen requests at most. Doesn't raise for what the network does.
    """
    tell = report or (lambda *_: None)
    ending = stop or threading.Event()
    with refresh.client(ending) as database:
        asked_at = timezone.now()
        tell(0, 1, _("asking for all mods"))
        try:
            found = database.mods()
        except moddb.ModDBError as failure:
            answers.note_list("", asked_at, failure.text)
            return Lists(error=failure.text)
        count = answers.store_list(found)
        doubt = ""
        if CatalogueEntry.objects.count() > count:
            doubt = _("The list lacks more than half of what it had, so nothing was taken out of the catalogue.")
            answers.note_list("", asked_at, doubt)
        answered, failures = _refresh_fits(database, tell, ending)
    return Lists(count, doubt, answered, failures)


def _refresh_fits(database: moddb.ModDB, tell: Report, stop: threading.Event) -> tuple[tuple[str, ...], dict[str, str]]:
    """Ask which mods fit the game versions that matter."""
    known: list[str] = []
    with suppress(moddb.ModDBError):
        known = database.game_versions()
        gameversions.note(known)
    asked = fits.wanted(known)
    answered: list[str] = []
    failures: dict[str, str] = {}
    for number, game_version in enumerate(asked, start=1):
        if stop.is_set() or len(failures) >= _GIVE_UP_AFTER:
            break
        tell(number, len(asked) + 1, _("asking what fits %s") % game_version)
        asked_at = timezone.now()
        error = ""
        try:
            numbers = {summary.mod_id for summary in database.mods(game_version)}
            if not answers.store_fits(game_version, numbers, asked_at):
                error = _("The list lacks more than half of what it had.")
        except moddb.ModDBError as failure:
            error = failure.text
        if error:
            answers.note_list(game_version, asked_at, error)
            failures[game_version] = error
        else:
            answered.append(game_version)
    if known and not failures and not stop.is_set():
        answers.forget_fits(asked)
    tell(1, 1, "")
    return tuple(answered), failures


def wants_details(mod: Mod, now: datetime | None = None) -> bool:
    """Whether its details should be fetched: never had, old, or older than its last release; and not just tried."""
    moment = now or timezone.now()
    if mod.details_tried_at is not None and abs(moment - mod.details_tried_at) < PAUSE:
        return False
    if mod.fetched_at is None or abs(moment - mod.fetched_at) > FRESH:
        return True
    return mod.last_released is not None and mod.last_released > mod.fetched_at


def fetch_details(mod: Mod, stop: threading.Event | None = None) -> str:
    """Ask for all about one mod and store it; returns why that failed, "" where it didn't.

    What was known before stays in any case.
    """
    asked_at = timezone.now()
    answers.note_trial(mod)
    try:
        with refresh.client(stop) as database:
            details = database.mod(mod.mod_id)
    except moddb.NotFound:
        answers.note_trial(mod, error := _("The mod database doesn't have it any more."))
        return error
    except moddb.ModDBError as failure:
        answers.note_trial(mod, failure.text)
        return failure.text
    doubt = answers.store_mod(details, asked_at=asked_at)
    status.update(InstalledMod.objects.filter(lookup__mod=mod))
    return doubt
