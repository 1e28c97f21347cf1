"""What a page would like to write is left out, soon, where another process holds the database."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import Error, connection, transaction

from vsadmin.lib import optional
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def held_by_another(run: JobRun) -> Iterator[None]:
    """Inside, another connection has written to that row and goes on."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            JobRun.objects.filter(pk=run.pk).update(doing="theirs")
            held.set()
            over.wait(30)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    held.wait(30)
    try:
        yield
    finally:
        over.set()
        other.join()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="the tests' SQLite database is in memory: no wait at all")
def test_it_is_left_out_soon_while_another_writes() -> None:
    run = JobRun.objects.create(job="x")
    with held_by_another(run), optional.write():
        JobRun.objects.filter(pk=run.pk).update(doing="mine")
    run.refresh_from_db()
    assert run.doing == "theirs"
    with optional.write():
        JobRun.objects.filter(pk=run.pk).update(doing="mine")
    run.refresh_from_db()
    assert run.doing == "mine"


def test_all_of_it_or_nothing() -> None:
    with optional.write():
        JobRun.objects.create(job="x")
        raise Error
    assert not JobRun.objects.exists()


def test_what_is_wrong_with_the_program_shows() -> None:
    with pytest.raises(ValueError, match="a mistake"), optional.write():
        raise ValueError("a mistake")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite")
def test_other_writes_wait_as_long_as_before() -> None:
    def patience() -> int:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout")
            found: int = cursor.fetchone()[0]
        return found

    before = patience()
    with optional.write():
        assert patience() == 200
    assert patience() == before == 20_000
