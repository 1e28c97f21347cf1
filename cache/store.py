"""The store: `fetch` hands out a file by its key, from the cache where it is there and whole, else from its source.

What is handed out is open: an eviction or a clear at that moment takes nothing away from whoever reads it.
"""

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Literal

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from cache import conf, counters, entries, eviction, names, places, uses
from cache.models import CacheEntry, KnownDigest
from cache.sources import Source
from cache.uses import Kept
from vsadmin.lib import files, locks, logs
from vsadmin.lib.http import HttpError

#: Told while bytes arrive: how many so far, and how many there will be (None: unknown).
OnBytes = Callable[[int, int | None], None]
#: Looks at a complete file and raises `FetchError` ("refused") where it isn't what it should be.
Check = Callable[[Path], None]

Kind = Literal["source", "refused", "alarm", "disk", "busy", "database", "cancelled"]

#: Left free on the disk, whatever is downloaded.
RESERVE_BYTES = 64 * 1024 * 1024
#: Bytes written between two looks at the free space.
_LOOK_EVERY = 8 * 1024 * 1024


class FetchError(Exception):
    """The file can't be had. `text`: what happened and what to do, in plain words.

    `kind`: "source" (it couldn't be downloaded), "refused" (the check says it is not what it should be), "alarm" (other
    bytes than ever before under this key), "disk", "busy", "database", "cancelled". `status`: the source's HTTP status.
    """

    def __init__(self, text: str, kind: Kind, *, status: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.kind = kind
        self.status = status


def fetch(
    key: str,
    source: Source,
    *,
    name: str,
    title: str,
    check: Check,
    version: str = "",
    progress: OnBytes | None = None,
    stop: threading.Event | None = None,
    looking: bool = False,
) -> BinaryIO:
    """The file of `key`, open at its beginning, every byte verified. Close it after use.

    `key`: `moddb:<file id>` or `sha256:<hex>`. `name`: what a person would call the file, with its ending; the name on
    disk is made from it and the key. `title`, `version`: for lists. `stop`: set it to end a wait or download soon.
    `looking`: to see what is in it, before it is used or not; that is no use of its own.
    Call it outside transactions. Raises FetchError; ValueError for a malformed key.
    """
    try:
        hit = _hit(key, check, looking=looking)
        if hit is not None:
            return hit
        made = names.file_name(key, name)
        entry = CacheEntry(
            key=key, file_name=made, title=title[:300], version=version[:100], times_used=int(not looking)
        )
        with places.downloading(key, stop):
            return _hit(key, check, looking=looking) or _miss(entry, source, check, progress, stop)
    except locks.Busy as error:
        if stop is not None and stop.is_set():
            raise _cancelled() from error
        raise FetchError(
            _("The cache is busy with this file for too long. Try again in a few minutes."), "busy"
        ) from error
    except HttpError as error:
        kind: Kind = "cancelled" if error.kind == "cancelled" else "source"
        raise FetchError(error.text, kind, status=error.status) from error
    except OSError as error:
        raise FetchError(files.in_words(error), "disk") from error
    except DatabaseError as error:
        logging.getLogger(__name__).exception("fetch %s", key)
        raise FetchError(
            _("The database can't be written just now. Check that its disk isn't full, then try again."), "database"
        ) from error


def _cancelled() -> FetchError:
    return FetchError(_("It was stopped because the program is shutting down. Try again later."), "cancelled")


# --- it is there


def _hit(key: str, check: Check, *, looking: bool) -> BinaryIO | None:
    """The cached file, its use stamped; None where it isn't there, or not as it was (which drops it)."""
    entry = uses.find(key)
    if entry is None:
        return None
    try:
        path = entries.path_of(entry.file_name)
        file = files.open_regular(path)
    except FileNotFoundError:
        _drop(entry, None, "file missing")
        return None
    except files.NotRegular:
        _altered(key, entry, entries.stat_of(entry.file_name))
        return None
    try:
        if _digest_of(file, entry.size) != entry.sha256:
            _altered(key, entry, entries.stat_of_open(file))
            file.close()
            return None
        if not entry.checked:
            _check_adopted(entry, file, path, check)
        uses.stamp(entry, looking=looking)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file


def _digest_of(file: BufferedReader, size: int) -> str:
    """The SHA-256 of an open file; "" where its size is another already."""
    if entries.stat_of_open(file).st_size != size:
        return ""
    return files.sha256_of(file)


def _check_adopted(entry: Kept, file: BinaryIO, path: Path, check: Check) -> None:
    try:
        check(path)
    except FetchError:
        _drop(entry, entries.stat_of_open(file), "refused by its check")
        raise


def _altered(key: str, entry: Kept, seen: os.stat_result | None) -> None:
    logs.event("cache_entry_altered", level=logging.WARNING, file=entry.file_name, key=key)
    _drop(entry, seen, "altered on disk")


def _drop(entry: Kept, seen: os.stat_result | None, reason: str) -> None:
    with places.changing():
        entries.drop(entry, seen, reason)


# --- it has to be fetched


def _miss(
    entry: CacheEntry, source: Source, check: Check, progress: OnBytes | None, stop: threading.Event | None
) -> BinaryIO:
    with transaction.atomic():
        counters.add(misses=1)
    with files.staged(places.staging()) as staged:
        _receive(entry, source, staged.file, progress, stop)
        check(staged.path)
        _compare_with_known(entry)
        file = staged.path.open("rb")
        try:
            _keep(entry, staged)
        except BaseException:
            file.close()
            raise
    return file


def _receive(
    entry: CacheEntry, source: Source, file: BinaryIO, progress: OnBytes | None, stop: threading.Event | None
) -> None:
    """Write what arrives, hash it on the way, and note size and SHA-256 in the entry."""
    entry.source = source.description
    digest = hashlib.sha256()
    size = looked_at = 0
    with source.open() as arriving:
        _need_room(arriving.total or 0)
        for chunk in arriving:
            if stop is not None and stop.is_set():
                raise _cancelled()
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
            if size - looked_at >= _LOOK_EVERY:
                looked_at = size
                _need_room(0)
            if progress is not None:
                progress(size, arriving.total)
        if arriving.total is not None and size != arriving.total:
            raise FetchError(_("The download broke off before its end. Try again later."), "source")
    if size == 0:
        raise FetchError(_("The download is empty. Try again later; if it stays so, tell the mod's author."), "refused")
    file.flush()
    entry.size, entry.sha256 = size, digest.hexdigest()


def _need_room(wanted: int) -> None:
    """Evict so that so many bytes more don't fill the disk to its reserve. Raises FetchError if that isn't enough."""
    if files.free_bytes(places.folder()) < wanted + RESERVE_BYTES:
        eviction.give_way(places.folder(), wanted + RESERVE_BYTES)
    lacking = wanted + RESERVE_BYTES - files.free_bytes(places.folder())
    if lacking > 0:
        raise FetchError(
            _("Not enough free space on the disk: %d MiB more are needed. Free some space, then try again.")
            % (-(-lacking // conf.MIB)),
            "disk",
        )


def _compare_with_known(entry: CacheEntry) -> None:
    """Refuse other bytes than were ever seen under this key; remember bytes seen for the first time."""
    promised = entry.key.removeprefix("sha256:") if entry.key.startswith("sha256:") else entry.sha256
    known, _new = KnownDigest.objects.get_or_create(
        key=entry.key, defaults={"sha256": promised, "title": str(entry)[:300]}
    )
    if known.sha256 == entry.sha256:
        return
    KnownDigest.objects.filter(pk=known.pk).update(
        refused_sha256=entry.sha256, refused_at=timezone.now(), refusals=F("refusals") + 1
    )
    logs.event(
        "cache_digest_alarm",
        level=logging.ERROR,
        key=entry.key,
        title=str(entry),
        known_sha256=known.sha256,
        refused_sha256=entry.sha256,
        source=entry.source,
    )
    raise FetchError(
        _(
            "%s was refused: its content differs from what was downloaded under the same number before, which should "
            "never happen. Somebody may have tampered with it; ask the mod's author before you use it, and see the "
            "alarm on the Cache page."
        )
        % entry,
        "alarm",
    )


def _keep(entry: CacheEntry, staged: files.Staged) -> None:
    """Make the staged file an entry within the limit, unless it is larger than the whole limit or nothing can go."""
    limit = conf.limit_bytes()
    if limit and entry.size > limit:
        logs.event("cache_not_kept", file=entry.file_name, size_bytes=entry.size, limit_bytes=limit)
        return
    staged.sync()
    with eviction.room_for(entry.size, limit) as fits:
        if fits:
            entry.stored_at = entry.last_accessed_at = timezone.now()
            entries.enter(staged, entry)
    logs.event(
        "cache_stored" if fits else "cache_not_kept",
        file=entry.file_name,
        size_bytes=entry.size,
        **({} if fits else {"limit_bytes": limit}),
    )
