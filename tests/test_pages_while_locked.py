"""No page fails because the database can't be written: a GET that would like to write something down does without."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events.models import Read
from mods.models import Mod
from tests.role_matrix import SUPERUSER, World, client_of
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    (tmp_path / "server" / "Mods").mkdir(parents=True)
    made = World(tmp_path / "server")
    Mod.objects.update(fetched_at=None)  # its page would like to have its details fetched
    return made


@contextmanager
def locked() -> Iterator[list[str]]:
    """Inside, whatever would be written meets a database that somebody else writes to for too long."""
    refused: list[str] = []

    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        # A transaction of SQLite's waits at its beginning; in a test, which is one, it begins as a savepoint.
        if sql.startswith(("INSERT", "UPDATE", "DELETE", "SAVEPOINT")):
            refused.append(sql)
            raise OperationalError("database is locked")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        yield refused


def test_every_page_is_shown(world: World) -> None:
    client = client_of(SUPERUSER)
    tried: list[str] = []
    for request in world.requests():
        if request.method == "GET":
            with locked() as refused:
                status = client.get(request.url).status_code
            assert status < 500 or request.name == "readyz", (request.name, refused)
            tried += refused
    assert tried
    assert not Read.objects.exists()
    assert not JobRun.objects.exclude(pk=world.run.pk).exists()


def test_what_could_not_be_written_is_written_the_next_time(world: World) -> None:
    client = client_of(SUPERUSER)
    with locked():
        assert client.get("/admin/events/event/").status_code == 200
    client.get("/admin/events/event/")
    assert Read.objects.get().seen_up_to == world.event.pk


def test_nobody_is_told_of_a_logout_that_could_not_be_written(world: World) -> None:
    client = client_of(SUPERUSER)
    with locked(), pytest.raises(OperationalError):
        client.post("/admin/logout/")


@pytest.mark.parametrize("broken", ["password", "expired", "gone"])
def test_a_session_that_counts_no_more_leads_to_the_login(world: World, broken: str) -> None:
    client = client_of(SUPERUSER)
    user = User.objects.get(username=f"the {SUPERUSER}")
    if broken == "password":
        user.set_password("another one")
        user.save()
    elif broken == "expired":
        Session.objects.update(expire_date=timezone.now())
    else:
        Session.objects.all().delete()
    with locked():
        answer = client.get("/admin/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login/?next=/admin/")
    assert Client().get("/admin/login/").status_code == 200
