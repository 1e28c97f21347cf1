"""How far a change is, for whoever looks, and whether it should end."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from mods.models import Operation

#: Told while it works: how much is behind us, how much there is in all, what is being done.
Report = Callable[[int, int, str], None]

#: Seconds between two notes of how far it is.
REPORT_EVERY = 0.5


@dataclass
class Watch:
    """How far it is, for whoever looks, and whether it should end. Only the thread that runs the operation calls it."""

    operation: Operation
    total: int
    report: Report | None
    stop: threading.Event
    done: int = 0
    cancelled: bool = False
    #: Set for the other threads, once it should end.
    halt: threading.Event = field(default_factory=threading.Event)
    _written: float = 0.0

    def tell(self, doing: str, *, more: int = 0) -> None:
        """Note that `more` of the work is behind us; written at most twice a second."""
        self.done += more
        if self.report is not None:
            self.report(self.done, self.total, doing)
        now = time.monotonic()
        if now - self._written < REPORT_EVERY:
            return
        self._written = now
        Operation.objects.filter(pk=self.operation.pk).update(done=self.done, total=self.total, doing=doing[:200])
        self.should_end()

    def should_end(self) -> bool:
        """Whether it is to end before the next group."""
        if not self.cancelled:
            wish = Operation.objects.filter(pk=self.operation.pk).values_list("cancel_requested", flat=True)
            self.cancelled = bool(wish.first())
        if self.cancelled or self.stop.is_set():
            self.halt.set()
        return self.halt.is_set()

    def why(self) -> str:
        """What ended it early, in words; "" where nothing did."""
        if self.cancelled:
            return _("It was cancelled.")
        return _("It was stopped because vsadmin was shutting down.") if self.halt.is_set() else ""
