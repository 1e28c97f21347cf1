"""A changed interval reaches django-q2's table: from the page at once, from the worker's heartbeat within a minute."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_q.conf import Conf
from django_q.models import Schedule
from django_q.scheduler import scheduler

from conftest import Events
from mods import conf as mods_conf
from mods.models import RefreshRun
from vsadmin import health, panelsettings, schedules
from vsadmin.lib.stored import store
from vsadmin.lib.stored.models import StoredSetting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored_settings")]

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
JOB, NAME = "mod_cache_refresh", "VS_MOD_LIST_REFRESH_INTERVAL"


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedules._Known, "intervals", None)


def elsewhere(seconds: str) -> None:
    """Another process stored it, and its own bringing in line was lost."""
    StoredSetting.objects.update_or_create(name=NAME, defaults={"text": seconds})


def minutes() -> int:
    return int(Schedule.objects.get(name=JOB).minutes)


def test_the_heartbeat_brings_the_table_in_line() -> None:
    schedules.sync()
    assert minutes() == 60
    elsewhere("600")
    store.forget()  # more than ten seconds later
    schedules.heartbeat()
    assert minutes() == 10
    elsewhere("0")
    store.forget()
    schedules.heartbeat()
    assert not Schedule.objects.filter(name=JOB).exists()


def test_where_nothing_changed_it_costs_one_look_at_the_settings(events: Events) -> None:
    schedules.sync()
    schedules.follow_settings()
    events.all.clear()
    store.forget()
    with CaptureQueriesContext(connection) as queries:
        schedules.follow_settings()
    asked = [one["sql"] for one in queries.captured_queries if "SAVEPOINT" not in one["sql"]]
    assert len(asked) == 1
    assert "stored_storedsetting" in asked[0]
    assert not events.named("job_registered")


def test_what_a_process_still_believes_does_not_undo_what_another_changed() -> None:
    elsewhere("600")
    schedules.sync()
    schedules._Known.intervals = {}  # this process hasn't looked at the table yet
    elsewhere("1200")
    Schedule.objects.filter(name=JOB).update(minutes=20)  # as the other process did
    assert mods_conf.REFRESH_INTERVAL.get() == 600, "this one doesn't know yet"
    schedules.follow_settings()
    assert minutes() == 20


def test_the_real_scheduler_runs_the_job_by_the_new_interval(monkeypatch: pytest.MonkeyPatch, events: Events) -> None:
    monkeypatch.setattr(Conf, "SYNC", True)
    monkeypatch.setenv("VS_MOD_SCAN_INTERVAL", "0")
    monkeypatch.setenv("VS_MOD_CATALOGUE_INTERVAL", "0")
    admin = User.objects.create_user("ann")

    def ran() -> int:
        return len(events.named("mod_cache_refresh_started"))

    with time_machine.travel(START, tick=False) as clock:
        schedules.sync()
        clock.shift(1)
        scheduler()
        assert ran() == 1
        clock.shift(timedelta(minutes=10))
        scheduler()
        assert ran() == 1, "an hour isn't over"
        panelsettings.change({NAME: "300"}, admin)
        clock.shift(timedelta(minutes=5, seconds=1))
        scheduler()
        assert ran() == 2, "five minutes after it was changed"
        clock.shift(timedelta(minutes=5, seconds=1))
        scheduler()
        assert ran() == 3
        panelsettings.change({NAME: "0"}, admin)
        clock.shift(timedelta(days=1))
        scheduler()
        assert ran() == 3
        panelsettings.change({NAME: ""}, admin)
        clock.shift(1)
        scheduler()
        assert ran() == 4, "on again"


def test_readiness_gives_a_shorter_interval_its_time() -> None:
    admin = User.objects.create_user("ann")
    with time_machine.travel(START, tick=False) as clock:
        panelsettings.change({NAME: "86400"}, admin)
        RefreshRun.objects.create(started_at=START)
        clock.shift(timedelta(hours=20))
        assert health._refresh_attempted()
        panelsettings.change({NAME: "60"}, admin)
        assert health._refresh_attempted(), "it was just changed"
        clock.shift(timedelta(minutes=8))
        assert not health._refresh_attempted()


@pytest.mark.django_db(transaction=True)
def test_a_process_of_its_own_goes_by_what_is_stored(process_env: dict[str, str]) -> None:
    elsewhere("7200")
    StoredSetting.objects.create(name="VS_MOD_SCAN_INTERVAL", text="600")
    environment = {**process_env, "VS_MOD_SCAN_INTERVAL": "900"}
    command = [sys.executable, "manage.py", "sync_schedules"]
    told = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True)
    assert "mod_cache_refresh: every 7200 s" in told.stdout
    assert "mod_scan: every 900 s" in told.stdout, "the environment wins"
    assert minutes() == 120
