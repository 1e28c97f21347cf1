"""A use of an entry, in plain SQL, the same for every database: finding it by its key, and stamping it.

Each hit does both. Beside the hashing of its file, building the statements by the ORM would cost more than the rest.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from cache import counters

#: SQLite's synchronous=NORMAL.
_NORMAL = 1


class Kept(NamedTuple):
    """What a use needs to know of an entry."""

    pk: int
    file_name: str
    size: int
    sha256: str
    checked: bool
    #: Downloaded to be looked at, and not used yet.
    unused: bool = False


def find(key: str) -> Kept | None:
    """The entry of this key. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, file_name, size, sha256, checked, times_used = 0 AND source <> '' FROM cache_cacheentry "
            "WHERE key = %s",
            [key],
        )
        row = cursor.fetchone()
    return None if row is None else Kept(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]))


def digest_of(key: str) -> str:
    """The SHA-256 that belongs to this key; "" where nobody knows. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sha256 FROM cache_knowndigest WHERE key = %s", [key])
        row = cursor.fetchone()
    return str(row[0]) if row else ""


def stamp(entry: Kept, *, looking: bool = False) -> None:
    """Note that the file was used just now, or, if `looking`, that it was looked at. Raises DatabaseError.

    A hit is a use that saved a download: neither a look nor the first use of what a look has downloaded.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with _without_waiting():
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE cache_cacheentry SET last_accessed_at = %s, times_used = times_used + %s, checked = %s "
                "WHERE id = %s",
                [now, int(not looking), True, entry.pk],
            )
        if not (looking or entry.unused):
            counters.add(hits=1, saved_bytes=entry.size)


@contextmanager
def _without_waiting() -> Iterator[None]:
    """A transaction that doesn't wait for the disk: a crash of ours leaves it whole, a power cut may take it back.

    The last stamps are no loss, and waiting for the disk would take longer than hashing most files.
    """
    with ExitStack() as stack:
        if connection.vendor == "sqlite":
            stack.enter_context(_relaxed_sqlite())
        stack.enter_context(transaction.atomic())
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit TO off")
        yield


@contextmanager
def _relaxed_sqlite() -> Iterator[None]:
    """synchronous=NORMAL where it is FULL. Inside a transaction SQLite refuses the change."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        (usual,) = cursor.fetchone()
        if usual <= _NORMAL or connection.in_atomic_block:
            yield
            return
        cursor.execute(f"PRAGMA synchronous={_NORMAL}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA synchronous={int(usual)}")
