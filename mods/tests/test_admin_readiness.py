"""The page “Upgrade readiness”: what it shows, what can be chosen, and the plan it asks for."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mods import holds, turns
from mods.models import CatalogueEntry, GameServer, GameVersion, InstalledMod, Operation
from mods.tests.rows import install, install_many, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db

PAGE = "/admin/mods/gameserver/readiness/"


@pytest.fixture(autouse=True)
def _no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "async_task", lambda *_args, **_named: None)


def known(modid: str, *releases: tuple[str, str], **fields: Any) -> None:
    mod = make_mod(modid, **fields)
    for version, game_version in releases:
        make_release(mod, version, game_versions=[game_version])


@pytest.fixture
def server() -> GameServer:
    made = make_server()
    GameVersion.objects.bulk_create(GameVersion(version=one) for one in ("1.21.5", "1.22.0", "1.23.0-rc.1"))
    known("fits", ("1.0.0", "1.22.0"))
    known("newer", ("1.0.0", "1.21.5"), ("2.0.0", "1.22.0"))
    known("near", ("1.0.0", "1.22.0-rc.1"))
    known("stuck", ("1.0.0", "1.21.5"), ("2.0.0-rc.1", "1.22.0"), tags=["Magic", "QoL"])
    for modid in ("fits", "newer", "near", "stuck"):
        install(made, modid, file_name=f"{modid}.zip")
    return made


def viewer(client: Client, *rights: str) -> Client:
    user = User.objects.create_user("eve", is_staff=True)
    names = {"view_gameserver", "view_installedmod", "view_operation", *rights}
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    return client


def test_the_newest_release_of_the_game_is_looked_at_unless_another_is_chosen(
    admin_client: Client, server: GameServer
) -> None:
    text = admin_client.get(PAGE).text
    assert "<option selected>1.22.0</option>" in text
    assert "<option>1.23.0-rc.1</option>" in text
    assert "2 ready (1 after an update), 1 not verified, 1 blocking" in text
    assert "Ready for 1.23.0-rc.1?" in admin_client.get(f"{PAGE}?version=1.23.0-rc.1").text


def test_rows_say_what_to_do_and_why(admin_client: Client, server: GameServer) -> None:
    text = admin_client.get(PAGE).text
    for expected in (
        "update to 2.0.0",
        "2.0.0 names 1.22.0 exactly.",
        "replace, disable or remove",
        "take the prerelease 2.0.0-rc.1",
        ">leave it<", ">disable it<", ">remove it<",
        "try it on a copy",
        "gv=1.22&amp;tag=Magic",
        "Look for a replacement",
        "Plan 1 update",
    ):  # fmt: skip
        assert expected in text
    assert ">Fits<" not in text, "there is nothing to do with it"


@pytest.mark.parametrize(
    ("show", "names"),
    [
        ("", {"Newer", "Near", "Stuck"}),
        ("blocking", {"Stuck"}),
        ("not_verified", {"Near"}),
        ("ready", {"Fits", "Newer"}),
        ("all", {"Fits", "Newer", "Near", "Stuck"}),
        ("nonsense", {"Newer", "Near", "Stuck"}),
    ],
)
def test_filters(admin_client: Client, server: GameServer, show: str, names: set[str]) -> None:
    (section,) = admin_client.get(f"{PAGE}?show={show}").context["sections"]
    assert {row.finding.row.name for row in section.rows} == names


def test_one_server_or_all_below_each_other(admin_client: Client, server: GameServer) -> None:
    other = make_server("Testing", game_version="1.22.0")
    install(other, "fits")
    context = admin_client.get(PAGE).context
    assert [one.report.server.name for one in context["sections"]] == ["Public", "Testing"]
    assert "runs 1.22.0 already" in admin_client.get(PAGE).text
    context = admin_client.get(f"{PAGE}?server={other.pk}").context
    assert [one.report.server.name for one in context["sections"]] == ["Testing"]
    assert "Every mod is ready for 1.22.0 as it is." in admin_client.get(f"{PAGE}?server={other.pk}").text


def test_fifty_of_each_server_are_on_a_page(admin_client: Client, server: GameServer) -> None:
    other = make_server("Testing")
    install_many(other, 51)
    page = f"{PAGE}?version=1.22.0&show=all"
    shown = [[row.finding.row.pk for row in one.rows] for one in admin_client.get(page).context["sections"]]
    more = [[row.finding.row.pk for row in one.rows] for one in admin_client.get(f"{page}&page=2").context["sections"]]
    assert [len(rows) for rows in shown] == [4, 50]
    assert [len(rows) for rows in more] == [0, 1]
    assert {*shown[1], *more[1]} == set(other.installed_mods.values_list("pk", flat=True))
    assert "Page 1 of 2" in admin_client.get(page).text
    assert "on the pages before" in admin_client.get(f"{page}&page=2").text
    other.installed_mods.get(pk=more[1][0]).delete()
    assert "Page 1" not in admin_client.get(page).text


def test_one_click_makes_a_plan_with_what_was_chosen(admin_client: Client, server: GameServer) -> None:
    stuck = InstalledMod.objects.get(file_name="stuck.zip")
    other = install(make_server("Testing"), "stuck")
    form = {
        "version": "1.22.0", "server": server.pk, f"choice-{stuck.pk}": "remove",
        f"choice-{other.pk}": "remove", "choice-x": "remove", "choice-999999": "disable",
    }  # fmt: skip
    response = admin_client.post(PAGE, form)
    change = Operation.objects.get()
    assert response["Location"] == f"/admin/mods/operation/{change.pk}/change/"
    assert (change.kind, change.title) == ("prepare", "Get ready for game version 1.22.0")
    assert change.wish["game_version"] == "1.22.0"
    assert [(one["row"], one["remove"]) for one in change.wish["targets"]] == [(stuck.pk, True)]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("", []),
        ("disable", [(False, "", False)]),
        ("take-2.0.0-rc.1", [(False, "2.0.0-rc.1", None)]),
        ("take-vNext", []),
        ("nonsense", []),
    ],
)
def test_choices(admin_client: Client, server: GameServer, choice: str, expected: list[Any]) -> None:
    stuck = InstalledMod.objects.get(file_name="stuck.zip")
    admin_client.post(PAGE, {"version": "1.22.0", "server": server.pk, f"choice-{stuck.pk}": choice})
    targets = Operation.objects.get().wish["targets"]
    assert [(one["remove"], one["version"], one["enabled"]) for one in targets] == [
        (remove, version, enabled) for remove, version, enabled in expected
    ]


def test_nothing_to_plan(admin_client: Client) -> None:
    server = make_server()
    known("fits", ("1.0.0", "1.22.0"))
    install(server, "fits")
    assert "Plan " not in admin_client.get(f"{PAGE}?version=1.22.0").text
    response = admin_client.post(PAGE, {"version": "1.22.0", "server": server.pk}, follow=True)
    assert "there is nothing to do" in response.text
    assert not Operation.objects.exists()


@pytest.mark.parametrize("form", [{}, {"version": "x", "server": "1"}, {"version": "1.22.0", "server": "999"}])
def test_a_nonsense_form_is_harmless(admin_client: Client, server: GameServer, form: dict[str, str]) -> None:
    assert admin_client.post(PAGE, form).status_code == 302
    assert not Operation.objects.exists()


def test_empty_states(admin_client: Client) -> None:
    assert "No server yet" in admin_client.get(PAGE).text
    make_server(game_version="", scanned_at=None)
    text = admin_client.get(PAGE).text
    assert "No game version is known yet" in text
    assert "Check for updates now" in text
    text = admin_client.get(f"{PAGE}?version=1.22.0").text
    assert "It wasn&#x27;t scanned yet." in text or "It wasn't scanned yet." in text
    assert "is no game version" in admin_client.get(f"{PAGE}?version=<b>").text
    GameVersion.objects.create(version="1.22.0")
    assert "know 1.99.0 (yet)" in admin_client.get(f"{PAGE}?version=1.99.0").text


def test_rights(client: Client, server: GameServer) -> None:
    stuck = InstalledMod.objects.get(file_name="stuck.zip")
    form = {"version": "1.22.0", "server": server.pk}
    eve = viewer(client)
    text = eve.get(PAGE).text
    assert "Plan 1 update" not in text
    assert "choice-" not in text
    assert eve.post(PAGE, form).status_code == 403
    User.objects.all().delete()
    eve = viewer(client, "update_installedmod")
    assert ">remove it<" not in eve.get(PAGE).text
    assert eve.post(PAGE, form | {f"choice-{stuck.pk}": "remove"}).status_code == 403
    assert eve.post(PAGE, form).status_code == 302
    User.objects.all().delete()
    nobody = User.objects.create_user("bob", is_staff=True)
    client.force_login(nobody)
    assert client.get(PAGE).status_code == 403


def test_held_ones_can_t_be_decided_here(admin_client: Client, server: GameServer) -> None:
    holds.hold(server, "stuck", version="1.0.0", actor="ann")
    stuck = InstalledMod.objects.get(file_name="stuck.zip")
    text = admin_client.get(PAGE).text
    assert f"choice-{stuck.pk}" not in text
    assert "held" in text


def test_another_mod_with_the_same_id_is_linked(admin_client: Client, server: GameServer) -> None:
    fork = make_mod("fork", name="<b>Fork</b>")
    CatalogueEntry.objects.create(mod=fork, words="", name="fork", number=1)
    make_release(fork, "3.0.0", game_versions=["1.22.0"], modid="stuck", modid_key="stuck")
    text = admin_client.get(PAGE).text
    assert f"/admin/mods/mod/{fork.pk}/change/" in text
    assert "See &lt;b&gt;Fork&lt;/b&gt;" in text


def test_tabs_and_links_lead_there(admin_client: Client, server: GameServer) -> None:
    assert f'href="{PAGE}"' in admin_client.get("/admin/mods/gameserver/").text
    assert f'href="{PAGE}?server={server.pk}"' in admin_client.get(f"/admin/mods/gameserver/{server.pk}/change/").text
    assert f'href="{PAGE}?server={server.pk}"' in admin_client.get("/admin/").text


def test_as_many_queries_for_300_mods_as_for_5(admin_client: Client, server: GameServer) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(f"{PAGE}?show=all").status_code == 200
        return len(captured)

    queries()
    few = queries()
    for number in range(300):
        install(server, f"more{number}")
    assert queries() == few <= 15
