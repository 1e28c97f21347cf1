"""Headers that every answer of the panel carries."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from mods import conf as mods_conf

_HOST = re.compile(r"[A-Za-z0-9.\-_]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class SecurityHeadersMiddleware:
    """Content-Security-Policy and Permissions-Policy; a view that sets its own keeps it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", content_security_policy())
        response.headers.setdefault("Permissions-Policy", _PERMISSIONS)
        return response


def content_security_policy() -> str:
    """Everything from here alone; images also from the mod database's file host where logos are switched on."""
    parts = [
        "default-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ]
    if settings.SHOW_LOGOS.get():
        parts.insert(1, " ".join(["img-src 'self'", *_file_origins()]))
    return "; ".join(parts)


def _file_origins() -> list[str]:
    """Origins only, and none that could say more than where images come from."""
    origins = (urlsplit(origin) for origin in mods_conf.MODDB_FILE_ORIGINS.get())
    return [f"{origin.scheme}://{origin.netloc}" for origin in origins if _HOST.fullmatch(origin.netloc)]
