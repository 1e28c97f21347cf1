"""A call ends at its deadline, or when the program stops, whatever the server does. All servers here never finish."""

import threading

import pytest

from vsadmin.lib.http import HttpError
from vsadmin.lib.tests.loopback import Request, Route, answer, serving

SHORT = 0.3  # seconds
LONG_ENOUGH_TO_BEGIN = 1.5  # seconds in which an answer has begun even on a busy machine
LONG = 60.0


def drip_body(request: Request) -> None:
    request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    request.drip(b"x")


def drip_until_closed(request: Request) -> None:
    request.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    request.drip(b"x")


def drip_chunks(request: Request) -> None:
    request.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    request.drip(b"1\r\nx\r\n")


def drip_one_huge_chunk(request: Request) -> None:
    request.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n")
    request.drip(b"x")


def drip_chunk_size(request: Request) -> None:
    request.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    request.drip(b"0")


def drip_redirect_body(request: Request) -> None:
    request.write(b"HTTP/1.1 302 Found\r\nLocation: /\r\nTransfer-Encoding: chunked\r\n\r\n")
    request.drip(b"1\r\nx\r\n")


def drip_headers(request: Request) -> None:
    request.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    request.drip(b"x")


def drip_continues(request: Request) -> None:
    request.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


def hang(request: Request) -> None:
    request.hang()


BODIES = [drip_body, drip_until_closed, drip_chunks, drip_one_huge_chunk, drip_chunk_size, drip_redirect_body]
HEADS = [drip_headers, drip_continues, hang]


@pytest.mark.parametrize("route", BODIES)
def test_a_body_that_drips_ends_at_the_deadline(route: Route) -> None:
    with serving({"/": route}) as server, pytest.raises(HttpError) as caught:
        server.client().get(server.url + "/", deadline=LONG_ENOUGH_TO_BEGIN, max_bytes=10**6)
    assert (caught.value.kind, caught.value.answered) == ("timeout", True)
    assert "did not finish its answer within 1.5 s" in caught.value.text


@pytest.mark.parametrize("route", HEADS)
def test_an_answer_that_never_begins_ends_at_the_deadline(route: Route) -> None:
    with serving({"/": route}) as server, pytest.raises(HttpError) as caught:
        server.client().get(server.url + "/", deadline=SHORT, max_bytes=10**6)
    assert (caught.value.kind, caught.value.answered) == ("timeout", False)


@pytest.mark.parametrize("route", BODIES[:3])
def test_a_stream_ends_at_the_deadline_too(route: Route) -> None:
    with (
        serving({"/": route}) as server,
        pytest.raises(HttpError) as caught,
        server.client().stream(server.url + "/", deadline=SHORT, max_bytes=10**6) as stream,
    ):
        list(stream)
    assert caught.value.kind == "timeout"


def test_a_flood_ends_at_the_deadline_although_no_read_ever_waits() -> None:
    def flood(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        request.drip(bytes(65536), pause=0)

    with (
        serving({"/": flood}) as server,
        pytest.raises(HttpError) as caught,
        server.client().stream(server.url + "/", deadline=SHORT, max_bytes=10**15) as stream,
    ):
        for _chunk in stream:
            pass
    assert caught.value.kind == "timeout"


def test_tries_share_one_deadline() -> None:
    with serving({"/": answer(status=503)}) as server, pytest.raises(HttpError) as caught:
        server.client(retries=10**6, backoff=0.001).get(server.url + "/", deadline=SHORT, max_bytes=100)
    assert caught.value.kind in ("timeout", "status")


def test_waiting_for_a_free_connection_counts() -> None:
    with serving({"/": drip_body}) as server:
        client = server.client(max_connections=1)
        holding = client.stream(server.url + "/", deadline=LONG, max_bytes=10**6)
        with holding, pytest.raises(HttpError) as caught:
            client.get(server.url + "/", deadline=SHORT, max_bytes=100)
    assert caught.value.kind == "timeout"


@pytest.mark.parametrize("route", [drip_body, drip_headers, hang])
def test_stop_ends_a_call_that_waits(route: Route) -> None:
    with serving({"/": route}) as server:
        client = server.client()
        threading.Timer(0.1, client.stop.set).start()
        with pytest.raises(HttpError) as caught:
            client.get(server.url + "/", deadline=LONG, max_bytes=10**6)
    assert caught.value.kind == "cancelled"


def test_stop_ends_the_pause_before_another_try() -> None:
    stop = threading.Event()
    with serving({"/": answer(status=503, headers="Retry-After: 10\r\n")}) as server:
        client = server.client(stop=stop)
        threading.Timer(0.1, stop.set).start()
        with pytest.raises(HttpError) as caught:
            client.get(server.url + "/", deadline=LONG, max_bytes=100)
        assert (caught.value.kind, len(server.paths)) == ("cancelled", 1)


def test_a_stopped_client_asks_nothing() -> None:
    with serving({"/": answer()}) as server:
        client = server.client()
        client.stop.set()
        with pytest.raises(HttpError):
            client.get(server.url + "/", deadline=LONG, max_bytes=100)
        assert server.paths == []


def test_a_name_look_up_that_hangs_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **kwargs: hanging.wait())
    with serving({}) as server, pytest.raises(HttpError) as caught:
        server.client().get(server.url + "/", deadline=SHORT, max_bytes=100)
    hanging.set()
    assert caught.value.kind == "timeout"
