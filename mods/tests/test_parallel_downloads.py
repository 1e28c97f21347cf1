"""The files of a change are fetched four at a time: never more, and really at the same time."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from conftest import ServerDir
from mods import operations
from mods.models import GameServer, Operation
from mods.tests.changes import World

pytestmark = pytest.mark.django_db(transaction=True)

AT_ONCE = 4
FILES = 2 * AT_ONCE


class FileHost(ThreadingHTTPServer):
    """Answers a download only once four are under way, and counts how many ever were."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.four = threading.Barrier(AT_ONCE)
        self.counting = threading.Lock()
        self.under_way = self.most = self.served = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FileHost

    def do_GET(self) -> None:
        content = self.server.files.get(self.path)
        if content is None:  # a question, not a download
            self.send_error(404)
            return
        host = self.server
        with host.counting:
            host.under_way += 1
            host.most = max(host.most, host.under_way)
        try:
            host.four.wait(timeout=20)
        except threading.BrokenBarrierError:
            self.send_error(500)
            return
        finally:
            with host.counting:  # before the answer: whoever has that may ask for the next one
                host.under_way -= 1
                host.served += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Not to the terminal."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileHost]:
    made = FileHost()
    monkeypatch.setenv("VS_MODDB_URL", made.url)
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def test_four_at_a_time(host: FileHost, settings: Any, tmp_path: Path, server_dir: Callable[..., ServerDir]) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    folder = server_dir()
    (tmp_path / "scratch").mkdir()
    world = World(folder, GameServer.objects.create(name="Public", data_dir=str(folder.path)), tmp_path / "scratch")
    world.scan()
    steps = []
    for number in range(FILES):
        release = world.release(f"mod{number}", "1.0.0", cached=False)
        host.files[f"/download/{release.file_id}"] = world.releases[f"mod{number}", "1.0.0"]
        steps.append(world.install(release, group=number))

    begun: set[str] = set()
    most_open = 0

    def hear(done: int, _total: int, doing: str) -> None:
        """Each thread says what it begins before it asks for it, so this sees one too many that the host doesn't."""
        nonlocal most_open
        if doing.startswith("Fetching "):
            begun.add(doing)
            most_open = max(most_open, len(begun) - done)

    done = operations.run(world.queued(*steps).pk, report=hear)

    assert done.state == Operation.State.DONE, done.message
    assert len(world.files()) == FILES
    assert (host.served, host.most, most_open) == (FILES, AT_ONCE, AT_ONCE)
