"""Servers in the panel: adding one looks at its folder, its page says all that is known, removing touches no file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.admin.templatetags.admin_list import result_headers
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conftest import ServerDir
from mods import serverdir
from mods.models import GameServer, InstalledMod
from mods.tests.rows import install, install_many, make_server
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db

ADD = "/admin/mods/gameserver/add/"
LOOK = "/admin/mods/gameserver/look/"


def add(client: Client, data_dir: object, name: str = "Public", version: str = "") -> str:
    fields = {"name": name, "data_dir": str(data_dir), "game_version_by_hand": version}
    return client.post(ADD, fields, follow=True).text


def test_adding_says_what_was_found_and_scans(admin_client: Client, server_dir: Callable[..., ServerDir]) -> None:
    folder = server_dir()
    folder.add_zip("alpha.zip", modid="alpha")
    text = add(admin_client, folder.path)
    server = GameServer.objects.get()
    assert "Public is added: game version 1.21.5, 1 mod." in text
    run = JobRun.objects.get()
    assert (run.job, run.arguments, run.asked_by) == ("mod_scan", {"server": server.pk}, User.objects.get())
    assert 'id="run-box"' in text, "its progress is shown on the page"


def test_the_path_is_made_whole(
    admin_client: Client, server_dir: Callable[..., ServerDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = server_dir()
    monkeypatch.setenv("HOME", str(folder.path.parent))
    add(admin_client, " ~/data/ ")
    assert GameServer.objects.get().data_dir == str(folder.path)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("data", "Write the whole path"),
        ("/nowhere/at/all", "There is no folder /nowhere/at/all."),
        ("~nobodyatall/x", "Write the whole path"),
        ("/etc/hostname", "is a file, not a folder."),
    ],
)
def test_a_folder_that_cannot_serve(admin_client: Client, given: str, said: str) -> None:
    assert said in add(admin_client, given)
    assert not GameServer.objects.exists()


def test_a_folder_of_another_kind_names_the_remedy(admin_client: Client, server_dir: Callable[..., ServerDir]) -> None:
    folder = server_dir()
    assert f"Perhaps it is {folder.path}?" in add(admin_client, folder.path.parent)


@pytest.mark.parametrize("inside", ["Mods", "Logs", "serverconfig.json"])
def test_what_a_data_folder_holds_names_the_folder(
    inside: str, admin_client: Client, server_dir: Callable[..., ServerDir]
) -> None:
    folder = server_dir()
    assert f"Perhaps it is {folder.path}?" in add(admin_client, folder.path / inside)
    (folder.path / "elsewhere").mkdir()
    assert "Perhaps" not in add(admin_client, folder.path / "elsewhere")
    lone = folder.path / "elsewhere" / "Logs"
    lone.mkdir()
    assert "Perhaps" not in add(admin_client, lone), "what holds it is no data folder"


def test_a_name_twice(admin_client: Client, server_dir: Callable[..., ServerDir]) -> None:
    add(admin_client, server_dir().path)
    assert "Another server has this name already." in add(admin_client, server_dir("other").path)


def test_a_locked_folder_names_the_command(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(path: Path) -> None:
        raise serverdir.Unusable("It can't be read.", serverdir.Remedy("Let it in:", "setfacl -m u:me:rX '/srv/<x>'"))

    monkeypatch.setattr(serverdir, "read", locked)
    assert "Let it in: <span" in (text := add(admin_client, "/srv/x"))
    assert "<code>setfacl -m u:me:rX &#x27;/srv/&lt;x&gt;&#x27;</code>" in text


def test_a_folder_twice(admin_client: Client, server_dir: Callable[..., ServerDir]) -> None:
    folder = server_dir().path
    add(admin_client, folder)
    assert "Public has this folder already." in add(admin_client, folder, name="Again")
    assert "Public has this folder already." in admin_client.get(LOOK, {"data_dir": str(folder)}).text


@pytest.mark.parametrize(("given", "stored"), [("v1.21.0", "1.21.0"), (" 1.22.0-rc.1 ", "1.22.0-rc.1"), ("", "")])
def test_a_version_by_hand(admin_client: Client, server_dir: Callable[..., ServerDir], given: str, stored: str) -> None:
    add(admin_client, server_dir().path, version=given)
    assert GameServer.objects.get().game_version_by_hand == stored


def test_a_version_by_hand_is_said_to_be_one(admin_client: Client) -> None:
    server = make_server(game_version_by_hand="1.21.5", game_version_source="set by hand")
    assert "from set by hand" not in admin_client.get(f"/admin/mods/gameserver/{server.pk}/change/").text
    GameServer.objects.update(game_version_by_hand="", game_version_source="/srv/Logs/server-main.log")
    assert "from /srv/Logs/server-main.log" in admin_client.get(f"/admin/mods/gameserver/{server.pk}/change/").text


def test_a_version_that_is_none(admin_client: Client, server_dir: Callable[..., ServerDir]) -> None:
    assert "That is no game version." in add(admin_client, server_dir().path, version="newest")


def test_another_version_by_hand_is_followed_by_a_scan(admin_client: Client) -> None:
    server = make_server()
    change(admin_client, server, game_version_by_hand="1.22.0")
    assert JobRun.objects.get().arguments == {"server": server.pk}


def test_another_name_needs_no_scan_nor_a_reachable_folder(admin_client: Client) -> None:
    server = make_server()
    change(admin_client, server, name="Other")
    server.refresh_from_db()
    assert server.name == "Other"
    assert not JobRun.objects.exists()


def change(client: Client, server: GameServer, **fields: str) -> None:
    given = {"name": server.name, "data_dir": server.data_dir, "game_version_by_hand": "", **fields}
    assert client.post(f"/admin/mods/gameserver/{server.pk}/change/", given).status_code == 302


def test_the_folder_is_looked_at_while_typing(admin_client: Client, server_dir: Callable[..., ServerDir]) -> None:
    folder = server_dir()
    assert "game version 1.21.5, 0 mods" in admin_client.get(LOOK, {"data_dir": str(folder.path)}).text
    assert "There is no folder" in admin_client.get(LOOK, {"data_dir": "/nowhere"}).text
    assert admin_client.get(LOOK).text.strip() == ""


def test_looking_takes_a_right(client: Client) -> None:
    client.force_login(User.objects.create_user("viewer", is_staff=True))
    assert client.get(LOOK, {"data_dir": "/etc"}).status_code == 403


def test_the_page_says_all_that_is_known(admin_client: Client, tmp_path: Path) -> None:
    shared = {"path": str(tmp_path), "device": 1}
    server = make_server(
        mod_folders=[{"path": "/srv/public/Mods", "device": 1}, shared],
        disabled_mods=["oldruins@0.6.1"],
        notes=["ModPaths names /gone, which can't be found."],
        unreachable_since=timezone.now(),
        unreachable_why="/srv/public can't be read: permission denied. Let it in:\nsetfacl x",
    )
    other = make_server("Testing", mod_folders=[shared])
    install(server, "alpha", outdated=True)
    text = admin_client.get(f"/admin/mods/gameserver/{server.pk}/change/").text
    for expected in (
        "from /srv/public/Logs/server-main.log",
        "oldruins@0.6.1",
        "names /gone",
        "permission denied",
        "<code>setfacl x</code>",
        f"/admin/mods/gameserver/{other.pk}/change/",
        f"/admin/mods/installedmod/?server={server.pk}&amp;state=outdated",
        "Scan now",
    ):
        assert expected in text, expected


def test_what_the_environment_sets_is_said(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    server = make_server()
    monkeypatch.setenv("VS_SERVER_DATA_DIR", server.data_dir)
    monkeypatch.setenv("VS_GAME_VERSION", "1.21.5")
    text = admin_client.get(f"/admin/mods/gameserver/{server.pk}/change/").text
    assert "VS_GAME_VERSION wins over this field" in text
    assert "VS_SERVER_DATA_DIR" in text


def test_removing_asks_and_touches_no_file(admin_client: Client, server_dir: Callable[..., ServerDir]) -> None:
    folder = server_dir()
    kept = folder.add_zip("alpha.zip", modid="alpha")
    server = make_server(data_dir=str(folder.path))
    install_many(server, 30)
    address = f"/admin/mods/gameserver/{server.pk}/delete/"
    text = admin_client.get(address).text
    assert "<b>30</b> mods in vsadmin" in text
    assert "No file is touched." in text
    assert GameServer.objects.exists(), "asking removes nothing"
    assert admin_client.post(address, {"post": "yes"}).status_code == 302
    assert not GameServer.objects.exists()
    assert not InstalledMod.objects.exists()
    assert kept.exists()


def test_a_viewer_sees_and_changes_nothing(client: Client) -> None:
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_gameserver"))
    client.force_login(viewer)
    server = make_server()
    page = client.get(f"/admin/mods/gameserver/{server.pk}/change/")
    assert page.status_code == 200
    assert 'id="start-head-mod_scan' not in page.text
    assert 'name="_save"' not in page.text
    assert client.get(ADD).status_code == 403
    assert client.post(f"/admin/mods/gameserver/{server.pk}/delete/", {"post": "yes"}).status_code == 403


def test_game_versions_are_not_sorted_as_text(admin_client: Client) -> None:
    """1.10 comes after 1.9; a column that would say otherwise isn't sorted."""
    make_server()
    headers = result_headers(admin_client.get("/admin/mods/gameserver/").context["cl"])
    assert {header["text"]: header["sortable"] for header in headers}["game version"] is False


def test_queries_do_not_follow_servers_or_mods(admin_client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get("/admin/mods/gameserver/").status_code == 200
        return len(captured)

    install_many(make_server("S"), 5)
    few = queries()
    for number in range(6):
        install_many(make_server(f"S{number}"), 20)
    assert queries() == few
