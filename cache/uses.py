"""A use of an entry, in plain SQL, the same for every database: finding it by its key, and stamping it.

Each hit does both. Beside the hashing of its file, building the statements by the ORM would cost more than the rest.
"""

from typing import NamedTuple

from django.db import connection, transaction
from django.utils import timezone

from cache import counters


class Kept(NamedTuple):
    """What a use needs to know of an entry."""

    pk: int
    file_name: str
    size: int
    sha256: str
    checked: bool


def find(key: str) -> Kept | None:
    """The entry of this key. Raises DatabaseError."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, file_name, size, sha256, checked FROM cache_cacheentry WHERE key = %s", [key])
        row = cursor.fetchone()
    return None if row is None else Kept(row[0], row[1], row[2], row[3], bool(row[4]))


def stamp(entry: Kept) -> None:
    """Note that the file was used just now, and count the hit. Raises DatabaseError."""
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE cache_cacheentry SET last_accessed_at = %s, times_used = times_used + 1, checked = %s "
                "WHERE id = %s",
                [now, True, entry.pk],
            )
        counters.add(hits=1, saved_bytes=entry.size)
