"""What was changed in the panel, as `conf` asks for it: a copy in each process, which is never older than ten seconds.

A database that is down, or has no such table yet, means what was known before, and nothing where nothing was.
"""

import logging
import math
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from django.apps import apps
from django.db import Error, connection, transaction
from django.utils import timezone

from vsadmin.lib.stored.models import StoredSetting

#: Seconds for which what was read is believed.
FRESH = 10.0

_log = logging.getLogger(__name__)


class _Copy:
    """What a process knows of the table. Raises nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, str] | None = None
        self._read_at = -math.inf

    def texts(self) -> dict[str, str]:
        with self._lock:
            # Until it could be read once it is tried each time: a default must not stand in for what somebody chose.
            if self._texts is None or time.monotonic() - self._read_at >= FRESH:
                self._read()
            return self._texts or {}

    def forget(self) -> None:
        """It is read anew at the next use; what was known still counts where that fails."""
        with self._lock:
            self._read_at = -math.inf

    def clear(self) -> None:
        with self._lock:
            self._texts = None

    def _read(self) -> None:
        if not apps.ready:
            return
        self._read_at = time.monotonic()
        try:
            self._texts = _rows()
        except Error:
            _log.debug("the stored settings can't be read", exc_info=True)


def _rows() -> dict[str, str]:
    rows = StoredSetting.objects.exclude(text="").values_list("name", "text")
    if not connection.in_atomic_block:
        return dict(rows)
    with transaction.atomic():  # a failure must not break the transaction around it
        return dict(rows)


_copy = _Copy()


def text(name: str) -> str | None:
    """What is stored for this setting; None where nothing is, or it isn't known."""
    return _copy.texts().get(name, "").strip() or None


def forget() -> None:
    """Read anew at the next use: somebody else may have changed it a moment ago."""
    _copy.forget()


def clear() -> None:
    """Know nothing, as a process that has just started."""
    _copy.clear()


def write(texts: dict[str, str], by: str) -> None:
    """Store these texts by name, "" for the default; this process knows them at once. Raises DatabaseError.

    Who went back to the default, and when, is kept in the row as well.
    """
    now = timezone.now()
    with transaction.atomic():
        for name, given in texts.items():
            fields = {"text": given, "changed_at": now, "changed_by_name": by[:150]}
            StoredSetting.objects.update_or_create(name=name, defaults=fields)
    forget()


def rows(names: Iterable[str]) -> dict[str, StoredSetting]:
    """The rows as they are now, by name. Raises DatabaseError."""
    return {row.name: row for row in StoredSetting.objects.filter(name__in=list(names))}


def was_changed_within(name: str, length: timedelta) -> bool:
    """Whether somebody changed it in the panel so lately, whichever way a clock was set since. Raises DatabaseError."""
    now = timezone.now()
    return StoredSetting.objects.filter(name=name, changed_at__range=(now - length, now + length)).exists()
