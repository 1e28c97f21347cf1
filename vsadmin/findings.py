"""What looking at a part of vsadmin came to, and looking that never takes longer than it may."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

T = TypeVar("T")


class State(Enum):
    """Each with its word; the values are for scripts."""

    OK = "ok"
    WARNING = "warning"
    NOT_OK = "not_ok"

    @property
    def words(self) -> str | Promise:
        return _WORDS[self]

    @property
    def tone(self) -> str:
        return {State.OK: "good", State.WARNING: "warn", State.NOT_OK: "bad"}[self]


_WORDS = {State.OK: gettext_lazy("OK"), State.WARNING: gettext_lazy("warning"), State.NOT_OK: gettext_lazy("not OK")}
_BY_WEIGHT = list(State)


def worst(states: list[State]) -> State:
    """OK where there are none."""
    return max(states, key=_BY_WEIGHT.index, default=State.OK)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: how it is, and what mends it. `command` is one that can be typed as it stands."""

    state: State
    text: str
    remedy: str = ""
    command: str = ""


def ok(text: str) -> Finding:
    return Finding(State.OK, text)


def warning(text: str, remedy: str = "", command: str = "") -> Finding:
    return Finding(State.WARNING, text, remedy, command)


def not_ok(text: str, remedy: str = "", command: str = "") -> Finding:
    return Finding(State.NOT_OK, text, remedy, command)


class Gone(Exception):
    """The look didn't come to an end; `finding` says so."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.text)
        self.finding = finding


class Look(Generic[T]):
    """Calls `look` in a thread of its own, which touches no ORM; a disk or a network may keep it waiting for ever.

    Of one name there is one at a time in a process: where one is still waiting, no other joins it.
    """

    _waiting: dict[str, threading.Thread] = {}
    _lock = threading.Lock()

    def __init__(self, name: str, look: Callable[[], T]) -> None:
        self._look = look
        self._done = threading.Event()
        self._found: list[T] = []
        self._trouble: Exception | None = None
        language = translation.get_language() or "en"
        self._thread = threading.Thread(target=self._run, args=(language,), name=f"look at {name}", daemon=True)
        with Look._lock:
            before = Look._waiting.get(name)
            self._joined_none = before is None or not before.is_alive()
            if self._joined_none:
                Look._waiting[name] = self._thread
                self._thread.start()

    def _run(self, language: str) -> None:
        try:
            with translation.override(language):
                self._found.append(self._look())
        except Exception as error:  # noqa: BLE001  # the other parts go on, and this one says so
            self._trouble = error
        self._done.set()

    def result(self, deadline: float) -> T:
        """What was found, by `deadline` (monotonic). Raises Gone."""
        if not self._joined_none or not self._done.wait(max(0.0, deadline - time.monotonic())):
            raise Gone(
                not_ok(
                    _("It gives no answer: whoever looks at it has to wait."),
                    _("A disk or a network drive that hangs does that. Look at the system's log (dmesg)."),
                )
            )
        if self._trouble is not None:
            logging.getLogger(__name__).error("a look failed", exc_info=self._trouble)
            words = f"{type(self._trouble).__name__}: {self._trouble}"[:300]
            raise Gone(not_ok(_("It couldn't be looked at (%s).") % words, _("The log says more.")))
        return self._found[0]
