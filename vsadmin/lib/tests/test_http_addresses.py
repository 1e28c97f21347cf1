"""Which addresses are asked: one normal form of origins, and no private address behind a public name."""

import socket
from typing import Any

import pytest

from vsadmin.lib.connections import is_public
from vsadmin.lib.http import Client, HttpError, origin
from vsadmin.lib.tests.loopback import Request, answer, free_port, serving

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1%eth0",
    "fc00::1",
    "fec0::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_known(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_public_addresses_are_known(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://Example.COM", "https://example.com"),
        ("https://example.com:443/path?x#y", "https://example.com"),
        ("http://example.com:8080/", "http://example.com:8080"),
        ("http://example.com:443", "http://example.com:443"),
        ("https://bücher.example.com", "https://xn--bcher-kva.example.com"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_an_origin_has_one_form(url: str, normal: str) -> None:
    assert origin(url) == normal


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com",
        "https://",
        "https://user@example.com",
        "https://user:secret@example.com",
        "https://example.com:99999",
        "https://exam ple.com",
        "https://example.com\\@b.example.com",
        "https://example.com\n",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_origin_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        origin(url)


def resolve_to(monkeypatch: pytest.MonkeyPatch, address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)


def refused(url: str, **options: Any) -> HttpError:
    client = Client(user_agent="test", allowed_origins=[url], retries=0, **options)
    with pytest.raises(HttpError) as caught:
        client.get(url, deadline=5, max_bytes=100)
    return caught.value


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_public_name_that_leads_home_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    with serving({"/": answer()}) as server:
        resolve_to(monkeypatch, address, server.server_address[1])
        error = refused("http://mods.example.com/")
        assert (error.kind, error.answered) == ("forbidden_address", False)
        assert server.paths == []


def test_a_private_address_is_refused_in_the_open_too() -> None:
    with serving({"/": answer()}) as server:
        assert refused(server.url + "/").kind == "forbidden_address"
        assert server.paths == []


def test_nobody_learns_which_private_ports_are_open() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert refused(f"http://127.0.0.1:{closed.getsockname()[1]}/").kind == "forbidden_address"


def test_another_trusted_origin_does_not_open_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/": answer()}) as server:
        resolve_to(monkeypatch, "127.0.0.1", server.server_address[1])
        error = refused("http://mods.example.com/", trusted_private_origins=["https://mods.example.com"])
        assert error.kind == "forbidden_address"


def test_a_trusted_origin_may_be_private(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/": answer()}) as server:
        resolve_to(monkeypatch, "127.0.0.1", server.server_address[1])
        url = "http://mods.example.com"
        client = Client(user_agent="test", allowed_origins=[url], trusted_private_origins=[url])
        assert client.get(url + "/", deadline=5, max_bytes=100).body == b"ok"


def test_a_refused_connection_says_so() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    client = Client(user_agent="test", allowed_origins=[url], trusted_private_origins=[url], backoff=0)
    with pytest.raises(HttpError) as caught:
        client.get(url, deadline=5, max_bytes=100)
    assert (caught.value.kind, caught.value.answered, client.requests) == ("refused", False, 3)
    assert "connection refused" in caught.value.text


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("label too long")])
def test_an_unknown_name_says_so(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
        raise error

    monkeypatch.setattr("socket.getaddrinfo", getaddrinfo)
    client = Client(user_agent="test", allowed_origins=["http://no.example.com"], backoff=0)
    with pytest.raises(HttpError) as caught:
        client.get("http://no.example.com/", deadline=5, max_bytes=100)
    assert (caught.value.kind, caught.value.answered) == ("dns", False)
    assert "no.example.com" in caught.value.text


def test_environment_and_cookies_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    seen: list[Any] = []

    def route(request: Request) -> None:
        seen.append(request.headers)
        answer(headers="Set-Cookie: a=b\r\n")(request)

    with serving({"/": route}) as server:
        client = server.client(user_agent="vsadmin/test")
        for _ in range(2):
            client.get(server.url + "/", deadline=5, max_bytes=100)
    assert [(headers["User-Agent"], headers["Accept"], headers["Cookie"]) for headers in seen] == [
        ("vsadmin/test", "*/*", None)
    ] * 2


def test_the_next_address_is_tried_where_one_kind_is_missing_or_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({"/": answer()}) as server:
        port = server.server_address[1]
        addresses = [
            (socket.AF_APPLETALK, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", free_port())),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]
        monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: addresses)
        assert server.client(retries=0).get(server.url + "/", deadline=5, max_bytes=100).body == b"ok"
