"""The demo's folder: made for one demo, deleted at its end; what a killed demo left is swept by the next.

A demo holds a lock on a file in its folder for as long as it lives, so that a running one's is never swept.
"""

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "vsadmin-demo-"
_LOCK = ".demo-is-running"
#: Seconds after which a folder without a lock file isn't one that is just being made.
_BEING_MADE = 60.0


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A new folder for this user alone, deleted at the end. Raises OSError where none can be made."""
    sweep()
    path = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    try:
        with _locked(path / _LOCK):
            yield path
    finally:
        remove(path)


def sweep() -> int:
    """Delete what demos left that no longer run; returns how many folders."""
    swept = 0
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_ours(path) and _is_left(path):
            remove(path)
            swept += not path.exists()
    return swept


def is_demo(path: Path) -> bool:
    """Whether this is the folder of a demo."""
    return path.name.startswith(PREFIX) and (path / _LOCK).is_file()


def remove(path: Path) -> None:
    """Delete it with all that is in it. Programs that were killed with the demo may still write while they end."""
    for _attempt in range(5):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(0.2)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_ours(path: Path) -> bool:
    """A folder, no link, of this user and closed to others, as `mkdtemp` makes it."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) == 0o700
    return False


def _is_left(path: Path) -> bool:
    try:
        with (path / _LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except FileNotFoundError:
        with contextlib.suppress(OSError):
            return time.time() - path.lstat().st_mtime > _BEING_MADE
        return False
    except OSError:
        return False
    return True
