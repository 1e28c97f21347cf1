"""Logging in is throttled, by user name and address: what counts as the address, and the page that says to wait.

django-axes counts the failures; the settings that begin with AXES_ say how many are too many.
"""

import ipaddress
import logging
from datetime import datetime, timedelta
from typing import Any

from axes.helpers import get_client_username
from axes.models import AccessAttempt
from axes.signals import user_locked_out
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import get_user_model
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vsadmin.lib import conf, logs

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: A household has a whole network of IPv6 addresses, and whoever guesses could use a new one each time.
_IPV6_PREFIX = 64


def _networks(text: str) -> tuple[Network, ...]:
    try:
        found = tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError:
        raise conf.Malformed("it takes addresses or networks, with commas between.") from None
    if any(network.prefixlen == 0 for network in found):
        raise conf.Malformed("that would let anybody write down any address as their own.")
    return found


_THIS_MACHINE: tuple[Network, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1"))
TRUSTED_PROXIES = conf.declare(
    "VSADMIN_TRUSTED_PROXIES",
    _THIS_MACHINE,
    _networks,
    "Write the addresses of your reverse proxies, such as VSADMIN_TRUSTED_PROXIES=127.0.0.1,192.0.2.7.",
)


class LoginForm(AdminAuthenticationForm):
    """Django's, in the panel's words."""

    error_messages = {
        **AdminAuthenticationForm.error_messages,
        "invalid_login": gettext_lazy("Wrong username or password, or the account may not log in here."),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


# --- whose failures are counted together


def address_of(request: HttpRequest) -> str | None:
    """Where the request comes from; of an IPv6 address its network. None where that can't be told.

    Behind a reverse proxy, each proxy adds to X-Forwarded-For whom it was asked by, at the end. So it is read from the
    end, and only as far as the proxies are ours: what stands before may be anybody's invention.
    """
    here = _address(request.META.get("REMOTE_ADDR", ""))
    if not settings.CSRF_TRUSTED_ORIGINS:
        return _counted(here)  # no proxy is expected, so nobody's header is believed
    trusted = TRUSTED_PROXIES.get()
    said = [one.strip() for one in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    while here is not None and said and any(here in network for network in trusted):
        told = _address(said.pop())
        if told is None:
            break
        here = told
    return _counted(here)


def _address(text: str) -> Address | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _counted(address: Address | None) -> str | None:
    if isinstance(address, ipaddress.IPv6Address) and not address.is_loopback:
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False).network_address)
    return str(address) if address else None


# --- what is said


def wait_page(request: HttpRequest, _answer: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """In place of the answer to a login that wasn't even tried: how long to wait, and what an administrator can do."""
    name = get_client_username(request, credentials) or ""
    until = opens_at(name, address_of(request))
    minutes = max(1, -int((timezone.now() - until).total_seconds() // 60)) if until else 1
    context = {
        **admin.site.each_context(request),
        "title": _("Too many failed logins"),
        "minutes": minutes,
        "login_url": request.get_full_path(),
    }
    page = TemplateResponse(request, "registration/wait.html", context, status=429).render()
    page["Retry-After"] = str(minutes * 60)
    add_never_cache_headers(page)
    return page


def opens_at(name: str, address: str | None) -> datetime | None:
    """When there are few enough failures that count; None where that is so already."""
    cooloff: timedelta = settings.AXES_COOLOFF_TIME
    attempts = AccessAttempt.objects.filter(
        username=name, ip_address=address, attempt_time__gte=timezone.now() - cooloff
    )
    counted = 0
    for attempt in attempts.order_by("-attempt_time"):
        counted += attempt.failures_since_start
        if counted >= settings.AXES_FAILURE_LIMIT:
            last: datetime = attempt.attempt_time
            return last + cooloff
    return None


def mend_times() -> None:
    """Failures that a clock which was ahead stamped with the future count from now on, not until then."""
    now = timezone.now()
    AccessAttempt.objects.filter(attempt_time__gt=now + timedelta(minutes=1)).update(attempt_time=now)


@receiver(user_locked_out)
def _note(sender: object, request: HttpRequest, username: str | None, ip_address: str | None, **kwargs: Any) -> None:
    """A line of the log, the first time. The name is left out where nobody has it: it may be a mistyped password."""
    if getattr(request, "axes_failures_since_start", None) is None:
        return
    known = get_user_model()._default_manager.filter(username=username or "").exists()
    logs.event("login_throttled", level=logging.WARNING, address=ip_address, user=username if known else "")
