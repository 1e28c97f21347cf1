"""A use is stamped without waiting for the disk; everything else goes on waiting for it."""

from typing import Any

import pytest
from django.db import connection, transaction

from cache import counters, uses
from cache.models import CacheEntry
from cache.tests.helpers import fetch, put

pytestmark = pytest.mark.django_db(transaction=True)

FULL, NORMAL = 2, 1


def synchronous() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous")
        return int(cursor.fetchone()[0])


@pytest.fixture
def waits() -> Any:
    """Of each statement that writes an entry: SQLite's `synchronous` at that moment."""
    found: list[int] = []

    def look(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE cache_cacheentry"):
            found.append(synchronous())
        return execute(sql, params, many, context)

    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA synchronous={FULL}")
    with connection.execute_wrapper(look):
        yield found


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's synchronous")
def test_a_hit_does_not_wait_for_the_disk_and_what_comes_after_does(waits: list[int]) -> None:
    put(1)
    fetch(1).close()
    assert waits == [NORMAL]
    assert synchronous() == FULL


@pytest.mark.skipif(connection.vendor != "sqlite", reason="about SQLite's synchronous")
def test_inside_a_transaction_it_is_left_as_it_is(waits: list[int]) -> None:
    put(1)
    entry = uses.find("moddb:1")
    assert entry is not None
    with transaction.atomic():
        uses.stamp(entry)
    assert waits == [FULL]


@pytest.mark.parametrize("fails", [False, True])
def test_a_stamp_is_whole_or_not_at_all(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    put(1)
    entry = uses.find("moddb:1")
    assert entry is not None
    before = CacheEntry.objects.get()
    if fails:
        monkeypatch.setattr("cache.counters.add", lambda **changes: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            uses.stamp(entry)
    else:
        uses.stamp(entry)
    after = CacheEntry.objects.get()
    assert (after.times_used - before.times_used, after.last_accessed_at > before.last_accessed_at) == (
        (0, False) if fails else (1, True)
    )
    if connection.vendor == "sqlite":
        assert synchronous() != NORMAL


def test_a_file_that_was_downloaded_to_be_looked_at_and_then_used_is_no_hit() -> None:
    for _plan in range(2):
        fetch(1, looking=True).close()
    assert CacheEntry.objects.get().times_used == 0
    assert (counters.totals().hits, counters.totals().misses) == (0, 1)
    fetch(1).close()
    assert CacheEntry.objects.get().times_used == 1
    assert (counters.totals().hits, counters.totals().saved_bytes) == (0, 0)
    for _use in range(2):
        fetch(1).close()
    assert (counters.totals().hits, counters.totals().misses, counters.totals().saved_bytes) == (2, 1, 2000)


def test_a_look_is_an_access_and_no_use() -> None:
    put(1, 1000, age=3600)
    before = CacheEntry.objects.get()
    fetch(1, looking=True).close()
    after = CacheEntry.objects.get()
    assert after.last_accessed_at > before.last_accessed_at
    assert after.times_used == before.times_used == 1
    assert counters.totals().hits == 0
    fetch(1).close()
    assert counters.totals().hits == 1


def test_a_file_that_was_put_in_saves_a_download_at_its_first_use() -> None:
    put(1)
    CacheEntry.objects.update(times_used=0, source="")  # as `deposits` does
    fetch(1).close()
    assert counters.totals().hits == 1
