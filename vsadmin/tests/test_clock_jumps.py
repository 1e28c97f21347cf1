"""A clock that is set, either way and by years, makes nothing wait for it, forget, or look recent that isn't."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from cache import counters
from cache.models import CacheDay
from mods import recovery, refresh_targets
from mods.models import Lookup, Operation, RefreshRun
from mods.tests.rows import make_server
from vsadmin import firstrun, health, login
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun
from vsadmin.lib.stored import store
from vsadmin.lib.stored.models import StoredSetting

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def test_runs_are_in_their_order_whatever_the_clock_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run in 1970 is the oldest, and pruned as soon as it is over."""
    monkeypatch.setattr(runner, "KEPT_RUNS", 2)
    for year in (2026, 2090, 1970):
        with time_machine.travel(NOW.replace(year=year), tick=False):
            last = runner.run_now("cache_enforce_limit")
    assert [run.queued_at.year for run in JobRun.objects.all()] == [1970, 2090]
    assert JobRun.objects.first() == last


def test_the_last_refresh_is_the_last(client: Client) -> None:
    for year in (2026, 2090, 1970):
        RefreshRun.objects.create(started_at=NOW.replace(year=year), forced=year == 1970)
    first = RefreshRun.objects.first()
    assert first is not None
    assert first.forced


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("seconds", "recent"), [(2 * 600 + 290, True), (2 * 600 + 310, False)])
def test_a_refresh_of_the_future_is_as_far_away_as_one_of_the_past(
    monkeypatch: pytest.MonkeyPatch, sign: int, seconds: int, recent: bool
) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "600")
    RefreshRun.objects.create(started_at=timezone.now() + sign * timedelta(seconds=seconds))
    assert health._refresh_attempted() == recent


@pytest.mark.parametrize("sign", [1, -1])
def test_a_setting_changed_lately(sign: int) -> None:
    StoredSetting.objects.create(name="x", text="1", changed_at=timezone.now() + sign * timedelta(seconds=90))
    assert store.was_changed_within("x", timedelta(seconds=100))
    assert not store.was_changed_within("x", timedelta(seconds=80))


def test_the_copy_just_made_is_kept(settings: Settings, tmp_path: Path) -> None:
    """With the clock at 1970 its name is the oldest."""
    newest = tmp_path / "vsadmin-19700101-000000.sqlite3"
    for name in (newest.name, *(f"vsadmin-2026030{day}-120000.sqlite3" for day in range(1, 5)), "other.sqlite3"):
        (tmp_path / name).touch()
    firstrun._drop_old_copies(tmp_path, newest)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "other.sqlite3",
        newest.name,
        "vsadmin-20260303-120000.sqlite3",
        "vsadmin-20260304-120000.sqlite3",
    ]


def test_failed_logins_of_the_future_lock_nobody_out_until_then(client: Client) -> None:
    User.objects.create_superuser("admin", "", "the right one")
    wrong, right = ({"username": "admin", "password": word} for word in ("wrong", "the right one"))
    with time_machine.travel(NOW.replace(year=2090), tick=False):
        for _time in range(5):
            client.post("/admin/login/", wrong)
    with time_machine.travel(NOW, tick=False) as clock:
        login.mend_times()
        assert client.post("/admin/login/", right).status_code == 429, "they count still"
        clock.shift(timedelta(minutes=10, seconds=1))
        assert client.post("/admin/login/", right).status_code == 302


def test_failed_logins_of_the_past_stay_as_they_are() -> None:
    for seconds in (-600, 0, 30):
        with time_machine.travel(NOW + timedelta(seconds=seconds), tick=False):
            AccessAttempt.objects.create(username=str(seconds), failures_since_start=5)
    with time_machine.travel(NOW, tick=False):
        login.mend_times()
    for attempt in AccessAttempt.objects.all():
        assert attempt.attempt_time == NOW + timedelta(seconds=int(attempt.username))


def test_the_caches_past_outlives_a_clock_that_is_ahead_for_a_moment() -> None:
    CacheDay.objects.create(day=NOW.date())
    with time_machine.travel(NOW.replace(year=2090), tick=False):
        counters._add_to_today([], [("hits", 1)])
    assert CacheDay.objects.filter(day=NOW.date()).exists()


def test_details_of_the_future_are_renewed_first() -> None:
    with time_machine.travel(NOW, tick=False):
        targets = [
            refresh_targets.Target(Lookup(pk=number, fetched_at=NOW + timedelta(days=days)), str(number))
            for number, days in enumerate([-3, 9000, -2, *[-1] * 21])
        ]
        refresh_targets.mark_due(targets, force=False)  # hourly: one of 24
    assert [target.asked_as for target in targets if target.wants_details] == ["1"]


@pytest.mark.parametrize(("minutes", "closed"), [(1, 0), (-1, 0), (3, 1), (-3, 1)])
def test_plans_that_nobody_makes_any_more_end(settings: Settings, tmp_path: Path, minutes: int, closed: int) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path
    asked_at = timezone.now() + timedelta(minutes=minutes)
    Operation.objects.create(server=make_server(), kind="install", title="x", asked_at=asked_at)
    assert recovery._close_lost_plans() == closed
