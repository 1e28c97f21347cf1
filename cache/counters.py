"""The kept counters: changed in the transaction of what they count, so that nobody ever sums over the table.

They are counted up, and their size is asked for, in plain SQL, the same for every database: each use of a file does so,
and the ORM takes longer to build such a statement than the database to carry it out.
"""

from datetime import date, timedelta

from django.db import connection
from django.utils import timezone

from cache.models import CacheDay, CacheTotals

KEPT_DAYS = 400
_OF_ALL = ("files", "bytes", "hits", "misses", "saved_bytes", "evicted_files", "evicted_bytes")
_OF_THE_DAY = ("hits", "misses", "saved_bytes", "evicted_files", "evicted_bytes")
_SIZE_NOW = "size_bytes = (SELECT bytes FROM cache_cachetotals WHERE id = 1)"


def totals() -> CacheTotals:
    """The counters now; all zero where nothing was counted yet."""
    return CacheTotals.objects.filter(pk=1).first() or CacheTotals(pk=1)


def used_bytes() -> int:
    """What the entries hold, by the counter: one look-up, however many there are."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT bytes FROM cache_cachetotals WHERE id = 1")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def add(**changes: int) -> None:
    """Add to the totals' fields, and to today's. Call it inside the transaction of what is counted.

    The fields: files, bytes, hits, misses, saved_bytes, evicted_files, evicted_bytes.
    """
    of_all = [(name, changes[name]) for name in _OF_ALL if changes.get(name)]
    of_the_day = [(name, by) for name, by in of_all if name in _OF_THE_DAY]
    if not of_all:
        return
    if not _count("UPDATE cache_cachetotals SET ", [], of_all, " WHERE id = %s", 1):
        CacheTotals.objects.bulk_create([CacheTotals(pk=1)], ignore_conflicts=True)
        _count("UPDATE cache_cachetotals SET ", [], of_all, " WHERE id = %s", 1)
    resized = [_SIZE_NOW] if changes.get("bytes") else []
    if of_the_day or resized:
        _add_to_today(resized, of_the_day)


def _add_to_today(resized: list[str], changes: list[tuple[str, int]]) -> None:
    today = timezone.now().date()
    stored: str | date | None = connection.ops.adapt_datefield_value(today)
    if not _count("UPDATE cache_cacheday SET ", resized, changes, " WHERE day = %s", stored):
        CacheDay.objects.bulk_create([CacheDay(day=today, size_bytes=used_bytes())], ignore_conflicts=True)
        _count("UPDATE cache_cacheday SET ", resized, changes, " WHERE day = %s", stored)
        # A clock that is years ahead for a moment must not take what is known away.
        if CacheDay.objects.filter(day__lt=today, day__gte=today - timedelta(days=30)).exists():
            CacheDay.objects.filter(day__lt=today - timedelta(days=KEPT_DAYS)).delete()


def _count(
    update: str, settings: list[str], changes: list[tuple[str, int]], where: str, value: int | str | date | None
) -> int:
    """Run it; the columns' names are ours, from the lists above. Returns how many rows it met."""
    columns = ", ".join([*settings, *(f"{name} = {name} + %s" for name, _by in changes)])
    with connection.cursor() as cursor:
        cursor.execute(update + columns + where, [*(by for _name, by in changes), value])
        return int(cursor.rowcount)
