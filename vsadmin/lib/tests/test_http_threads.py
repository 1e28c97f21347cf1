"""One client, many threads: never more connections at work than it was given, and they are used again."""

import threading
from concurrent.futures import ThreadPoolExecutor

from vsadmin.lib.tests.loopback import Request, answer, serving


def test_calls_run_side_by_side_up_to_the_limit() -> None:
    at_work = 0
    most = 0
    lock = threading.Lock()
    four_at_once = threading.Barrier(4)

    def route(request: Request) -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        four_at_once.wait(timeout=10)  # passes only when four are here at once
        with lock:
            at_work -= 1
        answer(request.path.encode())(request)

    paths = [f"/{number}" for number in range(40)]
    with serving(dict.fromkeys(paths, route)) as server:
        client = server.client(max_connections=4)

        def fetch(path: str) -> bytes:
            return client.get(server.url + path, deadline=20, max_bytes=100).body

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(fetch, paths)) == [path.encode() for path in paths]
        assert (most, client.requests, server.connections) == (4, 40, 4)
        assert client.bytes == sum(map(len, paths))
