"""Upgrade readiness in a browser: choose the game version, see what stands in the way, make the plan, carry it out."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pytest_django import Settings

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import inventory, tasks
from mods.models import GameServer
from tests.e2e.conftest import HandWorker
from tests.e2e.looking import faults
from vsadmin.lib.jobs.runner import run_now

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]

LONG = "A Mod With AVeryVeryLongNameThatGoesOnAndOnWithoutABreak, Deluxe Ultimate Edition Remastered"


@pytest.fixture
def folder(
    server_dir: Callable[..., ServerDir], mod_database: ModDatabase, settings: Settings, tmp_path: Path
) -> ServerDir:
    """Alpha has a release for 1.22.0, beta has none, gamma's names it, homemade is in no mod database."""
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    made = server_dir()
    releases = {
        "alpha": {"1.0.0": ["1.21.5"], "2.0.0": ["1.22.0"]},
        "beta": {"1.0.0": ["1.21.5"], "2.0.0-rc.1": ["1.22.0"]},
        "gamma": {"1.0.0": ["1.21.5", "1.22.0"]},
    }
    for modid, versions in releases.items():
        name = LONG if modid == "beta" else modid.title()
        mod = mod_database.add_mod(name=name, modids=[modid], tags=["Magic"])
        for version, listed in versions.items():
            release = mod_database.add_release(mod, modid, version, game_versions=listed)
            if version == "1.0.0":
                (made.mods / f"{modid}_{version}.zip").write_bytes(release.content)
    made.add_zip("homemade.zip", modid="homemade")
    server = GameServer.objects.create(name="Public", data_dir=str(made.path))
    inventory.scan(server)
    mod_database.store.game_versions.add("1.23.0-rc.1")
    run_now(tasks.REFRESH)
    return made


def test_from_the_question_to_a_server_that_is_ready(visit: Visit, worker: HandWorker, folder: ServerDir) -> None:
    page = visit("/admin/")
    page.get_by_role("link", name="Upgrade readiness (Public)").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ready for 1.22.0?")
    page.get_by_label("Game version").select_option("1.23.0-rc.1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Ready for 1.23.0-rc.1?")
    page.get_by_label("Game version").select_option("1.22.0")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".ready-words")).to_have_text("2 ready (1 after an update), 1 not verified, 1 blocking")
    assert not faults(page)
    page.get_by_label("What the plan does with").select_option("remove it")
    page.get_by_role("button", name="Plan 1 update").click()
    worker.work()
    expect(page.locator(".banner.warn").first).to_contain_text("Made for 1.22.0; Public runs 1.21.5")
    expect(page.locator(".verdict-line")).to_have_text("1 update, 1 removed.")
    page.get_by_role("button", name="Do it").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("Done.")
    names = {path.name for path in folder.mods.iterdir()}
    assert names == {"alpha_2.0.0.zip", "gamma_1.0.0.zip", "homemade.zip"}
    page = visit("/admin/mods/gameserver/readiness/?show=all")
    expect(page.locator(".ready-words")).to_have_text("2 ready, 1 not verified, 0 blocking")
