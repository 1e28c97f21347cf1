"""The demo for real: started, looked at, ended; nothing is left, however it ends."""

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from django.conf import settings

from demo import throwaway
from demo.tests.test_demo_environment import HOSTILE
from vsadmin.lib.tests.loopback import free_port
from vsadmin.tests import processes

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("up")]

#: Seconds on a machine that is busy with other tests; alone it takes about ten.
READY_WITHIN = 150


class Demo:
    """A running demo, whose folder is made in `place`; what it says goes to a file."""

    def __init__(self, place: Path, **environment: str) -> None:
        self.place = place
        self.output = place.with_name("output")
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo"],
                cwd=settings.BASE_DIR,
                env={**HOSTILE, "PATH": os.environ["PATH"], "TMPDIR": str(place)} | _without_path() | environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.groups: set[int] = set()

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_told(self) -> "Demo":
        def told_or_ended() -> bool:
            assert self.process.poll() is None, self.said()
            self.groups |= set(processes.children(self.process.pid))
            return "Ctrl-C ends the demo" in self.said()

        processes.wait_for(told_or_ended, READY_WITHIN)
        return self

    @property
    def url(self) -> str:
        return re.search(r"running: (\S+)", self.said())[1]  # type: ignore[index]  # it was told

    def folders(self) -> list[Path]:
        return list(self.place.glob("vsadmin-demo-*"))

    def left(self) -> set[int]:
        return {pid for group in self.groups for pid in processes.group(group)}


def _without_path() -> dict[str, str]:
    """PYTHONPATH would keep the demo's own first import from being found, before it can be ignored."""
    return {"PYTHONPATH": ""}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    place = tmp_path / "tmp"
    place.mkdir()
    started: list[Demo] = []

    def run(**environment: str) -> Demo:
        started.append(Demo(place, **environment))
        return started[-1]

    yield run
    for demo in started:
        demo.process.kill()
        demo.process.wait()
        for group in demo.groups:
            processes.end_group(group)


def log_in(url: str) -> requests.Session:
    """A browser's session in the panel."""
    session = requests.Session()
    page = session.get(f"{url}admin/login/", timeout=30).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token is not None
    form = {"username": "demo", "password": "demo", "csrfmiddlewaretoken": token[1], "next": "/admin/"}
    answer = session.post(f"{url}admin/login/", form, headers={"Referer": url}, timeout=30)
    assert answer.status_code == 200
    assert answer.url == f"{url}admin/"
    return session


def test_it_runs_on_this_machine_alone_and_leaves_nothing(start: Callable[..., Demo]) -> None:
    demo = start().wait_until_told()
    assert demo.url.startswith("http://127.0.0.1:")
    assert "user: demo   password: demo" in demo.said()
    assert len(re.findall(r"^  \d\. ", demo.said(), re.MULTILINE)) == 4
    assert "Traceback" not in demo.said()
    [folder] = demo.folders()
    for pid in processes.children(demo.process.pid):
        own = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        assert f"VSADMIN_DATA_DIR={folder}/vsadmin" in own
        assert not {f"{name}={text}" for name, text in HOSTILE.items()} & set(own)
    session = log_in(demo.url)
    page = session.get(f"{demo.url}admin/mods/installedmod/?q=hearth", timeout=30).text
    assert "made-up servers and mods, all thrown away" in page
    assert "Hearth &amp; Larder" in page

    def is_listed() -> bool:
        return "Windwright" in session.get(f"{demo.url}admin/mods/mod/?q=windwright", timeout=30).text

    processes.wait_for(is_listed, 60)

    demo.process.send_signal(signal.SIGTERM)
    assert demo.process.wait(40) == 0
    assert "nothing of it is left" in demo.said()
    assert not demo.folders()
    assert not demo.left()


def test_where_host_and_port_say_and_killed_it_leaves_nothing_running_and_the_next_one_sweeps(
    start: Callable[..., Demo], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    demo = start(HOST="0.0.0.0", PORT=str(port)).wait_until_told()
    assert demo.url == f"http://127.0.0.1:{port}/"
    assert f"ssh -L {port}:127.0.0.1:{port} " in demo.said()
    answer = requests.get(f"http://127.0.0.2:{port}/admin/login/", timeout=30)
    assert (answer.status_code, "Unencrypted." in answer.text) == (200, True)
    assert len(demo.groups) >= 3, "mod database, panel, worker"
    demo.process.kill()
    processes.wait_for(lambda: not demo.left(), 30)
    assert demo.folders()
    monkeypatch.setattr(tempfile, "tempdir", str(demo.place))
    throwaway.sweep()
    assert not demo.folders()


@pytest.mark.parametrize("where", ["the folder", "a command"])
def test_ended_while_it_prepares_it_leaves_nothing_either(start: Callable[..., Demo], where: str) -> None:
    demo = start()
    inside = "log" if where == "the folder" else "vsadmin/cache"

    def is_there() -> bool:
        assert demo.process.poll() is None, demo.said()
        return any((folder / inside).exists() for folder in demo.folders())

    processes.wait_for(is_there, READY_WITHIN)
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(40) == 0, demo.said()
    assert not demo.folders()
