"""A hit of a 10 MB file up to the open, verified file, its use stamped. Floor: plainly reading and hashing it."""

import hashlib
import os
import sys
from pathlib import Path

from benchmarks import measure
from benchmarks.cache_setup import set_up

SIZE = 10_000_000


def main() -> bool:
    folder = set_up()
    from cache import places, store
    from cache.models import CacheEntry
    from cache.sources import FileSource

    original = folder / "original"
    original.write_bytes(os.urandom(SIZE))
    source = FileSource(original, "here")

    def hit() -> None:
        store.fetch("moddb:1", source, name="a.zip", title="A", check=_accept).close()

    hit()
    path = places.folder() / CacheEntry.objects.get().file_name

    def read_and_hash() -> None:
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()

    return measure.compare(
        "hit of a 10 MB file", lambda: measure.timed(hit), lambda: measure.timed(read_and_hash), allowed=1.3, runs=21
    )


def _accept(path: Path) -> None:
    pass


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
