"""Verify of 10,000 entries against the folder without hashing. Floor: `os.scandir` and `stat` of the folder."""

import os
import sys

from benchmarks import measure
from benchmarks.cache_setup import filled, set_up

ENTRIES = 10_000


def main() -> bool:
    folder = set_up()
    from cache import verify

    cache = filled(folder, ENTRIES)

    def ours() -> float:
        return measure.timed(lambda: verify.verify(rehash=False))

    def stat_all() -> None:
        with os.scandir(cache.files) as entries:
            for entry in entries:
                entry.stat()

    if verify.verify(rehash=False).problems:
        raise RuntimeError("rows and files should agree")
    return measure.compare(
        f"verify of {ENTRIES:,} entries without hashing", ours, lambda: measure.timed(stat_all), allowed=3, runs=15
    )


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
