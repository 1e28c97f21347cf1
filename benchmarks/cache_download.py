"""Download of 100 MB from a loopback server into the cache. Floor: curl, plus hashing the file alone.

The time in fsync is taken out and told apart. Memory: how much the peak grows from a 5 MB download to one of 190 MB.
"""

import hashlib
import os
import statistics
import subprocess
import sys
from pathlib import Path
from unittest import mock

from benchmarks import measure
from benchmarks.cache_setup import set_up

MB = 1_000_000
ALLOWED_GROWTH = 20 * MB

# A process of its own, so that it doesn't share our interpreter. /<bytes> is a file of that many.
SERVER = """
import http.server
block = __import__("os").urandom(1_000_000)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *args): pass
    def do_GET(self):
        size = int(self.path.strip("/"))
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        for _ in range(size // len(block)):
            self.wfile.write(block)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


def main() -> bool:
    folder = set_up()
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            return _measure(folder, f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.terminate()


def _measure(folder: Path, url: str) -> bool:
    from cache import eviction, store
    from cache.models import KnownDigest
    from cache.sources import HttpSource
    from vsadmin.lib.http import Client

    client = Client(user_agent="benchmark", allowed_origins=[url], trusted_private_origins=[url])
    syncing: list[float] = []
    fsync = os.fsync

    def timed_fsync(descriptor: int) -> None:
        syncing.append(measure.timed(lambda: fsync(descriptor)))

    def fetch(size: int) -> None:
        source = HttpSource(f"{url}/{size}", client, 300, 200 * MB)
        store.fetch(f"moddb:{size}", source, name="a.zip", title="A", check=lambda path: None).close()

    synced: list[float] = []

    def ours() -> float:
        eviction.clear()
        KnownDigest.objects.all().delete()
        syncing.clear()
        with mock.patch.object(os, "fsync", timed_fsync):
            seconds = measure.timed(lambda: fetch(100 * MB))
        synced.append(sum(syncing))
        return seconds - sum(syncing)

    target = folder / "curl"

    def curl_and_hash() -> None:
        subprocess.run(["curl", "-sS", "-o", str(target), f"{url}/{100 * MB}"], check=True)
        with target.open("rb") as file:
            hashlib.file_digest(file, "sha256").hexdigest()

    def floor() -> float:
        target.unlink(missing_ok=True)
        return measure.timed(curl_and_hash)

    fetch(5 * MB)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _peak()
    fetch(190 * MB)
    growth = _peak() - before
    good = measure.compare("download of 100 MB", ours, floor, allowed=1.1)
    print(f"  fsync besides {statistics.median(synced) * 1000:.1f} ms")
    print(f"memory growth with 190 MB: {growth / MB:.1f} MB, allowed {ALLOWED_GROWTH / MB:g} MB")
    return good and growth < ALLOWED_GROWTH


def _peak() -> int:
    """Bytes of memory that this process took at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
