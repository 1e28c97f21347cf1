"""A webhook is set up in a browser, tested, and its result is seen; the bell leads to what is new."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from events import record as recording
from events.kinds import Kind
from events.models import Target
from events.record import record
from tests.e2e.conftest import HandWorker
from vsadmin.lib.tests.loopback import answer, serving

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]


@pytest.fixture(autouse=True)
def by_hand(worker: HandWorker, monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    monkeypatch.setenv("VSADMIN_ALLOW_PRIVATE_WEBHOOKS", "on")
    monkeypatch.setattr(recording, "async_task", worker.take)


def test_a_webhook_is_added_and_tested(visit: Visit, worker: HandWorker) -> None:
    with serving({"/hooks/S3CRET": answer(b"", 204)}) as server:
        page = visit("/admin/system/")
        page.get_by_role("link", name="Notifications").click()
        expect(page.get_by_text("Nobody is told yet")).to_be_visible()
        page.get_by_role("link", name="Add a target").click()
        page.get_by_label("Name").fill("Ops")
        page.get_by_label("How").select_option(label="Webhook (JSON)")
        page.get_by_label("Address").fill(f"{server.url}/hooks/S3CRET")
        page.get_by_label("A server started").check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").first).to_contain_text("Ops is saved.")
        expect(page.get_by_label("Address")).to_have_value("")

        page.get_by_role("button", name="Send a test").click()
        expect(page.locator("#deliveries")).to_contain_text("waiting")
        worker.work()
        expect(page.locator("#deliveries .tag")).to_have_text("sent")
        expect(page.locator("#deliveries")).to_contain_text("Received: the answer was 204.")
        assert len(server.posted) == 1
        assert "S3CRET" not in page.content()
    assert "server_started" in Target.objects.get().kinds


def test_the_bell_leads_to_what_is_new_on_a_phone_too(visit: Visit) -> None:
    record(Kind.CRASHED, "1", "Public crashed", text="The game names deepmining.")
    record(Kind.GAME_VERSION, "1.22.0", "Game version 1.22.0 is out")
    page = visit("/admin/")
    page.set_viewport_size({"width": 360, "height": 740})
    page.get_by_role("link", name="2 unread events").click()
    expect(page.locator(".timeline-event")).to_have_count(2)
    expect(page.locator(".timeline-event .tag")).to_have_count(2)
    width = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    assert width[0] <= width[1]
    page.get_by_text("What:").click()
    page.locator("#live").get_by_role("link", name="A server crashed").click()
    expect(page.locator(".timeline-event")).to_have_count(1)
    expect(page.get_by_role("link", name="unread")).to_have_count(0)
