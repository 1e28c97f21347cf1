"""The check within the limit, and the statistics, at 100 to 100,000 entries.

Anchors: the same with 100 entries; listing, stating and sorting the folder, the way it is done without kept counters.
"""

import os
import sys
from pathlib import Path

from benchmarks import measure
from benchmarks.cache_setup import Filled, filled, set_up

SIZES = (100, 1_000, 10_000, 100_000)
TIMES = 200  # a call is too short to time by itself


def list_and_sort(folder: Path) -> int:
    """What the folder holds, oldest access first."""
    with os.scandir(folder) as entries:
        found = [(entry.stat().st_atime_ns, entry.name, entry.stat().st_size) for entry in entries if entry.is_file()]
    found.sort()
    return sum(size for _accessed, _name, size in found)


def main() -> bool:
    folder = set_up()
    from cache import eviction, statistics

    caches = {size: filled(folder, size) for size in SIZES}

    def check(cache: Filled) -> float:
        cache.use()
        eviction.enforce_limit()  # the connection is opened outside the timing
        return measure.timed(lambda: [eviction.enforce_limit() for _ in range(TIMES)]) / TIMES

    def read(cache: Filled) -> float:
        cache.use()
        statistics.read()
        return measure.timed(lambda: [statistics.read() for _ in range(TIMES)]) / TIMES

    smallest, largest = caches[SIZES[0]], caches[SIZES[-1]]
    good = True
    for size in SIZES[1:]:
        good &= measure.compare(
            f"check within the limit, {size:,} against {SIZES[0]} entries",
            lambda cache=caches[size]: check(cache),  # type: ignore[misc]  # mypy can't infer a default's type
            lambda: check(smallest),
            allowed=1.5,
        )
    good &= measure.compare(
        f"check within the limit against listing and sorting the folder, {SIZES[-1]:,} entries",
        lambda: check(largest),
        lambda: measure.timed(lambda: list_and_sort(largest.files)),
        allowed=1 / 300,
    )
    good &= measure.compare(
        f"statistics, {SIZES[-1]:,} against {SIZES[0]} entries",
        lambda: read(largest),
        lambda: read(smallest),
        allowed=1.5,
    )
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
