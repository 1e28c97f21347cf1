"""The web server: two processes of waitress on one listening socket, loaded once and then forked.

waitress reads a request's head and body before it gives a thread away, so a slow connection holds none. What it lacks
is here: several processes, deadlines that don't follow the clock of the day, an end that lets answers out first, and a
refusal that reaches the browser. `up` runs `python -m vsadmin.webserver DESCRIPTOR` with a socket that listens already.
"""

import logging
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher
from waitress.utilities import RequestEntityTooLarge

PROCESSES = 2
THREADS = 4
#: Bytes of the largest body that is taken, form fields and files together (in settings.py too).
MAX_BODY = 4 * 1024 * 1024
#: The same for those who never logged in.
MAX_OF_STRANGERS = 64 * 1024
#: Bytes of a refused body that are read and thrown away, so that a browser which is still sending sees the refusal.
_THROWN_AWAY = 64 * 1024 * 1024
#: In seconds: a connection on which nothing moves; a request from its first byte to its last; the end.
_IDLE = 30.0
_ARRIVED_WITHIN = 120.0
_GRACE = 6.0
#: Seconds between two looks for connections that took too long.
_TIDY_EVERY = 5.0
#: Web processes that died are replaced so often within so many seconds.
REPLACED, _WINDOW = 5, 60.0


Knows = Callable[[str], bool]


class _Limits(Adjustments):  # type: ignore[misc]  # waitress has no types
    """waitress' settings, with those that hold for a request of somebody unknown."""

    def __init__(self, listening: socket.socket, max_body: int) -> None:
        super().__init__(
            sockets=[listening],
            threads=THREADS,
            ident="vsadmin",
            backlog=2048,
            # poll(): select() knows no descriptor above 1023.
            asyncore_use_poll=True,
            connection_limit=1000,
            max_request_header_size=32 * 1024,
            max_request_body_size=max_body + 1,  # the first size that is refused
            inbuf_overflow=max_body + 1,  # nothing that is sent here lies in a file before it was looked at
            # Django reads what a reverse proxy says, and `vsadmin.login` decides whom to believe.
            clear_untrusted_proxy_headers=False,
        )
        self.of_strangers: _Limits = self
        #: Whether somebody with such a `Cookie` header is known.
        self.knows: Knows = lambda _cookies: False


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """Refuses a body that is too large by the request's head, if the head says how large it is."""

    adj: _Limits

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError:  # waitress doesn't expect it of a length of 5,000 digits, or of "http://[x/"
            raise ParsingError("That can't be read.") from None
        if not self.adj.knows(self.headers.get("COOKIE", "")):
            self.adj = self.adj.of_strangers

    def received(self, data: bytes) -> int:
        taken: int = super().received(data)
        if isinstance(self.error, RequestEntityTooLarge):
            self.error.body = (
                "vsadmin accepts at most 4 MiB per request. Go back and send less."
                if self.adj.max_request_body_size > MAX_BODY
                else "Requests over 64 KiB need a login. Log in, then send it again."
            )
            self.expect_continue = False  # waitress would ask for the body all the same
        return taken

    def still_to_come(self) -> int:
        """Bytes of a refused body that the browser will send, whether anybody reads them or not."""
        refused = isinstance(self.error, RequestEntityTooLarge)
        return min(int(self.content_length), _THROWN_AWAY) if refused else 0


class Channel(HTTPChannel):  # type: ignore[misc]  # waitress has no types
    """A connection."""

    parser_class = Parser
    #: When the first byte of the request came that isn't complete yet, monotonic.
    arriving_since: float | None = None
    #: Bytes of a refused body that are still read. Closed before, the browser would show a broken connection.
    thrown_away = 0

    @property
    def last_activity(self) -> float:
        return self._last_activity

    @last_activity.setter
    def last_activity(self, _by_the_clock: float) -> None:
        self._last_activity = time.monotonic()

    def is_late(self, now: float) -> bool:
        """Whether it took too long, at that monotonic time; never while a request is being answered."""
        if self.requests:
            return False
        since = self.arriving_since
        return now - self.last_activity > _IDLE or (since is not None and now - since > _ARRIVED_WITHIN)

    def is_idle(self) -> bool:
        """Whether nothing is being answered here."""
        return not self.requests and not self.total_outbufs_len

    def received(self, data: bytes) -> bool:
        if self.thrown_away:
            self.thrown_away = max(0, self.thrown_away - len(data))
            return True
        if self.arriving_since is None:
            self.arriving_since = time.monotonic()
        taken: bool = super().received(data)
        if self.request is None:
            self.arriving_since = None
        return taken

    def service(self) -> None:
        self.thrown_away = self.requests[0].still_to_come()
        if self.thrown_away:
            self.arriving_since = time.monotonic()
        super().service()

    def readable(self) -> bool:
        return bool(self.thrown_away) or super().readable()

    def writable(self) -> bool:
        if self.thrown_away and not self.will_close:
            return bool(self.total_outbufs_len)
        return bool(super().writable())

    def handle_write(self) -> None:
        if self.thrown_away and not self.will_close:
            self._flush_exception(self._flush_some)
        else:
            super().handle_write()


class _Server(TcpWSGIServer):  # type: ignore[misc]  # waitress has no types
    channel_class = Channel
    #: waitress' own tidying goes by the clock of the day, and would rest for years after one that was set back.
    next_channel_cleanup = float("inf")


def limits(listening: socket.socket, knows: Knows) -> _Limits:
    """What the web server allows those whom `knows` knows by their `Cookie` header, and strangers."""
    found = _Limits(listening, MAX_BODY)
    found.of_strangers = _Limits(listening, MAX_OF_STRANGERS)
    found.knows = knows
    return found


class Process:
    """One web process: serves until SIGTERM or SIGINT, then finishes what it is answering."""

    def __init__(self, application: object, listening: socket.socket, knows: Knows) -> None:
        settings = limits(listening, knows)
        self._threads = ThreadedTaskDispatcher()
        self._threads.set_thread_count(settings.threads)
        self._map: dict[int, object] = {}
        place = (listening.family, listening.type, listening.proto, listening.getsockname())
        self._server = _Server(
            application,
            self._map,
            _sock=listening,
            dispatcher=self._threads,
            adj=settings,
            bind_socket=False,
            sockinfo=place,
        )
        self._is_ending = False

    def serve(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        tidied = time.monotonic()
        while not self._is_ending:
            self.turn()
            if (now := time.monotonic()) - tidied >= _TIDY_EVERY:
                tidied = now
                self.close_late(now)
        self._server.accepting = False
        deadline = time.monotonic() + _GRACE
        while (found := self.connections()) and time.monotonic() < deadline:
            for channel in found:
                if channel.is_idle():
                    channel.handle_close()
            self.turn()

    def _end(self, _number: int, _frame: object) -> None:
        self._is_ending = True
        self._server.pull_trigger()

    def turn(self) -> None:
        """Wait for a second at most, and do what can be done without waiting."""
        wasyncore.loop(timeout=1, use_poll=True, map=self._map, count=1)

    def connections(self) -> list[Channel]:
        return list(self._server.active_channels.values())

    def close_late(self, now: float) -> None:
        """Close what took too long, at that monotonic time."""
        for channel in self.connections():
            if channel.is_late(now):
                channel.handle_close()  # at once: one whose other end takes nothing never becomes writable

    def close(self) -> None:
        """End all threads and close all connections, the listening socket too."""
        self._threads.shutdown()
        wasyncore.close_all(self._map)


def _fork(serve: Callable[[], None]) -> int:
    """A process that serves, and ends when this one does. Returns its number."""
    from vsadmin.supervisor import end_with

    parent = os.getpid()
    if child := os.fork():
        return child
    code = 1
    try:
        end_with(parent)
        serve()
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # nothing of the parent's is ended here


def keep(serve: Callable[[], None], processes: int = PROCESSES) -> int:
    """Keep so many processes serving until SIGTERM or SIGINT; returns 0 then, 1 if they die too often."""
    from vsadmin.lib import logs
    from vsadmin.supervisor import Restarts

    watched = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)

    def begin() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
        serve()

    restarts = Restarts(REPLACED, _WINDOW)
    running = {_fork(begin) for _one in range(processes)}
    code, is_ending = 0, False
    while running:
        if signal.sigwait(watched) != signal.SIGCHLD:
            is_ending = True
            _ask_to_end(running)
        for ended in _ended(running):
            running.discard(ended)
            if is_ending:
                continue
            if restarts.take(time.monotonic()):
                logs.event("web_process_replaced", level=logging.WARNING)
                running.add(_fork(begin))
            else:
                code, is_ending = 1, True
                _ask_to_end(running)
    return code


def _ask_to_end(running: set[int]) -> None:
    for process in running:
        os.kill(process, signal.SIGTERM)


def _ended(running: set[int]) -> list[int]:
    return [process for process in sorted(running) if os.waitpid(process, os.WNOHANG)[0]]


def main(descriptor: int) -> int:
    """Load the application, then serve. Exits with 1, having said why, if its settings can't be used."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < 4096:
        # For the connections, and for the files and databases beside them.
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096 if hard == resource.RLIM_INFINITY else min(hard, 4096), hard))
    from vsadmin.wsgi import application  # sets Django up, which the others need

    from vsadmin import cookies, watch  # isort: skip

    listening = socket.socket(fileno=descriptor)

    def serve() -> None:
        watch.start()  # somebody has to notice when the background worker is silent
        Process(application, listening, cookies.knows).serve()

    return keep(serve)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
