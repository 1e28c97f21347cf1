"""Every page that the panel has, hostile texts in it: nothing of them runs, nothing is clipped at any width, light and
dark can be read, axe finds nothing serious, the console stays empty.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods.admin.installed import InstalledModAdmin
from mods.tests.rows import install, make_server
from tests.e2e.everything import Everything
from tests.e2e.looking import faults, serious
from vsadmin.lib.jobs.models import JobRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]
#: Tests that share the pages among them, so that they can run side by side.
PARTS = 3


@pytest.fixture
def everything(
    server_dir: Callable[..., ServerDir],
    mod_database: ModDatabase,
    settings: Settings,
    tmp_path: Any,
    monkeypatch: pytest.MonkeyPatch,
    panel: Page,
) -> Everything:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    monkeypatch.setattr(InstalledModAdmin, "list_per_page", 8)
    return Everything(server_dir(), mod_database)


@pytest.mark.parametrize("part", range(PARTS))
def test_every_page(visit: Visit, everything: Everything, complaints: list[str], part: int) -> None:
    found = []
    for address in everything.pages(part, PARTS):
        page = visit(address)
        found += [f"{address} {what}" for what in faults(page)]
        found += [f"{address} {what}" for what in complaints]
        complaints.clear()
    assert not found, "\n".join(found)
    where = "World (its __init__ and value) in tests/role_matrix.py"
    assert not everything.missing, f"no example for {everything.missing}: add one to {where}"


def test_the_page_that_asks_why_a_mod_is_held(visit: Visit, everything: Everything) -> None:
    page = visit("/admin/mods/installedmod/")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Hold", exact=True).click()
    expect(page.get_by_label("Why?")).to_be_visible()
    assert not faults(page)


def test_the_login_and_menus_too(visit: Visit) -> None:
    install(make_server(), "alpha")
    page = visit("/admin/mods/installedmod/")
    for summary in page.locator("summary").all():
        summary.click()
        assert not serious(page, "color-contrast", "label", "link-name", "button-name")
        page.keyboard.press("Escape")
    page.get_by_text("admin", exact=True).click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="You are logged out")).to_be_visible()
    assert not serious(page)
    page.get_by_role("link", name="Log in again").click()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert not serious(page)


def test_the_theme_is_chosen_and_kept(visit: Visit) -> None:
    page = visit("/admin/")
    page.emulate_media(color_scheme="light")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator(".user summary").click()
    page.get_by_role("button", name="Theme: as the system").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    visit("/admin/system/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != paper


def test_on_a_phone_each_row_is_a_card(visit: Visit) -> None:
    install(make_server(), "alpha")
    page = visit("/admin/mods/installedmod/")
    page.set_viewport_size({"width": 360, "height": 800})
    card = page.locator("#result_list tbody tr").first
    box = card.bounding_box()
    assert box is not None
    assert 250 < box["width"] <= 360
    label = card.locator(".field-latest_version").evaluate("cell => getComputedStyle(cell, '::before').content")
    assert label == '"Latest"'


def test_a_page_that_is_not_there(visit: Visit, panel: Page, complaints: list[str], live_server: LiveServer) -> None:
    panel.goto(f"{live_server.url}/admin/nothing/")
    expect(panel.get_by_role("heading", name="Page not found")).to_be_visible()
    assert not serious(panel)
    assert all("404" in one for one in complaints)
    complaints.clear()


def test_without_javascript(visit: Visit, panel: Page, live_server: LiveServer, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, storage_state=panel.context.storage_state())
    page = context.new_page()
    page.goto(f"{live_server.url}/admin/mods/gameserver/")
    make_server()
    page.goto(f"{live_server.url}/admin/mods/installedmod/")
    page.get_by_role("button", name="Scan now").click()
    expect(page.locator("#run-box")).to_contain_text("Reload the page to see how far it is.")
    JobRun.objects.update(state=JobRun.State.DONE, message="3 mods found")
    page.reload()
    expect(page.locator("#run-box")).to_contain_text("3 mods found")
    context.close()
