"""The main job, end to end in a browser: log in, add a server, scan, check for updates, read what is the matter."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from conftest import ServerDir, zip_of
from demo.moddb import ModDatabase
from demo.moddb_data import DemoMod
from mods.models import InstalledMod
from tests.e2e.conftest import HandWorker
from vsadmin import firstrun
from vsadmin.lib.jobs.models import Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]


@dataclass
class Filled:
    """A server's folder, and the entry of one of its mods in the mod database."""

    folder: ServerDir
    beta: DemoMod


@pytest.fixture
def filled(server_dir: Callable[..., ServerDir], mod_database: ModDatabase) -> Filled:
    """A server with one outdated mod, one that is fine, one broken and one with a hostile name."""
    folder = server_dir()
    for modid, name, more in (
        ("alpha", "Alpha", {"side": "Server"}),
        ("beta", "Beta", {"dependencies": {"alpha": "1.0.0"}}),
        ("evil", "<img src=x onerror=alert(1)>", {}),
    ):
        modinfo = {"type": "content", "modid": modid, "name": name, "version": "1.0.0", **more}
        (folder.mods / f"{modid}_1.0.0.zip").write_bytes(zip_of(modinfo))
    (folder.mods / "broken.zip").write_bytes(b"no zip at all")
    found = {}
    for modid, versions in (("alpha", ("1.0.0", "1.1.0")), ("beta", ("1.0.0",))):
        mod = mod_database.add_mod(name=modid.title(), modids=[modid], author="Ann")
        for version in versions:
            mod_database.add_release(
                mod, modid, version, game_versions=["1.21.5"], changelog="<p>New <script>alert(1)</script>things</p>"
            )
        found[modid] = mod
    return Filled(folder, found["beta"])


def test_from_login_to_what_needs_doing(
    visit: Visit, worker: HandWorker, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mods.discovery.find", list)
    page = visit("/admin/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to vsadmin")
    go_to(page, "Servers")
    page.get_by_role("link", name="Add server").click()

    # Adding one: the folder is looked at while it is typed.
    page.get_by_label("Name").fill("Public")
    page.get_by_label("Data folder").fill("/nowhere")
    expect(page.locator("#look")).to_contain_text("There is no folder /nowhere.")
    page.get_by_label("Data folder").fill(str(filled.folder.path))
    expect(page.locator("#look")).to_contain_text("game version 1.21.5, 4 mods")
    page.get_by_role("button", name="Add server").click()

    # Its scan waits, runs, and the page shows what came of it without a reload.
    expect(page.get_by_text("Public is added: game version 1.21.5, 4 mods.")).to_be_visible()
    expect(page.locator("#run-box")).to_contain_text("waiting for its turn")
    worker.work()
    expect(page.locator("#run-box")).to_contain_text("4 mods found")
    expect(page.locator(".facts a").first).to_contain_text("4")

    # The scan asked the mod database about the new mods; the overview leads with what needs doing.
    go_to(page, "Overview")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two things need you")
    expect(page.get_by_text("1 update is recommended.")).to_be_visible()
    page.get_by_role("link", name="See the updates").click()
    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    page.locator("#result_list").get_by_role("link").filter(has_text="Alpha").click()
    expect(page.locator(".verdict")).to_contain_text("The highest release that names 1.21.5 exactly.")
    page.get_by_text("What changed").first.click()
    expect(page.locator(".releases .prose").first).to_have_text("New things")


def test_the_first_login_with_the_password_that_was_printed(
    page: Page, complaints: list[str], live_server: LiveServer
) -> None:
    made = firstrun.ensure_administrator()
    assert made is not None
    Worker.write(beat_at=timezone.now())
    page.goto(live_server.url)
    page.get_by_label("Username").fill(made.name)
    page.get_by_label("Password").fill("not " + made.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("Wrong username or password")
    page.get_by_label("Username").fill(made.name)
    page.get_by_label("Password").fill(made.password)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to vsadmin")

    # A password of one's own, with which one logs in from then on.
    page.get_by_text(made.name, exact=True).click()
    page.get_by_role("link", name="Change password").click()
    page.get_by_label("Old password").fill(made.password)
    page.locator("#id_new_password1").fill("k4-long-and-odd")
    page.locator("#id_new_password2").fill("k4-long-and-odd")
    page.get_by_role("button", name="Change my password").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Password")
    page.get_by_text(made.name, exact=True).click()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("link", name="Log in again").click()
    page.get_by_label("Username").fill(made.name)
    page.get_by_label("Password").fill("k4-long-and-odd")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


def test_check_for_updates_shows_progress_in_place(
    visit: Visit, worker: HandWorker, filled: Filled, mod_database: ModDatabase
) -> None:
    page = add_and_scan(visit, worker, filled.folder)
    go_to(page, "Mods")
    expect(page.get_by_role("row", name="Beta")).to_contain_text("up to date")
    mod_database.add_release(filled.beta, "beta", "2.0.0", game_versions=["1.21.5"])
    page.get_by_role("button", name="Check for updates now").click()
    expect(page.locator("#run-box")).to_contain_text("waiting for its turn")
    expect(page).to_have_url(re.compile(r"/admin/mods/installedmod/\?run=\d+$"))
    worker.work()
    expect(page.locator("#run-box")).to_contain_text("2 updates")
    expect(page.get_by_role("row", name="Beta")).to_contain_text("2.0.0")
    page.get_by_role("link", name="Details").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Refresh of")


def test_an_outage_is_told_and_nothing_is_lost(
    visit: Visit, worker: HandWorker, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = add_and_scan(visit, worker, filled.folder)
    monkeypatch.setenv("VS_MODDB_URL", "http://127.0.0.1:9")
    page = visit("/admin/")
    page.get_by_role("button", name="Check for updates now").click()
    expect(page.locator("#run-box")).to_contain_text("waiting for its turn")
    worker.work()
    expect(page.locator("#run-box.bad")).to_contain_text("nothing was lost")
    expect(page.locator(".todo")).to_contain_text("Mod database unreachable since")
    assert InstalledMod.objects.get(modid="alpha").latest == "1.1.0"


def test_filters_and_search(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = add_and_scan(visit, worker, filled.folder)
    go_to(page, "Mods")
    rows = page.locator("#result_list tbody tr")
    expect(rows).to_have_count(4)
    page.get_by_role("link", name="Problem 1").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("broken")
    page.get_by_role("link", name="Clear all filters").click()
    page.locator("summary").filter(has_text="Side").click()
    page.locator(".filter[open]").get_by_role("link", name="server", exact=True).click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Alpha")
    page.get_by_role("searchbox").fill("nothing like it")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="Nothing fits")).to_be_visible()


def test_hostile_names_stay_text(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = add_and_scan(visit, worker, filled.folder)
    go_to(page, "Mods")
    page.get_by_text("<img src=x onerror=alert(1)>").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("img[src=x]").count() == 0


def test_a_session_that_ended_while_watching(
    visit: Visit, worker: HandWorker, filled: Filled, live_server: LiveServer
) -> None:
    page = add_and_scan(visit, worker, filled.folder)
    page = visit("/admin/mods/gameserver/")
    page.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    page.get_by_role("button", name="Scan all now").click()
    expect(page).to_have_url(f"{live_server.url}/admin/login/?next=/admin/mods/gameserver/")


def go_to(page: Page, place: str) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name=place).click()


def add_and_scan(visit: Visit, worker: HandWorker, folder: ServerDir) -> Page:
    """The server added, scanned, and its mods asked about."""
    page = visit("/admin/mods/gameserver/add/")
    page.get_by_label("Name").fill("Public")
    page.get_by_label("Data folder").fill(str(folder.path))
    page.get_by_role("button", name="Add server").click()
    expect(page.locator("#run-box")).to_be_visible()
    worker.work()
    expect(page.locator("#run-box.good")).to_be_visible()
    return page
