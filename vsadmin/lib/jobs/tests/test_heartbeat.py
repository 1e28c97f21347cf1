"""Each worker stamps a row of its own while it works, and nobody else does."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone

from conftest import eventually
from vsadmin.lib.jobs import heartbeat, runner
from vsadmin.lib.jobs.models import Worker


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(heartbeat, "EVERY", 0)
    yield
    heartbeat._Me.name = None


@pytest.mark.django_db(transaction=True)
def test_it_beats_while_the_work_waits() -> None:
    """No report is made: a slow download makes none for minutes."""
    heartbeat.begin("b")
    Worker.write("b", beat_at=None)
    with runner.Progress().watching():
        eventually(lambda: Worker.objects.get(name="b").beat_at)


@pytest.mark.parametrize(("lives", "beats"), [(3700.0, True), (0.0, False)])
def test_work_that_outlasts_every_deadline_shows(monkeypatch: pytest.MonkeyPatch, lives: float, beats: bool) -> None:
    beaten = threading.Event()
    monkeypatch.setattr(runner, "_LIVES", lives)
    monkeypatch.setattr(heartbeat, "beat", beaten.set)
    monkeypatch.setattr(runner._stopping, "value", 1)
    progress = runner.Progress()
    with progress.watching():
        assert progress.stop.wait(30)
    assert beaten.is_set() == beats


def test_the_thread_lives_longer_than_any_task_may_run() -> None:
    from django_q.conf import Conf

    assert Conf.TIMEOUT < runner._LIVES < Conf.TIMEOUT + 600


@pytest.mark.django_db
def test_a_command_stamps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "write", lambda *_name, **_fields: pytest.fail("it did"))
    heartbeat.beat()
    runner.run_now("cache_enforce_limit")
    assert not Worker.objects.exists()


@pytest.mark.django_db
def test_one_write_each_fifteen_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 1000)
    heartbeat.begin("b")
    heartbeat._Me.stamped = float("-inf")
    heartbeat.beat()
    Worker.write("b", beat_at=None)
    heartbeat.beat()
    assert Worker.objects.get().beat_at is None


@pytest.mark.django_db
def test_ones_life_does_not_hide_anothers_death() -> None:
    now = timezone.now()
    Worker.write(beat_at=now)
    Worker.write("b", beat_at=now - timedelta(minutes=2))
    assert not Worker.load().is_silent
    Worker.write("b", beat_at=now - timedelta(minutes=4))
    assert (Worker.load().name, Worker.load().is_silent) == ("b", True)
    assert Worker.is_any_alive()
    Worker.write("b", beat_at=now + timedelta(minutes=4))  # the clock was set back
    assert (Worker.load().name, Worker.load().is_silent) == ("b", True)
    Worker.write(beat_at=now - timedelta(minutes=5))
    assert Worker.load().name == ""
    assert not Worker.is_any_alive()


@pytest.mark.django_db
def test_without_any_there_is_one_that_never_began() -> None:
    assert Worker.load().beat_at is None
    assert Worker.load().is_silent
    assert not Worker.is_any_alive()


@pytest.mark.django_db
def test_who_stopped_or_was_taken_away_is_missed_by_nobody() -> None:
    now = timezone.now()
    Worker.write("gone", beat_at=now - timedelta(hours=25))
    Worker.write("silent", beat_at=now - timedelta(hours=23))
    heartbeat.begin("mine")
    assert set(Worker.objects.values_list("name", flat=True)) == {"silent", "mine"}
    heartbeat.end()
    heartbeat.end()
    assert Worker.objects.get().name == "silent"
    assert heartbeat.name() is None


@pytest.mark.django_db
def test_a_database_that_is_away_fails_no_task(monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeat.begin("b")

    def fail(*_name: str, **_fields: object) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(Worker, "write", fail)
    heartbeat.beat()
