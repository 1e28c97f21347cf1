"""Fifty people at once: each asks the panel's own web server for a page, thinks for a second, and asks for the next.

The world is that of `pages`: 5,000 installed mods, 5,000 in the catalogue. Beside the times of the answers stands how
many there were in a second, and what the server's processes took of the processors.
"""

import http.client
import itertools
import os
import random
import socket
import statistics
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from benchmarks import setting
from benchmarks.pages import MODS, pages

PEOPLE, THINK, SECONDS = 50, 1.0, 30.0
#: Of all answers but the slowest twentieth, in seconds.
LIMIT = 0.5
#: What people look at; the lists more often than the rest.
LOOKED_AT = (
    *(
        "overview",
        "mods",
        "mods, needing attention",
        "mods, all of a server",
        "mod",
        "mods",
        "overview",
        "mods, page 30",
    ),
    *("catalogue", "catalogue, searched", "catalogue, mod", "changes", "change", "servers", "server", "mod, changes"),
    *("mods, page 30", "mods, searched", "events", "crashes", "cache", "jobs", "starts", "readiness", "settings"),
)


def main() -> bool:
    setting.set_up()
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client

    from benchmarks import world

    world.fill(MODS)
    addresses = [pages()[name] for name in LOOKED_AT]
    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.create_superuser("benchmark"))
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    connection.close()
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listening, ExitStack() as stack:
        port = listening.getsockname()[1]
        web = subprocess.Popen(
            [sys.executable, "-m", "vsadmin.webserver", str(listening.fileno())], pass_fds=[listening.fileno()]
        )
        stack.callback(web.wait)
        stack.callback(web.terminate)
        for address in addresses * 2:  # once in each process, more or less
            ask(port, address, cookie)
        before = _processor_seconds(web.pid)
        took = _let_them(port, addresses, cookie)
        used = _processor_seconds(web.pid) - before
    took.sort()
    middle, slow = statistics.median(took), took[int(len(took) * 0.95)]
    print(f"{PEOPLE} people for {SECONDS:g} s: {len(took) / SECONDS:.1f} answers a second")
    print(f"  median {middle * 1000:.0f} ms, 95 % within {slow * 1000:.0f} ms (allowed {LIMIT * 1000:.0f}), ", end="")
    print(f"slowest {took[-1] * 1000:.0f} ms; {used / len(took) * 1000:.0f} ms of processor time each")
    return slow <= LIMIT


def _let_them(port: int, addresses: list[str], cookie: str) -> list[float]:
    """Seconds of each answer."""
    took: list[float] = []
    until = time.monotonic() + SECONDS

    def person(number: int) -> None:
        dice = random.Random(number)
        time.sleep(dice.random() * THINK)
        for address in itertools.islice(itertools.cycle(addresses), number % len(addresses), None):
            if time.monotonic() > until:
                return
            began = time.perf_counter()
            ask(port, address, cookie)
            took.append(time.perf_counter() - began)
            time.sleep(THINK)

    people = [threading.Thread(target=person, args=[number]) for number in range(PEOPLE)]
    for one in people:
        one.start()
    for one in people:
        one.join()
    return took


def ask(port: int, address: str, cookie: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request("GET", address, headers={"Cookie": cookie})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200, f"{address}: {answer.status}"
    connection.close()


def _processor_seconds(pid: int) -> float:
    """Of a process and its children, so far."""
    ticks = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path("/proc", name, "stat").read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if int(name) == pid or int(fields[1]) == pid:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
