"""Whoever starts a job by hand stands in the admin log; and the overview leads to clearing the cache in two clicks."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client

from cache import counters
from mods import discovery
from mods.tests.rows import make_server
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db

CLEAR = 'href="/admin/cache/cacheentry/clear/"'


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "async_task", lambda *_path, **_arguments: None)
    monkeypatch.setattr(discovery, "find", list)


@pytest.mark.parametrize("name", ["mod_scan", "mod_cache_refresh", "cache_enforce_limit"])
def test_who_starts_a_job_is_recorded_once(admin_client: Client, name: str) -> None:
    for _again in range(2):
        assert admin_client.post(f"/admin/jobs/start/{name}/").status_code == 302
    entry = LogEntry.objects.get()
    run = JobRun.objects.get()
    assert (entry.user.username, entry.object_id, entry.get_change_message()) == (
        "admin",
        str(run.pk),
        "Started by hand",
    )
    assert entry.object_repr == str(runner.registry[name].title)
    assert entry.get_admin_url() == f"/admin/jobs/jobrun/{run.pk}/change/"


def test_who_may_not_is_not_recorded() -> None:
    client = Client()
    client.force_login(User.objects.create_user("guest", is_staff=True))
    assert client.post("/admin/jobs/start/cache_enforce_limit/").status_code == 403
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("rights", [(), ("view_cacheentry",), ("clear_cacheentry",)])
@pytest.mark.parametrize("servers", [0, 1])
def test_the_overview_leads_to_clearing_for_who_may(rights: tuple[str, ...], servers: int) -> None:
    counters.add(files=3, bytes=2 * 1024 * 1024)
    if servers:
        make_server()
    person = User.objects.create_user("person", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(person)
    text = client.get("/admin/").text
    assert (CLEAR in text) is ("clear_cacheentry" in rights)
    assert ("3 files, 2 MiB of 500 MiB" in text) is bool(rights)


def test_an_empty_cache_is_not_offered_for_clearing(admin_client: Client) -> None:
    assert CLEAR not in admin_client.get("/admin/").text
