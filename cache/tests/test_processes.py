"""Several processes at once: one download a key, the limit kept, every file whole."""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

from cache import conf, counters, eviction, places, verify
from cache.tests.helpers import BytesSource, content, disagreements, fetch
from cache.tests.steps import in_child
from vsadmin.lib import files

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT = 40_000


def together(*actions: Callable[[], object]) -> list[int]:
    """Run each in a process of its own, all at the same time; returns their exit codes."""
    connections.close_all()
    children = []
    for action in actions:
        child = os.fork()
        if child == 0:
            os._exit(os.waitstatus_to_exitcode(in_child(action)))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


class SlowSource(BytesSource):
    """Takes a moment, and leaves a line in a file for each time that it is asked."""

    def __init__(self, number: int, log: Path) -> None:
        super().__init__(content(number, 3000), piece=500)
        self.log = log

    @contextmanager
    def open(self) -> Iterator[BytesSource]:
        with self.log.open("a") as file:
            file.write("asked\n")
        yield self

    def __iter__(self) -> Iterator[bytes]:
        for chunk in super().__iter__():
            time.sleep(0.02)  # long enough for the others to come
            yield chunk


def test_processes_that_want_the_same_file_download_it_once(tmp_path: Path) -> None:
    log = tmp_path / "asked"

    def one() -> None:
        with fetch(1, source=SlowSource(1, log)) as file:
            assert file.read() == content(1, 3000)

    assert together(one, one, one, one) == [0, 0, 0, 0]
    assert log.read_text() == "asked\n"
    totals = counters.totals()
    assert (totals.files, totals.hits, totals.misses) == (1, 3, 1)


def test_fetching_evicting_and_clearing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "limit_bytes", lambda: LIMIT)

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _turn in range(40):
            what = chance.random()
            if what < 0.05:
                eviction.clear()
            elif what < 0.2:
                eviction.enforce_limit(chance.randrange(1, LIMIT))
            elif what < 0.25:
                verify.verify(repair=True)
            else:
                number = chance.randrange(16)
                with fetch(number, 1000 + number * 500) as file:
                    assert file.read() == content(number, 1000 + number * 500)

    assert together(*(lambda seed=seed: work(seed) for seed in range(4))) == [0, 0, 0, 0]
    assert counters.used_bytes() <= LIMIT
    assert disagreements() == []
    assert os.listdir(places.staging()) == []


def test_a_download_under_way_elsewhere_is_not_swept(tmp_path: Path) -> None:
    started, go_on = tmp_path / "started", tmp_path / "go on"

    class Waiting(BytesSource):
        def __iter__(self) -> Iterator[bytes]:
            yield self.content[:100]
            started.touch()
            while not go_on.exists():
                time.sleep(0.005)
            yield self.content[100:]

    def download() -> None:
        fetch(1, source=Waiting(content(1, 1000))).close()

    def sweep() -> None:
        while not started.exists():
            time.sleep(0.005)
        try:
            (places.staging() / "dead.part").write_bytes(b"left by a process that was killed")
            eviction.sweep()
            assert len(os.listdir(places.staging())) == 1
            assert files.leftovers(places.staging()).files == 0
        finally:
            go_on.touch()

    assert together(download, sweep) == [0, 0]
    assert disagreements() == []
