"""A POST is sent once: no retries, no redirects, its answer's body unread, within the deadline."""

import pytest

from vsadmin.lib.http import HttpError
from vsadmin.lib.tests.loopback import Request, answer, redirect, serving


def test_the_body_and_headers_arrive() -> None:
    with serving({"/in": answer(b"thanks", 201, "Retry-After: 7\r\n")}) as server:
        got = server.client().post(server.url + "/in", b'{"a": 1}', headers={"X-Id": "9"}, deadline=5)
        assert (got.status, got.headers["retry-after"], got.body) == (201, "7", b"")
        headers, body = server.posted[0]
        assert (headers["X-Id"], body) == ("9", b'{"a": 1}')


@pytest.mark.parametrize("status", [429, 500, 503])
def test_nothing_is_retried(status: int) -> None:
    with serving({"/in": answer(status=status)}) as server:
        assert server.client(retries=3).post(server.url + "/in", b"x", headers={}, deadline=5).status == status
        assert len(server.posted) == 1


def test_no_redirect_is_followed() -> None:
    with serving({"/in": redirect("/there", 307), "/there": answer()}) as server:
        assert server.client().post(server.url + "/in", b"x", headers={}, deadline=5).status == 307
        assert server.paths == ["/in"]


def test_an_endless_body_isnt_waited_for() -> None:
    def route(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\n\r\n")
        request.drip(b"x")

    with serving({"/in": route}) as server:
        assert server.client().post(server.url + "/in", b"x", headers={}, deadline=30).status == 200


@pytest.mark.parametrize("piece", [b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", b""])
def test_an_answer_that_drips_or_never_begins_ends_at_the_deadline(piece: bytes) -> None:
    def route(request: Request) -> None:
        if not piece:
            request.hang()
        request.write(b"HTTP/1.1 200 OK\r\n")
        request.drip(piece[:3])

    with serving({"/in": route}) as server, pytest.raises(HttpError) as caught:
        server.client().post(server.url + "/in", b"x", headers={}, deadline=0.3)
    assert caught.value.kind == "timeout"


def test_other_addresses_and_private_ones_are_refused() -> None:
    with serving({"/in": answer()}) as server:
        for client in (
            server.client(trusted_private_origins=[]),
            server.client(allowed_origins=["http://example.com"]),
        ):
            with pytest.raises(HttpError) as caught:
                client.post(server.url + "/in", b"x", headers={}, deadline=5)
            assert caught.value.kind == "forbidden_address"
        assert server.posted == []
