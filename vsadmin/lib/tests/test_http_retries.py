"""Failures that may pass are tried again, after pauses that the server can't stretch."""

import threading
from collections.abc import Callable

import pytest
import requests
import responses

from vsadmin.lib.http import Client, Gate, HttpError
from vsadmin.lib.tests.loopback import Request, answer, serving

URL = "https://mods.example.com"


class Pauses(threading.Event):
    """A stop signal that notes how long it was waited for, and waits not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        return False


def client(stop: threading.Event | None = None, retries: int = 2, gate: Gate | None = None) -> Client:
    return Client(user_agent="test", allowed_origins=[URL], stop=stop or Pauses(), retries=retries, gate=gate)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@responses.activate
def test_a_passing_failure_is_tried_again(status: int) -> None:
    responses.get(URL, status=status)
    responses.get(URL, body=b"ok")
    asking = client()
    assert asking.get(URL, deadline=30, max_bytes=100).body == b"ok"
    assert asking.requests == 2


@responses.activate
def test_a_lasting_one_is_an_error_with_its_status() -> None:
    responses.get(URL, status=503, body="<html>down</html>")
    with pytest.raises(HttpError) as caught:
        client().get(URL, deadline=30, max_bytes=100)
    error = caught.value
    assert (error.kind, error.status, error.answered) == ("status", 503, True)
    assert error.text == "mods.example.com answered 503 (Service Unavailable)."
    assert len(responses.calls) == 3


@pytest.mark.parametrize("status", [200, 204, 304, 400, 404, 410, 414])
@responses.activate
def test_every_other_status_is_an_answer(status: int) -> None:
    responses.get(URL, status=status)
    assert client().get(URL, deadline=30, max_bytes=100).status == status
    assert len(responses.calls) == 1


@responses.activate
def test_pauses_grow() -> None:
    responses.get(URL, status=500)
    pauses = Pauses()
    with pytest.raises(HttpError):
        client(pauses, retries=4).get(URL, deadline=30, max_bytes=100)
    assert pauses.seconds == [0, 1, 2, 4]


@pytest.mark.parametrize(
    ("header", "fits"),
    [
        ("3", lambda pause: pause == 3),
        ("10", lambda pause: pause == 10),
        ("9" * 5000, lambda pause: pause <= 10),
        ("Sun, 06 Nov 1994 08:49:37 GMT", lambda pause: pause == 0),
        ("-5", lambda pause: pause == 0),
        ("soon", lambda pause: pause == 0),
        ("", lambda pause: pause == 0),
    ],
)
@responses.activate
def test_retry_after_is_honoured_within_ten_seconds(header: str, fits: Callable[[float], bool]) -> None:
    responses.get(URL, status=429, headers={"Retry-After": header})
    pauses = Pauses()
    with pytest.raises(HttpError):
        client(pauses, retries=1).get(URL, deadline=30, max_bytes=100)
    assert len(pauses.seconds) == 1
    assert fits(pauses.seconds[0])


@pytest.mark.parametrize(
    ("header", "wanted"),
    [("11", 11), ("1800", 1800), ("3600", 3600), ("100000", 3600), ("Fri, 31 Dec 2100 23:59:59 GMT", 3600)],
)
@responses.activate
def test_who_wants_to_be_left_alone_for_longer_is_not_asked_again(header: str, wanted: int) -> None:
    responses.get(URL, status=429, headers={"Retry-After": header})
    pauses = Pauses()
    with pytest.raises(HttpError) as caught:
        client(pauses, retries=2).get(URL, deadline=9000, max_bytes=100)
    assert (caught.value.retry_after, pauses.seconds, len(responses.calls)) == (wanted, [], 1)


@responses.activate
def test_a_gate_is_asked_before_each_try_and_told_of_each_that_fails() -> None:
    class Counting:
        def __init__(self) -> None:
            self.passed = 0
            self.failures: list[int | None] = []

        def check(self) -> None:
            if self.passed == 2:
                raise HttpError("Closed.", "closed")
            self.passed += 1

        def failed(self, error: HttpError) -> None:
            self.failures.append(error.status)

    responses.get(URL, status=503)
    gate = Counting()
    with pytest.raises(HttpError, match="Closed"):
        client(Pauses(), retries=5, gate=gate).get(URL, deadline=30, max_bytes=100)
    assert (gate.failures, len(responses.calls)) == ([503, 503], 2)


@responses.activate
def test_a_pause_beyond_the_deadline_is_not_begun() -> None:
    responses.get(URL, status=429, headers={"Retry-After": "8"})
    pauses = Pauses()
    with pytest.raises(HttpError) as caught:
        client(pauses).get(URL, deadline=5, max_bytes=100)
    assert (caught.value.status, pauses.seconds, len(responses.calls)) == (429, [], 1)


@pytest.mark.parametrize(
    ("error", "kind", "tries"),
    [
        (requests.ConnectionError("reset"), "broken", 3),
        (requests.Timeout("slow"), "timeout", 3),
        (requests.exceptions.SSLError("bad certificate"), "tls", 1),
    ],
)
@responses.activate
def test_which_broken_connections_are_tried_again(error: Exception, kind: str, tries: int) -> None:
    responses.get(URL, body=error)
    with pytest.raises(HttpError) as caught:
        client().get(URL, deadline=30, max_bytes=100)
    assert (caught.value.kind, caught.value.answered, len(responses.calls)) == (kind, False, tries)


def test_a_body_that_broke_off_is_fetched_again() -> None:
    def first_short(request: Request) -> None:
        if len(request.server.paths) == 1:
            request.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nha")
            request.close_connection = True
        else:
            answer(b"half")(request)

    with serving({"/": first_short}) as server:
        assert server.client().get(server.url + "/", deadline=5, max_bytes=100).body == b"half"


def test_a_kept_connection_that_the_server_closed_is_replaced() -> None:
    def once(request: Request) -> None:
        answer()(request)  # without saying that it closes
        request.close_connection = True

    with serving({"/": once}) as server:
        asking = server.client()
        for _ in range(5):
            assert asking.get(server.url + "/", deadline=5, max_bytes=100).status == 200


def test_a_stream_is_tried_again_until_it_begins() -> None:
    def second_works(request: Request) -> None:
        answer(b"zip", 200 if len(request.server.paths) == 2 else 503)(request)

    with (
        serving({"/": second_works}) as server,
        server.client().stream(server.url + "/", deadline=5, max_bytes=100) as stream,
    ):
        assert b"".join(stream) == b"zip"


def test_parameters_are_encoded() -> None:
    with serving({"/": answer()}) as server:
        server.client().get(server.url + "/", params={"gv": "1.21", "text": "a b&c"}, deadline=5, max_bytes=100)
        assert server.paths == ["/?gv=1.21&text=a+b%26c"]
