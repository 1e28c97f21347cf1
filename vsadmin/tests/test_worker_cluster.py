"""django-q2's cluster as ours: its name, its signs of life, and a clock that jumps."""

import queue
import socket
from datetime import UTC, datetime, timedelta
from multiprocessing import Value
from pathlib import Path
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.utils import timezone
from django_q import monitor, worker
from django_q.brokers import get_broker
from django_q.models import OrmQ, Schedule, Task
from pytest_django import Settings

from conftest import Events
from vsadmin import cluster, schedules
from vsadmin.lib.jobs import heartbeat
from vsadmin.lib.jobs.models import Worker

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> cluster.Guard:
    """One that doesn't start any process; `looked` has the times of next run that django-q2's scheduler saw."""
    made = cluster.Guard.__new__(cluster.Guard)
    made.task_queue = queue.Queue(1)
    made._clock = cluster.Clock()
    made.looked = []
    monkeypatch.setattr(
        cluster,
        "scheduler",
        lambda broker: made.looked.append(list(Schedule.objects.values_list("next_run", flat=True))),
    )
    return made


def test_the_worker_of_up_has_no_name_and_others_their_machines(settings: Settings, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path
    host = socket.gethostname()[:80]
    with cluster.own_name(of_up=True) as name:
        assert name == ""
    with cluster.own_name(of_up=False) as first, cluster.own_name(of_up=False) as second:
        assert (first, second) == (host, f"{host} (2)")
    with cluster.own_name(of_up=False) as again:
        assert again == host


@pytest.mark.django_db
@pytest.mark.parametrize("year", [1970, 2025, 2027, 2090])
def test_times_far_away_are_brought_back_before_django_q2_looks(guard: cluster.Guard, year: int) -> None:
    with time_machine.travel(NOW, tick=False):
        schedules.sync()
        Schedule.objects.update(next_run=NOW.replace(year=year))
        guard._look()
        ((*seen,),) = guard.looked
        for row, next_run in zip(Schedule.objects.all(), seen, strict=True):
            assert abs(next_run - NOW) == timedelta(minutes=row.minutes)


@pytest.mark.django_db
def test_times_within_one_interval_stay(guard: cluster.Guard) -> None:
    with time_machine.travel(NOW, tick=False):
        schedules.sync()
        for minutes in (-1, 1):
            Schedule.objects.update(next_run=NOW + timedelta(minutes=minutes))
            guard._look()
            assert set(guard.looked.pop()) == {NOW + timedelta(minutes=minutes)}
            guard.task_queue.get_nowait()


@pytest.mark.django_db
def test_a_clock_that_was_set_back_holds_up_no_task(guard: cluster.Guard, events: Events) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        guard._clock = cluster.Clock()
        OrmQ.objects.create(key="vsadmin", payload="x", lock=NOW)
        AccessAttempt.objects.create(username="x", failures_since_start=5)
        AccessAttempt.objects.update(attempt_time=NOW)
        clock.shift(-3600)
        guard._look()
        assert OrmQ.objects.get().lock == timezone.now()
        assert AccessAttempt.objects.get().attempt_time == timezone.now()
        (event,) = events.named("clock_jumped")
        assert event["seconds"] == -3600
        guard._look()
        assert len(events.named("clock_jumped")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "jumped"), [(50, False), (-50, False), (70, True), (-70, True)])
def test_what_counts_as_a_jump(seconds: int, jumped: bool) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        looked = cluster.Clock()
        clock.shift(seconds)
        assert bool(looked.jumped()) == jumped


@pytest.mark.django_db
def test_the_guard_survives_a_database_that_is_away(guard: cluster.Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("away")

    monkeypatch.setattr(schedules, "pull_in", fail)
    guard._look()
    guard._look()  # the first sign of life wasn't taken yet: all are at work
    assert len(guard.looked) == 2


@pytest.mark.django_db
def test_a_sign_of_life_goes_through_one_of_the_clusters_processes(
    guard: cluster.Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0)
    monkeypatch.setattr(heartbeat._Me, "name", "b")
    guard._look()
    results: queue.Queue[dict[str, Any]] = queue.Queue()
    given: queue.Queue[Any] = queue.Queue()
    given.put({**guard.task_queue.get_nowait(), "sync": True})  # else it closes the test's connection
    given.put("STOP")
    worker.worker(given, results, Value("f", -1), -1)
    assert not Worker.objects.get(name="b").is_silent
    done = results.get_nowait()
    assert done["success"]
    monitor.save_task(done, get_broker())
    assert not Task.objects.exists()
