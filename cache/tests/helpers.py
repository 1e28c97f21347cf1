"""What the cache's tests share: a source in memory, a way to store files, and whether rows and files agree."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from django.db import transaction
from django.utils import timezone

from cache import counters, names, places, store
from cache.models import CacheEntry
from vsadmin.lib import files

MIB = 1024 * 1024


@dataclass
class BytesSource:
    """A source that counts how often it was asked. `pieces` arrive one after the other."""

    content: bytes
    description: str = "https://mods.example.com/download/1"
    piece: int = 64 * 1024
    total: int | None = None
    asked: int = 0
    pieces: list[bytes] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator["BytesSource"]:
        self.asked += 1
        yield self

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), self.piece):
            yield self.content[start : start + self.piece]


def content(number: int, size: int) -> bytes:
    """`size` bytes that differ from those of any other number."""
    return (f"{number}:".encode() * (size // 2 + 1))[:size]


def accept(path: Path) -> None:
    """A check that has nothing against any file."""


def fetch(number: int, size: int = 1000, source: BytesSource | None = None, **options: object) -> BinaryIO:
    return store.fetch(
        f"moddb:{number}",
        source or BytesSource(content(number, size)),
        name=f"mod{number}_1.0.0.zip",
        title=f"Mod {number}",
        version="1.0.0",
        **{"check": accept, **options},  # type: ignore[arg-type]  # what the tests give is right
    )


def put(number: int, size: int = 1000, *, age: int = 0) -> CacheEntry:
    """Store a file, last accessed `age` seconds ago."""
    fetch(number, size).close()
    CacheEntry.objects.filter(key=f"moddb:{number}").update(last_accessed_at=timezone.now() - timedelta(seconds=age))
    return CacheEntry.objects.get(key=f"moddb:{number}")


def fill(count: int, size: int = 100) -> None:
    """Store many files at once, the last one accessed last."""
    now = timezone.now()
    files.private_folder(places.folder())
    made = [
        CacheEntry(
            key=f"moddb:{number}",
            title=f"Mod {number}",
            file_name=names.file_name(f"moddb:{number}", f"mod{number}_1.0.0.zip"),
            size=size,
            sha256=hashlib.sha256(content(number, size)).hexdigest(),
            last_accessed_at=now - timedelta(seconds=count - number),
        )
        for number in range(count)
    ]
    for number, entry in enumerate(made):
        path_of(entry).write_bytes(content(number, size))
    with transaction.atomic():
        CacheEntry.objects.bulk_create(made)
        counters.add(files=count, bytes=count * size)


def path_of(entry: CacheEntry) -> Path:
    return places.folder() / entry.file_name


def numbers() -> set[int]:
    """The numbers of the entries there are."""
    return {int(key.partition(":")[2]) for key in CacheEntry.objects.values_list("key", flat=True)}


def disagreements() -> list[str]:
    """Where rows, files, bytes and counters don't say the same."""
    on_disk = (
        {name for name in os.listdir(places.folder()) if name != ".staging"} if places.folder().exists() else set()
    )
    rows = {entry.file_name: entry for entry in CacheEntry.objects.all()}
    found = [f"no row: {name}" for name in on_disk - set(rows)] + [f"no file: {name}" for name in set(rows) - on_disk]
    for name in on_disk & set(rows):
        if hashlib.sha256((places.folder() / name).read_bytes()).hexdigest() != rows[name].sha256:
            found.append(f"other bytes: {name}")
        if names.key_of(name) != rows[name].key:
            found.append(f"wrong name: {name}")
    totals = counters.totals()
    real = (len(rows), sum(entry.size for entry in rows.values()))
    if (totals.files, totals.bytes) != real:
        found.append(f"counters {totals.files, totals.bytes}, really {real}")
    return found
