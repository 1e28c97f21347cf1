"""When to stop asking the mod database: it fails again and again, or it wants to be left alone. No ORM."""

import threading
from datetime import UTC, datetime, timedelta

from vsadmin.lib.http import MAX_PAUSE, MAX_RETRY_AFTER, HttpError

#: Requests that failed in a row without any success before, or without a connection, after which nothing more is sent.
#: With four connections three more may be under way: an outage costs eight requests.
ENOUGH = 5
#: The same of a database that did answer before, and connects: some of its mods may be broken, and not the others.
ENOUGH_LATER = 40


class Patience:
    """Shared by the threads that ask one mod database. `until`: when it may be asked again, where it said so before."""

    def __init__(self, until: datetime | None = None) -> None:
        self.until = until
        self._lock = threading.Lock()
        self._succeeded = False
        self._in_a_row = 0
        self._lost: HttpError | None = None

    def check(self) -> None:
        """Raise HttpError if nothing more may be sent."""
        with self._lock:
            until, lost = self.until, self._lost
        if until is not None and until > datetime.now(UTC):
            raise HttpError(
                f"It wants to be left alone; vsadmin goes on at {until:%H:%M} UTC.", "paused", answered=True
            )
        if lost is not None:
            raise HttpError(lost.text, lost.kind, status=lost.status, answered=lost.answered)

    def failed(self, error: HttpError) -> None:
        """A request failed."""
        if error.kind in ("cancelled", "paused"):
            return
        with self._lock:
            if error.retry_after is not None and error.retry_after > MAX_PAUSE:
                self.until = datetime.now(UTC) + timedelta(seconds=min(error.retry_after, MAX_RETRY_AFTER))
            self._in_a_row += 1
            enough = ENOUGH_LATER if self._succeeded and error.answered else ENOUGH
            if self._in_a_row >= enough:
                self._lost = self._lost or error

    def succeeded(self) -> None:
        """An answer came that could be used, be it that something isn't there."""
        with self._lock:
            self._succeeded = True
            self._in_a_row = 0
