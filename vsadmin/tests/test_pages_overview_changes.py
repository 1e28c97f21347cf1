"""The overview tells of changes: plans that wait, what is under way, what was done by whom, who needs a restart."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods.models import GameServer, Operation, ServerStart
from mods.tests.rows import install, make_server
from vsadmin.lib.jobs.models import Worker

pytestmark = pytest.mark.django_db
NOW = timezone.now


@pytest.fixture(autouse=True)
def lively_worker() -> None:
    Worker.write(beat_at=NOW())


def page(client: Client) -> str:
    return client.get("/admin/").text.replace("&#x27;", "'")


def change(server: GameServer, state: Operation.State, title: str, **values: object) -> Operation:
    return Operation.objects.create(
        server=server, kind="update", title=title, state=state, asked_by_name="anna", **values
    )  # fmt: skip


def test_a_plan_that_waits_is_something_to_do(admin_client: Client) -> None:
    waiting = change(make_server(), Operation.State.PLANNED, "Update all mods")
    text = page(admin_client)
    assert "One thing needs you" in text
    assert "A plan waits: Update all mods on" in text
    assert f'href="/admin/mods/operation/{waiting.pk}/change/"' in text


def test_what_is_under_way_shows_how_far_it_is(admin_client: Client) -> None:
    change(make_server(), Operation.State.RUNNING, "Update all mods", done=12, total=60)
    text = page(admin_client)
    assert "Being changed now" in text
    assert '<progress value="12" max="60"' in text


def test_what_was_done_and_by_whom(admin_client: Client) -> None:
    server = make_server()
    ended = NOW() - timedelta(minutes=5)
    change(server, Operation.State.DONE, "Install carryon", started_at=ended, ended_at=ended)
    change(server, Operation.State.DONE, "Nothing to do", ended_at=ended)
    text = page(admin_client)
    assert "Latest changes" in text
    assert "anna · <time" in text
    assert "Install carryon" in text
    assert "Nothing to do" not in text


def test_a_server_that_needs_a_restart_with_its_note(admin_client: Client) -> None:
    server = make_server()
    GameServer.objects.filter(pk=server.pk).update(restart_note="systemctl restart vs")
    install(server, "alpha")
    ServerStart.objects.create(server=server, started_at=NOW() - timedelta(hours=1), mods=[])
    text = page(admin_client)
    assert f"{server.name} needs a restart." in text
    assert "systemctl restart vs" in text


def test_all_updates_are_planned_from_here_by_who_may(client: Client, admin_client: Client) -> None:
    install(make_server(), "alpha", outdated=True, recommended="1.1.0")
    assert 'action="/admin/mods/installedmod/update-all/"' in page(admin_client)
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(
        Permission.objects.filter(codename__in=["view_installedmod", "view_gameserver", "view_operation"])
    )
    client.force_login(viewer)
    text = page(client)
    assert "1 update is recommended." in text
    assert "update-all" not in text


def test_the_number_of_queries_follows_no_number_of_changes(admin_client: Client) -> None:
    server = make_server()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(admin_client)
        return len(captured)

    def some() -> None:
        for state in (Operation.State.PLANNED, Operation.State.RUNNING, Operation.State.DONE):
            change(server, state, "x", started_at=NOW(), ended_at=NOW())

    some()
    few = queries()
    for _again in range(5):
        some()
    assert queries() == few
