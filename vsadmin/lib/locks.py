"""Locks between processes: one holder at a time, freed by the system when the holder dies."""

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from django.conf import settings
from django.db import connection
from filelock import FileLock, Timeout

_here: dict[str, threading.Lock] = {}


class Busy(Exception):
    """Somebody else holds the lock."""


@contextmanager
def hold(name: str, *, timeout: float = 0) -> Iterator[None]:
    """Hold the lock `name` (letters, digits, `-`, `_`, `.`) for the block.

    `timeout` is in seconds: 0 doesn't wait, -1 waits for ever. Raises `Busy`. A file lock serves the processes of one
    machine; on PostgreSQL, where workers may run on several, an advisory lock stands beside it.
    """
    end = time.monotonic() + timeout
    with _among_threads(name, timeout):
        left = timeout if timeout < 0 else max(0.0, end - time.monotonic())
        try:
            with FileLock(_file(name), timeout=left, mode=0o600), _across_hosts(name):
                yield
        except Timeout as error:
            raise Busy(name) from error


@contextmanager
def _among_threads(name: str, timeout: float) -> Iterator[None]:
    """Of one process: a file lock is asked for again and again, this one wakes whoever is next at once."""
    lock = _here.setdefault(name, threading.Lock())
    if not lock.acquire(timeout=timeout):
        raise Busy(name)
    try:
        yield
    finally:
        lock.release()


def _file(name: str) -> Path:
    folder = Path(settings.VSADMIN_DATA_DIR) / "locks"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / f"{name}.lock"
    with suppress(FileNotFoundError):
        if path.lstat().st_uid != os.geteuid():
            path.unlink()  # left by a command that ran as root once; now none does, so nobody holds it
    return path


@contextmanager
def share(name: str, *, alone: bool = False) -> Iterator[None]:
    """Be one of those on this machine that have the lock together, for the block: nobody can `hold` it meanwhile.

    `alone`: nobody can share it either. Processes forked inside have it too, those that run another program don't.
    Raises `Busy` where somebody holds it.
    """
    descriptor = os.open(_file(name), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(name) from None
        yield
    finally:
        os.close(descriptor)


@contextmanager
def wait_for(name: str, seconds: float, stop: threading.Event | None = None) -> Iterator[None]:
    """Hold the lock, waiting so long for it. Raises `Busy`, also soon after `stop` is set."""
    end = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold(name, timeout=1))
                break
            except Busy:
                if time.monotonic() >= end or (stop is not None and stop.is_set()):
                    raise
                time.sleep(0.05)  # on PostgreSQL a holder on another host is told at once
        yield


def is_free(name: str) -> bool:
    """Whether nobody held the lock a moment ago."""
    try:
        with hold(name):
            return True
    except Busy:
        return False


@contextmanager
def _across_hosts(name: str) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        if not cursor.fetchone()[0]:
            raise Busy(name)
    try:
        yield
    finally:
        # A lost connection has freed the lock already.
        if connection.connection is not None and not connection.connection.closed:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
