"""A small real HTTP server for the made-up mod database: keep-alive, threads, and failures on demand."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from demo.moddb_api import HTML, JSON, Reply, html_reply, json_reply, php_error

MAX_REQUEST_LINE = 8192  # bytes with its line end; beyond: 414

# Failures that replace the answer …
REPLACING: dict[str, Callable[[], Reply]] = {
    "500_html": php_error,
    "statuscode_500": lambda: json_reply({"statuscode": "500"}),
    "garbage": lambda: Reply(200, JSON, bytes(range(256)) * 8),
    "200_html": lambda: html_reply(200, "<h1>Welcome</h1>"),
    "404": lambda: html_reply(404, "Not found."),
    "429": lambda: html_reply(429, "Too many requests."),
}
# … that never give one …
STARVING = frozenset({"endless", "flood", "hang", "refuse", "redirect_loop"})
# … and that spoil the true one.
SPOILING = frozenset({"truncated", "cut", "slow", "wrong_bytes"})
KINDS = frozenset(REPLACING) | STARVING | SPOILING


@dataclass
class Fault:
    """A failure for targets that start with `prefix`, the next `times` times (None: always).

    `seconds`: how long "slow" waits, how long "endless" pauses between two bytes, or the Retry-After of "429".
    """

    prefix: str
    kind: str
    times: int | None
    seconds: float


@dataclass(frozen=True)
class Asked:
    """One request as it came in."""

    method: str
    target: str
    accept: str | None
    client: str


class Server(ThreadingHTTPServer):
    """Serves on a loopback port until `stop`, which ends every thread it started.

    `respond` gives the true reply and, for "wrong_bytes", the file's other bytes; `fault` the failure due, if any.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        host: str,
        port: int,
        *,
        respond: Callable[[Asked], Reply],
        other_bytes: Callable[[str], bytes],
        fault: Callable[[str], Fault | None],
        latency: Callable[[], float],
        log: Callable[[str], None],
    ) -> None:
        self.respond = respond
        self.other_bytes = other_bytes
        self.fault = fault
        self.latency = latency
        self.log = log
        self.stopping = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="demo-moddb", daemon=True)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.stopping.set()
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        with self._lock:
            left = dict(self._open)
        for connection in left:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed meanwhile
        for thread in left.values():
            thread.join()
        self.server_close()

    def server_bind(self) -> None:
        # as HTTPServer does it, less the look-up of our own name, which can take seconds
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open[request] = threading.current_thread()
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[request]

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that hang up are what much of this is for


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass  # the database keeps its own log

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self._answer()

    def _answer(self) -> None:
        if len(self.requestline) + 2 > MAX_REQUEST_LINE:
            self.close_connection = True
            self._send(html_reply(414, "<h1>414 Request-URI Too Large</h1>"))
            return
        asked = Asked(self.command, self.path, self.headers.get("Accept"), str(self.client_address[0]))
        self.server.log(f"{self.command} {self.path}")
        fault = self.server.fault(self.path)
        self.server.stopping.wait(self.server.latency())
        if fault is None:
            self._send(self.server.respond(asked))
        elif fault.kind in REPLACING:
            self._send(REPLACING[fault.kind](), retry_after=fault.seconds if fault.kind == "429" else None)
        elif fault.kind in STARVING:
            self.close_connection = True
            self._starve(fault)
        else:
            self._spoil(fault, asked)

    def _spoil(self, fault: Fault, asked: Asked) -> None:
        if fault.kind == "slow":
            self.server.stopping.wait(fault.seconds)
        reply = self.server.respond(asked)
        if fault.kind == "wrong_bytes" and reply.sized:
            reply = replace(reply, body=self.server.other_bytes(asked.target))
        if fault.kind in ("truncated", "cut"):
            self.close_connection = True
            # "truncated" looks whole to HTTP: the end of the connection is the end of the body
            self._send(reply, half=True, framed=fault.kind == "cut")
        else:
            self._send(reply)

    def _starve(self, fault: Fault) -> None:
        stopping = self.server.stopping
        if fault.kind == "refuse":  # a reset instead of an answer
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif fault.kind == "hang":
            stopping.wait()
        elif fault.kind == "redirect_loop":
            self._send(Reply(302, HTML, location=f"{self.server.url}{self.path}"))
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{")
            piece = b" " if fault.kind == "endless" else b" " * 65536
            while not stopping.is_set():
                self.wfile.write(piece)
                if fault.kind == "endless":
                    stopping.wait(fault.seconds)

    def _send(self, reply: Reply, *, half: bool = False, framed: bool = True, retry_after: float | None = None) -> None:
        """Write an answer in one piece; `half` of its body, and without its length unless `framed`."""
        phrase = HTTPStatus(reply.status).phrase
        head = [
            f"HTTP/1.1 {reply.status} {phrase}",
            "Server: demo",
            f"Date: {self.date_time_string(time.time())}",
            f"Content-Type: {reply.kind}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
        ]
        if reply.location:
            head.append(f"Location: {reply.location}")
        if reply.disposition:
            head.append(f"Content-Disposition: {reply.disposition}")
        if retry_after is not None:
            head.append(f"Retry-After: {retry_after:.0f}")
        body = b"" if self.command == "HEAD" else reply.body
        if half and not framed:
            body = body[: len(body) // 2]
        elif reply.sized or half:
            head.append(f"Content-Length: {len(reply.body)}")
            body = body[: len(body) // 2] if half else body
        else:
            head.append("Transfer-Encoding: chunked")
            if self.command != "HEAD":
                body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        raw = "\r\n".join(head).encode() + b"\r\n\r\n"
        if len(body) < 65536:
            self.wfile.write(raw + body)
        else:
            self.wfile.write(raw)
            self.wfile.write(body)
