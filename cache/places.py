"""Where the cache's files are, and the locks around them."""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from vsadmin.lib import locks

#: Seconds to wait for the others' short changes: a batch of evictions, a file put in place.
CHANGE_WAIT = 120.0
#: Seconds to wait for another process's download of the same file.
DOWNLOAD_WAIT = 1800.0
#: Lock files are never removed, so keys share this many. Two keys with one lock wait for each other: rare, harmless.
_KEY_LOCKS = 1024


def folder() -> Path:
    return Path(settings.VSADMIN_DATA_DIR) / "cache"


def staging() -> Path:
    return folder() / ".staging"


@contextmanager
def changing() -> Iterator[None]:
    """Only one holder at a time, for moments: whoever adds or removes a file together with its row. Raises Busy."""
    with locks.wait_for("cache", CHANGE_WAIT):
        yield


@contextmanager
def downloading(key: str, stop: threading.Event | None) -> Iterator[None]:
    """Only one holder per key at a time, as long as a download takes. Raises Busy; also soon after `stop` is set."""
    with locks.wait_for(f"cache-key-{zlib.crc32(key.encode()) % _KEY_LOCKS:03x}", DOWNLOAD_WAIT, stop):
        yield
