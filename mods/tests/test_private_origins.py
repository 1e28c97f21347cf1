"""Questions and downloads go to a private address only where an administrator wrote that origin into the settings."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mods import downloads, refresh
from vsadmin.lib.http import Client, HttpError
from vsadmin.lib.tests.loopback import Server, answer, serving

pytestmark = pytest.mark.django_db

CLIENTS: dict[str, Callable[[], Client]] = {
    "downloads": downloads.client,
    "refresh": lambda: refresh.client()._client,
}
DEFAULTS = ("https://mods.vintagestory.at", "https://moddbcdn.vintagestory.at")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server on this machine, to which every name leads."""
    with serving({"/file": answer()}) as server:

        def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.server_address[1]))]

        monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
        for name in ("VS_MODDB_URL", "VS_MODDB_FILE_ORIGINS"):
            monkeypatch.delenv(name, raising=False)
        yield server


def is_asked(client: str, url: str) -> bool:
    """Whether this client asks there; False: it refuses the address."""
    with CLIENTS[client]() as asking:
        try:
            return asking.get(url + "/file", deadline=5, max_bytes=100).body == b"ok"
        except HttpError as error:
            if error.kind != "forbidden_address":
                raise
            return False


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("url", DEFAULTS)
def test_a_default_origin_is_never_private(client: str, url: str, home: Server) -> None:
    assert not is_asked(client, url)
    assert home.paths == []


@pytest.mark.parametrize("client", CLIENTS)
def test_an_origin_that_was_written_may_be_private_and_the_other_stays_public(
    client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VS_MODDB_URL", "http://mods.example.com")
    assert is_asked(client, "http://mods.example.com")
    assert not is_asked(client, DEFAULTS[1])
    monkeypatch.setenv("VS_MODDB_FILE_ORIGINS", "http://files.example.com")
    assert is_asked(client, "http://files.example.com")
