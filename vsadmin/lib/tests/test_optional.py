"""What a page would like to write is left out, soon, where another process holds the database."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from django.db import Error, connection, transaction

from vsadmin.backup_database import _instead
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
    mine = JobRun.objects.filter(pk=run.pk)
    with held_by_another(run):
        assert not optional.write(lambda: mine.update(doing="mine"))
    run.refresh_from_db()
    assert run.doing == "theirs"
    assert optional.write(lambda: mine.update(doing="mine"))
    run.refresh_from_db()
    assert run.doing == "mine"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite")
def test_sqlite_waits_no_longer_where_the_transaction_begins(tmp_path: Path) -> None:
    def insert() -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO seen VALUES (1)")

    with _instead(tmp_path / "x.sqlite3"), closing(sqlite3.connect(tmp_path / "x.sqlite3")) as other:
        other.execute("CREATE TABLE seen (x)")
        other.execute("BEGIN IMMEDIATE")
        assert not optional.write(insert)
        other.commit()
        assert optional.write(insert)
        assert other.execute("SELECT x FROM seen").fetchall() == [(1,)]


def test_all_of_it_or_nothing() -> None:
    def work() -> None:
        JobRun.objects.create(job="x")
        raise Error

    assert not optional.write(work)
    assert not JobRun.objects.exists()


def test_what_is_wrong_with_the_program_shows() -> None:
    with pytest.raises(ZeroDivisionError):
        optional.write(lambda: 1 // 0)


@pytest.mark.skipif(connection.vendor != "sqlite", reason="asks SQLite")
def test_other_writes_wait_as_long_as_before() -> None:
    def patience() -> int:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout")
            found: int = cursor.fetchone()[0]
        return found

    before = patience()
    seen: list[int] = []
    optional.write(lambda: seen.append(patience()))
    assert seen == [200]
    assert patience() == before == 20_000
