"""A loopback web server whose answers are written byte by byte by the test."""

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vsadmin.lib.http import Client

Route = Callable[["Request"], None]


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, routes: Mapping[str, Route]) -> None:
        self.routes = routes
        self.stopping = threading.Event()
        self.paths: list[str] = []
        #: Of POSTs: their headers and their bodies.
        self.posted: list[tuple[Mapping[str, str], bytes]] = []
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Request)

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def server_bind(self) -> None:
        # less the look-up of our own name, which can take long and which tests replace
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is what most tests want

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def client(self, **options: Any) -> Client:
        """A client that may ask this server, on the private address that it has."""
        defaults: dict[str, Any] = {
            "user_agent": "test",
            "allowed_origins": [self.url],
            "trusted_private_origins": [self.url],
            "backoff": 0.0,
        }
        return Client(**defaults | options)


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.routes[self.path.partition("?")[0]](self)

    def do_POST(self) -> None:
        self.server.posted.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.do_GET()

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def hang(self) -> None:
        self.server.stopping.wait()
        self.close_connection = True

    def drip(self, piece: bytes, pause: float = 0.02) -> None:
        """Send `piece` again and again, for ever."""
        self.close_connection = True
        while not self.server.stopping.wait(pause):
            self.write(piece)


def answer(body: bytes = b"ok", status: int = 200, headers: str = "") -> Route:
    """A plain answer with its length."""
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode()
    return lambda request: request.write(head + body)


def redirect(location: str, status: int = 302) -> Route:
    return answer(b"", status, f"Location: {location}\r\n")


@contextmanager
def serving(routes: Mapping[str, Route]) -> Iterator[Server]:
    server = Server(routes)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
