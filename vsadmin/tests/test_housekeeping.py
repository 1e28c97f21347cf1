"""Sessions that are over and failed logins of long ago go, once a day; the others stay."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import Schedule
from django_q.scheduler import scheduler

from vsadmin import housekeeping, schedules
from vsadmin.lib.jobs.models import JobRun
from vsadmin.lib.jobs.runner import registry

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def session(ends_in: timedelta) -> str:
    made = SessionStore()
    made.set_expiry(timezone.now() + ends_in)
    made.create()
    return str(made.session_key)


def test_what_is_over_goes() -> None:
    session(-timedelta(seconds=1))
    alive = session(timedelta(days=1))
    for name, ago in (("old", timedelta(days=31)), ("new", timedelta(days=29))):
        row = AccessAttempt.objects.create(username=name, ip_address="192.0.2.1", failures_since_start=1)
        AccessAttempt.objects.filter(pk=row.pk).update(attempt_time=timezone.now() - ago)
    registry[housekeeping.TIDY].function()
    assert [row.session_key for row in Session.objects.all()] == [alive]
    assert [row.username for row in AccessAttempt.objects.all()] == ["new"]
    run = JobRun.objects.get()
    assert run.state == JobRun.State.DONE
    assert run.message == "Removed: 1 session that was over, 1 failed login of long ago."


def test_the_real_scheduler_does_it_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "SYNC", True)
    with time_machine.travel(START, tick=False) as clock:
        schedules.sync()
        Schedule.objects.exclude(name=housekeeping.TIDY).delete()
        clock.shift(1)
        scheduler()
        session(timedelta(hours=1))
        clock.shift(timedelta(hours=23))
        scheduler()
        assert Session.objects.count() == 1
        clock.shift(timedelta(hours=1, seconds=1))
        scheduler()
    assert not Session.objects.exists()
