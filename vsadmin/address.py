"""Where the panel listens, and how a person gets there."""

import contextlib
import errno
import getpass
import ipaddress
import socket
from collections.abc import Callable

from django.utils.translation import gettext as _

from vsadmin.firstrun import CannotStart


def bind(host: str, port: int) -> socket.socket:
    """A socket that has the address, not listening yet. Raises `CannotStart`: port taken, no such address, no right."""
    elsewhere = _("Set HOST to an address of this machine, such as HOST=127.0.0.1 or HOST=0.0.0.0.")
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise CannotStart(_("HOST is %r, which is no address.") % host, elsewhere) from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # "::" is reached by IPv4 too
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise _refusal(error, host, port, elsewhere) from None
    return listening


def _refusal(error: OSError, host: str, port: int, elsewhere: str) -> CannotStart:
    if error.errno == errno.EADDRINUSE:
        return CannotStart(
            _("Port %d is in use already; perhaps vsadmin is running.") % port,
            _("Stop what uses it (ss -ltnp 'sport = :%(port)d' shows it), or choose another: PORT=%(other)d in .env.")
            % {"port": port, "other": port + 1 if port < 65535 else 8000},
        )
    if error.errno == errno.EACCES:
        return CannotStart(
            _("%d is a port that only root may use.") % port, _("Choose one above 1023, such as PORT=8000 in .env.")
        )
    return CannotStart(_("HOST is %r, which this machine can't listen on.") % host, elsewhere)


def reachable(listening: socket.socket) -> tuple[str, int]:
    """Host and port at which this machine itself reaches the socket."""
    host, port = listening.getsockname()[:2]
    address = ipaddress.ip_address(host.partition("%")[0])
    if address.is_unspecified:
        return "127.0.0.1", port
    return host, port


def in_url(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def tunnel(host: str, port: int) -> str:
    """The command that brings the panel to another computer's browser."""
    return f"ssh -L {port}:{in_url(host, port)} {_user()}@{socket.gethostname()}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "user"


class FirstAnswer:
    """Waits for the web server's first answer, then calls `on_answer` once.

    The socket listens before the web server runs, so one request is enough: it is answered as soon as it can be.
    """

    def __init__(self, address: tuple[str, int], host: str, on_answer: Callable[[], None]) -> None:
        self._address = address
        self._request = f"GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
        self._on_answer = on_answer
        self._asking: socket.socket | None = None
        self._is_over = False

    def is_awaited(self) -> bool:
        """Whether `fileno()` is to be waited on; asks, where nothing is under way."""
        if self._asking is None and not self._is_over:
            with contextlib.suppress(OSError):
                self._asking = socket.create_connection(self._address, timeout=1)
                self._asking.sendall(self._request)
        return self._asking is not None

    def fileno(self) -> int:
        return self._asking.fileno() if self._asking is not None else -1

    def read(self) -> None:
        """Take the answer, whatever it says; where the connection just ended, it is asked again."""
        assert self._asking is not None
        data = b""
        with contextlib.suppress(OSError):
            data = self._asking.recv(64)
        self.close()
        if data.startswith(b"HTTP/"):
            self._is_over = True
            self._on_answer()

    def close(self) -> None:
        if self._asking is not None:
            self._asking.close()
            self._asking = None
