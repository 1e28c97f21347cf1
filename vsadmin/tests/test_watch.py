"""The web process notices that the worker is silent: written once, sent from here, and no false alarm."""

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import OperationalError
from django.utils import timezone
from pytest_django import Settings

from conftest import eventually
from events.kinds import Kind
from events.models import Event, Target
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.tests.loopback import answer, serving
from vsadmin.tests import processes
from vsadmin.watch import Watch

BEAT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def looking(clock: Clock, settings: Settings, tmp_path: Path) -> Watch:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    return Watch(clock)


def silences() -> int:
    return Event.objects.filter(kind=Kind.WORKER_SILENT).count()


@pytest.mark.django_db
def test_three_minutes_without_a_beat_are_told_once(looking: Watch, clock: Clock) -> None:
    Worker.write(beat_at=BEAT)
    looking.look()
    clock.now += 160
    looking.look()
    assert silences() == 0
    clock.now += 20
    looking.look()
    looking.look()
    event = Event.objects.get()
    assert event.title.startswith("The background worker is silent since 1 Mar ")
    Watch(clock).look()
    assert silences() == 1


@pytest.mark.django_db
def test_ones_beats_do_not_hide_anothers_silence(looking: Watch, clock: Clock) -> None:
    Worker.write("attic", beat_at=timezone.now() - timedelta(minutes=1))
    for _look in range(20):
        Worker.write(beat_at=timezone.now())
        looking.look()
        clock.now += 10
    assert Event.objects.get().title.startswith("The worker on attic is silent since ")


@pytest.mark.django_db
def test_another_process_tells_it_no_second_time(looking: Watch, clock: Clock) -> None:
    Worker.write(beat_at=BEAT)
    others = Watch(clock)
    for one in (looking, others):
        one.look()
    clock.now += 200
    for one in (looking, others):
        one.look()
    assert silences() == 1


@pytest.mark.django_db
def test_each_silence_is_one(looking: Watch, clock: Clock) -> None:
    for number in range(3):
        Worker.write(beat_at=BEAT + timedelta(hours=number))
        looking.look()
        clock.now += 200
        looking.look()
    assert silences() == 3


@pytest.mark.django_db
def test_a_heartbeat_of_long_ago_at_the_start_is_none(looking: Watch, clock: Clock) -> None:
    Worker.write(beat_at=BEAT - timedelta(days=30))
    clock.now += 60
    looking.look()
    Worker.write(beat_at=timezone.now())
    clock.now += 150
    looking.look()
    assert silences() == 0


@pytest.mark.django_db
def test_a_worker_that_never_began_is_told(looking: Watch, clock: Clock) -> None:
    clock.now += 200
    looking.look()
    assert Event.objects.get().title == "The background worker hasn't started"


@pytest.mark.django_db
def test_while_the_database_is_away_nothing_is_known(
    looking: Watch, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> Worker:
        raise OperationalError("away")

    Worker.write(beat_at=BEAT)
    looking.look()
    with monkeypatch.context() as patch:
        patch.setattr(Worker, "load", fail)
        clock.now += 1000
        looking.look()
    clock.now += 100
    looking.look()
    assert silences() == 0


@pytest.mark.django_db
def test_it_is_sent_from_here(looking: Watch, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSADMIN_ALLOW_PRIVATE_WEBHOOKS", "on")
    Worker.write(beat_at=BEAT)
    looking.look()
    with serving({"/in": answer()}) as server:
        Target.objects.create(name="t", form="webhook", address=server.url + "/in", kinds=["worker_silent"])
        clock.now += 200
        looking.look()
        looking.look()
        (told,) = [json.loads(body) for _headers, body in server.posted]
    assert told["event"]["kind"] == "worker_silent"


#: A web server of ours that looks often and has little patience.
IMPATIENT = """
import sys
import vsadmin.wsgi
from vsadmin import watch, webserver
watch.EVERY, watch._SILENT = 0.1, 0.5
sys.exit(webserver.main(int(sys.argv[1])))
"""


@pytest.mark.cluster
@pytest.mark.django_db(transaction=True)
def test_a_web_server_looks_by_itself(process_env: dict[str, str]) -> None:
    with processes.web_server(process_env, ["-c", IMPATIENT]) as (port, _process):
        eventually(silences)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answered:
            assert answered.status == 200
    assert silences() == 1
