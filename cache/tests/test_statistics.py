"""Figures by day and ever, flat in cost."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cache import counters, eviction, statistics
from cache.models import CacheDay
from cache.tests.helpers import fetch, fill, put

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_today_thirty_days_and_ever() -> None:
    with time_machine.travel(START, tick=False):
        put(1, 1000)
        fetch(1).close()
    with time_machine.travel(START + timedelta(days=20), tick=False):
        fetch(1).close()
    with time_machine.travel(START + timedelta(days=31), tick=False):
        fetch(1).close()
        put(2, 500)
        eviction.enforce_limit(500)
        found = statistics.read()
    assert (found.today.hits, found.today.misses, found.today.saved_bytes) == (1, 1, 1000)
    assert (found.today.evicted_files, found.today.evicted_bytes) == (1, 1000)
    assert (found.last_30_days.hits, found.last_30_days.misses) == (2, 1)
    assert (found.ever.hits, found.ever.misses, found.ever.saved_bytes) == (3, 2, 3000)
    assert found.ever.hit_rate == 0.6
    assert statistics.Figures().hit_rate is None


def test_the_series_has_every_day_and_a_quiet_day_keeps_its_size() -> None:
    with time_machine.travel(START, tick=False):
        put(1, 1000)
    with time_machine.travel(START + timedelta(days=3), tick=False):
        put(2, 500)
        series = statistics.by_day(5)
    assert [day.day.day for day in series] == [28, 1, 2, 3, 4]
    assert [day.size_bytes for day in series] == [0, 1000, 1000, 1000, 1500]
    assert [day.figures.misses for day in series] == [0, 1, 0, 0, 1]
    with time_machine.travel(START + timedelta(days=9), tick=False):
        assert [day.size_bytes for day in statistics.by_day(3)] == [1500, 1500, 1500]


def test_the_daily_table_prunes_itself() -> None:
    with time_machine.travel(START, tick=False):
        put(1)
    with time_machine.travel(START + timedelta(days=counters.KEPT_DAYS), tick=False):
        put(2)
    assert CacheDay.objects.count() == 2
    with time_machine.travel(START + timedelta(days=counters.KEPT_DAYS + 1), tick=False):
        put(3)
    assert next(day.day for day in CacheDay.objects.all()) > START.date()
    assert CacheDay.objects.count() == 2


def test_the_number_of_queries_does_not_depend_on_the_number_of_entries() -> None:
    counts = []
    for size in (1, 300):
        fill(size)
        with CaptureQueriesContext(connection) as queries:
            statistics.read()
            statistics.by_day(400)
        counts.append(len(queries))
        eviction.clear()
    assert counts[0] == counts[1] <= 6
