"""Who may do what: each page and each button of changes has its right, and whoever lacks it gets 403."""

from collections.abc import Iterable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from mods.models import GameServer, Hold, KeptCopy, Operation, Step
from mods.plans import Plan
from mods.tests.change_rows import make_change, make_kept, replace
from mods.tests.rows import install, make_server
from mods.wishes import Target

pytestmark = pytest.mark.django_db

MODS = "/admin/mods/installedmod/"
CHANGES = "/admin/mods/operation/"
ALL = {
    "install_installedmod", "update_installedmod", "remove_installedmod", "toggle_installedmod", "hold_installedmod",
    "view_installedmod", "view_gameserver", "view_operation", "view_keptcopy", "delete_keptcopy",
}  # fmt: skip


def client_with(*rights: str) -> Client:
    user = User.objects.create_user("someone", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="mods", codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def without(rights: Iterable[str]) -> Client:
    """Somebody with every right but these."""
    return client_with(*(ALL - set(rights)))


@pytest.fixture
def server() -> GameServer:
    """The server with everything that the addresses below name."""
    server = make_server("Public")
    install(server, "alpha", outdated=True, recommended="1.1.0")
    return server


def ticked(server: GameServer, action: str) -> dict[str, Any]:
    row = server.installed_mods.get()
    return {"action": action, "index": "0", "_selected_action": str(row.pk), "confirmed": "yes"}


ACTIONS = [
    ("update", "update_installedmod"),
    ("enable", "toggle_installedmod"),
    ("disable", "toggle_installedmod"),
    ("hold", "hold_installedmod"),
    ("unhold", "hold_installedmod"),
    ("remove", "remove_installedmod"),
]


@pytest.mark.parametrize(("action", "right"), ACTIONS)
def test_actions_on_ticked_mods(server: GameServer, action: str, right: str) -> None:
    refused = without([right])
    assert refused.post(MODS, ticked(server, action)).status_code == 403
    assert f'value="{action}"' not in refused.get(MODS).text
    row = server.installed_mods.get()
    assert f'value="{action}"' not in refused.get(f"{MODS}{row.pk}/change/").text
    assert not Operation.objects.exists()
    assert not Hold.objects.exists()


@pytest.mark.parametrize(("action", "right"), ACTIONS)
def test_that_right_is_enough_beside_seeing(server: GameServer, action: str, right: str) -> None:
    client = client_with("view_installedmod", right)
    assert f'value="{action}"' in client.get(MODS).text
    assert client.post(MODS, ticked(server, action)).status_code == 302
    assert Operation.objects.exists() != (right == "hold_installedmod")


def posts(server: GameServer) -> dict[str, tuple[str, dict[str, str], set[str]]]:
    """Every other address that changes something: its form, and the rights that it takes."""
    row = server.installed_mods.get()
    kept = KeptCopy.objects.first() or make_kept(server)
    return {
        "install": (f"{CHANGES}install/", {"server": str(server.pk), "target": "beta"}, {"install_installedmod"}),
        "update all": (f"{MODS}update-all/", {"server": str(server.pk)}, {"update_installedmod"}),
        "roll back": (f"{MODS}{row.pk}/roll-back/", {"version": "0.9.0"}, {"update_installedmod"}),
        "unhold": (f"/admin/mods/gameserver/{server.pk}/unhold/", {"modid": "alpha"}, {"hold_installedmod"}),
        "restore": (
            f"/admin/mods/keptcopy/{kept.pk}/restore/", {}, {"install_installedmod", "update_installedmod"},
        ),
        "delete kept": (f"/admin/mods/keptcopy/{kept.pk}/remove/", {}, {"delete_keptcopy"}),
        "import": (
            f"/admin/mods/gameserver/{server.pk}/lists/",
            {"text": "beta@1.0.0"},
            {"install_installedmod", "update_installedmod", "view_gameserver", "view_installedmod"},
        ),
        "import with removals": (
            f"/admin/mods/gameserver/{server.pk}/lists/",
            {"text": "beta@1.0.0", "remove_others": "on"},
            {"remove_installedmod", "install_installedmod"},
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["install", "update all", "roll back", "unhold", "restore", "delete kept", "import",
                                  "import with removals"])  # fmt: skip
def test_addresses_that_change(server: GameServer, name: str) -> None:
    address, form, needed = posts(server)[name]
    for right in needed:
        assert without([right]).post(address, form).status_code == 403, right
        User.objects.all().delete()
    assert not Operation.objects.exists()
    assert KeptCopy.objects.exists() or name != "delete kept"
    assert client_with(*ALL).post(address, form).status_code == 302


@pytest.mark.parametrize("name", ["update all", "roll back", "unhold", "restore"])
def test_they_take_post_alone(server: GameServer, name: str, admin_client: Client) -> None:
    assert admin_client.get(posts(server)[name][0]).status_code == 405


def test_csrf_is_asked_for(server: GameServer, admin_user: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    for address, form, _needed in posts(server).values():
        assert client.post(address, form).status_code == 403
    assert client.post(MODS, ticked(server, "remove")).status_code == 403
    assert not Operation.objects.exists()


KINDS = [
    ("install", {"install_installedmod"}),
    ("update", {"update_installedmod"}),
    ("roll_back", {"update_installedmod"}),
    ("remove", {"remove_installedmod"}),
    ("enable", {"toggle_installedmod"}),
    ("disable", {"toggle_installedmod"}),
    ("restore", {"install_installedmod", "update_installedmod"}),
    ("align", {"install_installedmod", "update_installedmod"}),
    ("undo", {"install_installedmod", "update_installedmod", "remove_installedmod", "toggle_installedmod"}),
]


@pytest.mark.parametrize(("kind", "needed"), KINDS)
@pytest.mark.parametrize("decision", ["confirm", "cancel", "again"])
def test_whoever_couldn_t_have_asked_for_it_can_t_decide_it(
    server: GameServer, kind: str, needed: set[str], decision: str
) -> None:
    change = make_change(server, kind, plan=Plan(steps=(replace("alpha"),)))
    refused = without([sorted(needed)[0]])
    assert refused.post(f"{CHANGES}{change.pk}/{decision}/").status_code == 403
    text = refused.get(f"{CHANGES}{change.pk}/change/").text
    assert f"/{decision}/" not in text
    change.refresh_from_db()
    assert change.state == "planned"
    User.objects.all().delete()
    assert client_with(*needed).post(f"{CHANGES}{change.pk}/{decision}/").status_code == 302


@pytest.mark.parametrize(
    ("target", "right"),
    [
        (Target(modid="a", enabled=True), "toggle_installedmod"),
        (Target(modid="a", held=True), "hold_installedmod"),
        (Target(row=1, remove=True), "remove_installedmod"),
    ],
)
def test_a_list_takes_the_rights_of_all_that_it_does(server: GameServer, target: Target, right: str) -> None:
    change = make_change(server, "align", plan=Plan(steps=(replace("alpha"),)), targets=(target,))
    assert without([right]).post(f"{CHANGES}{change.pk}/confirm/").status_code == 403


@pytest.mark.parametrize(
    ("action", "right"),
    [
        ("install", "remove_installedmod"),
        ("replace", "update_installedmod"),
        ("remove", "install_installedmod"),
        ("enable", "toggle_installedmod"),
        ("disable", "toggle_installedmod"),
    ],
)
def test_rolling_a_change_back_takes_the_right_to_do_its_reverse(server: GameServer, action: str, right: str) -> None:
    change = make_change(server, "update", "done", plan=Plan(steps=(replace("alpha"),)))
    change.steps.all().delete()
    Step.objects.create(
        operation=change, server=server, position=0, group=1, action=action, name="Alpha", planned={}, state="done"
    )
    assert without([right]).post(f"{CHANGES}{change.pk}/undo/").status_code == 403
    User.objects.all().delete()
    assert client_with(right).post(f"{CHANGES}{change.pk}/undo/").status_code == 302
    assert Operation.objects.filter(kind="undo", undoes=change).exists()


def test_pages_that_only_show(server: GameServer) -> None:
    row, change, kept = server.installed_mods.get(), make_change(server), make_kept(server)
    pages = {
        CHANGES: "view_operation",
        f"{CHANGES}{change.pk}/change/": "view_operation",
        f"{CHANGES}{change.pk}/box/": "view_operation",
        "/admin/mods/keptcopy/": "view_keptcopy",
        f"/admin/mods/keptcopy/{kept.pk}/change/": "view_keptcopy",
        f"{MODS}{row.pk}/changes/": "view_installedmod",
        f"/admin/mods/gameserver/{server.pk}/changes/": "view_gameserver",
        f"/admin/mods/gameserver/{server.pk}/lists/": "view_gameserver",
        f"/admin/mods/gameserver/{server.pk}/mods.json": "view_installedmod",
        "/admin/mods/gameserver/compare/": "view_gameserver",
    }
    nobody, everybody = client_with("view_refreshrun"), Client()
    everybody.force_login(User.objects.create_superuser("root"))
    for address, right in pages.items():
        assert nobody.get(address).status_code == 403, address
        assert everybody.get(address).status_code == 200, address
        User.objects.get(username="someone").user_permissions.set(
            Permission.objects.filter(codename__in=[right, "view_installedmod", "view_gameserver"])
        )
        assert nobody.get(address).status_code == 200, address
        User.objects.get(username="someone").user_permissions.clear()


def test_the_navigation_offers_changes_to_who_may_see_them(server: GameServer) -> None:
    assert CHANGES in client_with("update_installedmod").get("/admin/").text
    User.objects.all().delete()
    assert CHANGES not in client_with("view_installedmod", "view_gameserver").get("/admin/").text
