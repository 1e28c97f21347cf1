"""What is done with ticked mods and with all of a server: one change each server, and holds with their reasons."""

from typing import Any

import pytest
from django.test import Client

from mods.models import GameServer, Hold, InstalledMod, Operation
from mods.tests.rows import install, install_many, make_server

pytestmark = pytest.mark.django_db

LIST = "/admin/mods/installedmod/"


def act(client: Client, action: str, *rows: InstalledMod, **more: Any) -> Any:
    return client.post(LIST, {"action": action, "index": "0", "_selected_action": [row.pk for row in rows], **more})


def rows_of(change: Operation) -> set[int]:
    return {target["row"] for target in change.wish["targets"]}


@pytest.mark.parametrize("action", ["update", "enable", "disable", "remove"])
def test_ticked_mods_of_one_server_make_one_plan(admin_client: Client, action: str) -> None:
    server = make_server()
    rows = [install(server, modid) for modid in ("alpha", "beta", "gamma")]
    response = act(admin_client, action, *rows[:2])
    change = Operation.objects.get()
    assert response["Location"] == f"/admin/mods/operation/{change.pk}/change/"
    assert (change.kind, change.server, change.state) == (action, server, "planning")
    assert rows_of(change) == {row.pk for row in rows[:2]}


def test_of_two_servers_two_plans(admin_client: Client) -> None:
    one, two = (install(make_server(name), "alpha") for name in ("One", "Two"))
    response = act(admin_client, "remove", one, two)
    assert response["Location"] == "/admin/mods/operation/"
    assert {(change.server.name, *rows_of(change)) for change in Operation.objects.all()} == {
        ("One", one.pk),
        ("Two", two.pk),
    }
    assert "2 plans are being made" in admin_client.get(response["Location"]).text


def test_the_button_says_which_of_the_form_s_actions(admin_client: Client) -> None:
    row = install(make_server(), "alpha")
    admin_client.post(LIST, {"action": ["update", "enable", "disable"], "index": "2", "_selected_action": row.pk})
    assert Operation.objects.get().kind == "disable"


def test_all_that_the_filters_leave(admin_client: Client) -> None:
    public, testing = make_server("Public"), make_server("Testing")
    install_many(public, 60)
    install(testing, "other")
    form = {"action": "update", "index": "0", "select_across": "1"}
    admin_client.post(f"{LIST}?server={public.pk}", {**form, "_selected_action": public.installed_mods.first().pk})  # type: ignore[union-attr]  # there are 60
    assert len(Operation.objects.get().wish["targets"]) == 60


def test_nothing_ticked(admin_client: Client) -> None:
    install(make_server(), "alpha")
    response = admin_client.post(LIST, {"action": "remove", "index": "0"}, follow=True)
    assert "must be selected" in response.text
    assert not Operation.objects.exists()


@pytest.mark.parametrize("form", [{"_selected_action": "x"}, {"_selected_action": "-1"}])
def test_nonsense_is_refused(admin_client: Client, form: dict[str, str]) -> None:
    install(make_server(), "alpha")
    assert admin_client.post(LIST, {"action": "remove", "index": "0", **form}).status_code == 400
    assert admin_client.post(LIST, {"action": "drop", "index": "0"}).status_code == 403
    assert admin_client.post(LIST, {"action": "remove", "index": "9"}).status_code == 403


# Update all.


def test_update_all_of_one_server(admin_client: Client) -> None:
    public, testing = make_server("Public"), make_server("Testing")
    for server in (public, testing):
        install(server, "alpha", outdated=True, recommended="2.0.0")
    admin_client.post(f"{LIST}update-all/", {"server": public.pk})
    change = Operation.objects.get()
    assert (change.server, change.kind, change.wish["targets"]) == (public, "update", [])
    assert change.title == "Update all mods"


def test_update_all_of_every_server_that_has_updates(admin_client: Client) -> None:
    for name, outdated in (("One", True), ("Two", True), ("Three", False)):
        install(make_server(name), "alpha", outdated=outdated)
    assert "on every server" in admin_client.get(LIST).text
    admin_client.post(f"{LIST}update-all/")
    assert {change.server.name for change in Operation.objects.all()} == {"One", "Two"}


def test_without_updates_there_is_no_button(admin_client: Client) -> None:
    install(make_server(), "alpha")
    assert "Update all" not in admin_client.get(LIST).text
    response = admin_client.post(f"{LIST}update-all/", {"next": LIST}, follow=True)
    assert "There is nothing to update." in response.text
    assert not Operation.objects.exists()


@pytest.mark.parametrize("elsewhere", ["https://example.com/", "//example.com", "javascript:alert(1)"])
def test_next_leads_nowhere_else(admin_client: Client, elsewhere: str) -> None:
    response = admin_client.post(f"{LIST}update-all/", {"next": elsewhere})
    assert response["Location"] == LIST


# Roll back.


def test_roll_back_to_a_version(admin_client: Client) -> None:
    row = install(make_server(), "alpha", "1.1.0")
    admin_client.post(f"{LIST}{row.pk}/roll-back/", {"version": "1.0.0"})
    change = Operation.objects.get()
    assert change.kind == "roll_back"
    assert (change.wish["targets"][0]["row"], change.wish["targets"][0]["version"]) == (row.pk, "1.0.0")


def test_roll_back_to_no_version(admin_client: Client) -> None:
    row = install(make_server(), "alpha", "1.1.0")
    response = admin_client.post(f"{LIST}{row.pk}/roll-back/", {"version": "old"}, follow=True)
    assert "That is no version this mod had." in response.text
    assert not Operation.objects.exists()


# Holds.


@pytest.fixture
def held() -> InstalledMod:
    row = install(make_server(), "alpha", "1.0.0", outdated=True, recommended="1.1.0")
    Hold.objects.create(
        server=row.server,
        modid="alpha",
        modid_key="alpha",
        version="1.0.0",
        reason="It <b>breaks</b>",
        set_by_name="mia",
    )
    return row


def test_holding_asks_for_the_reason_first(admin_client: Client) -> None:
    server = make_server()
    row, nameless = install(server, "alpha", "1.0.0"), install(server, "", name="file")
    text = act(admin_client, "hold", row).text
    assert "Hold Alpha?" in text
    assert not Hold.objects.exists()
    response = act(admin_client, "hold", row, nameless, confirmed="yes", reason=" It breaks ", next=LIST)
    assert response["Location"] == LIST
    hold = Hold.objects.get()
    assert (hold.modid, hold.version, hold.reason, hold.set_by_name) == ("alpha", "1.0.0", "It breaks", "admin")
    text = admin_client.get(LIST).text
    assert "Alpha is held at 1.0.0. 1 file without a mod id can&#x27;t be held." in text


def test_a_held_mod_says_so(admin_client: Client, held: InstalledMod) -> None:
    text = admin_client.get(LIST).text
    assert "Held at 1.0.0 by mia: It &lt;b&gt;breaks&lt;/b&gt;" in text
    assert [row.pk for row in admin_client.get(f"{LIST}?held=yes").context["cl"].result_list] == [held.pk]
    assert not admin_client.get(f"{LIST}?held=no").context["cl"].result_list
    page = admin_client.get(f"{LIST}{held.pk}/change/").text
    for expected in ("Held at 1.0.0.", "It &lt;b&gt;breaks&lt;/b&gt;", "by mia", "Let go"):
        assert expected in page
    assert 'value="update"' not in page, "an update would leave it alone"
    server = admin_client.get(f"/admin/mods/gameserver/{held.server.pk}/change/").text
    assert "It &lt;b&gt;breaks&lt;/b&gt;" in server


def test_a_held_mod_is_let_go(admin_client: Client, held: InstalledMod) -> None:
    response = act(admin_client, "unhold", held, next=f"{LIST}{held.pk}/change/")
    assert response["Location"] == f"{LIST}{held.pk}/change/"
    assert f'<a href="{LIST}?state=outdated">See the updates</a>' in admin_client.get(response["Location"]).text
    assert not Hold.objects.exists()
    assert (
        "It wasn&#x27;t held."
        in admin_client.post(LIST, {"action": "unhold", "index": "0", "_selected_action": held.pk}, follow=True).text
    )


def test_a_hold_whose_file_is_gone_is_let_go_on_the_server_s_page(admin_client: Client, held: InstalledMod) -> None:
    server = held.server
    held.delete()
    page = f"/admin/mods/gameserver/{server.pk}/"
    assert f"{page}unhold/" in admin_client.get(f"{page}change/").text
    admin_client.post(f"{page}unhold/", {"modid": "alpha"})
    assert not Hold.objects.exists()


def test_one_server_s_hold_is_not_another_s(admin_client: Client, held: InstalledMod) -> None:
    other = install(make_server("Testing"), "alpha")
    assert 'class="tag calm held"' not in admin_client.get(f"{LIST}{other.pk}/change/").text
    assert GameServer.objects.count() == 2
