"""The Cache page in a browser: clearing, trying another limit, verifying, alarms, and its looks on every screen."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings

from cache.models import CacheDay, CacheEntry, KnownDigest
from cache.tests.helpers import MIB, fetch, fill, numbers, path_of, put
from tests.e2e.conftest import HandWorker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]
LIST = "/admin/cache/cacheentry/"


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"


@pytest.fixture
def filled() -> CacheEntry:
    """Something of everything: files with long and hostile names, an alarm, an adopted one, figures of some days."""
    for number in range(4):
        put(number, MIB, age=(4 - number) * 9 * 86400)
    fetch(2, MIB).close()
    CacheEntry.objects.filter(key="moddb:1").update(checked=False, source="")
    CacheEntry.objects.filter(key="moddb:3").update(
        title="<img src=x onerror=alert(1)>AVeryVeryLongTitleWithoutAnyBreakInItThatGoesOnAndOnAndOn",
        source="https://a-rather-long-host-name.files.example.com/" + "x" * 200,
    )
    KnownDigest.objects.filter(key__in=["moddb:2", "moddb:3"]).update(
        refused_sha256="ab" * 32, refused_at=timezone.now() - timedelta(hours=3), refusals=2
    )
    today = timezone.now().date()
    CacheDay.objects.bulk_create(
        CacheDay(day=today - timedelta(days=ago), size_bytes=ago * MIB, hits=ago, misses=3) for ago in range(1, 25, 3)
    )
    return CacheEntry.objects.get(key="moddb:2")


def test_the_cache_is_cleared_in_two_clicks(visit: Visit, filled: CacheEntry) -> None:
    page = visit("/admin/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Cache").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("4 of 500 MiB used.")
    page.get_by_role("link", name="Clear cache").click()
    expect(page.get_by_text("4 files, 4 MiB, will be removed.")).to_be_visible()
    page.get_by_role("button", name="Clear cache").click()
    expect(page.get_by_role("status")).to_contain_text("4 files removed, 4 MiB freed")
    expect(page.get_by_role("heading", level=1)).to_have_text("The cache is empty.")
    assert numbers() == set()


def test_the_overview_leads_to_clearing_in_two_clicks(visit: Visit, filled: CacheEntry) -> None:
    page = visit("/admin/")
    page.get_by_role("link", name="Clear cache…").click()
    page.get_by_role("button", name="Clear cache").click()
    expect(page.get_by_role("status")).to_contain_text("4 files removed, 4 MiB freed")
    assert numbers() == set()


def test_what_would_go_follows_what_is_typed(visit: Visit, filled: CacheEntry) -> None:
    page = visit(LIST)
    page.get_by_role("link", name="What would go?").click()
    expect(page.locator("#going")).to_contain_text("Nothing would go")
    field = page.get_by_label("Limit in MiB")
    field.fill("2")
    expect(page.locator("#going")).to_contain_text("2 files would go, 2 MiB.")
    expect(page).to_have_url(re.compile(r"limit_mb=2$"))
    field.fill("many")
    expect(page.locator("#going")).to_contain_text("That is not a whole number.")
    field.fill("3")
    expect(page.locator("#going")).to_contain_text("1 file would go, 1 MiB.")
    assert len(numbers()) == 4, "looking removes nothing"
    page.get_by_role("link", name="Trim to this limit now").click()
    page.get_by_role("button", name="Trim to 3 MiB").click()
    expect(page.get_by_role("status")).to_contain_text("1 file removed")
    assert numbers() == {1, 2, 3}


def test_what_would_go_without_javascript(visit: Visit, filled: CacheEntry, browser: Any) -> None:
    page = visit(LIST + "what-would-go/")
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(page.url)
    plain.get_by_label("Limit in MiB").fill("2")
    plain.get_by_role("button", name="Show").click()
    expect(plain.locator("#going")).to_contain_text("2 files would go, 2 MiB.")
    context.close()


def test_verifying_shows_how_far_it_is_and_renews_the_page(
    visit: Visit, filled: CacheEntry, worker: HandWorker
) -> None:
    path_of(CacheEntry.objects.get(key="moddb:0")).write_bytes(b"x" * MIB)
    page = visit(LIST)
    page.get_by_role("link", name="Verify").click()
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#run-box")).to_contain_text("Verify the download cache")
    expect(page.locator("#run-box")).to_contain_text("waiting for its turn")
    worker.work()
    expect(page.locator("#run-box.good")).to_contain_text("1 altered, mended")
    expect(page.get_by_role("heading", level=1)).to_have_text("3 of 500 MiB used.")
    expect(page.locator("#result_list tbody tr")).to_have_count(3)
    # The list that came by htmx can be worked with as before.
    page.locator("#action-toggle").check()
    expect(page.locator(".action-counter")).to_have_text("3 of 3 selected")


def test_an_alarm_is_seen_and_leads_to_its_file(visit: Visit, filled: CacheEntry) -> None:
    page = visit(LIST)
    banner = page.get_by_role("region", name="Alarm").filter(has_text="Mod 2 1.0.0")
    expect(banner).to_contain_text("It was refused 2 times, last 3 h ago.")
    banner.get_by_role("link", name="See the file").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Mod 2")
    expect(page.get_by_text("ab" * 32)).to_be_visible()
    page.get_by_role("link", name="Decide…").click()
    page.get_by_role("button", name="Dismiss the alarm").click()
    expect(page.get_by_role("status")).to_contain_text("The alarm about Mod 2 1.0.0 is dismissed.")
    expect(page.get_by_role("region", name="Alarm").filter(has_text="Mod 2 1.0.0")).to_have_count(0)
    assert KnownDigest.objects.alarmed().get().key == "moddb:3"


def test_selected_files_are_removed(visit: Visit) -> None:
    fill(60)
    page = visit(LIST)
    page.locator("#action-toggle").check()
    expect(page.locator(".action-counter")).to_have_text("50 of 50 selected")
    page.get_by_role("button", name="Select all 60").click()
    page.get_by_role("button", name="Remove the selected files").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Remove 60 files from the cache?")
    page.get_by_role("link", name="Cancel").click()
    page.get_by_role("row", name="Mod 59").get_by_role("checkbox").check()
    page.get_by_role("button", name="Remove the selected files").click()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("1 file removed")
    assert numbers() == set(range(59))
