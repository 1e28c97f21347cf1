"""Ctrl-C and SIGTERM as a wish to stop at the next safe point, for long work in the foreground."""

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SAID = b"\nStopping after what is under way now. Once more ends it at once.\n"


@contextmanager
def on_signals(first: Callable[[], None] = lambda: None) -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed terminal sets while in the block; a second one raises
    KeyboardInterrupt.

    `first` is called before the event is set, in a thread of its own.
    A signal that is ignored (nohup) stays so. Only in the main thread; elsewhere nothing sets the event.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    # The handler may interrupt the main thread inside the event's own lock, so another thread sets it. SimpleQueue is
    # the one thing of the kind that may be put into from a signal handler.
    wishes: queue.SimpleQueue[bool] = queue.SimpleQueue()
    asked = False

    def handle(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        wishes.put(True)
        if sys.stderr is not None and sys.stderr.isatty():
            os.write(2, _SAID)

    def watch() -> None:
        if wishes.get():
            try:
                first()
            finally:
                stop.set()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: was for number, was in before.items() if was not in (None, signal.SIG_IGN)}
    try:
        for number in before:
            signal.signal(number, handle)
        yield stop
    finally:
        for number, was in before.items():
            signal.signal(number, was)
        wishes.put(False)
        thread.join()
