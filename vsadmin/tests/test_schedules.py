"""The table of scheduled jobs follows the settings, whoever synchronises it and however often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import Schedule
from django_q.scheduler import scheduler

from cache.tests.test_processes import together
from conftest import Events
from mods import inventory, refresh
from mods.models import GameServer, RefreshRun
from vsadmin import schedules
from vsadmin.lib.jobs.models import Worker

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REFRESH = "mod_cache_refresh"


@pytest.fixture
def in_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks run at once, in this process, when django-q2's scheduler hands them out; of the jobs, the refresh alone."""
    monkeypatch.setattr(Conf, "SYNC", True)
    monkeypatch.setenv("VS_MOD_SCAN_INTERVAL", "0")
    monkeypatch.setenv("VS_MOD_CATALOGUE_INTERVAL", "0")


def row() -> Schedule:
    return Schedule.objects.get(name=REFRESH)


@pytest.mark.django_db
def test_one_row_every_sixty_minutes(monkeypatch: pytest.MonkeyPatch, events: Events) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "3600")
    schedules.sync()
    assert (row().schedule_type, row().minutes, row().repeats) == (Schedule.MINUTES, 60, -1)
    registered = [event for event in events.named("job_registered") if event["job_id"] == REFRESH]
    assert registered == [{"event": "job_registered", "job_id": REFRESH, "interval_seconds": 3600}]


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "minutes"), [("1", 1), ("60", 1), ("61", 2), ("90", 2), ("86400", 1440)])
def test_seconds_are_rounded_up_to_whole_minutes(monkeypatch: pytest.MonkeyPatch, seconds: str, minutes: int) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", seconds)
    schedules.sync()
    assert row().minutes == minutes


@pytest.mark.django_db
def test_zero_registers_nothing_and_removes_what_was_there(monkeypatch: pytest.MonkeyPatch, events: Events) -> None:
    schedules.sync()
    assert row()
    events.all.clear()
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "0")
    schedules.sync()
    assert not Schedule.objects.filter(name=REFRESH).exists()
    assert REFRESH not in {event["job_id"] for event in events.named("job_registered")}


@pytest.mark.django_db
def test_starting_ten_times_leaves_one_row() -> None:
    for _ in range(10):
        schedules.sync()
    assert Schedule.objects.filter(name=REFRESH).count() == 1
    assert Schedule.objects.count() == len(schedules.SCHEDULED)


@pytest.mark.django_db
def test_surplus_rows_go(monkeypatch: pytest.MonkeyPatch) -> None:
    schedules.sync()
    for _ in range(3):
        Schedule.objects.create(name=REFRESH, func="os.system", schedule_type=Schedule.DAILY)
    schedules.sync()
    assert row().func == "mods.tasks.mod_cache_refresh"


@pytest.mark.django_db
def test_what_is_not_ours_goes() -> None:
    Schedule.objects.create(name="evil", func="os.system", args="'id'", schedule_type=Schedule.MINUTES)
    schedules.sync()
    assert not Schedule.objects.filter(func="os.system").exists()


@pytest.mark.django_db
def test_from_1970_django_q2_does_not_walk_minute_by_minute(in_line: None, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[datetime] = []
    real = Schedule.calculate_next_run

    def counted(row: Schedule, next_run: datetime) -> datetime:
        steps.append(next_run)
        found: datetime = real(row, next_run)
        return found

    schedules.sync()
    Schedule.objects.update(next_run=datetime(1970, 1, 1, tzinfo=UTC))
    schedules.sync()
    monkeypatch.setattr(Schedule, "calculate_next_run", counted)
    scheduler()
    assert len(schedules.SCHEDULED) - 2 <= len(steps) <= 2 * len(schedules.SCHEDULED)


@pytest.mark.django_db(transaction=True)
def test_eight_processes_at_once_leave_one_row() -> None:
    assert together(*[lambda: call_command("sync_schedules")] * 8) == [0] * 8
    assert Schedule.objects.filter(name=REFRESH).count() == 1
    assert Schedule.objects.count() == len(schedules.SCHEDULED)


@pytest.mark.django_db
def test_a_shorter_interval_pulls_the_next_run_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "86400")
    schedules.sync()
    Schedule.objects.update(next_run=timezone.now() + timedelta(days=1))
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "600")
    schedules.sync()
    assert row().next_run <= timezone.now() + timedelta(seconds=600)
    assert row().minutes == 10


@pytest.mark.django_db
def test_a_restart_does_not_ask_the_mod_database_again(monkeypatch: pytest.MonkeyPatch) -> None:
    schedules.sync()
    later = timezone.now() + timedelta(minutes=30)
    Schedule.objects.update(next_run=later)
    schedules.sync()
    assert row().next_run == later


@pytest.mark.django_db
def test_the_job_runs_when_due_and_again_an_hour_later(
    in_line: None, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[datetime] = []
    real = refresh.refresh

    def noted(**options: Any) -> refresh.RefreshResult:
        asked.append(timezone.now())
        return real(**options)

    monkeypatch.setattr(refresh, "refresh", noted)
    with time_machine.travel(START, tick=False) as clock:
        schedules.sync()
        clock.shift(1)
        scheduler()
        assert len(asked) == 1
        clock.shift(timedelta(minutes=59))
        scheduler()
        assert len(asked) == 1, "not before the hour is over"
        clock.shift(timedelta(minutes=2))
        scheduler()
        assert len(asked) == 2
    assert len(events.named("mod_cache_refresh_completed")) == 2
    assert RefreshRun.objects.filter(state=RefreshRun.State.COMPLETED).count() == 2


@pytest.mark.django_db
def test_the_schedule_goes_on_through_an_outage(
    in_line: None, events: Events, server_dir: Any, mod_database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 2.0)
    folder = server_dir()
    folder.add_zip("a.zip", modid="alpha")
    inventory.scan(GameServer.objects.create(name="Public", data_dir=str(folder.path)))
    mod_database.fault("/", "refuse")
    with time_machine.travel(START, tick=True) as clock:
        schedules.sync()
        for _ in range(3):
            clock.shift(timedelta(minutes=61))
            scheduler()
    failures = events.named("mod_cache_refresh_failed")
    assert len(failures) == 3
    assert failures[0]["failed"] == 1
    assert failures[0]["failed_ids"] == ["alpha"]
    assert row().next_run > START + timedelta(hours=3)


@pytest.mark.django_db
def test_partial_failure_is_completed_with_counts_and_ids(
    in_line: None, events: Events, server_dir: Any, mod_database: Any
) -> None:
    folder = server_dir()
    for modid in ("alpha", "beta"):
        mod = mod_database.add_mod(name=modid, modids=[modid])
        mod_database.add_release(mod, modid, "1.0.0", game_versions=["1.21.5"])
        folder.add_zip(f"{modid}.zip", modid=modid)
    inventory.scan(GameServer.objects.create(name="Public", data_dir=str(folder.path)))
    mod_database.fault("/api/mod/beta", "truncated")
    with time_machine.travel(START, tick=True) as clock:
        schedules.sync()
        clock.shift(1)
        scheduler()
    (completed,) = events.named("mod_cache_refresh_completed")
    assert (completed["refreshed"], completed["failed"], completed["failed_ids"]) == (1, 1, ["beta"])


@pytest.mark.django_db
def test_an_interval_of_zero_never_runs_the_job(in_line: None, events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "0")
    with time_machine.travel(START, tick=True) as clock:
        schedules.sync()
        clock.shift(timedelta(days=2))
        scheduler()
    assert not events.named("mod_cache_refresh_started")
    assert Worker.load().beat_at, "the other jobs ran"
