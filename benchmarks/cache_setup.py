"""Caches of a given size for the benchmarks: each a folder and a database of its own, used in turn."""

import json
import logging
import os
import shutil
import sqlite3
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import setting

FILE = bytes(1000)


@dataclass
class Filled:
    """A cache of `count` files of 1,000 bytes, the first accessed first."""

    state: Path
    database: Path
    count: int
    added: int = 0

    def use(self) -> None:
        """Make it the one that vsadmin works on."""
        from django.conf import settings
        from django.db import connection

        connection.close()
        connection.settings_dict["NAME"] = str(self.database)
        settings.VSADMIN_DATA_DIR = self.state

    def add(self, count: int) -> None:
        """Add files, accessed after all others."""
        from datetime import timedelta

        from django.db import transaction
        from django.utils import timezone

        from cache import counters, places
        from cache.models import CacheEntry

        self.use()
        places.folder().mkdir(parents=True, exist_ok=True)
        began = timezone.now()
        made = []
        for number in range(self.added, self.added + count):
            name = f"mod{number}_1.0.0~moddb-{number}.zip"
            (places.folder() / name).write_bytes(FILE)
            made.append(
                CacheEntry(
                    key=f"moddb:{number}",
                    title=f"Mod {number}",
                    file_name=name,
                    size=len(FILE),
                    sha256="0" * 64,
                    source=f"https://mods.example.com/download/{number}",
                    last_accessed_at=began + timedelta(microseconds=number),
                )
            )
        with transaction.atomic():
            CacheEntry.objects.bulk_create(made, batch_size=2000)
            counters.add(files=count, bytes=count * len(FILE))
        self.added += count

    @property
    def files(self) -> Path:
        return self.state / "cache"


def set_up() -> Path:
    """A throw-away vsadmin, its log in a file, as in production queries not recorded."""
    folder = setting.set_up()
    from django.conf import settings
    from django.db import connection

    settings.DEBUG = False
    connection.close()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream((folder / "log").open("w"))
    return folder


def filled(folder: Path, count: int, name: str = "") -> Filled:
    """A new cache of that size, in a copy of the empty database."""
    place = folder / f"cache-{name}{count}"
    place.mkdir()
    empty = folder / "state" / "vsadmin.sqlite3"
    with sqlite3.connect(empty) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(empty, place / "vsadmin.sqlite3")
    made = Filled(place, place / "vsadmin.sqlite3", count)
    print(f"filling a cache with {count:,} files ...", file=sys.stderr)
    made.add(count)
    return made


class PlainSqlite:
    """The floor for evictions: the same in plain `sqlite3` with the same pragmas, unlinks, a JSON log line a file."""

    def __init__(self, cache: Filled, log: Path) -> None:
        self.files = os.fspath(cache.files)
        self.log = log.open("w")
        self.connection = sqlite3.connect(cache.database, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "cache_size=-16000", "temp_store=MEMORY"):
            self.connection.execute(f"PRAGMA {pragma}")

    def evict(self, limit: int) -> int:
        (used,) = self.connection.execute("SELECT bytes FROM cache_cachetotals WHERE id = 1").fetchone()
        gone, freed = [], 0
        for pk, name, size in self.connection.execute(
            "SELECT id, file_name, size FROM cache_cacheentry ORDER BY last_accessed_at, id"
        ):
            if used - freed <= limit:
                break
            os.unlink(f"{self.files}/{name}")  # noqa: PTH108  # the floor is the fastest way
            self._log({"event": "cache_evicted", "file": name, "size_bytes": size, "reason": "size_limit"})
            gone.append((pk,))
            freed += size
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("DELETE FROM cache_cacheentry WHERE id = ?", gone)
        self.connection.execute(
            "UPDATE cache_cachetotals SET files = files - ?, bytes = bytes - ? WHERE id = 1", (len(gone), freed)
        )
        self.connection.execute("COMMIT")
        return len(gone)

    def _log(self, fields: dict[str, object]) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.log.write(json.dumps(fields | {"time": moment, "level": "INFO", "logger": "vsadmin.events"}) + "\n")
        self.log.flush()
