"""What the cache did and holds, for the page, the command and the dashboard. A constant number of queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from cache import conf, counters, places
from cache.models import CacheDay, CacheTotals, KnownDigest
from vsadmin.lib import files


@dataclass(frozen=True)
class Figures:
    """Of a span of time."""

    hits: int = 0
    misses: int = 0
    saved_bytes: int = 0
    evicted_files: int = 0
    evicted_bytes: int = 0

    @property
    def hit_rate(self) -> float | None:
        """From 0 to 1; None where nothing was asked for."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else None


@dataclass(frozen=True)
class Day:
    """One day (UTC): its figures, and the cache's size at its end."""

    day: date
    size_bytes: int
    figures: Figures


@dataclass(frozen=True)
class Statistics:
    """The cache now. Sizes in bytes; `max_size_bytes` 0: no limit; `free_disk_bytes` None: it can't be told.

    `total_size_bytes` counts the entries and what crashed downloads left (`leftover_bytes`).
    """

    file_count: int
    total_size_bytes: int
    leftover_bytes: int
    max_size_bytes: int
    free_disk_bytes: int | None
    alarms: int
    today: Figures
    last_30_days: Figures
    ever: Figures

    @property
    def used_share(self) -> float | None:
        """Used of the limit: 1 is full. None without a limit."""
        return self.total_size_bytes / self.max_size_bytes if self.max_size_bytes else None


def read() -> Statistics:
    """The figures now; zeros where there is no cache yet."""
    totals = counters.totals()
    today = timezone.now().date()
    days = list(CacheDay.objects.filter(day__gt=today - timedelta(days=30), day__lte=today))
    left = files.leftovers(places.staging()).bytes
    return Statistics(
        file_count=max(0, totals.files),
        total_size_bytes=max(0, totals.bytes) + left,
        leftover_bytes=left,
        max_size_bytes=conf.limit_bytes(),
        free_disk_bytes=_free_bytes(),
        alarms=KnownDigest.objects.alarmed().count(),
        today=_sum([row for row in days if row.day == today]),
        last_30_days=_sum(days),
        ever=_sum([totals]),
    )


def by_day(days: int = 30) -> list[Day]:
    """The last `days` days, oldest first, none left out: on a quiet one the size stays as it was."""
    today = timezone.now().date()
    first = today - timedelta(days=days - 1)
    before = CacheDay.objects.filter(day__lt=first).order_by("-day").values_list("size_bytes", flat=True)
    known = {row.day: row for row in CacheDay.objects.filter(day__gte=first, day__lte=today)}
    series: list[Day] = []
    size = 0 if first in known else before.first() or 0
    for number in range(days):
        day = first + timedelta(days=number)
        row = known.get(day)
        size = row.size_bytes if row else size
        series.append(Day(day, max(0, size), _sum([row] if row else [])))
    return series


def over(days: Sequence[Day]) -> Figures:
    """The figures of these days together."""
    return _sum([day.figures for day in days])


def _sum(rows: Sequence[CacheDay | CacheTotals | Figures]) -> Figures:
    return Figures(
        hits=sum(row.hits for row in rows),
        misses=sum(row.misses for row in rows),
        saved_bytes=sum(row.saved_bytes for row in rows),
        evicted_files=sum(row.evicted_files for row in rows),
        evicted_bytes=sum(row.evicted_bytes for row in rows),
    )


def _free_bytes() -> int | None:
    try:
        return files.free_bytes(places.folder())
    except OSError:
        return None
