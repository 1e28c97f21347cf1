"""Which mods of the list have a release for which game version.

The list of all mods names no game versions. The mod database gives lists for one exact version or one series, though:
a few of them, for the servers' versions and the newest series, tell enough without asking about every mod.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from django.db.models import Count, Q

from mods import moddb, versions
from mods.models import GameServer, GameVersionFit, ListAnswer, Mod

#: Of the newest series of the game, so many are asked for; and so many lists in all.
NEWEST_SERIES = 3
MOST_LISTS = 12
#: Game versions kept of one mod; more than there are.
_MOST_OF_A_MOD = 500


class Fit(StrEnum):
    """Whether a mod has a release for a game version. `UNKNOWN`: nobody said."""

    COMPATIBLE = "compatible"
    NOT_VERIFIED = "not_verified"
    INCOMPATIBLE = "incompatible"
    UNKNOWN = "unknown"


def exact(game_version: str) -> str:
    """The version as the mod database writes it, like 1.21.5; "" for one that it can't know."""
    text = game_version.strip().removeprefix("v")
    return text if moddb.is_game_version(text) and len(text) <= 50 else ""


def series(game_version: str) -> str:
    """Its major.minor, like 1.21; "" for what is no version."""
    version = versions.parse(game_version)
    if version is None or not version.numbers:
        return ""
    text = "{}.{}".format(*version.series)
    return text if len(text) <= 50 else ""


def of_releases(listed: Iterable[Collection[str]]) -> set[str]:
    """What the releases' game versions come to: exact ones, series, and "" where a release names none."""
    found: set[str] = set()
    for game_versions in listed:
        known = {text for one in game_versions for text in (exact(one), series(one)) if text and series(one)}
        found |= known or {""}
        if len(found) > _MOST_OF_A_MOD:
            break
    return set(sorted(found)[:_MOST_OF_A_MOD])


def wanted(known: Sequence[str]) -> tuple[str, ...]:
    """The lists to ask for: the servers' versions and series, then the newest series of the `known` game versions."""
    of_servers = sorted(set(GameServer.objects.values_list("game_version", flat=True)), key=versions.sort_key)
    ours = [text for one in reversed(of_servers) for text in (exact(one), series(one))]
    newest = sorted({series(one) for one in known} - {""}, key=versions.sort_key, reverse=True)[:NEWEST_SERIES]
    return tuple(dict.fromkeys(text for text in (*ours, *newest) if text))[:MOST_LISTS]


def answered(rows: Iterable[ListAnswer] | None = None) -> dict[str, datetime]:
    """The game versions for which the mod database gave a list, and when; newest version first, "" for all mods.

    `rows`: all of them, where they are at hand; else one query.
    """
    moments = {row.game_version: row.answered_at for row in (ListAnswer.objects.all() if rows is None else rows)}
    newest = sorted(moments.items(), key=lambda item: versions.sort_key(item[0]), reverse=True)
    return {game_version: moment for game_version, moment in newest if moment is not None}


def judge(mods: Collection[Mod], game_version: str, answers: dict[str, datetime]) -> dict[int, Fit]:
    """By primary key whether each mod fits; `answers` are those of `answered`. One query."""
    named, broad = exact(game_version), series(game_version)
    if not broad:
        return {mod.pk: Fit.UNKNOWN for mod in mods}
    counts = {"exactly": Count("pk", filter=Q(version=named)), "nearly": Count("pk", filter=Q(version__in=(broad, "")))}
    rows = GameVersionFit.objects.filter(mod__in=[mod.pk for mod in mods]).order_by().values("mod_id")
    said = {pk: (exactly, nearly) for pk, exactly, nearly in rows.annotate(**counts).values_list("mod_id", *counts)}
    return {mod.pk: _judge(mod, said.get(mod.pk), answers.get(broad)) for mod in mods}


def _judge(mod: Mod, said: tuple[int, int] | None, asked_at: datetime | None) -> Fit:
    """`said`: how many lists and releases name the version exactly, and nearly; None where none says anything of the
    mod at all: perhaps its releases name no game version."""
    if said is None:
        return Fit.UNKNOWN
    exactly, nearly = said
    if exactly:
        return Fit.COMPATIBLE
    if nearly:
        return Fit.NOT_VERIFIED
    moments = [moment for moment in (asked_at, mod.fetched_at) if moment is not None]
    # A release that is younger than what we heard may be for it.
    heard = bool(moments) and (mod.last_released is None or max(moments) >= mod.last_released)
    return Fit.INCOMPATIBLE if heard else Fit.UNKNOWN
