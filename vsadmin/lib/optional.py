"""Writes that a page can do without: who only looks isn't kept waiting for whoever writes, nor shown an error."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import Error, connection, transaction

_log = logging.getLogger(__name__)

#: Milliseconds that such a write waits for others.
_PATIENCE = 200


def write(work: Callable[[], object]) -> bool:
    """Do the work in a transaction; False, with nothing written, where others hold the database, or it can't be."""
    try:
        with _impatient(), transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = {_PATIENCE}")
            work()
    except Error:
        _log.info("what was seen couldn't be written down", exc_info=True)
        return False
    return True


@contextmanager
def _impatient() -> Iterator[None]:
    """SQLite's wait belongs to the connection, and is over before a transaction begins."""
    if connection.vendor != "sqlite":
        yield
        return
    seconds = connection.settings_dict["OPTIONS"].get("timeout", 5)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
