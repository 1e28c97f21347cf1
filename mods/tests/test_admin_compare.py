"""Two servers beside each other, and the plan for the ticked rows."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mods.models import GameServer, InstalledMod, Operation
from mods.tests.rows import install, install_many, make_server

pytestmark = pytest.mark.django_db

PAGE = "/admin/mods/gameserver/compare/"


@pytest.fixture
def servers() -> tuple[GameServer, GameServer]:
    left, right = make_server("Left"), make_server("Right", game_version="1.20.0")
    for modid, on_left, on_right in (
        ("same", "1.0.0", "1.0.0"),
        ("newer", "2.0.0", "1.0.0"),
        ("onlyleft", "1.0.0", ""),
        ("onlyright", "", "1.0.0"),
    ):
        if on_left:
            install(left, modid, on_left)
        if on_right:
            install(right, modid, on_right)
    install(left, "", name="nameless", file_name="nameless.zip")
    return left, right


def query(left: GameServer, right: GameServer) -> str:
    return f"{PAGE}?left={left.pk}&right={right.pk}"


def test_differences_are_ticked_and_removals_aren_t(
    admin_client: Client, servers: tuple[GameServer, GameServer]
) -> None:
    text = admin_client.get(query(*servers)).text
    assert 'value="newer" checked' in text
    assert 'value="onlyleft" checked' in text
    assert 'value="onlyright" aria-label' in text
    assert 'value="same"' not in text
    for expected in ("newer on the left", "only on the left", "only on the right", "4 differences", "1 the same"):
        assert expected in text
    assert "without a mod id it can't be had elsewhere" in text
    assert "Left runs 1.21.5, Right runs 1.20.0" in text


def test_the_ticked_rows_make_one_plan_of_the_right_server(
    admin_client: Client, servers: tuple[GameServer, GameServer]
) -> None:
    left, right = servers
    form = {"left": left.pk, "right": right.pk, "key": ["newer", "onlyright"]}
    response = admin_client.post(PAGE, form)
    change = Operation.objects.get()
    assert response["Location"] == f"/admin/mods/operation/{change.pk}/change/"
    assert (change.server, change.kind) == (right, "align")
    wanted = {(target["modid"], target["version"], target["remove"]) for target in change.wish["targets"]}
    assert wanted == {("newer", "2.0.0", False), ("", "", True)}


def test_many_differences_come_in_pages_and_the_others_only_if_asked_for(admin_client: Client) -> None:
    left, right = make_server("Left"), make_server("Right")
    install_many(left, 101)
    install(right, "extra", name="Zzz")
    first = admin_client.get(query(left, right)).text
    assert first.count('name="shown"') == first.count('name="key"') == 100
    assert "102 differences" in first
    assert "Also the 2 differences on the other pages" in first
    assert 'name="others" checked' not in first
    second = admin_client.get(f"{query(left, right)}&page=2").text
    assert second.count('name="shown"') == 2

    shown = re.findall(r'name="shown" value="([^"]+)"', first)
    form = {"left": left.pk, "right": right.pk, "key": shown[:1], "shown": shown}
    admin_client.post(PAGE, form)
    admin_client.post(PAGE, {**form, "others": "on"})
    both, one = Operation.objects.all()
    assert [target["modid"] for target in one.wish["targets"]] == shown[:1]
    others = {row.modid for row in InstalledMod.objects.filter(server=left)} - {*shown[1:]}
    assert {target["modid"] for target in both.wish["targets"]} == others
    assert len(others) == 2


def test_a_hundred_differences_are_one_page(admin_client: Client) -> None:
    left, right = make_server("Left"), make_server("Right")
    install_many(left, 100)
    text = admin_client.get(query(left, right)).text
    assert text.count('name="key"') == 100
    assert 'name="shown"' not in text
    assert 'name="others"' not in text


def test_nothing_ticked(admin_client: Client, servers: tuple[GameServer, GameServer]) -> None:
    left, right = servers
    response = admin_client.post(PAGE, {"left": left.pk, "right": right.pk}, follow=True)
    assert "Nothing was chosen" in response.text
    assert not Operation.objects.exists()


def test_without_a_choice_two_are_taken(admin_client: Client, servers: tuple[GameServer, GameServer]) -> None:
    left, right = servers
    context = admin_client.get(PAGE).context
    assert (context["left"], context["right"]) == (left, right)
    context = admin_client.get(f"{PAGE}?right={left.pk}").context
    assert (context["left"], context["right"]) == (right, left)


@pytest.mark.parametrize("nonsense", ["?left=x&right=999", "?left=%20"])
def test_a_nonsense_address_is_harmless(
    admin_client: Client, servers: tuple[GameServer, GameServer], nonsense: str
) -> None:
    assert admin_client.get(PAGE + nonsense).status_code == 200
    assert admin_client.post(PAGE, {"left": "x", "right": "y"}).status_code == 302


def test_a_server_with_itself_and_a_lone_one(admin_client: Client) -> None:
    only = make_server()
    assert "Add a second server first." in admin_client.get(PAGE).text
    make_server("Testing")
    assert "the same server twice" in admin_client.get(query(only, only)).text


def test_the_same_mods_on_both(admin_client: Client) -> None:
    left, right = make_server("Left"), make_server("Right")
    install(left, "alpha")
    install(right, "alpha")
    assert "They have the same mods" in admin_client.get(query(left, right)).text


def test_queries_don_t_follow_the_number_of_mods(admin_client: Client) -> None:
    left, right = make_server("Left"), make_server("Right")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(query(left, right))
        return len(captured)

    queries()
    few = queries()
    install_many(left, 40)
    install_many(right, 40)
    assert queries() == few <= 8
