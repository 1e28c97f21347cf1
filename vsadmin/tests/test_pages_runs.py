"""Starting a job from a page and watching it, with htmx and without JavaScript."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from mods.models import RefreshRun
from mods.tests.rows import make_server
from vsadmin import schedules
from vsadmin.lib.jobs.models import JobRun, Worker

pytestmark = pytest.mark.django_db

SCAN = "/admin/jobs/start/mod_scan/"
REFRESH = "/admin/jobs/start/mod_cache_refresh/"
HTMX = {"HX-Request": "true"}


def box(client: Client, run: JobRun, query: str = "") -> str:
    return client.get(f"/admin/jobs/run/{run.pk}/box/{query}", headers=HTMX).text


def test_without_javascript_the_same_page_comes_back_with_the_box(admin_client: Client) -> None:
    page = "/admin/mods/installedmod/?state=outdated"
    response = admin_client.post(SCAN, {"next": page})
    run = JobRun.objects.get()
    assert response.headers["Location"] == f"{page}&run={run.pk}"
    assert run.asked_by == User.objects.get()
    shown = admin_client.get(response.headers["Location"])
    assert shown.status_code == 200
    assert "waiting for its turn" in shown.text
    assert "Reload the page to see how far it is." in shown.text
    assert shown.context["cl"].params == {"state": "outdated"}, "?run= is no filter"
    JobRun.objects.update(state=JobRun.State.DONE, message="117 mods found", ended_at=timezone.now())
    assert "117 mods found" in admin_client.get(response.headers["Location"]).text


def test_with_htmx_the_box_alone_comes_back_and_asks_on(admin_client: Client) -> None:
    response = admin_client.post(SCAN, {"next": "/admin/"}, headers=HTMX)
    run = JobRun.objects.get()
    assert "<html" not in response.text
    assert f'hx-get="/admin/jobs/run/{run.pk}/box/" hx-trigger="every 1s"' in response.text
    assert response.headers["HX-Replace-Url"] == f"/admin/?run={run.pk}"
    JobRun.objects.update(state=JobRun.State.RUNNING, started_at=timezone.now(), done=12, total=117, doing="<b>x</b>")
    text = box(admin_client, run)
    assert "12 of 117" in text
    assert '<progress value="12" max="117"' in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text


def test_the_result_is_told_and_the_page_renewed(admin_client: Client) -> None:
    run = JobRun.objects.create(job="mod_scan", state=JobRun.State.DONE, message="117 checked, 3 updates")
    response = admin_client.get(f"/admin/jobs/run/{run.pk}/box/", headers=HTMX)
    assert response.headers["HX-Trigger-After-Settle"] == "run-finished"
    assert "117 checked, 3 updates" in response.text
    assert "every 1s" not in response.text
    assert 'class="run-box good"' in response.text


def test_a_failure_is_bad_and_says_why(admin_client: Client) -> None:
    run = JobRun.objects.create(job="mod_scan", state=JobRun.State.FAILED, message="The disk is <gone>")
    text = box(admin_client, run)
    assert 'class="run-box bad"' in text
    assert "failed: The disk is &lt;gone&gt;" in text


def test_details_of_a_refresh_are_its_own_page(admin_client: Client) -> None:
    now = timezone.now()
    earlier, inside = (
        RefreshRun.objects.create(started_at=moment)
        for moment in (now - timedelta(hours=1), now - timedelta(seconds=5))
    )
    run = JobRun.objects.create(
        job="mod_cache_refresh", state=JobRun.State.DONE, started_at=now - timedelta(seconds=9), ended_at=now
    )
    assert f"/admin/mods/refreshrun/{inside.pk}/change/" in box(admin_client, run)
    assert f"/admin/mods/refreshrun/{earlier.pk}/" not in box(admin_client, run)


def test_a_second_click_shows_the_run_that_is_under_way(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsadmin.lib.locks.is_free", lambda name: False)
    run = JobRun.objects.create(job="mod_scan", state=JobRun.State.RUNNING, started_at=timezone.now())
    response = admin_client.post(SCAN, {"next": "/admin/"}, headers=HTMX)
    assert "It was under way already; this is that run." in response.text
    assert JobRun.objects.get() == run


def test_a_silent_worker_is_said_while_waiting(admin_client: Client) -> None:
    run = JobRun.objects.create(job="mod_scan")
    assert "Waiting for the worker, which is silent." in box(admin_client, run)
    Worker.write(beat_at=timezone.now())
    assert "silent" not in box(admin_client, run)


def test_one_server_can_be_scanned(admin_client: Client) -> None:
    server = make_server()
    admin_client.post(SCAN, {"server": server.pk})
    assert JobRun.objects.get().arguments == {"server": server.pk}


@pytest.mark.parametrize("server", ["999", "x", "1; drop", "٣", "9" * 40])
def test_a_server_that_is_none(admin_client: Client, server: str) -> None:
    assert admin_client.post(SCAN, {"server": server}).status_code == 404
    assert not JobRun.objects.exists()


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example.com/", "//evil.example.com/", "javascript:alert(1)", "/\\evil.example.com", "x", ""],
)
def test_it_never_leads_elsewhere(admin_client: Client, elsewhere: str) -> None:
    location = admin_client.post(SCAN, {"next": elsewhere}).headers["Location"]
    assert location == f"/admin/?run={JobRun.objects.get().pk}"


@pytest.mark.parametrize("name", ["nothing", "os.system", schedules.HEARTBEAT])
def test_only_jobs_of_the_list_can_be_started(admin_client: Client, name: str) -> None:
    assert admin_client.post(f"/admin/jobs/start/{name}/").status_code == 404
    assert not JobRun.objects.exists()


@pytest.mark.parametrize("address", [SCAN, REFRESH])
def test_starting_takes_a_post(admin_client: Client, address: str) -> None:
    assert admin_client.get(address).status_code == 405


@pytest.mark.parametrize(
    ("right", "allowed", "refused"), [("scan_gameserver", SCAN, REFRESH), ("refresh_mod", REFRESH, SCAN)]
)
def test_each_job_takes_its_right(client: Client, right: str, allowed: str, refused: str) -> None:
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=right))
    client.force_login(user)
    assert client.post(refused).status_code == 403
    assert not JobRun.objects.exists()
    assert client.post(allowed).status_code == 302
    assert "run-box" in box(client, JobRun.objects.get()), "whoever may start it may watch it"


def test_watching_takes_a_right(client: Client) -> None:
    client.force_login(User.objects.create_user("viewer", is_staff=True))
    run = JobRun.objects.create(job="mod_scan", message="private")
    assert client.get(f"/admin/jobs/run/{run.pk}/box/").status_code == 403
    assert "private" not in client.get(f"/admin/?run={run.pk}").text


def test_a_run_that_was_pruned_ends_the_asking(admin_client: Client) -> None:
    assert admin_client.get("/admin/jobs/run/999/box/", headers=HTMX).status_code == 286


@pytest.mark.parametrize("run", ["999", "x", "", "-1", "9" * 40, "٣"])
def test_a_nonsense_run_in_the_address_is_harmless(admin_client: Client, run: str) -> None:
    assert admin_client.get("/admin/", {"run": run}).status_code == 200


def test_a_session_that_ended_leads_to_the_login_as_a_page(client: Client) -> None:
    headers = {**HTMX, "HX-Current-URL": "http://testserver/admin/system/"}
    response = client.post(SCAN, headers=headers)
    assert response.headers["HX-Redirect"] == "/admin/login/?next=/admin/system/"
