"""Keeping the cache within its limit: the least recently used files go first, no more than needed.

Whether it is within the limit is one look-up of a kept counter. What a pass costs follows from what it removes: an
index has the entries in order, and they go in batches, so that downloads can put files in place in between.
"""

import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from django.db import DatabaseError, connection
from django.db.models import Count, F, Max, Sum
from django.utils import timezone

from cache import conf, counters, entries, names, places
from cache.models import CacheEntry
from vsadmin.lib import files, logs

Reason = Literal["size_limit", "disk_full", "manual_clear"]

_FIRST_BATCH = 32
_LARGEST_BATCH = 1000
_THREADS = 16
#: Bytes free on the disk: with less nothing can be relied on to work; with so many all of vsadmin starts.
_FULL = 1024 * 1024
_WORKABLE = 16 * 1024 * 1024
_SLICE = 20  # files that a thread removes in one go
_SLOW_UNLINK = 100e-6  # seconds; where it is quicker, threads cost more than they save

_SELECT = "SELECT id, file_name, size, last_accessed_at FROM cache_cacheentry "
_IN_ORDER = " ORDER BY last_accessed_at, id LIMIT %s"

T = TypeVar("T")


@dataclass(frozen=True)
class Evicted:
    """What a pass removed. `bytes_left`: what the cache holds after it; `failed`: files that couldn't be removed."""

    files: int = 0
    bytes_freed: int = 0
    bytes_left: int = 0
    failed: int = 0


@dataclass(frozen=True)
class Preview:
    """What a limit would evict: totals, and the first of the entries in the order in which they would go."""

    limit_bytes: int
    files: int = 0
    bytes: int = 0
    bytes_left: int = 0
    entries: list[CacheEntry] = field(default_factory=list)


Row = tuple[int, str, int, str | datetime]
"""Of an entry: pk, file name, size, last access as the database gives it."""


@dataclass
class _Pass:
    """A pass under way: what it has done, and where it is in the order. It ends at the entry `newest`."""

    reason: Reason
    newest: int | None = None
    files: int = 0
    bytes_freed: int = 0
    failed: int = 0
    after: tuple[str | datetime, int] | None = None

    def next_batch(self, wanted: int) -> list[Row]:
        """The next entries in the order, those that couldn't be removed left behind.

        In plain SQL, the same for every database: by the ORM a row costs as much as removing its file on a quick disk.
        """
        conditions: list[tuple[str, tuple[Any, ...]]] = []
        if self.newest is not None:
            conditions.append(("id <= %s", (self.newest,)))
        if self.after is not None:
            conditions.append(("(last_accessed_at, id) > (%s, %s)", self.after))
        where = "WHERE " + " AND ".join(sql for sql, _given in conditions) if conditions else ""
        return _rows(where, [value for _sql, given in conditions for value in given], wanted)

    def remove(self, rows: Sequence[Row], needed: int | None = None) -> None:
        """Under `places.changing()`: remove as many as free `needed` bytes, all by default."""
        folder = os.fspath(places.folder())
        chosen = list(_enough(rows, needed))
        if chosen:
            self.after = (chosen[-1][3], chosen[-1][0])
        gone: list[tuple[int, int]] = []
        removed = freed = 0
        # A row of somebody else's database can name any file; "" is the name of none.
        paths = [f"{folder}/{name}" if names.key_of(name) else "" for _pk, name, _size, _accessed in chosen]
        outcomes = _unlink_all(paths)
        with logs.together("cache_evicted") as evicted:
            for (pk, name, size, _accessed), problem in zip(chosen, outcomes, strict=True):
                if problem is None:
                    evicted(file=name, size_bytes=size, reason=self.reason)
                    removed, freed = removed + 1, freed + size
                elif isinstance(problem, FileNotFoundError):
                    logs.event("cache_entry_dropped", file=name, size_bytes=size, reason="file missing")
                else:
                    self._failed(name, size, problem)
                    continue
                gone.append((pk, size))
        self.files += removed
        self.bytes_freed += freed
        if gone:
            entries.drop_rows(gone, evicted_files=removed, evicted_bytes=freed)

    def _failed(self, name: str, size: int, error: OSError) -> None:
        self.failed += 1
        why = error.strerror or type(error).__name__
        logs.event("cache_eviction_failed", level=logging.ERROR, file=name, size_bytes=size, reason=why)

    def result(self) -> Evicted:
        done = Evicted(self.files, self.bytes_freed, counters.used_bytes(), self.failed)
        if done.files:
            logs.event(
                "cache_eviction_complete",
                files=done.files,
                bytes_freed=done.bytes_freed,
                bytes_left=done.bytes_left,
            )
        return done


@contextmanager
def _under_way(reason: Reason, newest: int | None = None) -> Iterator[_Pass]:
    """A pass; one that breaks off says before it does what it removed."""
    begun = _Pass(reason, newest)
    try:
        yield begun
    except BaseException:
        with suppress(DatabaseError):
            begun.result()
        raise


def enforce_limit(limit_bytes: int | None = None, reason: Reason = "size_limit") -> Evicted:
    """Sweep leftovers of downloads, then evict until the total is within the limit (the setting's by default).

    0 evicts nothing. Raises `locks.Busy` where others keep changing the cache for two minutes, DatabaseError.
    """
    limit = conf.limit_bytes() if limit_bytes is None else limit_bytes
    unswept = sweep()
    used = counters.used_bytes()
    if not limit or used + unswept <= limit:
        return Evicted(bytes_left=used)
    return _evict(reason, lambda: counters.used_bytes() + unswept - limit)


@contextmanager
def room_for(size: int, limit: int) -> Iterator[bool]:
    """Hold `places.changing()` with room within the limit (0: none is set) for so many bytes more.

    The least recently used files go before, not after, something is put in. False: there is no room, since files can't
    be removed. Raises `locks.Busy`, DatabaseError.
    """
    unswept = sweep()
    while True:
        with places.changing():
            fits = not limit or counters.used_bytes() + unswept + size <= limit
            if fits:
                yield True
                return
        if not _evict("size_limit", lambda: counters.used_bytes() + unswept + size - limit).files:
            yield False
            return


def give_way(folder: Path, wanted: int) -> bool:
    """Evict until the disk that `folder` is on has so many bytes free; whether it has.

    Nothing goes if that can't help: if the cache is on another disk, or all of it isn't enough.

    Raises OSError, `locks.Busy`, DatabaseError.
    """
    lacking = wanted - files.free_bytes(folder)
    if lacking <= 0:
        return True
    if counters.used_bytes() < lacking or not places.folder().exists():
        return False
    if folder.stat().st_dev != places.folder().stat().st_dev:
        return False
    sweep()
    before = counters.used_bytes()
    # What somebody still reads frees its space later: no more goes than was lacking.
    _evict("disk_full", lambda: min(wanted - files.free_bytes(folder), lacking - (before - counters.used_bytes())))
    return files.free_bytes(folder) >= wanted


def free_if_full() -> int:
    """If the disk is so full that a database on it can't even be opened: remove files of the cache, the oldest first.

    Returns how many went; each one's row goes once the file is missed. Raises OSError.
    """
    if files.free_bytes(places.folder()) >= _FULL:
        return 0
    found: list[tuple[int, str, int]] = []
    with suppress(FileNotFoundError), os.scandir(places.folder()) as there:
        ours = [(one.name, one.stat(follow_symlinks=False)) for one in there if names.key_of(one.name)]
        found = sorted((told.st_mtime_ns, name, told.st_size) for name, told in ours)
    removed = 0
    for _stored, name, size in found:
        if files.free_bytes(places.folder()) >= _WORKABLE:
            break
        entries.remove_file(name)
        removed += 1
        logs.event("cache_evicted", file=name, size_bytes=size, reason="disk_full")
    return removed


def _evict(reason: Reason, lacking: Callable[[], int]) -> Evicted:
    """The least recently used files, until no bytes are lacking any more, or no file is left."""
    _correct_stamps()
    with _under_way(reason) as under_way:
        size = _FIRST_BATCH
        while True:
            with places.changing():
                needed = lacking()
                batch = under_way.next_batch(size) if needed > 0 else []
                under_way.remove(batch, needed)
            if not batch:
                break
            size = min(size * 4, _LARGEST_BATCH)
    return under_way.result()


def _correct_stamps() -> None:
    """Uses stamped while the clock was ahead count as of now at the latest, as far apart as they were."""
    now = timezone.now()
    newest = CacheEntry.objects.aggregate(newest=Max("last_accessed_at"))["newest"]
    if newest is not None and newest > now:
        ahead = CacheEntry.objects.filter(last_accessed_at__gt=now)
        ahead.update(last_accessed_at=F("last_accessed_at") - (newest - now))


def clear() -> Evicted:
    """Remove every entry there is now, and leftovers of downloads. What is in use stays readable to who reads it."""
    sweep()
    last = CacheEntry.objects.order_by("-pk").values_list("pk", flat=True).first()
    with _under_way("manual_clear", newest=last) as under_way:
        while last is not None:
            with places.changing():
                batch = under_way.next_batch(_LARGEST_BATCH)
                under_way.remove(batch)
            if not batch:
                break
    return under_way.result()


def evict_selected(pks: Collection[int]) -> Evicted:
    """Remove these entries."""
    with _under_way("manual_clear") as under_way:
        for some in _slices(sorted(pks), _LARGEST_BATCH):
            with places.changing():
                under_way.remove(_rows(f"WHERE id IN ({', '.join(['%s'] * len(some))})", some, len(some)))
    return under_way.result()


def preview(limit_bytes: int | None = None, *, shown: int = 200) -> Preview:
    """What `enforce_limit` with this limit would remove; changes nothing. The first `shown` entries are listed."""
    limit = conf.limit_bytes() if limit_bytes is None else limit_bytes
    used = counters.used_bytes()
    going = CacheEntry.objects.least_recent_first()
    count = freed = 0
    if limit and used > limit:
        for size in going.values_list("size", flat=True).iterator(chunk_size=_LARGEST_BATCH):
            if freed >= used - limit:
                break
            count, freed = count + 1, freed + size
    return Preview(limit, count, freed, used - freed, list(going[: min(count, shown)]))


def preview_clear(pks: Collection[int] | None = None) -> Preview:
    """What `evict_selected`, or without `pks` `clear`, would remove: totals alone."""
    totals = counters.totals()
    if pks is None:
        return Preview(0, totals.files, totals.bytes, 0)
    chosen = CacheEntry.objects.filter(pk__in=pks).aggregate(files=Count("pk"), bytes=Sum("size", default=0))
    return Preview(0, chosen["files"], chosen["bytes"], totals.bytes - chosen["bytes"])


def sweep() -> int:
    """Remove leftovers of downloads that a crash cut short; returns the bytes of those that couldn't be removed."""
    found = files.leftovers(places.staging(), remove=True)
    if found.files:
        logs.event("cache_staging_swept", files=found.files, bytes=found.bytes, bytes_left=found.left_bytes)
    return found.left_bytes


def _enough(rows: Iterable[Row], needed: int | None) -> Iterator[Row]:
    """The first of them that hold `needed` bytes together; all where None."""
    for row in rows:
        if needed is not None:
            if needed <= 0:
                return
            needed -= row[2]
        yield row


def _unlink_all(paths: Sequence[str]) -> Iterator[OSError | None]:
    """Remove each; what went wrong with it, in their order.

    Some disks take a quarter of a millisecond for each, nearly all of it waiting: there, several at a time.
    """
    began = time.perf_counter()
    first = _unlink_some(paths[:_SLICE])
    slow = time.perf_counter() - began > _SLICE * _SLOW_UNLINK
    yield from first
    slices = _slices(paths[_SLICE:], _SLICE)
    if not slow:
        for some in slices:
            yield from _unlink_some(some)
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        for outcomes in pool.map(_unlink_some, slices):
            yield from outcomes


def _unlink_some(paths: Sequence[str]) -> list[OSError | None]:
    outcomes: list[OSError | None] = []
    for path in paths:
        try:
            os.unlink(path)  # noqa: PTH108  # a Path for each costs as much as the unlink
        except OSError as error:
            outcomes.append(error)
        else:
            outcomes.append(None)
    return outcomes


def _slices(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _rows(where: str, values: Sequence[Any], wanted: int) -> list[Row]:
    """The least recently used `wanted` of the entries under this condition, which is ours, with values for its `%s`."""
    with connection.cursor() as cursor:
        cursor.execute(_SELECT + where + _IN_ORDER, [*values, wanted])
        return cast("list[Row]", cursor.fetchall())
