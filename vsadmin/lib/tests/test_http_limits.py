"""Bodies: capped, counted after decompression, complete or an error, and streamed in flat memory."""

import gzip
import tracemalloc
from collections.abc import Callable

import pytest

from vsadmin.lib.http import HttpError
from vsadmin.lib.tests.loopback import Request, Route, answer, serving

MB = 1024 * 1024
Sender = Callable[[bytes], Route]


def without_length(body: bytes) -> Route:
    def route(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body)
        request.close_connection = True

    return route


def chunked(body: bytes) -> Route:
    data = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:3], body[3:]))
    return lambda request: request.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data + b"0\r\n\r\n")


def zipped(body: bytes) -> Route:
    return answer(gzip.compress(body), headers="Content-Encoding: gzip\r\n")


@pytest.mark.parametrize("send", [answer, without_length, chunked, zipped])
def test_the_cap_is_the_last_size_that_passes(send: Sender) -> None:
    with serving({"/fits": send(b"x" * 100), "/over": send(b"x" * 101)}) as server:
        client = server.client()
        assert client.get(server.url + "/fits", deadline=5, max_bytes=100).body == b"x" * 100
        with pytest.raises(HttpError) as caught:
            client.get(server.url + "/over", deadline=5, max_bytes=100)
        assert (caught.value.kind, caught.value.answered) == ("too_large", True)


def test_a_declared_size_over_the_cap_is_refused_before_reading() -> None:
    def route(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n")
        request.hang()

    with serving({"/": route}) as server, pytest.raises(HttpError) as caught:
        server.client().get(server.url + "/", deadline=5, max_bytes=100)
    assert caught.value.kind == "too_large"


def test_a_compressed_bomb_is_cut_off_without_being_blown_up() -> None:
    bomb = gzip.compress(bytes(300 * MB), compresslevel=1)
    with serving({"/": answer(bomb, headers="Content-Encoding: gzip\r\n")}) as server:
        tracemalloc.start()
        with pytest.raises(HttpError) as caught:
            server.client().get(server.url + "/", deadline=20, max_bytes=2 * MB)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert caught.value.kind == "too_large"
    assert peak < 80 * MB


def test_damaged_compression_is_broken() -> None:
    route = answer(b"no gzip", headers="Content-Encoding: gzip\r\n")
    with serving({"/": route}) as server, pytest.raises(HttpError) as caught:
        server.client(retries=0).get(server.url + "/", deadline=5, max_bytes=100)
    assert caught.value.kind == "broken"


@pytest.mark.parametrize(
    "head",
    [b"Content-Length: 100\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n64\r\nhalf"],
    ids=["sized", "chunked"],
)
def test_a_body_that_stops_short_is_broken(head: bytes) -> None:
    def route(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\n" + head)
        request.close_connection = True

    with serving({"/": route}) as server, pytest.raises(HttpError) as caught:
        server.client(retries=0).get(server.url + "/", deadline=5, max_bytes=1000)
    assert (caught.value.kind, caught.value.answered) == ("broken", True)
    assert "in the middle of its answer" in caught.value.text


@pytest.mark.parametrize("first", [b"", b"this is no HTTP\r\n\r\n"], ids=["silent", "nonsense"])
def test_a_connection_without_an_answer_is_broken(first: bytes) -> None:
    def route(request: Request) -> None:
        request.write(first)
        request.close_connection = True

    with serving({"/": route}) as server, pytest.raises(HttpError) as caught:
        server.client(retries=0).get(server.url + "/", deadline=5, max_bytes=1000)
    assert (caught.value.kind, caught.value.answered) == ("broken", False)


def test_a_stream_tells_size_status_headers_and_address() -> None:
    with (
        serving({"/": answer(b"x" * 1000, headers="X-Mine: 1\r\n")}) as server,
        server.client().stream(server.url + "/", deadline=5, max_bytes=1000) as stream,
    ):
        assert (stream.status, stream.total, stream.url) == (200, 1000, server.url + "/")
        assert stream.headers["x-mine"] == "1"
        assert b"".join(stream) == b"x" * 1000


@pytest.mark.parametrize("send", [without_length, chunked, zipped])
def test_a_stream_of_unknown_size_has_no_total(send: Sender) -> None:
    with (
        serving({"/": send(b"x" * 1000)}) as server,
        server.client().stream(server.url + "/", deadline=5, max_bytes=1000) as stream,
    ):
        assert stream.total is None
        assert b"".join(stream) == b"x" * 1000


@pytest.mark.parametrize("status", [204, 404, 410])
def test_a_stream_is_of_a_200_only(status: int) -> None:
    with (
        serving({"/": answer(b"", status)}) as server,
        pytest.raises(HttpError) as caught,
        server.client().stream(server.url + "/", deadline=5, max_bytes=1000),
    ):
        pass
    assert (caught.value.kind, caught.value.status) == ("status", status)


def test_a_stream_is_capped() -> None:
    with (
        serving({"/": without_length(b"x" * 1001)}) as server,
        pytest.raises(HttpError) as caught,
        server.client().stream(server.url + "/", deadline=5, max_bytes=1000) as stream,
    ):
        list(stream)
    assert caught.value.kind == "too_large"


def test_a_stream_left_early_does_not_spoil_the_next_call() -> None:
    with serving({"/big": answer(bytes(5 * MB)), "/": answer()}) as server:
        client = server.client(max_connections=1)
        with client.stream(server.url + "/big", deadline=5, max_bytes=10 * MB) as stream:
            next(iter(stream))
        assert client.get(server.url + "/", deadline=5, max_bytes=100).body == b"ok"


def test_a_large_stream_stays_flat_in_memory_and_counts_its_bytes() -> None:
    body = bytes(32 * MB)
    with serving({"/": answer(body)}) as server:
        client = server.client()
        tracemalloc.start()
        with client.stream(server.url + "/", deadline=30, max_bytes=64 * MB) as stream:
            before = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            received = sum(len(chunk) for chunk in stream)
            grown = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        assert received == len(body) == client.bytes
        assert grown < 4 * MB
