"""The overview in a real browser: the first server's folder is looked at while somebody types its path."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from conftest import ServerDir
from mods import discovery
from mods.models import GameServer
from tests.e2e.conftest import HandWorker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]


def test_the_first_server_is_looked_at_while_typing(
    visit: Visit, worker: HandWorker, server_dir: Callable[..., ServerDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "find", list)
    folder = server_dir()
    folder.add_zip("alpha.zip", modid="alpha")
    page = visit("/admin/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome to vsadmin")
    expect(page.get_by_role("button", name="Check the folder")).to_be_hidden()
    told = page.locator("#look")
    path = page.get_by_label("Data folder")

    path.press_sequentially(str(folder.path.parent))
    expect(told).to_contain_text(f"Perhaps it is {folder.path}?")
    path.press_sequentially("/data")
    expect(told).to_contain_text("A server's data folder: game version 1.21.5, 1 mod.")
    page.get_by_label("Name").fill("Public")
    page.get_by_role("button", name="Add server").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("Public")
    expect(page.get_by_text("Public is added: game version 1.21.5, 1 mod.")).to_be_visible()
    assert GameServer.objects.get().data_dir == str(folder.path)
    worker.work()
    page.goto(page.url.partition("/admin/")[0] + "/admin/")
    expect(page.get_by_role("link", name="1 mod", exact=True).first).to_be_visible()
    expect(page.get_by_role("link", name="1 server")).to_be_visible()
