"""The page of background jobs: what is scheduled, what came of it, what may be started."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from vsadmin import schedules
from vsadmin.lib.jobs.models import JobRun, Worker

pytestmark = pytest.mark.django_db


def job_card(text: str, name: str) -> str:
    return text.partition(f'id="job-{name}"')[2].partition("</li>")[0]


def test_each_scheduled_job_is_explained(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "7200")
    schedules.sync()
    JobRun.objects.create(job="mod_cache_refresh", state=JobRun.State.DONE, message="117 checked, 3 updates")
    text = admin_client.get("/admin/system/").text
    card = job_card(text, "mod_cache_refresh")
    for expected in ("every 2 hours", "VS_MOD_LIST_REFRESH_INTERVAL=7200", "117 checked, 3 updates", "Run now", "done"):
        assert expected in card, expected
    for scheduled in schedules.SCHEDULED:
        assert job_card(text, scheduled.name), scheduled.name
    assert "Run now" not in job_card(text, schedules.HEARTBEAT)


def test_a_job_that_is_off_says_so(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "0")
    schedules.sync()
    card = job_card(admin_client.get("/admin/system/").text, "mod_cache_refresh")
    assert '<span class="tag calm">off</span>' in card
    assert "Run now" in card, "on demand it works all the same"


def test_a_failed_run_shows_why(admin_client: Client) -> None:
    user = User.objects.get()
    run = JobRun.objects.create(job="mod_scan", state=JobRun.State.FAILED, message="No <disk>", asked_by=user)
    text = admin_client.get("/admin/system/").text
    assert "No &lt;disk&gt;" in job_card(text, "mod_scan")
    page = admin_client.get(f"/admin/jobs/jobrun/{run.pk}/change/").text
    assert "No &lt;disk&gt;" in page
    assert f"by {user}" in page


def test_the_worker(admin_client: Client) -> None:
    assert "hasn&#x27;t started yet" in admin_client.get("/admin/system/").text.replace("hasn't", "hasn&#x27;t")
    Worker.write(beat_at=timezone.now())
    assert ">alive<" in admin_client.get("/admin/system/").text


def test_runs_are_listed_and_read_only(admin_client: Client) -> None:
    run = JobRun.objects.create(job="mod_scan", state=JobRun.State.DONE, message="5 mods found")
    JobRun.objects.create(job="a job of the past", state=JobRun.State.DONE)
    text = admin_client.get("/admin/jobs/jobrun/").text
    assert "5 mods found" in text
    assert "a job of the past" in text
    assert "a job of the past" not in admin_client.get("/admin/jobs/jobrun/?job=mod_scan").text
    assert admin_client.get("/admin/jobs/jobrun/add/").status_code == 403
    assert admin_client.post(f"/admin/jobs/jobrun/{run.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_viewer_sees_no_buttons(client: Client) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_jobrun"))
    client.force_login(viewer)
    text = client.get("/admin/system/").text
    assert job_card(text, "mod_scan")
    assert "Run now" not in text
