"""At midnight, from a phone: the overview leads with a crash, and one plan puts back what ran before."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import inventory, refresh
from mods.models import Crash, FolderState, GameServer, ServerStart
from tests.e2e.conftest import HandWorker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]


@pytest.fixture
def crashed(
    server_dir: Callable[..., ServerDir], mod_database: ModDatabase, settings: Settings, tmp_path: Path
) -> ServerDir:
    """deepmining 0.9.3 ran well for two days; then 0.9.4 came, somebody added another mod, and the server crashed."""
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    folder = server_dir()
    mod = mod_database.add_mod(name="Deep Mining", modids=["deepmining"])
    old, new = (
        mod_database.add_release(mod, "deepmining", version, game_versions=["1.21.5"]) for version in ("0.9.3", "0.9.4")
    )
    (folder.mods / "deepmining_0.9.3.zip").write_bytes(old.content)
    folder.add_zip("quiet_1.0.0.zip", modid="quiet", name="Quiet")
    server = GameServer.objects.create(name="Public", data_dir=str(folder.path))
    inventory.scan(server)
    refresh.refresh()
    now = timezone.now().replace(microsecond=0)
    FolderState.objects.update(seen_at=now - timedelta(days=3))
    mods = FolderState.objects.get().mods
    ServerStart.objects.create(server=server, started_at=now - timedelta(days=2), good=True, mods=mods)

    (folder.mods / "deepmining_0.9.3.zip").unlink()
    (folder.mods / "deepmining_0.9.4.zip").write_bytes(new.content)
    folder.add_zip("added_1.0.0.zip", modid="added", name="Added")
    (folder.path / "kept").write_bytes(old.content)
    inventory.scan(server)
    latest = FolderState.objects.filter(seen_at__gt=now - timedelta(days=1))
    latest.update(seen_at=now - timedelta(minutes=20), seen_before_at=now - timedelta(minutes=25))
    _write_logs(folder, now)
    inventory.scan(server)
    assert Crash.objects.count() == 1
    return folder


def _write_logs(folder: ServerDir, now: datetime) -> None:
    started, at = (timezone.localtime(now - timedelta(minutes=minutes)) for minutes in (3, 2))
    folder.log(f"{started:%d.%m.%Y %H:%M:%S} [Notification] Game Version: v1.21.5 (Stable)\n")
    log = folder.path / "Logs" / "server-crash.log"
    log.write_text(
        "Running on 64 bit Linux 6.6.0 with 32000 MB RAM\nGame Version: v1.21.5 (Stable)\n"
        f"{at:%d.%m.%Y %H:%M:%S}: Critical error occurred in the following mod: deepmining@0.9.4\n"
        "Loaded Mods: deepmining@0.9.4, quiet@1.0.0, added@1.0.0, game@1.21.5\n"
        "System.NullReferenceException: Object reference not set to an instance of an object.\n"
        "   at DeepMining.Drill.OnGameTick(Single dt) in /srv/ann/DeepMining/Drill.cs:line 88\n"
    )
    for name, moment in (("server-main.log", started), ("server-crash.log", at)):
        os.utime(folder.path / "Logs" / name, (moment.timestamp(), moment.timestamp()))


def test_from_the_overview_to_what_ran_before(visit: Visit, worker: HandWorker, crashed: ServerDir) -> None:
    page = visit("/admin/")
    page.set_viewport_size({"width": 360, "height": 740})
    first = page.locator(".todo article").first
    expect(first).to_contain_text("Public crashed at")
    expect(first).to_contain_text("The game names deepmining 0.9.4")
    expect(first.get_by_role("button", name="Put 0.9.3 back")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360

    first.get_by_role("button", name="Put back").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("1 back to an older version, 1 removed.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Do it").click()
    worker.work()
    expect(page.locator(".verdict-line")).to_have_text("Done.")
    there = {path.name: path for path in crashed.mods.iterdir()}
    assert set(there) == {"deepmining_0.9.3.zip", "quiet_1.0.0.zip"}
    assert there["deepmining_0.9.3.zip"].read_bytes() == (crashed.path / "kept").read_bytes()

    visit("/admin/").get_by_role("link", name="See the crash").click()
    expect(page.locator(".verdict")).to_contain_text("They take effect when the server is restarted.")
    expect(page.get_by_text("at DeepMining.Drill.OnGameTick(Single dt) in Drill.cs:line 88")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.get_by_role("button", name="Dismiss").click()
    expect(page.get_by_role("status")).to_contain_text("The crash is dismissed.")
    expect(visit("/admin/").locator(".todo")).not_to_contain_text("crashed at")
