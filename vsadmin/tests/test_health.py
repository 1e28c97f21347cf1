"""What monitoring is told by /healthz and /readyz."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from mods.models import RefreshRun
from vsadmin import firstrun, health
from vsadmin.lib.jobs.models import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _forget_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health._Migrations, "_known", False)


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*args: object) -> None:
        raise OperationalError("connection to server at 10.0.0.5 failed: password of vsadmin refused")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "cursor", refuse)
        yield


def make_ready() -> None:
    Worker.write(beat_at=timezone.now())
    RefreshRun.objects.create()


def readiness(client: Client) -> tuple[int, dict[str, bool]]:
    response = client.get("/readyz")
    found = response.json()
    assert found["ready"] == (response.status_code == 200)
    return response.status_code, found["checks"]


def test_alive(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.usefixtures("no_database")
def test_a_database_that_does_not_answer(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (503, {"status": "database unavailable"})
    response = client.get("/readyz")
    nothing = {"migrations": False, "worker": False, "refresh": False}
    assert (response.status_code, response.json()) == (503, {"ready": False, "checks": nothing})


def test_ready(client: Client) -> None:
    make_ready()
    assert readiness(client) == (200, {"migrations": True, "worker": True, "refresh": True})


def test_a_fresh_panel_is_not_ready_yet(client: Client) -> None:
    assert readiness(client) == (503, {"migrations": True, "worker": False, "refresh": False})


@pytest.mark.parametrize(("seconds", "alive"), [(170, True), (190, False)])
def test_the_heartbeat_is_younger_than_three_minutes(client: Client, seconds: int, alive: bool) -> None:
    make_ready()
    Worker.write(beat_at=timezone.now() - timedelta(seconds=seconds))
    status, checks = readiness(client)
    assert (status, checks["worker"]) == (200 if alive else 503, alive)


@pytest.mark.parametrize(("seconds", "recent"), [(2 * 600 + 290, True), (2 * 600 + 310, False)])
def test_a_refresh_within_two_intervals_and_five_minutes(
    client: Client, monkeypatch: pytest.MonkeyPatch, seconds: int, recent: bool
) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "600")
    make_ready()
    RefreshRun.objects.update(started_at=timezone.now() - timedelta(seconds=seconds), state=RefreshRun.State.FAILED)
    status, checks = readiness(client)
    assert (status, checks["refresh"]) == (200 if recent else 503, recent)


def test_no_refresh_is_missed_where_it_is_switched_off(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "0")
    Worker.write(beat_at=timezone.now())
    assert readiness(client)[0] == 200


def test_migrations_are_looked_at_until_they_are_applied(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    make_ready()
    looks = iter([["mods.0002_more"], []])
    monkeypatch.setattr(firstrun, "pending_migrations", lambda: next(looks))
    assert readiness(client)[1]["migrations"] is False
    assert readiness(client)[0] == 200
    assert readiness(client)[0] == 200  # it didn't look a third time


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_anybody_may_ask_and_nothing_is_kept(client: Client, path: str) -> None:
    response = client.get(path)
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    assert not response.cookies
    assert client.head(path).status_code == response.status_code
    assert client.post(path).status_code == 405
