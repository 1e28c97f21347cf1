"""What players need on their machines, as text to paste."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mods import exchange
from mods.models import GameServer
from mods.tests.rows import install, make_mod, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> GameServer:
    monkeypatch.setenv("VS_MODDB_URL", "https://mods.example.com")
    server = make_server("Public")
    make_mod("carry")
    install(server, "carry", "1.2.0", name="Carry On")
    install(server, "private", "0.1.0-rc.1", name="Private")
    install(server, "admin", side="server")
    install(server, "map", "3.0.0", side="client", name="Map")
    install(server, "maybe", "4.0.0", required_on_client=False, name="Perhaps")
    install(server, "off", enabled=False)
    install(server, "offbyconfig", disabled_by_config=True)
    install(server, "", "", file_name="broken.zip")
    return server


def test_text(server: GameServer) -> None:
    with CaptureQueriesContext(connection) as queries:
        text = exchange.players_list(server)
    assert len(queries) == 1
    assert text == (
        "Mods for Public (Vintage Story 1.21.5)\n\n"
        "- Carry On 1.2.0 https://mods.example.com/show/mod/6000\n"
        "- Private 0.1.0-rc.1\n\n"
        "Only if you like:\n"
        "- Map 3.0.0\n"
        "- Perhaps 4.0.0\n"
    )


def test_markdown(server: GameServer) -> None:
    text = exchange.players_list(server, "markdown")
    assert text.startswith("**Mods for Public \\(Vintage Story 1.21.5\\)**\n\n")
    assert "- [Carry On](https://mods.example.com/show/mod/6000) 1.2.0\n" in text
    assert "- Private 0.1.0-rc\\.1\n" in text


def test_nothing_needed() -> None:
    server = make_server("Empty", game_version="")
    assert exchange.players_list(server) == "Mods for Empty (Vintage Story ?)\n\nNo mods are needed.\n"


def test_names_that_mean_something_in_markdown_do_not() -> None:
    server = make_server("A_b_ *c*")
    make_mod("evil")
    install(server, "evil", "1](http://x.example)", name="[x](http://x.example) <b>`@everyone` ![i](j) www.x.example")
    line = exchange.players_list(server, "markdown").splitlines()[2]
    assert line == (
        "- [\\[x\\]\\(http\\://x\\.example\\) \\<b\\>\\`@\u200beveryone\\` \\!\\[i\\]\\(j\\) www\\.x\\.example]"
        "(http://127.0.0.1:9/show/mod/6000) 1\\]\\(http\\://x\\.example\\)"
    )
    assert "A\\_b\\_ \\*c\\*" in exchange.players_list(server, "markdown")
