"""Redirects: at most five, only to allowed origins, never from https to http."""

import pytest
import responses

from vsadmin.lib.http import Client, HttpError
from vsadmin.lib.tests.loopback import Route, answer, redirect, serving


def hops(number: int) -> dict[str, Route]:
    routes: dict[str, Route] = {f"/{hop}": redirect(f"/{hop + 1}") for hop in range(number)}
    return routes | {f"/{number}": answer(b"arrived")}


def fail(url: str) -> HttpError:
    client = Client(user_agent="test", allowed_origins=["https://a.example.com", "http://a.example.com"], retries=0)
    with pytest.raises(HttpError) as caught:
        client.get(url, deadline=5, max_bytes=100)
    return caught.value


def test_five_hops_are_followed_over_one_connection() -> None:
    with serving(hops(5)) as server:
        client = server.client()
        found = client.get(server.url + "/0", deadline=5, max_bytes=100)
        assert (found.body, found.url) == (b"arrived", server.url + "/5")
        assert (server.connections, client.requests) == (1, 6)


def test_six_are_not() -> None:
    with serving(hops(6)) as server, pytest.raises(HttpError) as caught:
        server.client().get(server.url + "/0", deadline=5, max_bytes=100)
    assert (caught.value.kind, caught.value.answered) == ("redirect", True)


def test_a_loop_is_given_up_and_not_tried_again() -> None:
    with serving({"/": redirect("/")}) as server:
        with pytest.raises(HttpError) as caught:
            server.client().get(server.url + "/", deadline=5, max_bytes=100)
        assert (caught.value.kind, len(server.paths)) == ("redirect", 6)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_followed_by_a_stream_too(status: int) -> None:
    with (
        serving({"/": redirect("/file", status), "/file": answer(b"zip")}) as server,
        server.client().stream(server.url + "/", deadline=5, max_bytes=100) as stream,
    ):
        assert b"".join(stream) == b"zip"


def test_the_file_host_may_be_another_allowed_origin() -> None:
    with serving({"/file.zip": answer(b"zip")}) as files, serving({"/": redirect(files.url + "/file.zip")}) as server:
        both = [server.url, files.url]
        client = server.client(allowed_origins=both, trusted_private_origins=both)
        assert client.get(server.url + "/", deadline=5, max_bytes=100).body == b"zip"


def test_an_origin_that_was_not_allowed_is_never_asked() -> None:
    with serving({"/": answer()}) as other, serving({"/": redirect(other.url + "/")}) as server:
        with pytest.raises(HttpError) as caught:
            server.client().get(server.url + "/", deadline=5, max_bytes=100)
        assert caught.value.kind == "redirect"
        assert other.url in caught.value.text
        assert other.connections == 0


def test_addresses_as_the_file_host_writes_them_are_followed() -> None:
    # raw spaces, UTF-8, & and %, as in the ?dl= of the real one
    with serving({"/": redirect("/f.zip?dl=日本語 A&B 100%+.zip"), "/f.zip": answer(b"zip")}) as server:
        assert server.client().get(server.url + "/", deadline=5, max_bytes=100).body == b"zip"
        assert server.paths[1].startswith("/f.zip?dl=%E6%97%A5%E6%9C%AC%E8%AA%9E%20A&B%20100%25+.zip")


@pytest.mark.parametrize(
    "location",
    [
        "",
        "file:///etc/passwd",
        "ftp://a.example.com/x",
        "http://",
        "https://user:secret@a.example.com/x",
        "https://[broken/x",
        "https://a.example.com:99999/x",
        "https://b.example.com/x",
        "//b.example.com/x",
    ],
)
@responses.activate
def test_no_redirect_to_anything_else(location: str) -> None:
    responses.get("https://a.example.com/", status=302, headers={"Location": location} if location else {})
    assert fail("https://a.example.com/").kind == "redirect"
    assert len(responses.calls) == 1


@responses.activate
def test_never_from_https_to_http_although_both_are_allowed() -> None:
    responses.get("https://a.example.com/", status=302, headers={"Location": "http://a.example.com/x"})
    error = fail("https://a.example.com/")
    assert error.kind == "redirect"
    assert "unencrypted" in error.text
    assert len(responses.calls) == 1


@responses.activate
def test_from_http_to_https_is_fine() -> None:
    responses.get("http://a.example.com/", status=301, headers={"Location": "https://A.example.com/x"})
    responses.get("https://a.example.com/x", body=b"safe")
    client = Client(user_agent="test", allowed_origins=["http://a.example.com", "https://a.example.com"])
    assert client.get("http://a.example.com/", deadline=5, max_bytes=100).body == b"safe"


@pytest.mark.parametrize(
    "url", ["https://b.example.com/", "https://a.example.com:444/", "https://u@a.example.com/", "x"]
)
@responses.activate
def test_the_first_address_must_be_allowed_too(url: str) -> None:
    error = fail(url)
    assert (error.kind, error.answered) == ("forbidden_address", False)
    assert len(responses.calls) == 0
