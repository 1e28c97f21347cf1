"""Whatever step fails or dies: after recovery rows and files agree, and no partial file is ever served."""

import errno
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import DatabaseError, connection

from cache import conf, counters, eviction, places, verify
from cache.models import CacheDay, CacheEntry, CacheTotals, KnownDigest
from cache.store import FetchError
from cache.tests import steps
from cache.tests.helpers import content, disagreements, fetch, fill, path_of

pytestmark = pytest.mark.django_db(transaction=True)

QUARTER = 2000  # bytes, of the limit


def download_and_evict() -> None:
    fetch(100, 2 * QUARTER).close()


def use_one_that_was_altered() -> None:
    fetch(1, QUARTER).close()


def trim() -> None:
    eviction.enforce_limit(2 * QUARTER)


def clear() -> None:
    eviction.clear()


def repair() -> None:
    verify.verify(repair=True)


ACTIONS = [download_and_evict, use_one_that_was_altered, trim, clear, repair]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small limit; and no waiting for the disk, which only a power cut would show."""
    monkeypatch.setattr(conf, "limit_bytes", lambda: 4 * QUARTER)
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    relax()


def relax() -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")


def prepare(action: Callable[[], None]) -> None:
    """Three files of a quarter of the limit each; for some actions one altered, one gone, one without a row."""
    for model in (CacheEntry, CacheTotals, CacheDay, KnownDigest):
        model.objects.all().delete()
    shutil.rmtree(places.folder(), ignore_errors=True)
    fill(3, QUARTER)
    if action is use_one_that_was_altered:
        path_of(CacheEntry.objects.get(key="moddb:1")).write_bytes(bytes(QUARTER))
    if action is repair:
        path_of(CacheEntry.objects.get(key="moddb:0")).unlink()
        CacheEntry.objects.filter(key="moddb:2").delete()
        places.staging().mkdir()
        (places.staging() / "dead.part").write_bytes(b"x")


def check_recovery(action: Callable[[], None]) -> None:
    verify.verify(rehash=action is use_one_that_was_altered, repair=True)
    assert disagreements() == []
    assert not places.staging().exists() or os.listdir(places.staging()) == []
    assert counters.used_bytes() <= 4 * QUARTER
    number, size = (100, 2 * QUARTER) if action is download_and_evict else (1, QUARTER)
    with fetch(number, size) as file:
        assert file.read() == content(number, size)


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_each_step_failing_in_turn(action: Callable[[], None]) -> None:
    fetches = action in (download_and_evict, use_one_that_was_altered)
    expected: tuple[type[Exception], ...] = (FetchError,) if fetches else (OSError, DatabaseError)
    number = 0
    while True:
        prepare(action)
        watched = steps.Steps(number, steps.fail(errno.EROFS if number % 2 else errno.ENOSPC))
        with suppress(*expected), watched.watched():
            action()
        if not watched.reached:
            break
        check_recovery(action)
        number += 1
    assert number > 4


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
def test_killed_before_each_step_in_turn(action: Callable[[], None]) -> None:
    number = 0
    while True:
        prepare(action)

        def killed(chosen: int = number) -> None:
            relax()
            with steps.Steps(chosen, steps.die).watched():
                action()

        status = steps.in_child(killed)
        if not os.WIFSIGNALED(status):
            assert status == 0
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        relax()
        check_recovery(action)
        number += 1
    assert number > 4


def test_a_power_cut_finds_everything_on_the_disk_before_the_row_says_so() -> None:
    prepare(download_and_evict)
    watched = steps.Steps(-1, steps.die)
    with watched.watched():
        download_and_evict()
    replaced = watched.names.index("replace")
    assert "fsync" in watched.names[:replaced]
    entered = watched.names.index("INSERT", replaced)
    assert "fsync" in watched.names[replaced:entered]
