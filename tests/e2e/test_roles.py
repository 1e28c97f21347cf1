"""Each role in the browser: what it may do is offered, what it may not isn't, and a forged request is refused."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone
from playwright.sync_api import Page
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from cache.models import CacheEntry
from cache.tests.helpers import put
from mods.models import GameServer, Hold, InstalledMod, Operation
from tests.e2e.conftest import log_in
from tests.role_matrix import World
from vsadmin import roles
from vsadmin.lib.jobs.models import JobRun, Worker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

ORDER = (roles.VIEWER, roles.OPERATOR, roles.ADMINISTRATOR)


@dataclass(frozen=True)
class Deed:
    """What can be done on a page by everybody from `role` up, and the request that does it."""

    role: str
    page: str
    #: The words on its button or link.
    offered: str
    address: str
    body: dict[str, str] = field(default_factory=dict)


def deeds(world: World) -> list[Deed]:
    mods, cache, servers = "/admin/mods/installedmod/", "/admin/cache/cacheentry/", "/admin/mods/gameserver/"
    ticked = {"index": "0", "_selected_action": str(world.row.pk), "confirmed": "yes"}
    evicted = {"action": "evict_selected", "index": "0", "_selected_action": str(world.entry.pk), "confirmed": "yes"}
    server, change = f"{servers}{world.server.pk}/", f"/admin/mods/operation/{world.change.pk}/"
    mod, kept = f"/admin/mods/mod/{world.mod.pk}/", f"/admin/mods/keptcopy/{world.kept.pk}/"
    user = {"username": "new", "password1": "k4-long-and-odd", "password2": "k4-long-and-odd"}
    here = {"server": str(world.server.pk)}
    operator, administrator = roles.OPERATOR, roles.ADMINISTRATOR
    return [
        Deed(operator, "/admin/", "Scan now", "/admin/jobs/start/mod_scan/"),
        Deed(operator, "/admin/", "Check for updates now", "/admin/jobs/start/mod_cache_refresh/"),
        Deed(operator, mods, "Update all…", f"{mods}update-all/", here),
        Deed(operator, mods, "Disable", mods, {"action": "disable", **ticked}),
        Deed(operator, mods, "Hold", mods, {"action": "hold", **ticked}),
        Deed(administrator, mods, "Remove", mods, {"action": "remove", **ticked}),
        Deed(operator, mods, "Install a mod", "/admin/mods/operation/install/", {"target": "beta", **here}),
        Deed(operator, f"{mod}change/", "Plan it…", f"{mod}install/", here),
        Deed(operator, f"{change}change/", "Do it", f"{change}confirm/"),
        Deed(administrator, f"{kept}change/", "Delete…", f"{kept}remove/"),
        Deed(administrator, servers, "Add server", f"{servers}add/", {"name": "Mine", "data_dir": "/srv"}),
        Deed(administrator, f"{server}change/", "Save", f"{server}change/", {"name": "Mine", "data_dir": "/srv"}),
        Deed(administrator, f"{server}change/", "Remove from vsadmin", f"{server}delete/", {"post": "yes"}),
        Deed(operator, cache, "Verify", f"{cache}verify/"),
        Deed(operator, cache, "Remove the selected files", cache, evicted),
        Deed(administrator, cache, "Clear cache…", f"{cache}clear/"),
        Deed(administrator, "/admin/system/", "Users", "/admin/auth/user/add/", user),
    ]


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    (tmp_path / "server" / "Mods").mkdir(parents=True)
    Worker.write(beat_at=timezone.now())
    put(7)  # a file that is really there: an empty cache can't be cleared
    return World(tmp_path / "server")


def counts() -> list[int]:
    """Of all that a deed would make or take away."""
    return [model.objects.count() for model in (CacheEntry, GameServer, Hold, InstalledMod, JobRun, Operation, User)]


@pytest.mark.parametrize("role", ORDER)
def test_a_role_sees_and_can_do_only_its_own(
    page: Page, complaints: list[str], live_server: LiveServer, world: World, role: str
) -> None:
    user = User.objects.create_user("mia", password="a good password", is_staff=True)
    user.groups.add(Group.objects.get(name=role))
    log_in(page.context, user, live_server.url)
    refused = 0
    shown = ""
    for deed in deeds(world):
        may = ORDER.index(role) >= ORDER.index(deed.role)
        if shown != deed.page:
            answer = page.goto(live_server.url + deed.page)
            assert answer is not None
            assert answer.ok, deed.page
            shown = deed.page
        assert offered(page, deed.offered) == may, f"{deed.offered} on {deed.page} for {role}"
        if not may:
            before = counts()
            assert forged(page, deed) == 403, f"{deed.address} {deed.body}"
            assert counts() == before, deed.address
            refused += 1
    assert refused == sum(ORDER.index(deed.role) > ORDER.index(role) for deed in deeds(world))
    assert len(complaints) == refused, "the browser tells of each refusal, and of nothing else"
    assert all("403" in one for one in complaints)
    complaints.clear()


def offered(page: Page, words: str) -> bool:
    """Whether the page has a button or link with these words, for the eye alone or with more for those who hear it."""
    found = page.locator("main :is(a, button, input[type=submit]), .tabs a")
    texts: list[str] = found.evaluate_all("(all) => all.map((one) => (one.textContent || one.value).trim())")
    return any(text == words or text.startswith(f"{words} (") for text in texts)


def forged(page: Page, deed: Deed) -> int:
    """The answer to the deed's request, made by hand from the page, whose token makes it look honest."""
    status: int = page.evaluate(
        """async ([address, body]) => {
          const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
          const form = new URLSearchParams({...body, csrfmiddlewaretoken: token});
          return (await fetch(address, {method: "POST", body: form, redirect: "manual"})).status;
        }""",
        [deed.address, deed.body],
    )
    return status
