"""Work for the threads of a pool, whose results are large: few are under way or waiting to be taken at any time."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class InTurn(Generic[T, R]):
    """Does `work` for each in the pool's threads, from now on; iterate it, once, for each and its future, as they end.

    `at_once`: so many are begun before their results are taken.
    """

    def __init__(self, pool: ThreadPoolExecutor, work: Callable[[T], R], wanted: Iterable[T], *, at_once: int) -> None:
        self._pool = pool
        self._work = work
        self._at_once = at_once
        self._waiting = deque(wanted)
        self._running: dict[Future[R], T] = {}
        self._begin()

    def __len__(self) -> int:
        """How many are still to come."""
        return len(self._waiting) + len(self._running)

    def __iter__(self) -> Iterator[tuple[T, Future[R]]]:
        while self._running:
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                one = self._running.pop(future)
                self._begin()
                yield one, future

    def add(self, more: Iterable[T]) -> None:
        self._waiting.extend(more)
        self._begin()

    def _begin(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            one = self._waiting.popleft()
            self._running[self._pool.submit(self._work, one)] = one
