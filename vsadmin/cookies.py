"""The panel's cookies. Browsers share cookies between all ports of a host, so each panel's have names of their own.

A session's key shows by itself that it was made here: the web server lets those who have one send more than a stranger
may, and has to know before it has read what they send.
"""

from collections.abc import Callable

from django.conf import settings
from django.contrib.messages.storage.base import BaseStorage
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage
from django.contrib.sessions import middleware
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import VALID_KEY_CHARS
from django.http import HttpRequest, parse_cookie
from django.utils.crypto import constant_time_compare, get_random_string, salted_hmac

from vsadmin.lib import optional

#: Letters and digits of a session's key: by chance (103 bits), and from those and the secret key (80 bits).
_CHANCE, _PROOF = 20, 20


class SessionStore(db.SessionStore):
    """Django's, with keys that nobody else can make.

    Somebody who only looks is served also where the session can't be written: what counts no more (the password was
    changed) is compared at each request.
    """

    only_looks = False

    def save(self, must_create: bool = False) -> None:
        self._write(lambda: super(SessionStore, self).save(must_create))

    def delete(self, session_key: str | None = None) -> None:
        self._write(lambda: super(SessionStore, self).delete(session_key))

    def _write(self, work: Callable[[], None]) -> None:
        if self.only_looks:
            optional.write(work)
        else:
            work()

    def _get_new_session_key(self) -> str:
        while True:
            chance = get_random_string(_CHANCE, VALID_KEY_CHARS)
            if not self.exists(key := chance + _proof(chance)):
                return key

    def _validate_session_key(self, key: str) -> bool:
        return is_ours(key)


class SessionMiddleware(middleware.SessionMiddleware):
    """Django's, whose sessions know what they are opened for."""

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.session.only_looks = request.method in ("GET", "HEAD", "OPTIONS")  # type: ignore[attr-defined]  # ours


def _proof(chance: str) -> str:
    return salted_hmac("vsadmin.cookies", chance, algorithm="sha256").hexdigest()[:_PROOF]


def is_ours(key: str | None) -> bool:
    """Whether this panel made the session's key, for somebody who had logged in; perhaps long ago."""
    return bool(key) and constant_time_compare(str(key)[_CHANCE:], _proof(str(key)[:_CHANCE]))


def knows(cookies: str) -> bool:
    """Whether a request with that `Cookie` header comes from somebody who has logged in here."""
    return is_ours(parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME))


class _MessageCookie(CookieStorage):
    cookie_name = settings.MESSAGE_COOKIE_NAME


class MessageStorage(FallbackStorage):
    """Django's, in a cookie of this panel's own."""

    storage_classes: tuple[type[BaseStorage], ...] = (_MessageCookie, SessionStorage)
