"""The background work of this app. Not a `@job`: a run each minute isn't worth a record."""

import logging

from django.db import DatabaseError

from events import deliver, keeping
from vsadmin.lib import logs
from vsadmin.lib.jobs.runner import Progress


def notifications_deliver() -> None:
    """Send what waits for its targets, and forget old events. Never raises."""
    progress = Progress()
    try:
        with progress.watching():
            deliver.run(progress.stop)
        keeping.prune()
    except DatabaseError as error:  # it is tried again in a minute
        logs.event("notifications_deliver_failed", level=logging.ERROR, reason=type(error).__name__)
