"""What a mod needs, and whether a server has it: one rule for the scan, the mods' pages and readiness. Pure."""

from enum import StrEnum

from django.utils.translation import gettext as _

from mods import versions

#: Ids that stand for the game itself: a minimum of these is a minimum of the game's version, and no file brings them.
BASE_GAME = frozenset({"game", "survival", "creative"})


class State(StrEnum):
    """How a server meets what a mod needs."""

    MET = "met"
    MISSING = "missing"
    DISABLED = "disabled"
    TOO_OLD = "too_old"


def state(modid: str, minimum: str, there: str | None, *, loads: bool, game_version: str) -> State:
    """Whether a need is met. `there`: the version of that mod which counts on the server, None if it isn't installed;
    `loads`: whether it is enabled. A game version that isn't known ("") meets every minimum."""
    if modid.lower() in BASE_GAME:
        return State.MET if versions.satisfies(game_version, minimum) else State.TOO_OLD
    if there is None:
        return State.MISSING
    if not loads:
        return State.DISABLED
    return State.MET if versions.satisfies(there, minimum) else State.TOO_OLD


def asked(minimum: str) -> str:
    """A minimum as people read it: "" if any version will do."""
    return "" if minimum.strip() in {"", "*"} else minimum


def sentence(modid: str, minimum: str, how: State, has: str) -> str:
    """What a need that isn't met (`how`) means, and what to do. `has`: the version that is there."""
    words = {"mod": f"{modid} {asked(minimum)}".strip(), "modid": modid, "minimum": minimum, "has": has}
    if modid.lower() in BASE_GAME:
        return _("It needs game version %(minimum)s, and the server has %(has)s.") % words
    if how is State.MISSING:
        return _("It needs %(mod)s, which isn't installed. Install it.") % words
    if how is State.DISABLED:
        return _("It needs %(mod)s, which is disabled. Enable it.") % words
    return _("It needs %(mod)s, and there is %(has)s. Update %(modid)s.") % words
