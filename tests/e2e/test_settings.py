"""The settings in a browser: an interval is changed and its schedule with it; what the environment says is locked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from cache import conf as cache_conf
from cache.tests import helpers
from tests.e2e.looking import faults
from vsadmin import schedules

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("stored_settings"),
]

REFRESH, SCAN = "VS_MOD_LIST_REFRESH_INTERVAL", "VS_MOD_SCAN_INTERVAL"


def test_an_interval_is_changed_and_its_schedule_follows(
    visit: Callable[[str], Page], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SCAN, "900")
    schedules.sync()
    page = visit("/admin/system/")
    expect(page.locator("#job-mod_cache_refresh")).to_contain_text("every hour")
    page.get_by_role("navigation").get_by_role("link", name="Settings").click()
    locked = page.locator(f"#setting-{SCAN}")
    expect(locked).to_contain_text(f"Set by the environment or .env: {SCAN}")
    expect(locked.get_by_role("textbox")).to_have_count(0)

    page.get_by_label("Check for updates").fill("soon")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was changed")
    expect(page.get_by_label("Check for updates")).to_have_value("soon")
    page.get_by_label("Check for updates").fill("7200")
    page.get_by_label("Check for updates").press("Enter")
    expect(page.get_by_text(f"{REFRESH}: 3600 → 7200").first).to_be_visible()
    expect(page.locator(f"#setting-{REFRESH}")).to_contain_text("Changed here by admin")
    expect(page.locator(f"#setting-{REFRESH}")).to_contain_text("Now: every 2 hours.")

    page.get_by_role("link", name="Background jobs").click()
    expect(page.locator("#job-mod_cache_refresh")).to_contain_text("every 2 hours")
    page.get_by_role("navigation").get_by_role("link", name="Settings").click()

    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="Back to the default: Check for updates").click()
    expect(page.get_by_text(f"{REFRESH}: 7200 → 3600, the default").first).to_be_visible()
    expect(page.get_by_label("Check for updates")).to_have_value("3600")


def test_a_lower_limit_is_asked_about_and_the_pages_are_without_faults(
    visit: Callable[[str], Page], settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path
    monkeypatch.setenv(SCAN, "900")
    for number in range(3):
        helpers.put(number, cache_conf.MIB)
    page = visit("/admin/system/settings/")
    page.get_by_label("Limit of the download cache").fill("1")
    page.get_by_label("Young releases").fill("5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("2 files, 2 MiB, will be evicted")).to_be_visible()
    assert not faults(page)
    page.get_by_role("button", name="Back").click()
    expect(page.get_by_label("Young releases")).to_have_value("5")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#setting-VS_MOD_CACHE_MAX_SIZE_MB")).to_contain_text("Changed here by admin")
    assert not faults(visit("/admin/system/settings/"))
    assert not faults(visit("/admin/system/"))
