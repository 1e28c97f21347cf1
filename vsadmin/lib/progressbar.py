"""One line that shows how far something is, for whoever watches a terminal."""

import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from vsadmin.lib import plaintext

#: Seconds between two drawings.
_EVERY = 0.1
_CELLS = 24
_ERASE = "\r\x1b[K"


class Bar:
    """`report(done, total, doing)` draws it; other lines on the same terminal go above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._drawn_at = 0.0
        self._is_there = False

    def report(self, done: int, total: int, doing: str = "") -> None:
        """`done` of `total` steps are behind us. Cheap enough to call for each; from any thread."""
        now = time.monotonic()
        with self._lock:
            if self._is_there and now - self._drawn_at < _EVERY and done < total:
                return
            self._drawn_at = now
            self._write(_ERASE + line(done, total, doing, shutil.get_terminal_size().columns))
            self._is_there = True

    def erase(self) -> None:
        with self._lock:
            if self._is_there:
                self._write(_ERASE)
                self._is_there = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def line(done: int, total: int, doing: str, columns: int) -> str:
    """The bar as a line shorter than `columns` characters: `[####----]  3/12  installing carryon 1.9.0`."""
    share = min(1.0, max(0, done) / total) if total > 0 else 0.0
    full = int(share * _CELLS)
    counted = f"{done}/{total}" if total > 0 else ""
    text = f"[{'#' * full}{'-' * (_CELLS - full)}]  {counted}  {plaintext.one_line(doing)}"
    return text.rstrip()[: max(0, columns - 1)]


@contextmanager
def shown(stream: TextIO) -> Iterator[Bar | None]:
    """A bar on `stream` for the block, erased after it; None where `stream` is no terminal that can show one.

    What the log writes to a terminal meanwhile is left out where it is no warning; warnings don't run into the bar.
    """
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield None
        return
    bar = Bar(stream)

    def make_way(record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return False
        bar.erase()
        return True

    handlers = [handler for handler in logging.getLogger().handlers if _at_terminal(handler)]
    for handler in handlers:
        handler.addFilter(make_way)
    try:
        yield bar
    finally:
        for handler in handlers:
            handler.removeFilter(make_way)
        bar.erase()


def _at_terminal(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and handler.stream.isatty()
