"""HTTP for hostile surroundings: a total deadline and a byte cap on every call, and only allowed origins.

What `requests` leaves open is closed here: bodies that drip or never end, redirects to anywhere, names that
lead into the private network, retries and `Retry-After` without bound, proxies and credentials taken from
the environment.
"""

import http.client
import http.cookiejar
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter
from urllib3.util.retry import Retry

from vsadmin.lib.connections import (
    CONNECT_TIMEOUT,
    DEFAULT_PORTS,
    POLL,
    Call,
    CheckedAdapter,
    current_call,
    join_origin,
)
from vsadmin.lib.connections import HttpError as HttpError

MAX_HOPS = 5
MAX_PAUSE = 10  # seconds; what a server may make us wait between two tries
MAX_RETRY_AFTER = 3600  # seconds; what a server may ask for
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRY_STATUSES = frozenset({429, 500, 502, 503, 504})
RETRY_KINDS = frozenset({"refused", "dns", "timeout", "broken"})
CHUNK = 256 * 1024  # bytes per read of a stream
SMALL_CHUNK = 64 * 1024  # bytes per read where a body is inflated: a bomb grows it a thousandfold

T = TypeVar("T")


class Gate(Protocol):
    """Asked before each try of a call, told of each that fails."""

    def check(self) -> None:
        """Raise HttpError if nothing may be sent."""

    def failed(self, error: HttpError) -> None:
        """A try failed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `url` is where it came from in the end; the names in `headers` ignore case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass(slots=True)
class Stream:
    """An answer being read: iterate it, once, for its chunks. `total`: its bytes, where the server says."""

    status: int
    headers: Mapping[str, str]
    total: int | None
    url: str
    chunks: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks


def origin(url: str) -> str:
    """The scheme, host and port of a URL in one normal form: `https://example.com`, `http://127.0.0.1:8000`.

    Host in lower case and IDNA, the scheme's own port left out. ValueError: not an http(s) address, or one
    that carries a user name or password.
    """
    if any(char <= " " or char in "\\\x7f" for char in url):
        raise ValueError("an address has no spaces, backslashes or control characters")
    try:
        prepared = requests.Request("GET", url).prepare().url or ""
    except requests.RequestException as error:
        raise ValueError("this is not a web address") from error
    return _prepared_origin(prepared)


def _prepared_origin(url: str) -> str:
    """`origin` of a prepared URL, split by the parser that requests takes the connection's host from."""
    parts = urlsplit(url)
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise ValueError("an address starts with http:// or https:// and a host name")
    if "@" in parts.netloc:
        raise ValueError("an address must not carry a user name or password")
    port = DEFAULT_PORTS[parts.scheme] if parts.port is None else parts.port
    return join_origin(parts.scheme, parts.hostname, port)


class _Session(requests.Session):
    def __init__(self, adapter: BaseAdapter, user_agent: str) -> None:
        super().__init__()
        self.trust_env = False  # no proxies, no .netrc
        self.cookies.set_policy(_NoCookies())
        self.headers.update({"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"})
        self.mount("http://", adapter)
        self.mount("https://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None  # requests would read the redirect's whole body; Client follows instead


class _NoCookies(http.cookiejar.DefaultCookiePolicy):
    def set_ok(self, cookie: Any, request: Any) -> bool:
        return False


class Client:
    """GET requests, and single POSTs, to a fixed set of origins.

    Safe to share among threads: they share one session and its pool of kept-alive connections, a semaphore
    lets `max_connections` calls run at a time, and further ones wait within their own deadline. A stream
    holds its place until it is closed. Set `stop` (a threading.Event, your own if given) to end every call,
    also those that wait, within seconds with HttpError "cancelled".

    `allowed_origins`: all that may be asked, redirects included. `trusted_private_origins`: those of them
    that may be on a private or loopback address. `retries`: further tries after a failed connection, 429 or
    5xx. `backoff`: urllib3's backoff factor, in seconds. `gate`: lets tries pass, or doesn't. A server that wants to
    be left alone for longer than MAX_PAUSE isn't asked again within a call.

    `requests` and `bytes` count everything sent (retries and redirects too) and every body byte received.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        allowed_origins: Collection[str],
        trusted_private_origins: Collection[str] = (),
        max_connections: int = 4,
        retries: int = 2,
        backoff: float = 0.5,
        stop: threading.Event | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.stop = stop or threading.Event()
        self._gate = gate
        self.requests = 0
        self.bytes = 0
        self._allowed = frozenset(origin(url) for url in allowed_origins)
        self._retry = Retry(total=retries, backoff_factor=backoff, retry_after_max=MAX_RETRY_AFTER)
        self._places = threading.BoundedSemaphore(max_connections)
        self._lock = threading.Lock()
        trusted = frozenset(origin(url) for url in trusted_private_origins)
        self._session = _Session(CheckedAdapter(trusted=trusted, max_connections=max_connections), user_agent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept-alive connections. The client can still be used; it opens new ones."""
        self._session.close()

    def get(self, url: str, *, params: Mapping[str, Any] | None = None, deadline: float, max_bytes: int) -> Answer:
        """The whole answer, whatever its status; only 429 and 5xx, once retried, are HttpError "status".

        `deadline`: seconds for the whole call, with retries, redirects and body. `max_bytes`: cap on the
        body, decompressed. Raises HttpError.
        """
        with self._call(deadline) as call:
            return self._retrying(call, lambda: self._get_once(call, _full_url(url, params), max_bytes))

    def post(self, url: str, body: bytes, *, headers: Mapping[str, str], deadline: float) -> Answer:
        """Send `body` once; the answer's status, whatever it is, and its headers. Its body isn't read: it is b"".

        Nothing is retried and no redirect is followed: whoever calls knows what a repetition would do. `deadline`:
        seconds until the answer's headers are there. Raises HttpError, with "timeout" and "broken" also where the
        request may have arrived.
        """
        with self._call(deadline) as call:
            response = self._send(call, requests.Request("POST", url, headers=dict(headers), data=body))
            response.close()
            return Answer(response.status_code, response.headers, b"", response.url)

    @contextmanager
    def stream(self, url: str, *, deadline: float, max_bytes: int) -> Iterator[Stream]:
        """An answer to read bit by bit, in flat memory. Any status but 200 is HttpError "status".

        `deadline`: seconds until its last byte. Nothing is retried once the body has begun: an HttpError
        while iterating is final.
        """
        with self._call(deadline) as call:
            response = self._retrying(call, lambda: self._open_ok(call, url))
            try:
                yield Stream(
                    status=response.status_code,
                    headers=response.headers,
                    total=_declared_size(response),
                    url=response.url,
                    chunks=self._body(call, response, max_bytes),
                )
            finally:
                response.close()

    @contextmanager
    def _call(self, deadline: float) -> Iterator[Call]:
        call = Call(deadline, self.stop)
        while not self._places.acquire(timeout=min(call.remaining(), POLL)):
            continue
        try:
            yield call
        finally:
            self._places.release()

    def _retrying(self, call: Call, attempt: Callable[[], T]) -> T:
        """What `attempt` returns, tried again after a pause while its failure may pass and time is left."""
        retry = self._retry
        while True:
            if self._gate is not None:
                self._gate.check()
            try:
                return attempt()
            except HttpError as error:
                if self._gate is not None:
                    self._gate.failed(error)
                if error.kind not in RETRY_KINDS and error.status not in RETRY_STATUSES:
                    raise
                try:
                    retry = retry.increment("GET", "")
                except urllib3.exceptions.MaxRetryError:
                    raise error from None
                pause = retry.get_backoff_time() if error.retry_after is None else error.retry_after
                if pause > MAX_PAUSE or pause >= call.remaining():
                    raise
            self.stop.wait(pause)

    def _get_once(self, call: Call, url: str, max_bytes: int) -> Answer:
        response = self._open(call, url)
        try:
            if response.status_code in RETRY_STATUSES or response.status_code >= 500:
                raise self._status_error(call, response)
            body = b"".join(self._body(call, response, max_bytes))
        finally:
            response.close()
        return Answer(response.status_code, response.headers, body, response.url)

    def _open_ok(self, call: Call, url: str) -> requests.Response:
        response = self._open(call, url)
        if response.status_code != http.HTTPStatus.OK:
            error = self._status_error(call, response)
            response.close()
            raise error
        return response

    def _open(self, call: Call, url: str) -> requests.Response:
        """The first answer that is no redirect, its body unread."""
        for hop in range(MAX_HOPS + 1):
            response = self._send(call, requests.Request("GET", url), redirected=hop > 0)
            if response.status_code not in REDIRECTS:
                return response
            url = self._next_hop(call, response)
            self._discard(call, response)
        raise call.error(f"{call.host} redirects in circles, or more than {MAX_HOPS} times.", "redirect")

    def _send(self, call: Call, wanted: requests.Request, *, redirected: bool = False) -> requests.Response:
        try:
            request = self._session.prepare_request(wanted)
            target = _prepared_origin(request.url or "")
        except (requests.RequestException, ValueError) as error:
            kind = "redirect" if redirected else "forbidden_address"
            raise call.error("The address can't be used: it is not a plain http(s) address.", kind) from error
        if target not in self._allowed:
            text = f"{target} is not among the addresses that may be used, so nothing was asked of it."
            if redirected:
                raise call.error(f"{call.host} redirected elsewhere: {text}", "redirect")
            raise call.error(text, "forbidden_address")
        call.host = urlsplit(target).hostname or target
        with self._lock:
            self.requests += 1
        with current_call(call), _failures(call):
            response = self._session.send(
                request, stream=True, timeout=min(call.remaining(), CONNECT_TIMEOUT), allow_redirects=False
            )
        call.answered = True
        return response

    def _next_hop(self, call: Call, response: requests.Response) -> str:
        location = response.headers.get("Location", "")
        with suppress(UnicodeError):  # http.client reads headers as latin-1, servers mean UTF-8
            location = location.encode("latin-1").decode("utf-8")
        if not location:
            raise call.error(f"{call.host} redirects without saying where to.", "redirect")
        try:
            target = urljoin(response.url, location)
        except ValueError as error:
            raise call.error(f"{call.host} redirects to something that is no address.", "redirect") from error
        if response.url.startswith("https:") and not target.lower().startswith("https:"):
            raise call.error(
                f"{call.host} redirects from https to an unencrypted address, which was not followed.",
                "redirect",
            )
        return target

    def _status_error(self, call: Call, response: requests.Response) -> HttpError:
        status = response.status_code
        phrase = next((f" ({code.phrase})" for code in http.HTTPStatus if code == status), "")
        wait = _retry_after(self._retry, response)
        return call.error(
            f"{call.host} answered {status}{phrase}.", "status", status=status, url=response.url, retry_after=wait
        )

    def _discard(self, call: Call, response: requests.Response) -> None:
        """Read what little body there may be, so that the connection can be used again; else close it."""
        try:
            for _chunk in self._body(call, response, SMALL_CHUNK):
                pass
        except HttpError as error:
            if error.kind not in ("too_large", "broken"):
                raise
        finally:
            response.close()

    def _body(self, call: Call, response: requests.Response, max_bytes: int) -> Iterator[bytes]:
        encoded = response.headers.get("Content-Encoding", "identity").strip().lower() != "identity"
        too_large = f"{call.host} sends more than the {_megabytes(max_bytes)} MB allowed here."
        if (_declared_size(response) or 0) > max_bytes:
            raise call.error(too_large, "too_large")
        received = 0
        while True:
            call.remaining()
            with _failures(call):
                chunk = response.raw.read(SMALL_CHUNK if encoded else CHUNK, decode_content=encoded)
            if not chunk:
                return
            received += len(chunk)
            with self._lock:
                self.bytes += len(chunk)
            if received > max_bytes:
                raise call.error(too_large, "too_large")
            yield chunk


@contextmanager
def _failures(call: Call) -> Iterator[None]:
    """What requests, urllib3 and the system raise inside comes out as HttpError."""
    try:
        yield
    except HttpError:
        raise
    except (requests.exceptions.SSLError, urllib3.exceptions.SSLError) as error:
        raise call.error(
            f"No secure connection to {call.host}: its certificate or encryption was not accepted. "
            "Check the address and this machine's clock.",
            "tls",
        ) from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        call.remaining()
        raise call.error(f"{call.host} did not answer in time. Try again later.", "timeout") from error
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        OSError,
    ) as error:
        what = "in the middle of its answer" if call.answered else "without an answer"
        raise call.error(f"The connection to {call.host} broke off {what}. Try again later.", "broken") from error


def _full_url(url: str, params: Mapping[str, Any] | None) -> str:
    if not params:
        return url
    try:
        return requests.Request("GET", url, params=params).prepare().url or url
    except (requests.RequestException, ValueError):
        return url  # sending it says what is wrong


def _retry_after(retry: Retry, response: requests.Response) -> float | None:
    """Seconds from the Retry-After header, at most MAX_RETRY_AFTER; None where it is missing or nonsense."""
    try:
        return retry.get_retry_after(response.raw)
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None


def _declared_size(response: requests.Response) -> int | None:
    """Content-Length, where it speaks of the bytes that we will see."""
    length = response.headers.get("Content-Length", "")
    if "Content-Encoding" in response.headers or "Transfer-Encoding" in response.headers:
        return None
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.3g}"
