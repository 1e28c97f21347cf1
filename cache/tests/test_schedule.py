"""The scheduled job: registered by its interval, and what it says."""

import pytest
from django_q.models import Schedule

from cache import conf, tasks
from cache.models import CacheEntry
from cache.tests.helpers import fill, numbers, path_of
from conftest import Events
from vsadmin import schedules
from vsadmin.lib.jobs import runner

pytestmark = pytest.mark.django_db(transaction=True)


def test_every_15_minutes_by_default(events: Events) -> None:
    schedules.sync()
    row = Schedule.objects.get(name="cache_enforce_limit")
    assert row.minutes == 15
    assert row.func == "cache.tasks.cache_enforce_limit"
    registered = {"event": "job_registered", "job_id": "cache_enforce_limit", "interval_seconds": 900}
    assert registered in events.named("job_registered")


def test_an_interval_of_0_is_not_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    schedules.sync()
    monkeypatch.setenv("VS_MOD_CACHE_CHECK_INTERVAL", "0")
    schedules.sync()
    assert not Schedule.objects.filter(name="cache_enforce_limit").exists()


def test_a_run_evicts_and_says_so(monkeypatch: pytest.MonkeyPatch, events: Events) -> None:
    fill(5, 1000)
    assert runner.run_now(tasks.ENFORCE).message == "within its limit, nothing to do"
    monkeypatch.setattr(conf, "limit_bytes", lambda: 3000)
    assert "2 files removed" in runner.run_now(tasks.ENFORCE).message
    assert numbers() == {2, 3, 4}
    assert events.named("cache_enforce_limit_completed")[-1]["files"] == 2


def test_files_that_cannot_be_removed_fail_the_run_in_plain_words(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(2, 1000)
    monkeypatch.setattr(conf, "limit_bytes", lambda: 1000)
    stubborn = path_of(CacheEntry.objects.get(key="moddb:0"))
    stubborn.unlink()
    stubborn.mkdir()
    run = runner.run_now(tasks.ENFORCE)
    assert run.state == "failed"
    assert "1 file couldn't be removed" in run.message
    assert numbers() == {0}
