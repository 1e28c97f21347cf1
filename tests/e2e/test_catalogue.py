"""The catalogue in a browser: search as one types, a mod whose details come while one looks, install, its looks."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import inventory, tasks, turns
from mods.models import Lookup, Mod, Operation
from mods.tests.rows import install, make_server
from tests.e2e.conftest import HandWorker
from vsadmin.lib.jobs import runner

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]
LIST = "/admin/mods/mod/"
LONG = "AVeryVeryLongNameThatGoesOnAndOnWithoutABreakUntilNobodyReadsItAnyMore"
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def listed(mod_database: ModDatabase, server_dir: Callable[..., ServerDir]) -> ModDatabase:
    """A stored list of thirty mods, some of them unpleasant, and two servers."""
    folder = server_dir()
    server = make_server(data_dir=str(folder.path), game_version="")
    inventory.scan(server)
    make_server("Testing with a rather long name", game_version="1.20.4")
    for number in range(28):
        mod = mod_database.add_mod(
            name=f"Mod {number}", modids=[f"mod{number}"], author="Ann", tags=["QoL", "Storage"],
            downloads=9000 - number, homepage_url="https://example.com/" + "x" * 90,
            summary="What it does, in a sentence that takes more than one line of a card to be said.",
            text=f"<p>All about {number}</p><pre>{'x' * 300}</pre>{EVIL}",
        )  # fmt: skip
        for version in ("1.0.0", "1.1.0"):
            mod_database.add_release(
                mod, f"mod{number}", version, game_versions=["1.21.5"], changelog=f"<p>New in {version}</p>{EVIL}"
            )
    evil = mod_database.add_mod(
        name=f"{EVIL}{LONG}", author=LONG, summary=EVIL + LONG, tags=[LONG], modids=[LONG.lower()]
    )
    mod_database.add_release(evil, LONG.lower(), "1.0.0-rc.1", game_versions=["1.19.0"])
    mod_database.add_mod(name="Map Tool", type="externaltool", side=None)
    runner.run_now(tasks.CATALOGUE)
    Lookup.objects.create(key="mod1", modid="mod1", mod=Mod.objects.get(name="Mod 1"), state="found")
    install(server, "mod1", "1.0.0", outdated=True, recommended="1.1.0", latest="1.1.0")
    return mod_database


def test_from_the_search_to_the_plan(
    visit: Visit, worker: HandWorker, listed: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned: list[int] = []
    monkeypatch.setattr(turns, "async_task", lambda _path, operation, **_options: planned.append(operation))
    page = visit("/admin/")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Catalogue").click()
    expect(page.locator(".mod-card")).to_have_count(24)

    # The cards follow what is typed, and the address with them.
    page.get_by_role("searchbox").press_sequentially("mod 27")
    expect(page.locator(".mod-card")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"q=mod(\+|%20)27"))
    page.get_by_text("Game version: any").click()
    page.get_by_role("link", name="1.21, any patch").click()
    expect(page.locator(".found-count")).to_contain_text("1 mod fits.")
    page.get_by_role("link", name="Mod 27").click()

    # Its details come while one looks.
    expect(page.get_by_text("The details are being fetched.")).to_be_visible()
    expect(page.get_by_text("They come with the details.")).to_be_visible()
    worker.work()
    expect(page.get_by_text("All about 27")).to_be_visible()
    expect(page.get_by_text("being fetched")).to_have_count(0)
    page.get_by_role("listitem").filter(has=page.get_by_text("1.0.0", exact=True)).get_by_text("What changed").click()
    expect(page.get_by_text("New in 1.0.0")).to_be_visible()

    page.get_by_label("Version").select_option("1.0.0")
    page.get_by_role("button", name="Install…", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Install Mod 27 1.0.0")
    assert planned == [Operation.objects.get().pk]


def test_a_release_can_be_chosen_by_its_button(
    visit: Visit, worker: HandWorker, listed: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "async_task", lambda *_given, **_options: None)
    page = visit(f"{LIST}{Mod.objects.get(name='Mod 2').pk}/change/")
    page.locator("#install-server").select_option("Testing with a rather long name (1.20.4)")
    with page.expect_response(lambda answer: answer.status == 204):
        pass  # while the details don't come, what was chosen stays
    expect(page.locator("#install-server option:checked")).to_contain_text("Testing")
    worker.work()
    expect(page.get_by_text("being fetched")).to_have_count(0)
    page.locator("#install-server").select_option("Testing with a rather long name (1.20.4)")
    page.get_by_role("button", name="Install… 1.0.0").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Install Mod 2 1.0.0")
    operation = Operation.objects.get()
    assert operation.server.name == "Testing with a rather long name"
    assert operation.wish["targets"][0]["version"] == "1.0.0"


def test_without_javascript(visit: Visit, panel: Page, listed: ModDatabase, live_server: LiveServer) -> None:
    browser = panel.context.browser
    assert browser is not None
    context = browser.new_context(java_script_enabled=False, storage_state=panel.context.storage_state())
    page = context.new_page()
    page.goto(f"{live_server.url}{LIST}")
    page.get_by_role("searchbox").fill("mod 27")
    page.get_by_role("button", name="Search").click()
    expect(page.locator(".mod-card")).to_have_count(1)
    page.get_by_role("link", name="Not installed yet").click()
    page.get_by_role("link", name="Mod 27").click()
    expect(page.get_by_text("Reload the page to see them.")).to_be_visible()
    context.close()
