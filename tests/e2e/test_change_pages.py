"""The pages of changes at every width, light and dark: nothing is clipped, nothing complains, axe finds nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from mods import status
from mods.models import ClaimedModId, GameServer, Hold, InstalledMod, Operation, ServerStart, Step
from mods.plans import Plan, PlannedStep, Unmet
from mods.tests.change_rows import make_change, make_kept, new, old, replace
from mods.tests.rows import install, make_mod, make_release, make_server
from tests.e2e.test_every_page import _CLIPPED, _SMALL_TARGETS, LONG, WIDTHS, serious

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Visit = Callable[[str], Page]

STEPS = (
    replace("alpha", "1.0.0", "1.2.0", group=1, notes=("Released 2 days ago: younger than three days.",)),
    PlannedStep("install", 1, "Alpha 1.2.0 needs it.", None, new("lib" * 30, "1.4.2", at_hand=True)),
    replace("delta", "1.5.0", "1.4.0-rc.1", group=3, compatibility="incompatible"),
    PlannedStep("remove", 4, "You asked for it.", old("epsilon", "3.0.0", keep_because="Nobody else has it.")),
    PlannedStep("disable", 5, "You asked for it.", old("zeta"), rename_to="zeta_3.0.0.zip.disabled"),
)
PLAN = Plan(STEPS, left_alone=("Gamma 0.1.0 is held.",), warnings=("The world isn't rolled back.",))


def changes(server: GameServer) -> list[Operation]:
    """One in each state."""
    now = timezone.now()
    ran: dict[str, Any] = {"started_at": now - timedelta(seconds=12), "ended_at": now}
    failed = make_change(server, state="failed", plan=PLAN, message="1 of 5 failed.", **ran)
    full = "The disk is full. Free some space."
    Step.objects.filter(operation=failed, position__lt=2).update(state="failed", message=full)
    obstacle = f"/srv/{'x' * 60}/Mods can't be written. Let it in:\nsudo setfacl -R -m u:x:rwX '/srv/{'x' * 60}/Mods'"
    return [
        failed,
        make_change(server, plan=PLAN, title=f"Update {LONG}"),
        make_change(server, plan=Plan(STEPS, unmet=(Unmet("missing", "lib" * 20, "It is nowhere."),))),
        make_change(server, plan=Plan(STEPS, obstacles=(obstacle,))),
        make_change(server, "install", "planning", total=12, done=5, doing="fetching " + "lib" * 40),
        make_change(server, state="running", plan=PLAN, total=5, done=2, doing="Delta 1.4.0"),
        make_change(server, state="done", plan=PLAN, message="5 of 5 done.", **ran),
    ]


@pytest.fixture
def addresses() -> list[str]:
    server = make_server("Public", restart_note="sudo systemctl restart vintagestory@public\n(ask Mia before 22:00)")
    other = make_server("Testing with a rather long name", game_version="1.21.6")
    mod = make_mod("alpha", name=LONG, author="Ann, Bo", summary="Words about it. " * 12, trending=9)
    ClaimedModId.objects.bulk_create(ClaimedModId(key=key, mod=mod) for key in ("alpha", "expandedfoodsandsomemore"))
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        make_release(mod, version, changelog=f"<ul><li>New in {version}</li></ul>")
    row = install(server, "alpha", "1.0.0", name=LONG)
    install(server, "gamma", "0.1.0")
    install(other, "alpha", "1.2.0", name=LONG, outdated=True)
    install(other, "delta")
    status.update(InstalledMod.objects.all())
    Hold.objects.create(
        server=server, modid="gamma", modid_key="gamma", version="0.1.0", reason="It breaks " * 20, set_by_name="mia"
    )
    ServerStart.objects.create(
        server=server,
        started_at=timezone.now() - timedelta(hours=3),
        failures={"gamma": ["It needs lib 1.2.0, which isn't there."]},
        mods=[{"modid": "alpha", "version": "0.9.0", "enabled": True, "file_name": "a.zip", "name": "Alpha"}],
    )
    made = changes(server)
    kept = make_kept(server, "alpha", "0.9.0", file_name="x" * 120 + ".zip", operation=made[0])
    mods, servers, operations = "/admin/mods/installedmod/", "/admin/mods/gameserver/", "/admin/mods/operation/"
    return [
        operations,
        *(f"{operations}{change.pk}/change/" for change in made),
        f"{operations}install/",
        f"{operations}install/?server={server.pk}&target=vintagestorymodinstall://alpha@1.2.0",
        "/admin/mods/keptcopy/",
        f"/admin/mods/keptcopy/{kept.pk}/change/",
        f"/admin/mods/keptcopy/{kept.pk}/remove/",
        mods,
        f"{mods}{row.pk}/change/",
        f"{mods}{row.pk}/changes/",
        servers,
        f"{servers}{server.pk}/change/",
        f"{servers}{server.pk}/changes/",
        f"{servers}{server.pk}/lists/",
        f"{servers}compare/?left={server.pk}&right={other.pk}",
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


def test_axe_finds_nothing_serious(visit: Visit, addresses: list[str]) -> None:
    found = []
    for address in addresses:
        page = visit(address)
        page.emulate_media(color_scheme="light")
        found += [f"{address}, light: {what}" for what in serious(page)]
    for address in addresses[::3]:  # what the others are drawn with is on these too
        page = visit(address)
        page.emulate_media(color_scheme="dark")
        found += [f"{address}, dark: {what}" for what in serious(page, "color-contrast")]
    assert not found


def test_the_page_that_asks_why_a_mod_is_held(visit: Visit, addresses: list[str]) -> None:
    page = visit("/admin/mods/installedmod/")
    page.locator("#action-toggle").check()
    page.get_by_role("button", name="Hold", exact=True).click()
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert not page.evaluate(_CLIPPED)
    assert not serious(page)
