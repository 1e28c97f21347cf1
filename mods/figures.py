"""Counts of installed mods, as the overview, the navigation and the servers' pages show them."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from django.db.models import Count

from mods.models import STATES, InstalledMod, InstalledModQuerySet

# Named apart from the columns, which Django would take them for.
_COUNTS = {
    "n_mods": Count("pk"),
    "n_outdated": Count("pk", filter=STATES["outdated"]),
    "n_to_go_back": Count("pk", filter=STATES["back"]),
    "n_incompatible": Count("pk", filter=STATES["incompatible"]),
    "n_retracted": Count("pk", filter=STATES["retracted"]),
    "n_gone": Count("pk", filter=STATES["gone"]),
    "n_problems": Count("pk", filter=STATES["problem"]),
    "n_attention": Count("pk", filter=STATES["attention"]),
}


@dataclass(frozen=True)
class Figures:
    """How many installed mods there are, and how many of them are what."""

    mods: int = 0
    outdated: int = 0
    to_go_back: int = 0
    incompatible: int = 0
    retracted: int = 0
    gone: int = 0
    problems: int = 0
    attention: int = 0


def by_server() -> dict[int, Figures]:
    """The figures of each server that has mods, by its key; one query."""
    rows = InstalledMod.objects.order_by().values("server").annotate(**_COUNTS)
    return {row["server"]: _figures(row) for row in rows}


def of(installed: InstalledModQuerySet) -> Figures:
    """The figures of these rows; one query."""
    return _figures(installed.aggregate(**_COUNTS))


def total(figures: Iterable[Figures]) -> Figures:
    """All of them together."""
    return Figures(*(sum(counts) for counts in zip(*(astuple(one) for one in figures), strict=True)))


def _figures(row: Mapping[str, Any]) -> Figures:
    return Figures(**{name.removeprefix("n_"): row[name] for name in _COUNTS})


def needing_attention() -> int:
    """How many installed mods a person should look at; one query."""
    return InstalledMod.objects.needing_attention().count()
