"""Work in a pool's threads, of whose results only a few are waiting to be taken."""

import threading
from concurrent.futures import ThreadPoolExecutor

from vsadmin.lib.inturn import InTurn


def test_each_is_done_once_and_what_is_added_too() -> None:
    with ThreadPoolExecutor(3) as pool:
        asked = InTurn(pool, lambda number: number * 2, range(10), at_once=4)
        asked.add([10, 11])
        assert len(asked) == 12
        assert {one: future.result() for one, future in asked} == {number: number * 2 for number in range(12)}
        assert len(asked) == 0


def test_no_more_are_begun_than_may_wait_to_be_taken() -> None:
    begun: list[int] = []
    with ThreadPoolExecutor(2) as pool:
        asked = InTurn(pool, begun.append, range(9), at_once=3)
        for taken, _done in enumerate(asked, start=1):
            assert len(begun) <= taken + 3
        assert sorted(begun) == list(range(9))


def test_the_first_are_begun_at_once_and_a_failure_is_its_own() -> None:
    started = threading.Event()

    def work(number: int) -> int:
        started.set()
        return 1 // number

    with ThreadPoolExecutor(1) as pool:
        asked = InTurn(pool, work, [0, 1], at_once=2)
        assert started.wait(10)
        failures = {one: type(future.exception()) for one, future in asked}
    assert failures == {0: ZeroDivisionError, 1: type(None)}
