"""Ours against a floor, in turn in one run: medians with min and max, the ratio, and whether it is allowed."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

RUNS = 7


@dataclass(frozen=True)
class Times:
    """Seconds of each run."""

    runs: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.runs)

    def __str__(self) -> str:
        return f"{self.median * 1000:9.1f} ms ({min(self.runs) * 1000:.1f} to {max(self.runs) * 1000:.1f})"


def timed(function: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def compare(
    title: str,
    ours: Callable[[], float],
    floor: Callable[[], float],
    *,
    allowed: float,
    slack: float = 0.0,
    runs: int = RUNS,
) -> bool:
    """Run both in turn, each giving its seconds; print the figures; True where ours ≤ allowed × floor + slack (s)."""
    ours(), floor()  # warm caches for both alike
    pairs = [(ours(), floor()) for _ in range(runs)]
    mine, theirs = Times(tuple(pair[0] for pair in pairs)), Times(tuple(pair[1] for pair in pairs))
    return report(title, mine, theirs, allowed=allowed, slack=slack)


def report(title: str, ours: Times, floor: Times, *, allowed: float, slack: float = 0.0) -> bool:
    """Print ours, the floor, the ratio and the verdict."""
    ratio = ours.median / floor.median if floor.median else float("inf")
    good = ours.median <= allowed * floor.median + slack
    limit = f"{allowed:g} ×" + (f" + {slack * 1000:g} ms" if slack else "")
    print(f"{title}\n  ours  {ours}\n  floor {floor}")
    print(f"  ratio {ratio:.2f}, allowed {limit}: {'ok' if good else 'TOO SLOW'}")
    return good
