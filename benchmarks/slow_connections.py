"""Requests to the panel's web server beside 200 half-sent heads and 100 half-sent bodies, against requests alone."""

import http.client
import socket
import subprocess
import sys
import time
from contextlib import ExitStack

from benchmarks import measure, setting

HEADS, BODIES, REQUESTS = 200, 100, 50
#: Seconds that a healthy request may take longer.
ALLOWED = 0.1


def main() -> bool:
    setting.set_up()
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening, ExitStack() as stack:
        port = listening.getsockname()[1]
        web = subprocess.Popen(
            [sys.executable, "-m", "vsadmin.webserver", str(listening.fileno())], pass_fds=[listening.fileno()]
        )
        stack.callback(web.wait)
        stack.callback(web.terminate)
        request(port)  # once it has started
        healthy = measure.Times(tuple(request(port) for _ in range(REQUESTS)))
        for number in range(HEADS + BODIES):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            head = b"POST /admin/login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
            slow.sendall(head if number < HEADS else head + b"\r\nhalf")
        time.sleep(1)  # all of it has arrived
        beside = measure.Times(tuple(request(port) for _ in range(REQUESTS)))
    title = f"a request beside {HEADS} half-sent heads and {BODIES} half-sent bodies"
    good = measure.report(title, beside, healthy, allowed=1, slack=ALLOWED)
    return good and max(beside.runs) <= max(healthy.runs) + ALLOWED


def request(port: int) -> float:
    """Seconds until one is answered."""

    def ask() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        connection.close()

    return measure.timed(ask)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
