"""Downloads over HTTP, from a real server on loopback: limits, hops, and errors in plain words."""

import os
import threading

import pytest

from cache import places, store
from cache.sources import HttpSource
from cache.store import FetchError
from cache.tests.helpers import accept, content, numbers
from vsadmin.lib.http import Client
from vsadmin.lib.tests.loopback import Request, answer, free_port, redirect, serving

pytestmark = pytest.mark.django_db(transaction=True)

CONTENT = content(1, 300_000)


def get(url: str, client: Client, *, deadline: float = 10, max_bytes: int = 1_000_000) -> bytes:
    source = HttpSource(url, client, deadline, max_bytes)
    with store.fetch("moddb:1", source, name="a.zip", title="A", check=accept) as file:
        return file.read()


def refused(url: str, client: Client, **options: float) -> FetchError:
    with pytest.raises(FetchError) as caught:
        get(url, client, **options)  # type: ignore[arg-type]  # deadline or max_bytes
    assert numbers() == set()
    assert not places.staging().exists() or os.listdir(places.staging()) == []
    return caught.value


def test_a_file_comes_through_a_redirect() -> None:
    with serving({"/file": answer(CONTENT), "/download": redirect("/file")}) as server:
        assert get(f"{server.url}/download", server.client()) == CONTENT
        assert get(f"{server.url}/download", server.client()) == CONTENT
        assert server.paths == ["/download", "/file"]


def test_more_than_the_cap_is_refused_whether_announced_or_not() -> None:
    def unannounced(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        request.drip(bytes(50_000), pause=0.001)

    with serving({"/announced": answer(CONTENT), "/endless": unannounced}) as server:
        for path in ("/announced", "/endless"):
            assert "MB allowed" in refused(server.url + path, server.client(), max_bytes=200_000).text


def test_the_deadline_is_for_all_of_it() -> None:
    def dripping(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        request.drip(b"x")

    with serving({"/": dripping}) as server:
        assert "within 0.3 s" in refused(server.url + "/", server.client(), deadline=0.3).text


def test_an_origin_that_is_not_allowed_is_never_asked() -> None:
    with serving({"/file": answer(CONTENT)}) as other, serving({"/": redirect(f"{other.url}/file")}) as server:
        assert "redirected elsewhere" in refused(server.url + "/", server.client()).text
        assert other.paths == []


def test_a_private_address_is_refused_unless_that_origin_was_configured() -> None:
    with serving({"/": answer(CONTENT)}) as server:
        text = refused(server.url + "/", server.client(trusted_private_origins=[])).text
        assert "no public address" in text
        assert server.paths == []


@pytest.mark.parametrize("status", [404, 410, 500])
def test_an_error_page_is_no_file(status: int) -> None:
    with serving({"/": answer(b"<html>no</html>", status)}) as server:
        error = refused(server.url + "/", server.client(retries=0))
    assert error.status == status
    assert str(status) in error.text


def test_a_connection_that_breaks_off_leaves_nothing() -> None:
    def broken(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + CONTENT[:1000])
        request.close_connection = True

    with serving({"/": broken}) as server:
        assert refused(server.url + "/", server.client()).kind == "source"


def test_nobody_there() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with serving({}) as server:
        client = server.client(allowed_origins=[url], trusted_private_origins=[url], retries=0)
        assert "No connection" in refused(url, client).text


def test_a_stop_ends_a_download_that_waits_for_bytes() -> None:
    stop = threading.Event()

    def silent(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n")
        stop.set()
        request.hang()

    with serving({"/": silent}) as server:
        assert refused(server.url + "/", server.client(stop=stop)).kind == "cancelled"
