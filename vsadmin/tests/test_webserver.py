"""The web server: slow connections, large bodies, processes that die. A small application stands in for ours."""

import contextlib
import http.client
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from pytest_django import Settings

from conftest import eventually
from vsadmin import webserver
from vsadmin.tests import processes

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("webserver")]

#: Says how much it was sent, and by which process; "/slow" answers once the file named in the query is there.
PROGRAM = """
import os, pathlib, sys, time
import django
django.setup()
from vsadmin import webserver
webserver._GRACE = 1000.0  # nothing ends just because its time is over

def application(environ, start_response):
    length = len(environ["wsgi.input"].read())
    asked = environ["PATH_INFO"]
    if asked == "/slow":
        started = pathlib.Path(environ["QUERY_STRING"])
        started.touch()
        while not started.with_suffix(".go").exists():
            time.sleep(0.01)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{os.getpid()} {length} {environ.get('HTTP_X_FORWARDED_FOR')}".encode()]

import socket
listening = socket.socket(fileno=int(sys.argv[1]))
sys.exit(webserver.keep(lambda: webserver.Process(application, listening, "known".__eq__).serve()))
"""


KNOWN = {"Cookie": "known"}
Server = tuple[int, int]


@contextmanager
def running(data_dir: Path) -> Iterator[Server]:
    """Its port, and its main process; both of the others serve."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
        "VSADMIN_DATA_DIR": str(data_dir),
        "PYTHONPATH": ".",
    }
    with processes.web_server(environment, ["-c", PROGRAM]) as (port, process):
        eventually(lambda: len(processes.children(process)) == 2)
        yield port, process


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("web") / "data") as found:
        yield found


@pytest.fixture
def short_lived(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "data") as found:
        yield found


def ask(port: int, body: bytes = b"", *, headers: dict[str, str] | None = None) -> tuple[int, str]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("POST" if body else "GET", "/", body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def head(length: int, *more: str) -> bytes:
    lines = ["POST /admin/login/ HTTP/1.1", "Host: localhost", f"Content-Length: {length}", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def files_of(process: int) -> list[str]:
    """What the web processes have open, sockets aside."""
    names = []
    for one in processes.children(process):
        for place in Path(f"/proc/{one}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # closed since it was listed
                names.append(str(place.readlink()))
    return sorted(name for name in names if not name.startswith("socket:"))


def said(connection: socket.socket) -> bytes:
    """Everything until the other end closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_slow_connections_hold_nobody_up(server: Server) -> None:
    port, _process = server
    with ExitStack() as stack:
        for number in range(300):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(b"GET / HTTP/1.1\r\nHost: loc" if number % 3 else head(1000) + b"half")
        for _again in range(20):
            assert ask(port)[0] == 200


def test_a_body_up_to_the_limit_is_taken_and_lies_in_no_file(server: Server) -> None:
    port, process = server
    status, text = ask(port, body=bytes(webserver.MAX_BODY), headers=KNOWN)
    assert (status, text.split()[1]) == (200, str(webserver.MAX_BODY))
    before = files_of(process)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head(webserver.MAX_BODY, "Cookie: known") + bytes(webserver.MAX_BODY - 1))
        assert ask(port)[0] == 200
        assert set(files_of(process)) <= set(before)


@pytest.mark.parametrize("expects", [[], ["Expect: 100-continue"]])
def test_a_larger_one_is_refused_by_its_head(server: Server, expects: list[str]) -> None:
    with socket.create_connection(("127.0.0.1", server[0]), timeout=30) as connection:
        connection.sendall(head(webserver.MAX_BODY + 1, "Cookie: known", *expects))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_the_refusal_reaches_a_browser_that_is_still_sending(server: Server) -> None:
    status, text = ask(server[0], body=bytes(3 * webserver.MAX_BODY), headers=KNOWN)
    assert status == 413
    assert "vsadmin accepts at most 4 MiB per request." in text


def test_a_body_that_hides_its_length_is_cut_short(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server[0]), timeout=30) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b"10000\r\n" + bytes(2**16) + b"\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_django_has_the_same_limit_so_that_nothing_goes_into_a_file_there(settings: Settings) -> None:
    assert settings.DATA_UPLOAD_MAX_MEMORY_SIZE == settings.FILE_UPLOAD_MAX_MEMORY_SIZE == webserver.MAX_BODY


def test_strangers_may_send_less(server: Server) -> None:
    assert ask(server[0], body=bytes(webserver.MAX_OF_STRANGERS))[0] == 200
    status, text = ask(server[0], body=bytes(webserver.MAX_OF_STRANGERS + 1))
    assert status == 413
    assert "Log in, then send it again." in text
    with socket.create_connection(("127.0.0.1", server[0]), timeout=30) as connection:
        connection.sendall(head(webserver.MAX_OF_STRANGERS + 1, "Cookie: made up"))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_an_endless_head_is_refused(server: Server) -> None:
    assert ask(server[0], headers={"Filler": "x" * 30_000})[0] == 200
    assert ask(server[0], headers={"Filler": "x" * 33_000})[0] == 431


@pytest.mark.parametrize(
    "sent",
    [b"GET / HTTP/1.1\r\nContent-Length: " + b"9" * 5000, b"GET http://[x/ HTTP/1.1", b"GET / HTTP/1.1\r\nHost\n: x"],
)
def test_nonsense_is_answered(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server[0]), timeout=30) as connection:
        connection.sendall(sent + b"\r\n\r\n")
        assert said(connection).split(b" ")[1] == b"400"


def test_what_a_reverse_proxy_says_reaches_the_application(server: Server) -> None:
    assert ask(server[0], headers={"X-Forwarded-For": "198.51.100.7"})[1].split()[2] == "198.51.100.7"


def test_what_is_under_way_is_answered_before_the_end(short_lived: Server, tmp_path: Path) -> None:
    port, process = short_lived
    started = tmp_path / "started"
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as slow,
        socket.create_connection(("127.0.0.1", port)) as half_sent,
    ):
        slow.sendall(f"GET /slow?{started} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        half_sent.sendall(b"GET / HTTP/1.1\r\n")
        eventually(started.exists)
        os.kill(process, signal.SIGTERM)
        # The process that answers nothing ends; the other waits for this answer.
        eventually(lambda: len([one for one in processes.children(process) if processes.is_running(one)]) == 1)
        started.with_suffix(".go").touch()
        assert said(slow).startswith(b"HTTP/1.1 200 OK")
        eventually(lambda: not processes.group(process))


def test_a_process_that_dies_is_replaced_and_at_last_not_any_more(short_lived: Server) -> None:
    port, process = short_lived
    for _death in range(webserver.REPLACED):
        before = processes.children(process)
        os.kill(before[0], signal.SIGKILL)
        eventually(lambda before=before: len(set(processes.children(process)) - set(before)) == 1)  # type: ignore[misc]  # as it is now
        assert ask(port)[0] == 200
    os.kill(processes.children(process)[0], signal.SIGKILL)
    eventually(lambda: not processes.group(process))


def test_none_outlives_the_main_process(short_lived: Server) -> None:
    _port, process = short_lived
    os.kill(process, signal.SIGKILL)
    eventually(lambda: not processes.group(process))


def test_time_limits_follow_no_clock_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 0.0)
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as stack:
        process = webserver.Process(lambda _environ, start: start("200 OK", []) and [b"."], listening, bool)
        stack.callback(process.close)
        client = stack.enter_context(socket.create_connection(listening.getsockname()))
        began = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\n")

        def arriving() -> list[webserver.Channel]:
            process.turn()
            return [channel for channel in process.connections() if channel.arriving_since]

        (channel,) = eventually(arriving)
        assert not channel.is_late(began + 29.9)
        assert channel.is_late(time.monotonic() + 30.1)
        channel.last_activity = None
        monkeypatch.setattr(channel, "arriving_since", began - 119)
        assert not channel.is_late(began + 0.9)
        assert channel.is_late(began + 1.1)
        client.sendall(b"Host: localhost\r\n\r\n")
        eventually(lambda: not arriving() and channel.is_idle())
        channel.last_activity = None
        process.close_late(time.monotonic() + 29.9)
        assert process.connections(), "that a request took its time doesn't count once it is answered"
        process.close_late(time.monotonic() + 30.1)
        assert not process.connections()
