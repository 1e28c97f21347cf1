"""Putting a file that is on this machine already into the cache, as `store` does with one that it downloads.

In: the file first, then its row; a crash between leaves a file without a row, which `verify` adopts.
"""

import errno
import hashlib
import os
import threading
from enum import StrEnum
from typing import BinaryIO

from django.utils import timezone

from cache import conf, entries, eviction, names, places, uses
from cache.models import CacheEntry, KnownDigest
from cache.store import RESERVE_BYTES
from vsadmin.lib import files, logs

_CHUNK = 1024 * 1024


class Outcome(StrEnum):
    """What became of a file that was to go into the cache."""

    STORED = "stored"
    #: The same bytes are in the cache under this key.
    THERE = "there"
    #: Its bytes aren't those that belong to the key: it was not stored.
    OTHER_BYTES = "other bytes"
    #: It is larger than the whole limit, or nothing of what fills the limit can be removed: it was not stored.
    TOO_LARGE = "too large"


def deposit(
    key: str,
    source: BinaryIO,
    *,
    sha256: str,
    name: str,
    title: str,
    version: str = "",
    stop: threading.Event | None = None,
) -> Outcome:
    """Put a copy of an open file, whose SHA-256 is known, into the cache; it is read from its beginning and stays.

    `key`, `name`, `title` and `version` are as for `store.fetch`. It counts as a use, not as a hit. Call it outside
    transactions. Raises OSError, `locks.Busy`, DatabaseError; ValueError for a malformed key.
    """
    made = names.file_name(key, name)
    limit = conf.limit_bytes()
    with places.downloading(key, stop):
        known = uses.digest_of(key)
        if sha256 != (key.removeprefix("sha256:") if key.startswith("sha256:") else known or sha256):
            return Outcome.OTHER_BYTES
        if _is_there(key, sha256):
            return Outcome.THERE
        size = os.fstat(source.fileno()).st_size
        with files.staged(places.staging()) as staged:
            if limit and size > limit:
                return Outcome.TOO_LARGE
            _need_room(size)
            if _copy(source, staged.file) != sha256:
                return Outcome.OTHER_BYTES
            staged.sync()
            entry = CacheEntry(key=key, file_name=made, title=title[:300], version=version[:100], sha256=sha256)
            if not known:
                KnownDigest.objects.get_or_create(key=key, defaults={"sha256": sha256, "title": str(entry)[:300]})
            return _enter(staged, entry, limit)


def _is_there(key: str, sha256: str) -> bool:
    entry = uses.find(key)
    if entry is None or entry.sha256 != sha256:
        return False
    found = entries.stat_of(entry.file_name)
    if found is None or found.st_size != entry.size:
        return False
    CacheEntry.objects.filter(pk=entry.pk).update(last_accessed_at=timezone.now())
    return True


def _need_room(size: int) -> None:
    """The cache gives way to what is put in. Raises OSError if the disk stays fuller than its reserve."""
    folder, wanted = places.folder(), size + RESERVE_BYTES
    if files.free_bytes(folder) < wanted and not eviction.give_way(folder, wanted):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder))


def _copy(source: BinaryIO, target: BinaryIO) -> str:
    """Copy all, and return the SHA-256 of what was copied."""
    digest = hashlib.sha256()
    source.seek(0)
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def _enter(staged: files.Staged, entry: CacheEntry, limit: int) -> Outcome:
    """Make the synced staged file an entry, if there is room within the limit."""
    entry.size = staged.file.tell()
    entry.stored_at = entry.last_accessed_at = timezone.now()
    with eviction.room_for(entry.size, limit) as fits:
        if not fits:
            return Outcome.TOO_LARGE
        entries.enter(staged, entry)
    logs.event("cache_stored", file=entry.file_name, size_bytes=entry.size)
    return Outcome.STORED
