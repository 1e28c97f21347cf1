"""Changing a server's mods in a browser: install, update all, roll back, hold; with and without JavaScript."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import inventory, refresh, tasks
from mods.models import GameServer, Hold, InstalledMod, Operation
from tests.e2e.conftest import HandWorker
from vsadmin.lib.jobs.runner import run_now

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]


@dataclass
class Filled:
    """A server whose mods are known, and its folder."""

    server: GameServer
    folder: ServerDir

    def files(self) -> set[str]:
        return {path.name for path in self.folder.mods.iterdir()}


@pytest.fixture
def filled(
    server_dir: Callable[..., ServerDir], mod_database: ModDatabase, settings: Settings, tmp_path: Path
) -> Filled:
    """Alpha and beta are outdated; gamma, which needs libgamma, is in the mod database alone."""
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    folder = server_dir()
    for modid in ("alpha", "beta"):
        mod = mod_database.add_mod(name=modid.title(), modids=[modid], author="Ann")
        for version in ("1.0.0", "1.1.0"):
            release = mod_database.add_release(
                mod, modid, version, game_versions=["1.21.5"], changelog=f"<p>New in {modid} {version}</p>"
            )
            if version == "1.0.0":
                (folder.mods / f"{modid}_{version}.zip").write_bytes(release.content)
    for modid, needs in (("gamma", {"libgamma": "1.0.0"}), ("libgamma", {})):
        mod = mod_database.add_mod(name=modid.title(), modids=[modid], author="Bo", summary=f"What {modid} does")
        mod_database.add_release(mod, modid, "1.0.0", game_versions=["1.21.5"], dependencies=needs)
    server = GameServer.objects.create(name="Public", data_dir=str(folder.path))
    inventory.scan(server)
    refresh.refresh()
    run_now(tasks.CATALOGUE)
    return Filled(server, folder)


def test_install_from_the_list_to_done(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = visit("/admin/mods/installedmod/")
    page.get_by_role("link", name="Install a mod").click()
    page.get_by_role("searchbox").fill("what gamma")
    expect(page.locator("#found li")).to_have_count(2)
    expect(page.locator("#found")).to_contain_text("What gamma does")
    page.get_by_role("button", name="Install… Gamma").click()

    expect(page.locator("#change-box")).to_contain_text("The plan is being made")
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("2 new mods.")
    expect(page.locator(".plan")).to_contain_text("All of these or none")
    expect(page.locator(".plan")).to_contain_text("Libgamma")
    assert "gamma_1.0.0.zip" not in filled.files(), "planning changes nothing"

    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#change-box")).to_contain_text("Waiting for its turn")
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("Done.")
    assert {"gamma_1.0.0.zip", "libgamma_1.0.0.zip"} <= filled.files()
    assert InstalledMod.objects.filter(modid="gamma").exists()


def test_a_link_leads_to_the_filled_page(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = visit(
        f"/admin/mods/operation/install/?server={filled.server.pk}&target=vintagestorymodinstall://libgamma@1.0.0"
    )
    expect(page.get_by_label("Mod id, page or link")).to_have_value("vintagestorymodinstall://libgamma@1.0.0")
    page.get_by_role("button", name="Make the plan").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("1 new mod.")
    page.get_by_role("button", name="Don't").click()
    expect(page.locator(".verdict-line")).to_have_text("It was cancelled before anything was changed.")
    assert "libgamma_1.0.0.zip" not in filled.files()


def test_update_all_in_two_clicks_then_roll_one_back(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = visit("/admin/")
    page.get_by_role("button", name="Update all…").click()
    expect(page.locator("#change-box")).to_contain_text("The plan is being made")
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("2 updates.")
    page.get_by_text("What changed").first.click()
    expect(page.locator(".prose").first).to_have_text("New in alpha 1.1.0")
    page.get_by_role("button", name="Do it").click()
    expect(page.locator("#change-box progress")).to_be_visible()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("Done.")
    assert filled.files() == {"alpha_1.1.0.zip", "beta_1.1.0.zip"}

    visit("/admin/mods/installedmod/").get_by_role("link", name=re.compile("^Alpha")).click()
    expect(page.locator(".past")).to_contain_text("admin")
    page.get_by_role("button", name="Roll back to 1.0.0…").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("1 back to an older version.")
    page.get_by_role("button", name="Do it").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("Done.")
    assert filled.files() == {"alpha_1.0.0.zip", "beta_1.1.0.zip"}


def test_a_whole_change_is_rolled_back(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = visit("/admin/mods/installedmod/")
    page.get_by_role("button", name="Update all…").click()
    worker.work()
    page.get_by_role("button", name="Do it").click()
    worker.work()
    page.get_by_role("button", name="Roll back…").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("2 back to an older version.")
    page.get_by_role("button", name="Do it").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("Done.")
    assert filled.files() == {"alpha_1.0.0.zip", "beta_1.0.0.zip"}
    page.get_by_role("link", name="Update all mods").first.click()
    expect(page.locator(".verdict-line")).to_have_text("Rolled back.")


def test_held_mods_are_left_alone(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = visit("/admin/mods/installedmod/")
    page.get_by_role("row", name="Beta").get_by_role("checkbox").check()
    page.get_by_role("button", name="Hold").click()
    page.get_by_label("Why?").fill("1.1 breaks claims")
    page.get_by_role("button", name="Hold").click()
    expect(page.get_by_role("status")).to_contain_text("Beta is held at 1.0.0.")
    mark = page.get_by_role("row", name="Beta").locator(".held")
    expect(mark).to_have_attribute("title", "Held at 1.0.0 by admin: 1.1 breaks claims")

    page.get_by_role("button", name="Update all…").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("1 update.")
    page.get_by_text("1 left alone").click()
    expect(page.locator(".left-alone")).to_contain_text("Beta 1.0.0 is held (by admin: 1.1 breaks claims).")

    visit("/admin/mods/installedmod/").get_by_role("row", name="Beta").get_by_role("checkbox").check()
    page.get_by_role("button", name="Let go").click()
    expect(page.get_by_role("status")).to_contain_text("1 mod may be updated again.")
    assert not Hold.objects.exists()


def test_disable_and_remove_what_was_ticked(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    for button, words, left in (
        ("Disable", "2 disabled.", {"alpha_1.0.0.zip.disabled", "beta_1.0.0.zip.disabled"}),
        ("Remove", "2 removed.", set()),
    ):
        page = visit("/admin/mods/installedmod/")
        action = page.get_by_role("button", name=button, exact=True)
        expect(action).to_be_disabled()  # nothing is ticked
        for tick in (page.locator("#action-toggle"), page.get_by_role("row", name="Alpha").get_by_role("checkbox")):
            tick.check()
            expect(action).to_be_enabled()
            tick.uncheck()
            expect(action).to_be_disabled()
        page.locator("#action-toggle").check()
        action.click()
        worker.work()
        expect(page.locator(".verdict-line")).to_have_text(words)
        page.get_by_role("button", name="Do it").click()
        worker.work()
        expect(page.locator(".verdict-line")).to_have_text("Done.")
        assert filled.files() == left


def test_without_javascript(visit: Visit, worker: HandWorker, filled: Filled, browser: Any) -> None:
    page = visit("/admin/mods/installedmod/")
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    plain.goto(page.url)
    disable = plain.get_by_role("button", name="Disable", exact=True)
    expect(disable).to_have_css("pointer-events", "none")
    plain.get_by_role("row", name="Alpha").get_by_role("checkbox").check()
    expect(disable).to_have_css("pointer-events", "auto")
    plain.get_by_role("button", name="Update all…").click()
    expect(plain.locator("#change-box")).to_contain_text("Reload the page to see how far it is.")
    worker.work()
    plain.reload()
    plain.get_by_role("button", name="Do it").click()
    worker.work()
    plain.reload()
    expect(plain.locator(".verdict-line")).to_have_text("Done.")
    assert filled.files() == {"alpha_1.1.0.zip", "beta_1.1.0.zip"}
    context.close()


def test_cancelled_while_it_waits(visit: Visit, worker: HandWorker, filled: Filled) -> None:
    page = visit("/admin/mods/installedmod/")
    page.get_by_role("button", name="Update all…").click()
    worker.work()
    page.get_by_role("button", name="Do it").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".verdict-line")).to_have_text("It was cancelled before anything was changed.")
    worker.work()
    assert filled.files() == {"alpha_1.0.0.zip", "beta_1.0.0.zip"}
    page.get_by_role("button", name="Plan it again").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("2 updates.")
    assert Operation.objects.count() == 2


def test_one_server_made_like_another(
    visit: Visit, worker: HandWorker, filled: Filled, server_dir: Callable[..., ServerDir]
) -> None:
    other = server_dir("testing")
    other.add_zip("own.zip", modid="own")
    testing = GameServer.objects.create(name="Testing", data_dir=str(other.path))
    inventory.scan(testing)
    page = visit(f"/admin/mods/gameserver/{testing.pk}/change/")
    page.get_by_role("link", name="Compare").click()
    expect(page.get_by_label("Take over Alpha")).to_be_checked()
    expect(page.get_by_label("Remove own")).not_to_be_checked()
    page.get_by_role("button", name="Plan it for Testing").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("2 new mods.")
    page.get_by_role("button", name="Do it").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("Done.")
    assert {path.name for path in other.mods.iterdir()} == {"alpha_1.0.0.zip", "beta_1.0.0.zip", "own.zip"}


def test_a_list_is_taken_from_one_server_to_another(
    visit: Visit, worker: HandWorker, filled: Filled, server_dir: Callable[..., ServerDir]
) -> None:
    page = visit(f"/admin/mods/gameserver/{filled.server.pk}/lists/")
    expect(page.locator("#players code")).to_contain_text("Alpha 1.0.0")
    with page.expect_download() as started:
        page.get_by_role("link", name="JSON").click()
    other = server_dir("testing")
    testing = GameServer.objects.create(name="Testing", data_dir=str(other.path))
    inventory.scan(testing)
    page = visit(f"/admin/mods/gameserver/{testing.pk}/lists/")
    page.get_by_label("Or choose a file").set_input_files(started.value.path())
    page.get_by_role("button", name="Make the plan").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("2 new mods.")
