"""Addresses of targets: which can be used, and how they are shown. No text made here quotes a webhook's address."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from events.models import Target
from vsadmin.lib.http import origin

_LONGEST = 2000


def check(form: str, address: str) -> str:
    """The address as it is stored. Raises ValueError with what is wrong and what to write."""
    address = address.strip()
    if form == Target.Form.EMAIL:
        try:
            validate_email(address)
        except ValidationError:
            raise ValueError(_("That is no e-mail address. Write one, such as admin@example.com.")) from None
        return address
    try:
        usable = len(address) <= _LONGEST and bool(origin(address))
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            _(
                "That is no address that can be used. Write the webhook's whole address, which begins with https:// "
                "and has neither spaces nor a user name."
            )
        ) from None
    return address


def shown(target: Target) -> str:
    """Where it leads, for pages: of a webhook its host alone, since the rest is its secret."""
    if target.form == Target.Form.EMAIL:
        return target.address
    try:
        return urlsplit(target.address).hostname or _("unknown")
    except ValueError:
        return _("unknown")
