"""Looking at processes from outside, for tests that start some."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from django.conf import settings


def group(pgid: int) -> set[int]:
    """The processes of the group that still run; those that ended but weren't reaped don't count."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _parent, pgrp = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:
                continue
            if int(pgrp) == pgid and state not in "ZX":
                found.add(int(entry.name))
    return found


def wait_for(what: Callable[[], object], seconds: float = 20.0) -> None:
    """Until `what()` is true; raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """The direct children of a process, the oldest first."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [int(number) for number in found]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def end_group(pgid: int) -> None:
    """Kill what a failed test left running."""
    for pid in group(pgid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def web_server(
    environment: Mapping[str, str], program: Sequence[str] = ("-m", "vsadmin.webserver")
) -> Iterator[tuple[int, int]]:
    """The panel's web server without a worker; yields its port and the number of its main process."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = subprocess.Popen(
            [sys.executable, *program, str(listening.fileno())],
            cwd=settings.BASE_DIR,
            env=dict(environment),
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield listening.getsockname()[1], process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            finally:
                end_group(process.pid)
