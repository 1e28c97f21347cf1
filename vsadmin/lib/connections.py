"""Connections for `vsadmin.lib.http`: each read keeps to its call's deadline, each address is checked.

requests and urllib3 time every read by itself, so a server that sends a byte a second holds a caller for
ever; and they connect to whatever address a name resolves to. Both are mended here, at the socket, where
nothing gets round them.
"""

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse
from urllib3.util.ssl_ import create_urllib3_context

CONNECT_TIMEOUT = 5.0  # seconds for one address, the TLS handshake likewise
POLL = 0.25  # seconds after which a wait looks again whether it should stop
DEFAULT_PORTS = {"http": 80, "https": 443}

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_SITE_LOCAL = ipaddress.IPv6Network("fec0::/10")  # RFC 3879: deprecated, yet private

Resolved = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]


class HttpError(Exception):
    """A request that failed.

    `text`: what happened, in plain words.
    `kind`: "refused", "dns", "tls", "timeout", "too_large", "redirect", "forbidden_address", "status",
    "broken" or "cancelled".
    `status`: the HTTP status, where that is what was wrong; `url`: the address that gave it.
    `answered`: whether the server gave any HTTP answer at all during the call.
    `retry_after`: seconds the server asked us to wait, where it did.
    """

    def __init__(
        self,
        text: str,
        kind: str,
        *,
        status: int | None = None,
        url: str = "",
        answered: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.text = text
        self.kind = kind
        self.status = status
        self.url = url
        self.answered = answered
        self.retry_after = retry_after


class Call:
    """One call: its deadline (seconds from now) and stop signal, shared by all its tries, hops and reads."""

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        self.seconds = seconds
        self.stop = stop
        self.host = ""
        self.answered = False
        self._end = time.monotonic() + seconds

    def remaining(self) -> float:
        """Seconds left, more than 0. HttpError "timeout" or "cancelled" once the call must end."""
        if self.stop.is_set():
            raise self.error("The request was stopped because the program is shutting down.", "cancelled")
        left = self._end - time.monotonic()
        if left <= 0:
            what = "did not finish its answer" if self.answered else "did not answer"
            raise self.error(
                f"{self.host or 'The server'} {what} within {self.seconds:g} s. Try again later.", "timeout"
            )
        return left

    def error(
        self, text: str, kind: str, *, status: int | None = None, url: str = "", retry_after: float | None = None
    ) -> HttpError:
        return HttpError(text, kind, status=status, url=url, answered=self.answered, retry_after=retry_after)


class _Current(threading.local):
    """The call that this thread is sending a request for; urllib3 has no way to hand it down."""

    call: Call | None = None


_current = _Current()


@contextmanager
def current_call(call: Call) -> Iterator[None]:
    """Connections opened and answers begun inside, in this thread, belong to `call`."""
    _current.call = call
    try:
        yield
    finally:
        _current.call = None


def _call() -> Call:
    if _current.call is None:
        raise RuntimeError("a connection was used outside current_call()")
    return _current.call


class _TimedSocket(socket.socket):
    """A socket whose every read ends at its call's deadline, or soon after its stop signal."""

    call: Call

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        while True:
            self.settimeout(min(self.call.remaining(), POLL))
            try:
                return super().recv_into(buffer, nbytes or 0, flags)
            except TimeoutError:
                continue


class _TimedTLSSocket(_TimedSocket, ssl.SSLSocket):
    """The same inside TLS."""


def join_origin(scheme: str, host: str, port: int) -> str:
    """`https://host[:port]`, the scheme's own port left out; an IPv6 address gets its brackets."""
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port == DEFAULT_PORTS.get(scheme) else f"{scheme}://{host}:{port}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet's; IPv4 inside IPv6 counts as the IPv4 it is."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        carried = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if ip in _NAT64:
            carried = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if carried is not None:
            return is_public(str(carried))
        if ip in _SITE_LOCAL:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _resolve(host: str, port: int, call: Call) -> Resolved:
    """The addresses of a name. The look-up can't be interrupted: one that hangs is left to its thread."""
    found: queue.SimpleQueue[Resolved | Exception] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:  # UnicodeError: a label longer than DNS has
            found.put(error)

    threading.Thread(target=look_up, name="name-look-up", daemon=True).start()
    while True:
        try:
            answer = found.get(timeout=min(call.remaining(), POLL))
        except queue.Empty:
            continue
        if isinstance(answer, Exception) or not answer:
            raise call.error(
                f"The name {host} can't be resolved. Check the address and this machine's DNS and network.",
                "dns",
            )
        return answer


def _connect(host: str, port: int, origin: str, trusted: frozenset[str], call: Call) -> _TimedSocket:
    """A connected socket to the first address that answers; HttpError when none does or one is not public."""
    problem: OSError | None = None
    for family, kind, proto, _name, address in _resolve(host, port, call):
        try:
            sock = _TimedSocket(family, kind, proto)
        except OSError as error:  # a kind of address that this machine hasn't got, IPv6 for one
            problem = error
            continue
        try:
            if origin not in trusted:
                _refuse_private(host, address[0], call)  # so that not even its closed ports can be told from open ones
            sock.settimeout(min(call.remaining(), CONNECT_TIMEOUT))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if origin not in trusted:
                _refuse_private(host, sock.getpeername()[0], call)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    if isinstance(problem, TimeoutError):
        raise call.error(f"{host} did not accept a connection in time. Try again later.", "timeout")
    reason = problem.strerror if problem is not None and problem.strerror else "no connection"
    raise call.error(
        f"No connection to {host}, port {port}: {reason.lower()}. Check the address and the network.",
        "refused",
    )


def _refuse_private(host: str, peer: str, call: Call) -> None:
    if not is_public(peer):
        raise call.error(
            f"{host} leads to {peer}, which is no public address, so nothing was asked of it.", "forbidden_address"
        )


class _Connection(HTTPConnection):
    scheme = "http"
    trusted: frozenset[str] = frozenset()  # origins that may be on a private address

    def _new_conn(self) -> socket.socket:
        # urllib3's own hook for "open the socket": before TLS, before any byte of ours
        port = self.port or DEFAULT_PORTS[self.scheme]
        return _connect(self.host, port, join_origin(self.scheme, self.host, port), self.trusted, _call())

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # so does urllib3, its base class
        if not isinstance(self.sock, _TimedSocket):  # were the hook above ever to vanish from urllib3
            raise RuntimeError("a connection that was not checked")
        self.sock.call = _call()
        return super().getresponse()


class _TLSConnection(_Connection, HTTPSConnection):
    scheme = "https"


class CheckedAdapter(HTTPAdapter):
    """A requests adapter whose connections are the checked ones above. It never retries: the client does."""

    def __init__(self, *, trusted: frozenset[str], max_connections: int) -> None:
        self._trusted = trusted
        super().__init__(pool_maxsize=max_connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        context = create_urllib3_context()
        context.sslsocket_class = _TimedTLSSocket
        super().init_poolmanager(*args, **kwargs, ssl_context=context)
        own = {"trusted": self._trusted}
        plain = type("Connection", (_Connection,), own)
        tls = type("TLSConnection", (_TLSConnection,), own)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("TLSPool", (HTTPSConnectionPool,), {"ConnectionCls": tls}),
        }
