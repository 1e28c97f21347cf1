"""`up` for real: the web server and the worker are started, watched, and ended, and nothing is left behind."""

import http.client
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings

from vsadmin.tests import processes

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("up")]


class Up:
    """A running `up` on a port of its own; what it says goes to a file."""

    def __init__(self, data_dir: Path, port: int, **environment: str) -> None:
        self.port = port
        self.data_dir = data_dir
        self.output = data_dir.with_name("output")
        # SQLite, wherever the tests' own database is.
        own = {name: text for name, text in os.environ.items() if name != "DATABASE_URL"}
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=settings.BASE_DIR,
                env={
                    **own,
                    "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
                    "VSADMIN_DATA_DIR": str(data_dir),
                    "VS_MOD_LIST_REFRESH_INTERVAL": "0",
                    "PORT": str(port),
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.groups: set[int] = set()

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_told(self) -> "Up":
        def told_or_ended() -> bool:
            assert self.process.poll() is None, self.said()
            return "Ctrl-C stops it." in self.said()

        processes.wait_for(told_or_ended, 90)
        processes.wait_for(lambda: self.web() and self.worker())
        self.groups |= {self.web(), self.worker()}
        return self

    def get(self, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", path)
        return connection.getresponse().status

    def _child(self, word: str) -> int:
        found = [pid for pid in processes.children(self.process.pid) if word in processes.command_line(pid)]
        return found[0] if found else 0

    def web(self) -> int:
        return self._child("vsadmin.webserver")

    def worker(self) -> int:
        return self._child("qcluster")

    def workers_row(self) -> tuple[int, bool]:
        """Its restarts and whether it has beaten."""
        with sqlite3.connect(self.data_dir / "vsadmin.sqlite3", timeout=10) as database:
            row = database.execute("SELECT restarts, beat_at FROM jobs_worker").fetchone()
        return (row[0], row[1] is not None) if row else (0, False)

    def end(self, number: signal.Signals | None = None) -> int:
        """Its exit code after the signal; it is waited for half a minute, which only a stuck process takes."""
        if number is not None:
            self.process.send_signal(number)
        return self.process.wait(30)

    def left(self) -> set[int]:
        return {pid for group in self.groups for pid in processes.group(group)}


Start = Callable[..., Up]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests of this file, which saves most of them the preparations of a first start."""
    return tmp_path_factory.mktemp("up") / "data"


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@pytest.fixture
def start(data_dir: Path, port: int, tmp_path: Path) -> Iterator[Start]:
    started: list[Up] = []

    def run(**environment: str) -> Up:
        started.append(Up(data_dir, port, HOME=str(tmp_path), **environment))
        return started[-1]

    yield run
    for one in started:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)
            one.process.wait(30)
        for group in one.groups:
            processes.end_group(group)


def test_the_first_start_and_sigterm_then_a_later_one_and_ctrl_c(start: Start, data_dir: Path, tmp_path: Path) -> None:
    found = tmp_path / "VintagestoryData"
    (found / "Mods" / "one.zip").mkdir(parents=True)
    up = start().wait_until_told()
    assert f"vsadmin is running: http://127.0.0.1:{up.port}/\n" in up.said()
    assert re.search(rf"ssh -L {up.port}:127\.0\.0\.1:{up.port} \S+@\S+\n", up.said())
    assert "./run.sh manage changepassword admin" in up.said()
    assert re.search(r"password: \S{4}(-\S{4}){3} ", up.said())
    assert f"{found}: game version unknown · 1 mod\n" in up.said()
    assert up.get("/healthz") == 200
    assert up.get("/admin/login/") == 200
    for name in ("vsadmin.sqlite3", "vsadmin.sqlite3-wal", "vsadmin.sqlite3-shm", "secret_key"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600

    assert len(up.groups) == 2
    code = up.end(signal.SIGTERM)
    assert code == 0
    assert up.left() == set()
    assert "Traceback" not in up.said()

    # A later start, with a server folder that isn't there: the panel runs all the same.
    up = start(VS_SERVER_DATA_DIR=str(tmp_path / "unmounted")).wait_until_told()
    assert "password:" not in up.said()
    assert "Preparing" not in up.said()
    assert f"There is no folder {tmp_path / 'unmounted'}." in up.said()
    assert up.get("/healthz") == 200
    code = up.end(signal.SIGINT)
    assert (code, up.left()) == (0, set())
    assert "Traceback" not in up.said()


def test_a_killed_worker_is_restarted_and_a_killed_web_server_ends_it_all(start: Start) -> None:
    up = start().wait_until_told()
    first = up.worker()
    processes.wait_for(lambda: len(processes.group(first)) > 3)  # with processes of its own
    os.kill(first, signal.SIGKILL)
    processes.wait_for(lambda: up.worker() not in (0, first))
    up.groups.add(up.worker())
    processes.wait_for(lambda: not processes.group(first))
    assert up.get("/healthz") == 200
    processes.wait_for(lambda: up.workers_row() == (1, True))
    processes.wait_for(lambda: "Restarting it, 1 of 3" in up.said())

    os.kill(up.web(), signal.SIGKILL)
    code = up.end()
    assert (code, up.left()) == (1, set())
    assert "The web server ended (killed by signal 9)" in up.said()


def test_both_end_when_it_is_killed_itself(start: Start) -> None:
    up = start().wait_until_told()
    up.end(signal.SIGKILL)
    processes.wait_for(lambda: not up.left())


def test_a_port_in_use(start: Start, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        up = start()
        assert up.end() == 1
    assert f"Port {port} is in use already" in up.said()
    assert f"PORT={port + 1} in .env" in up.said()
    assert "Traceback" not in up.said()
