"""Whether vsadmin runs: `up` and each worker say so while they do, and what needs it stopped asks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from django.db import Error, connection
from django.utils.translation import gettext as _

from vsadmin.lib import locks
from vsadmin.lib.jobs.models import Worker

#: Shared by whatever runs on this machine; a process that was killed runs no more at once.
_LOCK = "running"


class NotNow(Exception):
    """vsadmin runs where it mustn't, or mustn't start; the text says what to do."""


@contextmanager
def running() -> Iterator[None]:
    """While inside, vsadmin runs here. Raises NotNow where somebody needs it stopped."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.share(_LOCK))
        except locks.Busy:
            raise NotNow(_("A backup is being restored. Start again when that is done.")) from None
        yield


@contextmanager
def stopped() -> Iterator[None]:
    """While inside, vsadmin doesn't run, and can't be started on this machine. Raises NotNow where it runs."""
    with ExitStack() as stack:
        try:
            stack.enter_context(locks.hold(_LOCK))
        except locks.Busy:
            raise NotNow(_("vsadmin is running. Stop it first.")) from None
        if _beats_elsewhere():
            text = _("A worker gave a sign of life less than three minutes ago, perhaps on another machine.")
            raise NotNow(f"{text} " + _("Stop it first; three minutes after that it counts as stopped."))
        yield


def _beats_elsewhere() -> bool:
    """On PostgreSQL workers may run on other machines, which the lock knows nothing of: the heartbeat tells."""
    if connection.vendor != "postgresql":
        return False
    try:
        return Worker.is_any_alive()
    except Error:
        return False
