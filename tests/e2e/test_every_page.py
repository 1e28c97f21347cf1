"""Every page at every width, light and dark: nothing is clipped, nothing complains, axe finds nothing serious."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page, expect

from mods import status
from mods.models import InstalledMod, RefreshRun
from mods.tests.rows import install, install_many, make_mod, make_release, make_server
from vsadmin import schedules
from vsadmin.lib.jobs.models import JobRun

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]
WIDTHS = (360, 390, 768, 1280, 1920)
LONG = "A Mod With AVeryVeryLongNameThatGoesOnAndOnWithoutABreak, Deluxe Ultimate Edition Remastered"


@pytest.fixture
def addresses() -> list[str]:
    """A panel with something of everything; the addresses of all its pages."""
    now = timezone.now()
    server = make_server(
        "Public",
        notes=["ModPaths of serverconfig.json names /srv/gone, which can't be found."],
        disabled_mods=["oldruins@0.6.1"],
        mod_folders=[{"path": "/srv/public/Mods", "device": 1}, {"path": "/tmp", "device": 1}],
    )
    make_server(
        "Testing with a rather long name",
        mod_folders=[{"path": "/tmp", "device": 1}],
        unreachable_since=now,
        unreachable_why="/srv/x can't be read: permission denied. Let it in:\nsudo setfacl -R -m u:x:rX '/srv/x'",
    )
    mod = make_mod("alpha", name=LONG, author="Ann", description="<h2>About</h2><p>Words</p>", tags=["QoL", "Storage"])
    make_release(mod, "1.0.0", game_versions=["1.20.4", "1.21.0", "1.21.1"], retracted=True, retraction_reason="Bad")
    make_release(mod, "1.1.0-rc.1", changelog="<ul><li>New <a href='https://example.com'>things</a></li></ul>")
    make_release(mod, "1.2.0")
    shown = install(
        server, "alpha", name=LONG, problems=["The same mod is here more than once."], sha256="ab" * 32,
        dependencies={"game": "1.21.0", "missing": "1.0.0", "publicmany1": "0.5.0"},
    )  # fmt: skip
    install(server, "beta", enabled=False, side="client")
    install(server, "gamma", compatibility="incompatible")
    install_many(server, 60)
    status.update(InstalledMod.objects.filter(modid_key="alpha"))
    schedules.sync()
    run = RefreshRun.objects.create(
        started_at=now - timedelta(seconds=8), ended_at=now, state="completed", asked=9, failed=1,
        failures={"alpha": "It didn't answer within 30 s."}, summary="8 checked, 1 failed",
    )  # fmt: skip
    job = JobRun.objects.create(job="mod_scan", state="failed", message="It broke off.", ended_at=now, started_at=now)
    JobRun.objects.create(job="mod_cache_refresh", state="queued")
    group = Group.objects.create(name="Operators")
    user = User.objects.create_user("operator", is_staff=True)
    return [
        "/admin/",
        f"/admin/?run={job.pk}",
        "/admin/mods/gameserver/",
        "/admin/mods/gameserver/add/",
        f"/admin/mods/gameserver/{server.pk}/change/",
        f"/admin/mods/gameserver/{server.pk}/delete/",
        f"/admin/mods/gameserver/{server.pk}/history/",
        "/admin/mods/installedmod/",
        f"/admin/mods/installedmod/?server={server.pk}&state=attention&side=universal",
        f"/admin/mods/installedmod/{shown.pk}/change/",
        "/admin/mods/refreshrun/",
        f"/admin/mods/refreshrun/{run.pk}/change/",
        "/admin/system/",
        "/admin/system/condition/",
        "/admin/jobs/jobrun/",
        f"/admin/jobs/jobrun/{job.pk}/change/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
        f"/admin/auth/user/{user.pk}/change/",
        f"/admin/auth/user/{user.pk}/password/",
        f"/admin/auth/user/{user.pk}/delete/",
        "/admin/auth/group/",
        f"/admin/auth/group/{group.pk}/change/",
        "/admin/password_change/",
    ]


def test_nothing_is_clipped_or_too_small_to_hit(visit: Visit, addresses: list[str]) -> None:
    wrong = []
    for address in addresses:
        page = visit(address)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            wrong += [f"{address} at {width}: {what}" for what in page.evaluate(_CLIPPED)]
            if width == 390:
                wrong += [f"{address} on a phone: {what}" for what in page.evaluate(_SMALL_TARGETS)]
    assert not wrong


#: What reaches beyond the screen, or must be scrolled sideways; strips of links and long changelogs may.
_CLIPPED = """() => {
  const found = [], wide = document.documentElement.scrollWidth;
  const may = ".chips, .tabs, .prose, .visually-hidden, details:not([open]), .calendarbox, .clockbox";
  if (wide > innerWidth) found.push(`the page is ${wide} px`);
  for (const box of document.querySelectorAll(".results"))
    if (box.scrollWidth > box.clientWidth + 1) found.push(`a table is ${box.scrollWidth} px in ${box.clientWidth}`);
  for (const element of document.querySelectorAll("main :is(a, button, input:not([type=hidden]), td, th)")) {
    if (element.closest(may) || !element.checkVisibility()) continue;
    if (getComputedStyle(element.closest("thead") || element).position === "absolute") continue;
    const place = element.getBoundingClientRect();
    const out = place.width > 1 && (place.right > innerWidth + 1 || place.left < -1);
    if (out) found.push(element.outerHTML.slice(0, 90));
  }
  return found.slice(0, 3);
}"""

#: Buttons, menus and navigation lower than 40 px. Links within text and headings are as high as their lines.
_SMALL_TARGETS = """() => {
  const targets = ":is(.places, .tabs, .chips, .menu-list) a, .btn, summary, input[type=submit]";
  return [...document.querySelectorAll(targets)]
    .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 39.5)
    .map((element) => `${element.outerHTML.slice(0, 80)} ${element.getBoundingClientRect().height}`);
}"""


def test_axe_finds_nothing_serious(visit: Visit, addresses: list[str]) -> None:
    found = []
    for address in addresses:
        page = visit(address)
        page.emulate_media(color_scheme="light")
        found += [f"{address}, light: {what}" for what in serious(page)]
        if not address.startswith("/admin/auth/"):  # what they are drawn with is on the other pages too
            page.emulate_media(color_scheme="dark")
            found += [f"{address}, dark: {what}" for what in serious(page, "color-contrast")]
    assert not found


def test_the_login_and_menus_too(visit: Visit, addresses: list[str]) -> None:
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


def serious(page: Page, *rules: str) -> list[str]:
    """Axe's serious and critical findings, of all rules or of these."""
    options = {"preload": False, "resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    violations = Axe().run(page, options=options).response["violations"]
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:140]} {one['nodes'][0].get('failureSummary', '')[:160]}"
        for one in violations
        if one["impact"] in {"serious", "critical"}
    ]


def test_the_theme_is_chosen_and_kept(visit: Visit) -> None:
    page = visit("/admin/")
    page.emulate_media(color_scheme="light")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator(".user summary").click()
    page.get_by_role("button", name="Theme: as the system").click()
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    visit("/admin/system/")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != paper


def test_on_a_phone_each_row_is_a_card(visit: Visit, addresses: list[str]) -> None:
    page = visit("/admin/mods/installedmod/")
    page.set_viewport_size({"width": 360, "height": 800})
    card = page.locator("#result_list tbody tr").first
    box = card.bounding_box()
    assert box is not None
    assert 250 < box["width"] <= 360
    label = card.locator(".field-latest_version").evaluate("cell => getComputedStyle(cell, '::before').content")
    assert label == '"Latest"'


def test_a_page_that_is_not_there(visit: Visit, panel: Page, complaints: list[str], live_server: Any) -> None:
    panel.goto(f"{live_server.url}/admin/nothing/")
    expect(panel.get_by_role("heading", name="Page not found")).to_be_visible()
    assert not serious(panel)
    assert all("404" in one for one in complaints)
    complaints.clear()


def test_without_javascript(visit: Visit, panel: Page, live_server: Any, browser: Any) -> None:
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
