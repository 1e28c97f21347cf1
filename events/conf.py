"""Settings of this app; README.md's table describes them."""

from email.utils import parseaddr

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from vsadmin.lib import conf


def _sender(text: str) -> str:
    """`vsadmin@example.com` or `vsadmin <vsadmin@example.com>`; raises `Malformed`."""
    try:
        validate_email(parseaddr(text)[1])
    except ValidationError:
        raise conf.Malformed("that is no e-mail address.") from None
    if not text.isprintable():
        raise conf.Malformed("it has characters that can't be printed.")
    return text


ALLOW_PRIVATE = conf.declare("VSADMIN_ALLOW_PRIVATE_WEBHOOKS", False, conf.switch, "Write on or off.")
MAIL_FROM = conf.declare(
    "DEFAULT_FROM_EMAIL", "", _sender, "Write the address that e-mails come from, such as vsadmin@example.com."
)
