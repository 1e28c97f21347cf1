"""Waiting for a database that isn't there yet: it may start after vsadmin, or be started anew."""

import logging
import time

from django.db import InterfaceError, OperationalError, connection

from vsadmin.lib import logs

#: Seconds that a worker waits; longer than the window in which it is restarted three times at most.
PATIENCE = 900.0
_PAUSE = 1.0


def for_database(patience: float = PATIENCE) -> None:
    """Return once it answers; the log says that it is waited for. Raises OperationalError, InterfaceError after that.

    A signal that ends the process ends the wait.
    """
    deadline = time.monotonic() + patience
    told = False
    while True:
        try:
            _ask()
        except (OperationalError, InterfaceError) as error:
            connection.close()
            if time.monotonic() >= deadline:
                raise
            if not told:
                why = (str(error).strip().splitlines() or [type(error).__name__])[0]
                logs.event("database_awaited", level=logging.WARNING, reason=why, seconds=round(patience))
            told = True
            time.sleep(_PAUSE)
        else:
            if told:
                logs.event("database_answers")
            return


def _ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
