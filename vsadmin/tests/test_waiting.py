"""A worker that starts while the database is down waits for it, says so once, and ends when told to."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.db import OperationalError

from conftest import Events
from vsadmin import waiting


class Clock:
    """Stands for the `time` module: a pause takes no time, but the clock goes on."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(waiting, "time", made)
    monkeypatch.setattr("vsadmin.waiting.connection.close", lambda: None)
    return made


def down_for(seconds: float, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> None:
        if clock.now < seconds:
            raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr(waiting, "_ask", ask)


def test_it_waits_and_says_so_once(clock: Clock, monkeypatch: pytest.MonkeyPatch, events: Events) -> None:
    down_for(400, clock, monkeypatch)
    waiting.for_database()
    assert clock.now == 400
    (told,) = events.named("database_awaited")
    assert told["reason"] == "connection refused"
    assert len(events.named("database_answers")) == 1


def test_where_it_answers_nothing_is_said(clock: Clock, monkeypatch: pytest.MonkeyPatch, events: Events) -> None:
    down_for(0, clock, monkeypatch)
    waiting.for_database()
    assert not events.all


def test_it_gives_up_in_the_end(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    down_for(float("inf"), clock, monkeypatch)
    with pytest.raises(OperationalError):
        waiting.for_database()
    assert clock.now == waiting.PATIENCE


@pytest.fixture
def process_environment(tmp_path: Path) -> dict[str, str]:
    """A database in a folder that isn't there."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/unmounted/vsadmin.sqlite3",
        "VSADMIN_DATA_DIR": str(tmp_path / "state"),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.mark.cluster
def test_a_worker_that_waits_ends_when_told_to(process_environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "qcluster"],
        cwd=settings.BASE_DIR,
        env=process_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("database_awaited" in line for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == -signal.SIGTERM
    assert "Traceback" not in output
