"""Kept copies in the panel: what the list says, putting one back, deleting one for good."""

from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.admin.templatetags.admin_list import result_headers
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from mods import keeping
from mods.models import GameServer, KeptCopy, Operation
from mods.tests.change_rows import make_change, make_kept, old
from mods.tests.rows import make_server

pytestmark = pytest.mark.django_db

LIST = "/admin/mods/keptcopy/"


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"


@pytest.fixture
def server() -> GameServer:
    return make_server()


def test_the_list_says_where_what_when_and_why(admin_client: Client, server: GameServer) -> None:
    make_kept(server, "alpha", "1.2.3")
    make_kept(None, "beta", why="It was retracted.")
    text = admin_client.get(LIST).text
    for expected in ("Alpha", "1.2.3", "Public", "Gone", "It was retracted.", "4 KiB", "2 files, 8 KiB", "just now"):
        assert expected in text
    assert "Alpha" not in admin_client.get(f"{LIST}?server=Gone").text
    assert "Nothing had to be kept" in admin_client.get(LIST).text or KeptCopy.objects.exists()


def test_those_of_one_change(admin_client: Client, server: GameServer) -> None:
    change = make_change(server, state="done")
    make_kept(server, "alpha", operation=change)
    make_kept(server, "beta")
    rows = admin_client.get(f"{LIST}?change={change.pk}").context["cl"].result_list
    assert [row.modid for row in rows] == ["alpha"]
    assert admin_client.get(f"{LIST}?change=x").status_code == 200


def test_restoring_plans_it_for_its_server(admin_client: Client, server: GameServer) -> None:
    kept = make_kept(server)
    assert f'<option value="{server.pk}" selected>' in admin_client.get(f"{LIST}{kept.pk}/change/").text
    admin_client.post(f"{LIST}{kept.pk}/restore/")
    change = Operation.objects.get()
    assert (change.kind, change.server, change.wish["targets"][0]["kept"]) == ("restore", server, kept.pk)


def test_restoring_on_another_server(admin_client: Client, server: GameServer) -> None:
    other = make_server("Testing")
    admin_client.post(f"{LIST}{make_kept(server).pk}/restore/", {"server": other.pk})
    assert Operation.objects.get().server == other


@pytest.mark.parametrize("given", [{}, {"server": "999"}, {"server": "x"}])
def test_where_its_server_is_gone_one_must_be_chosen(
    admin_client: Client, server: GameServer, given: dict[str, str]
) -> None:
    kept = make_kept(None)
    response = admin_client.post(f"{LIST}{kept.pk}/restore/", given, follow=True)
    assert "Choose a server" in response.text
    assert not Operation.objects.exists()


def test_deleting_asks_first_and_is_recorded(admin_client: Client, server: GameServer, tmp_path: Path) -> None:
    file = tmp_path / "alpha.zip"
    file.write_bytes(b"bytes")
    with file.open("rb") as source:
        kept = keeping.keep(source, server=server, old=old("alpha"), why="Nobody has it.", operation=None)
    stored = keeping.folder() / kept.stored_name
    text = admin_client.get(f"{LIST}{kept.pk}/remove/").text
    assert "will be gone for good" in text
    assert "Nobody has it." in text
    assert stored.exists()
    response = admin_client.post(f"{LIST}{kept.pk}/remove/", follow=True)
    assert "Deleted for good: Alpha 1.0.0, kept from Public." in response.text
    assert not stored.exists()
    assert not KeptCopy.objects.exists()
    assert LogEntry.objects.get().user.get_username() == "admin"


def test_what_keeps_it_from_being_deleted_is_said(
    admin_client: Client, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(kept: KeptCopy, user: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(keeping, "delete", refused)
    kept = make_kept(server)
    response = admin_client.post(f"{LIST}{kept.pk}/remove/", follow=True)
    assert 'class="error"' in response.text
    assert "Deleted" not in response.text
    assert KeptCopy.objects.exists()


def chosen(*copies: KeptCopy, **more: str) -> dict[str, object]:
    pks = [str(copy.pk) for copy in copies]
    return {"action": "delete_chosen", "index": "0", "_selected_action": pks, **more}


def really_kept(server: GameServer, folder: Path, modid: str) -> KeptCopy:
    file = folder / f"{modid}.zip"
    file.write_bytes(modid.encode() * 1000)
    with file.open("rb") as source:
        return keeping.keep(source, server=server, old=old(modid), why="Nobody has it.", operation=None)


def test_deleting_several_asks_first_and_each_is_recorded(
    admin_client: Client, server: GameServer, tmp_path: Path
) -> None:
    one, two, three = (really_kept(server, tmp_path, modid) for modid in ("alpha", "betas", "gamma"))
    asked = admin_client.post(LIST, chosen(one, two)).text
    assert "2 files, 9.8 KiB, will be gone for good." in asked
    assert "can&#x27;t be fetched again" in asked.replace("can't", "can&#x27;t")
    assert "Gamma" not in asked
    assert KeptCopy.objects.count() == 3
    response = admin_client.post(LIST, chosen(one, two, confirmed="yes"), follow=True)
    assert "Deleted for good: 2 files, 9.8" in response.text
    assert [path.name for path in keeping.folder().glob("*.zip")] == [three.stored_name]
    assert list(KeptCopy.objects.all()) == [three]
    assert {entry.object_id for entry in LogEntry.objects.all()} == {str(one.pk), str(two.pk)}
    assert {entry.user.get_username() for entry in LogEntry.objects.all()} == {"admin"}


def test_what_is_kept_after_the_question_stays(admin_client: Client, server: GameServer) -> None:
    for number in range(3):
        make_kept(server, f"mod{number}")
    asked = admin_client.post(LIST, chosen(KeptCopy.objects.all()[0], select_across="1")).text
    assert "3 files" in asked
    assert asked.count('name="_selected_action"') == 3
    assert 'name="select_across" value="0"' in asked


def test_one_that_cannot_be_deleted_stays_and_the_others_go(
    admin_client: Client, server: GameServer, tmp_path: Path
) -> None:
    one, two = (really_kept(server, tmp_path, modid) for modid in ("alpha", "betas"))
    stored = keeping.folder() / one.stored_name
    stored.unlink()
    stored.mkdir()
    response = admin_client.post(LIST, chosen(one, two, confirmed="yes"), follow=True)
    assert "Deleted for good: 1 file" in response.text
    assert "1 couldn&#x27;t be deleted" in response.text
    assert list(KeptCopy.objects.all()) == [one]


def test_deleting_several_takes_the_right(client: Client, server: GameServer) -> None:
    kept = make_kept(server)
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_keptcopy"))
    client.force_login(user)
    assert "Delete the selected" not in client.get(LIST).text
    assert client.post(LIST, chosen(kept, confirmed="yes")).status_code == 403
    assert KeptCopy.objects.exists()


@pytest.mark.parametrize("given", ["x", "1; DROP", "-1"])
def test_a_copy_is_chosen_by_its_number(admin_client: Client, given: str) -> None:
    sent = {"action": "delete_chosen", "index": "0", "_selected_action": given}
    assert admin_client.post(LIST, sent).status_code == 400


def test_versions_are_not_sorted_as_text(admin_client: Client, server: GameServer) -> None:
    make_kept(server)
    sorts = {header["text"]: header["sortable"] for header in result_headers(admin_client.get(LIST).context["cl"])}
    assert (sorts["version"], sorts["size"]) == (False, True)


def test_queries_don_t_follow_the_number(admin_client: Client, server: GameServer) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(LIST)
        return len(captured)

    make_kept(server)
    queries()
    few = queries()
    for number in range(30):
        make_kept(server, f"mod{number}")
    assert queries() == few <= 11
