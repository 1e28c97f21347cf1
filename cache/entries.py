"""Adding and removing an entry: its file, its row and the counters, in an order that a crash can't break.

In: the file first, then its row. Out: the file first, then its row. So a crash leaves either a complete file without a
row, which `verify` adopts, or a row without a file, which the next use or `verify` drops. Every function here wants
`places.changing()` to be held.
"""

import errno
import os
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from django.db import transaction

from cache import counters, names, places, uses
from cache.models import CacheEntry
from cache.uses import Kept
from vsadmin.lib import logs
from vsadmin.lib.files import Staged


def enter(staged: Staged, entry: CacheEntry) -> None:
    """Put a synced staged file in place and save its unsaved entry. Raises OSError, DatabaseError."""
    target = places.folder() / entry.file_name
    old = uses.find(entry.key)
    if old is not None:
        remove_file(old.file_name)
    try:
        staged.place(target)
        save(entry, replacing=old)
    except BaseException:
        if staged.placed:
            with suppress(OSError):  # adopted later
                target.unlink()
        raise


def save(entry: CacheEntry, *, replacing: Kept | None = None) -> None:
    """Save the unsaved entry of a file that is in place, and count it. Raises DatabaseError."""
    with transaction.atomic():
        if replacing is not None:
            drop_rows([(replacing.pk, replacing.size)])
        entry.save(force_insert=True)
        counters.add(files=1, bytes=entry.size)


def drop_rows(rows: Collection[tuple[int, int]], **counted: int) -> None:
    """Delete the rows of files that are gone, given as (pk, size), and count them out. Raises DatabaseError."""
    with transaction.atomic():
        CacheEntry.objects.filter(pk__in=[pk for pk, _size in rows]).delete()
        counters.add(files=-len(rows), bytes=-sum(size for _pk, size in rows), **counted)


def drop(entry: CacheEntry | Kept, seen: os.stat_result | None, reason: str) -> bool:
    """Drop an entry whose file is missing (`seen` None) or not what it was (`seen`: the file looked at).

    Looks again first: False where the entry or the file has changed since, and where the file can't be removed.
    """
    if not CacheEntry.objects.filter(pk=entry.pk).exists():
        return False
    now = stat_of(entry.file_name)
    if now is not None and (seen is None or not same_file(now, seen)):
        return False
    try:
        remove_file(entry.file_name)
    except OSError:
        return False
    drop_rows([(entry.pk, entry.size)])
    logs.event("cache_entry_dropped", file=entry.file_name, size_bytes=entry.size, reason=reason)
    return True


def path_of(name: str) -> Path:
    """Where a row says that its file is. Raises FileNotFoundError if the name isn't one that we give.

    A restored database can be somebody else's: such a row has no file, wherever it leads.
    """
    if names.key_of(name) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    return places.folder() / name


def remove_file(name: str) -> None:
    """Remove a file of the cache, if it is there. Raises OSError."""
    with suppress(FileNotFoundError):
        path_of(name).unlink()


def stat_of(name: str) -> os.stat_result | None:
    """Of a row's file, links not followed; None if there is nothing."""
    try:
        return path_of(name).lstat()
    except FileNotFoundError:
        return None


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether nothing replaced or wrote the file in between."""
    return (one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) == (
        other.st_dev,
        other.st_ino,
        other.st_size,
        other.st_mtime_ns,
    )


def stat_of_open(file: BinaryIO) -> os.stat_result:
    return os.fstat(file.fileno())
