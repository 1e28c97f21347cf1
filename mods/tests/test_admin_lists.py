"""A server's lists in the panel: downloads, what players paste, and importing."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mods.models import GameServer, Operation
from mods.tests.rows import install, make_mod, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> GameServer:
    server = make_server("Public & Co")
    make_mod("alpha")
    install(server, "alpha", "1.0.0")
    return server


def page(server: GameServer) -> str:
    return f"/admin/mods/gameserver/{server.pk}/lists/"


def test_the_downloads(admin_client: Client, server: GameServer) -> None:
    response = admin_client.get(f"/admin/mods/gameserver/{server.pk}/mods.json")
    assert response["Content-Disposition"] == 'attachment; filename="mods-public-co.json"'
    assert response["Content-Type"] == "application/json"
    assert json.loads(response.content)["mods"][0]["modid"] == "alpha"
    lines = admin_client.get(f"/admin/mods/gameserver/{server.pk}/mods.txt")
    assert "alpha@1.0.0" in lines.text
    assert lines["Content-Type"].startswith("text/plain")
    assert lines["X-Content-Type-Options"] == "nosniff"
    assert admin_client.get(f"/admin/mods/gameserver/{server.pk}/mods.exe").status_code == 404


def test_the_list_for_players(admin_client: Client, server: GameServer) -> None:
    text = admin_client.get(page(server)).text
    assert "Mods for Public &amp; Co (Vintage Story 1.21.5)" in text
    assert "- Alpha 1.0.0" in text
    assert "- [Alpha]" in admin_client.get(f"{page(server)}?format=markdown").text


def test_an_import_makes_a_plan(admin_client: Client, server: GameServer) -> None:
    admin_client.post(page(server), {"text": "beta@1.0.0\ngamma"})
    change = Operation.objects.get()
    assert (change.kind, change.server) == ("align", server)
    assert [target["modid"] for target in change.wish["targets"]] == ["beta", "gamma"]
    assert change.wish["remove_others"] is False


def test_an_exported_file_is_imported(admin_client: Client, server: GameServer) -> None:
    exported = admin_client.get(f"/admin/mods/gameserver/{server.pk}/mods.json").content
    other = make_server("Testing")
    form = {"file": SimpleUploadedFile("mods.json", exported), "remove_others": "on"}
    assert admin_client.post(page(other), form).status_code == 302
    change = Operation.objects.get()
    assert change.server == other
    assert change.wish["targets"][0]["modid"] == "alpha"
    assert change.wish["remove_others"] is True


@pytest.mark.parametrize(
    ("text", "content", "expected"),
    [
        ("", None, "no mods in it"),
        ("a b &c", None, "Line 1:"),
        ("{", None, "JSON"),
        ("alpha", b"beta", "not both"),
        ("", b"\xff\xfe", "isn&#x27;t text"),
    ],
)
def test_what_can_t_be_read_says_why(
    admin_client: Client, server: GameServer, text: str, content: bytes | None, expected: str
) -> None:
    form: dict[str, object] = {"text": text}
    if content is not None:
        form["file"] = SimpleUploadedFile("list.txt", content)
    response = admin_client.post(page(server), form)
    assert response.status_code == 400
    assert expected in response.text
    assert not Operation.objects.exists()


def test_what_is_too_big_isn_t_read(admin_client: Client, server: GameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mods.exchange.MAX_LENGTH", 100)
    response = admin_client.post(page(server), {"file": SimpleUploadedFile("list.txt", b"x" * 101)})
    assert "too big for a list of mods" in response.text
