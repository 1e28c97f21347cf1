"""Looking at processes from outside, for tests that start some."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path


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
