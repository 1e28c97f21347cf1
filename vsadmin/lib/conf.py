"""Settings that the person running vsadmin gives: the environment, then what is stored, then the default.

Modules declare theirs (`INTERVAL = conf.seconds("VS_…_INTERVAL", 3600, "…")`) and call `INTERVAL.get()` at each use.
A malformed value never raises here: `problems()` lists the environment's for the system checks, which keep the program
from starting with them; the doctor tells of those that were changed in the panel.
"""

import math
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

T = TypeVar("T")

#: Where manage.py is: a setting means the same wherever vsadmin is started from.
_HOME = Path(__file__).resolve().parents[2]

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


class Malformed(ValueError):
    """The text can't be read as that kind of setting; the message says what to write."""


@dataclass(frozen=True)
class Problem:
    """One malformed setting: its name, what is wrong, and what to write instead."""

    name: str
    text: str
    hint: str


@dataclass(frozen=True)
class Setting(Generic[T]):
    """One setting: `parse` reads its text and raises `Malformed`."""

    name: str
    default: T
    parse: Callable[[str], T]
    hint: str
    #: In the panel too, where the environment doesn't say it.
    changeable: bool = False

    def get(self) -> T:
        """The value now; the default where unset or malformed."""
        text = self.text()
        if text is None and self.changeable:
            text = _stored(self.name)
        if text is None:
            return self.default
        try:
            return self.parse(text)
        except Malformed:
            return self.default

    def text(self) -> str | None:
        """What the environment says, or None where it says nothing."""
        text = os.environ.get(self.name)
        return None if text is None or not text.strip() else text.strip()

    def problem(self) -> Problem | None:
        text = self.text()
        if text is None:
            return None
        try:
            self.parse(text)
        except Malformed as error:
            return Problem(self.name, f"{self.name} is {text!r}: {error}", self.hint)
        return None


def _nothing(name: str) -> str | None:
    return None


_stored: Callable[[str], str | None] = _nothing
_declared: dict[str, Setting[object]] = {}


def use_store(stored: Callable[[str], str | None] = _nothing) -> None:
    """From now on `stored` is asked for the text of settings that may be changed in the panel; by default nothing is.

    It answers None where nothing is stored, is quick, and never raises.
    """
    global _stored
    _stored = stored


def declare(name: str, default: T, parse: Callable[[str], T], hint: str, *, changeable: bool = False) -> Setting[T]:
    """Declare a setting, so that `problems()` checks it. `changeable`: in the panel too."""
    setting = Setting(name, default, parse, hint, changeable)
    _declared[name] = setting  # type: ignore[assignment]  # Setting is read-only, so covariant in fact
    return setting


def changeable() -> list[Setting[object]]:
    """Every declared setting that may be changed in the panel."""
    return [setting for setting in _declared.values() if setting.changeable]


def problems() -> list[Problem]:
    """Every declared setting whose text can't be read."""
    return [problem for setting in _declared.values() if (problem := setting.problem())]


def whole_number(text: str) -> int:
    """A whole number from 0; raises `Malformed`. Longer than nine digits is refused (no setting needs it)."""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise Malformed("that is not a whole number.")
    if text.startswith("-") and text.strip("-0"):
        raise Malformed("it can't be negative.")
    if len(text.lstrip("+-0")) > 9:
        raise Malformed("that is too large.")
    return abs(int(text[-20:]))


def switch(text: str) -> bool:
    """on or off; raises `Malformed`."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise Malformed("that is neither on nor off.")


def path(text: str) -> Path:
    """A folder's path, `~` allowed, a relative one from where manage.py is; raises `Malformed`."""
    try:
        text.encode()
        return Path(os.path.normpath(_HOME / Path(text).expanduser()))
    except (RuntimeError, ValueError):
        raise Malformed("that is no path that can be used.") from None


def seconds(name: str, default: int, meaning: str, *, changeable: bool = False) -> Setting[int]:
    """Declare an interval in whole seconds; 0 switches its job off."""
    hint = f"Write a whole number of seconds, such as {name}={default}, or 0 to switch {meaning} off."
    return declare(name, default, whole_number, hint, changeable=changeable)


def minutes(interval_seconds: int) -> int:
    """Seconds, rounded up to whole minutes: the finest a schedule can be."""
    return max(1, math.ceil(interval_seconds / 60))
