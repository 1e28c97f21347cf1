"""What only a restart brings into force, and what the server's log says of mods that failed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods.models import GameServer, ServerStart
from mods.plans import Plan
from mods.tests.change_rows import make_change, replace
from mods.tests.rows import install, make_server

pytestmark = pytest.mark.django_db

MODS = "/admin/mods/installedmod/"


def start(server: GameServer, version: str = "0.9.0", **fields: object) -> ServerStart:
    """A start of the server when it had alpha in that version."""
    before = {
        "modid": "alpha",
        "version": version,
        "sha256": "",
        "enabled": True,
        "file_name": "a.zip",
        "name": "Alpha",
    }
    wanted = {"started_at": timezone.now() - timedelta(hours=1), "loaded": ["alpha"], "mods": [before], **fields}
    return ServerStart.objects.create(server=server, **wanted)


@pytest.fixture
def server() -> GameServer:
    server = make_server(restart_note="sudo systemctl restart <vs>")
    install(server, "alpha", "1.0.0")
    return server


def test_restart_needed_stands_with_how(admin_client: Client, server: GameServer) -> None:
    start(server)
    change = make_change(server, state="done", plan=Plan(steps=(replace("alpha"),)))
    for address in (f"/admin/mods/gameserver/{server.pk}/change/", f"/admin/mods/operation/{change.pk}/change/"):
        text = admin_client.get(address).text
        assert "Restart needed:" in text
        assert "1 changed since the server started" in text
        assert "nobody was watching" not in text
        assert "<code>sudo systemctl restart &lt;vs&gt;</code>" in text
    assert "restart needed" in admin_client.get("/admin/mods/gameserver/").text


def test_where_nobody_was_watching_it_is_said(admin_client: Client, server: GameServer) -> None:
    start(server, mods=None, loaded=["beta"])
    text = admin_client.get(f"/admin/mods/gameserver/{server.pk}/change/").text
    assert "Restart needed:" in text
    assert "isn't known for certain: nobody was watching then" in text.replace("&#x27;", "'")


def test_nothing_is_said_where_nothing_differs(admin_client: Client, server: GameServer) -> None:
    start(server, "1.0.0")
    assert "Restart needed" not in admin_client.get(f"/admin/mods/gameserver/{server.pk}/change/").text
    assert "restart needed" not in admin_client.get("/admin/mods/gameserver/").text


def test_the_note_is_written_on_the_server_s_page(admin_client: Client, server: GameServer) -> None:
    address = f"/admin/mods/gameserver/{server.pk}/change/"
    form = {"name": "Public", "data_dir": server.data_dir, "game_version_by_hand": "", "restart_note": "Ask Mia"}
    assert admin_client.post(address, form).status_code == 302
    server.refresh_from_db()
    assert server.restart_note == "Ask Mia"


def test_queries_of_the_servers_list_don_t_follow_their_number(admin_client: Client, server: GameServer) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get("/admin/mods/gameserver/")
        return len(captured)

    start(server)
    queries()
    few = queries()
    for number in range(8):
        another = make_server(f"S{number}")
        install(another, "alpha")
        start(another)
    assert queries() == few
