"""System checks: what is wrong with the settings, each with an id and what to write instead.

They run before every command, and in `wsgi.py`, since a web server would start with anything.
"""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.translation import gettext as _

from events import conf as _events_conf  # noqa: F401  # declares its settings
from mods import conf as mods_conf
from mods import serverdir
from vsadmin import firstrun as _firstrun  # noqa: F401  # declares the administrator's settings
from vsadmin import login as _login  # noqa: F401  # declares the reverse proxies, and listens to failed logins
from vsadmin.lib import conf

#: The tag of our own checks, which are quick: they need no database and load no page.
TAG = "vsadmin"

#: What the data folder of the first server is reported as.
SERVER_FOLDER = "vsadmin.W001"


@register(TAG)
def settings_can_be_read(**kwargs: Any) -> list[CheckMessage]:
    """E001: a setting that can't be read. E002 and on: what `settings.py` itself came across."""
    found: list[CheckMessage] = [
        Error(problem.text, hint=problem.hint, id="vsadmin.E001") for problem in conf.problems()
    ]
    found += [Error(text, hint=hint, id=number) for number, text, hint in settings.SETTING_PROBLEMS]
    return found


@register(TAG)
def first_server_can_be_read(**kwargs: Any) -> list[CheckMessage]:
    """W001: a warning only, since the panel must start while the server's disk isn't mounted."""
    path = mods_conf.SERVER_DATA_DIR.get()
    if path is None:
        return []
    try:
        serverdir.check(path)
    except serverdir.Unusable as problem:
        text = _("VS_SERVER_DATA_DIR: %s") % problem.text
        return [Warning(text, hint=f"{problem.remedy} {problem.command}".strip() or None, id=SERVER_FOLDER)]
    return []


@register(TAG)
def others_are_answered(**kwargs: Any) -> list[CheckMessage]:
    """W003: the panel listens beyond this machine, but answers to this machine's own names alone."""
    local = {"localhost", "127.0.0.1", "::1", "[::1]"}
    if settings.HOST.get() in local or not set(settings.ALLOWED_HOSTS) <= local:
        return []
    return [
        Warning(
            _("The panel listens on %s, but under no name that other computers could use.") % settings.HOST.get(),
            hint=_("Set ALLOWED_HOSTS to the names or addresses under which browsers reach it."),
            id="vsadmin.W003",
        )
    ]


@register(TAG)
def login_works(**kwargs: Any) -> list[CheckMessage]:
    """W002: the panel listens beyond this machine, but browsers won't send its cookies without TLS."""
    if not settings.SESSION_COOKIE_SECURE or settings.CSRF_TRUSTED_ORIGINS:
        return []
    return [
        Warning(
            _("The panel listens on %s, but logging in works through TLS only.") % settings.HOST.get(),
            hint=_(
                "Put a reverse proxy with TLS before it and set CSRF_TRUSTED_ORIGINS=https://mods.example.com; or, in "
                "a network you trust, set VSADMIN_ALLOW_HTTP=on (passwords then travel unencrypted)."
            ),
            id="vsadmin.W002",
        )
    ]


def explain(messages: Iterable[CheckMessage]) -> str:
    """The messages as a person reads them: what is wrong, what to do, the id to look it up by."""
    lines = []
    for message in messages:
        lines.append(f"- {message.msg}")
        lines.append(f"  {message.hint} ({message.id})" if message.hint else f"  ({message.id})")
    return "\n".join(lines)


def errors_among(messages: Iterable[CheckMessage]) -> list[CheckMessage]:
    """Those that keep vsadmin from starting."""
    return [message for message in messages if message.is_serious() and not message.is_silenced()]


def warnings_among(messages: Iterable[CheckMessage]) -> list[CheckMessage]:
    """Those that a person should know while vsadmin runs."""
    return [message for message in messages if not message.is_serious() and not message.is_silenced()]
