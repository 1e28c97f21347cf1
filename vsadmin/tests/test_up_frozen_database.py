"""A PostgreSQL that is frozen, rather than down, keeps whoever asks it waiting; `up` ends in time all the same."""

import os
import signal
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from vsadmin.tests import processes
from vsadmin.tests.test_up import Up

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("up"),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite is a file: there is nothing that could freeze"
    ),
]


class Freezer(socketserver.ThreadingTCPServer):
    """Hands everything on to a database, both ways, until it is frozen."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 50

    def __init__(self, host: str, port: int) -> None:
        super().__init__(("127.0.0.1", 0), Through)
        self.database = (host, port)
        self.flows = threading.Event()
        self.flows.set()


class Through(socketserver.BaseRequestHandler):
    """One connection."""

    server: Freezer

    def handle(self) -> None:
        self.server.flows.wait()
        with suppress(OSError), socket.create_connection(self.server.database) as database:
            threading.Thread(target=self.pump, args=(database, self.request), daemon=True).start()
            self.pump(self.request, database)

    def pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.server.flows.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@pytest.fixture
def freezer(process_env: dict[str, str]) -> Iterator[Freezer]:
    address = urlsplit(process_env["DATABASE_URL"])
    with Freezer(address.hostname or "127.0.0.1", address.port or 5432) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        yield server
        server.flows.set()
        server.shutdown()
        serving.join()


@pytest.fixture
def up(process_env: dict[str, str], freezer: Freezer, tmp_path: Path) -> Iterator[Up]:
    address = urlsplit(process_env["DATABASE_URL"])
    frozen = address._replace(netloc=f"{address.netloc.rpartition('@')[0]}@127.0.0.1:{freezer.server_address[1]}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one = Up(tmp_path / "data", port, HOME=str(tmp_path), DATABASE_URL=frozen.geturl())
    yield one
    if one.process.poll() is None:
        one.process.kill()
        one.process.wait()
    for group in one.groups:
        processes.end_group(group)


def test_sigterm_ends_everything_in_time(up: Up, freezer: Freezer) -> None:
    up.wait_until_told()
    assert up.get("/healthz") == 200
    freezer.flows.clear()
    with socket.create_connection(("127.0.0.1", up.port)) as asking:
        asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")  # stays without an answer
        threads = Path(f"/proc/{up.process.pid}/task")
        processes.wait_for(lambda: len(os.listdir(threads)) > 1)  # a look at the heartbeat, which doesn't return
        code = up.end(signal.SIGTERM)
    assert code == 0
    assert up.left() == set()
