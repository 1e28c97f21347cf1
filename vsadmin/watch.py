"""The web process watches the background worker: its silence becomes an event, which is sent from here.

The worker can't say that it is silent, nor send anything then. A thread in each web process looks, so that nobody has
to open a page for it; the event is written once however many look.
"""

import logging
import threading
import time
from collections.abc import Callable

from django.db import Error, connection
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from events import deliver
from events.kinds import Kind
from events.record import record
from vsadmin.lib.jobs.models import SILENT_AFTER, Worker
from vsadmin.supervisor import Pulse

_log = logging.getLogger(__name__)

#: Seconds between two looks.
EVERY = 5.0
#: A little sooner than the supervisor restarts it: what it then beats again must not hide that it was silent.
_SILENT = SILENT_AFTER.total_seconds() - 15


class Watch:
    """Compares the heartbeat with the one before, so that clocks that jump don't matter, nor one of long ago that is
    there when vsadmin starts."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pulse = Pulse(_SILENT)
        self._pulse.begin(clock())

    def look(self) -> None:
        """Look once. Where the database doesn't answer nothing is known, and the worker has its whole time anew."""
        try:
            worker = Worker.load()
            self._pulse.seen(worker.beat_at, self._clock())
            if self._pulse.is_silent(self._clock()):
                tell(worker)
                deliver.run()
        except Error:
            self._pulse.begin(self._clock())


def tell(worker: Worker) -> None:
    """Record that it is silent; once for each heartbeat that was its last. Raises `django.db.Error`."""
    last = worker.beat_at
    title = _("The background worker hasn't started")
    if last is not None:
        since = date_format(timezone.localtime(last), "j M H:i")
        title = _("The background worker is silent since %s") % since
        if worker.name:
            title = _("The worker on %(host)s is silent since %(since)s") % {"host": worker.name, "since": since}
    record(
        Kind.WORKER_SILENT,
        last.isoformat() if last is not None else "never",
        title,
        text=_(
            "Until it is back nothing is scanned, asked of the mod database or changed. vsadmin starts it anew by "
            "itself, three times in ten minutes at most; where that doesn't help, the log says more."
        ),
    )


def start() -> threading.Thread:
    """Look for as long as this process lives."""
    thread = threading.Thread(target=_look_on, name="worker-watch", daemon=True)
    thread.start()
    return thread


def _look_on() -> None:
    watch = Watch()
    while True:
        time.sleep(EVERY)
        try:
            watch.look()
        except Exception:  # noqa: BLE001  # whatever it is, the next look may go better
            _log.exception("watching the worker")
        finally:
            connection.close()
