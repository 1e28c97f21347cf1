"""Refreshes in the panel: each with its counts and the reasons for what failed."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mods.models import RefreshRun
from mods.tests.rows import install, make_server

pytestmark = pytest.mark.django_db


def make_run() -> RefreshRun:
    now = timezone.now()
    return RefreshRun.objects.create(
        started_at=now - timedelta(seconds=75),
        ended_at=now,
        state=RefreshRun.State.COMPLETED,
        asked=118,
        changed=3,
        unchanged=113,
        failed=2,
        failures={"alpha": "It didn't answer within 30 s.", "<b>x</b>": "<i>no</i>"},
        requests=9,
        bytes=2048,
        summary="116 checked, 3 updates, 2 failed",
    )


def test_the_list(admin_client: Client) -> None:
    make_run()
    text = admin_client.get("/admin/mods/refreshrun/").text
    for expected in ("118", "113", "completed", "1 min 15 s", "2 KiB"):
        assert expected in text, expected


def test_a_page_names_each_failure_and_leads_to_the_mod(admin_client: Client) -> None:
    row = install(make_server(), "Alpha")
    text = admin_client.get(f"/admin/mods/refreshrun/{make_run().pk}/change/").text
    assert f'<a href="/admin/mods/installedmod/{row.pk}/change/">alpha</a>' in text
    assert "It didn&#x27;t answer within 30 s." in text
    assert "&lt;b&gt;x&lt;/b&gt;" in text
    assert "116 checked, 3 updates, 2 failed" in text


def test_rows_are_read_only(admin_client: Client) -> None:
    run = make_run()
    assert admin_client.get("/admin/mods/refreshrun/add/").status_code == 403
    assert admin_client.get(f"/admin/mods/refreshrun/{run.pk}/delete/").status_code == 403
