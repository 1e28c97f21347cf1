"""Evicting one file, at 1,000 and at 100,000 entries; and a tenth of 100,000.

Anchors: the same at 1,000 entries; plain `sqlite3` with the same pragmas, the unlinks and a JSON log line a file; and
diskcache's cull of as many (`pip install -r benchmarks/requirements.in`; left out, with a word, where it is missing).
"""

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import measure
from benchmarks.cache_setup import FILE, Filled, PlainSqlite, filled, set_up

MANY, FEW = 100_000, 1_000
TENTH = MANY // 10


def main() -> bool:
    folder = set_up()
    from cache import counters, eviction

    few, many, floor_cache = filled(folder, FEW), filled(folder, MANY), filled(folder, MANY, "floor-")

    def evict(cache: Filled, count: int) -> float:
        cache.use()
        limit = counters.used_bytes() - count * len(FILE)
        seconds = measure.timed(lambda: _check(eviction.enforce_limit(limit).files, count))
        cache.add(count)
        return seconds

    def evict_plainly() -> float:
        plain = PlainSqlite(floor_cache, folder / "floor.log")
        try:
            limit = (MANY - TENTH) * len(FILE)
            seconds = measure.timed(lambda: _check(plain.evict(limit), TENTH))
        finally:
            plain.connection.close()
        floor_cache.add(TENTH)
        return seconds

    good = measure.compare(
        f"one file over the limit, {MANY:,} against {FEW:,} entries",
        lambda: evict(many, 1),
        lambda: evict(few, 1),
        allowed=2,
        runs=21,
    )
    good &= measure.compare(
        f"{TENTH:,} of {MANY:,} to go, against plain sqlite3 and unlink",
        lambda: evict(many, TENTH),
        evict_plainly,
        allowed=1.5,
    )
    return good & _against_diskcache(folder, lambda: evict(many, TENTH))


def _against_diskcache(folder: Path, ours: Callable[[], float]) -> bool:
    try:
        import diskcache  # type: ignore[import-not-found, unused-ignore]  # only where it was installed for this
    except ImportError:
        print("diskcache isn't installed, so there is nothing to compare its cull with")
        return True
    theirs = diskcache.Cache(
        str(folder / "diskcache"),
        eviction_policy="least-recently-used",
        disk_min_file_size=0,
        size_limit=2**40,
        cull_limit=0,
    )
    added = 0

    def add(count: int) -> None:
        nonlocal added
        with theirs.transact():
            for number in range(added, added + count):
                theirs.set(number, FILE)
        added += count

    def cull() -> float:
        before = len(theirs)
        # its volume counts the pages of its database too, so about a tenth goes; the time is scaled to exactly a tenth
        theirs.reset("size_limit", theirs.volume() - TENTH * len(FILE))
        seconds = measure.timed(theirs.cull)
        removed = before - len(theirs)
        theirs.reset("size_limit", 2**40)
        if abs(removed - TENTH) > TENTH // 4:
            raise RuntimeError(f"diskcache culled {removed} files")
        add(removed)
        return seconds * TENTH / removed

    print(f"filling diskcache with {MANY:,} files ...", file=sys.stderr)
    add(MANY)
    return measure.compare(f"{TENTH:,} of {MANY:,} to go, against diskcache's cull", ours, cull, allowed=0.3)


def _check(removed: int, wanted: int) -> None:
    if removed != wanted:
        raise RuntimeError(f"{removed} files went, {wanted} should have")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
