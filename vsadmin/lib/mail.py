"""An address such as `smtp+tls://user:password@mail.example.com:587`, read into Django's settings of e-mail."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from vsadmin.lib.conf import Malformed

_BACKENDS = "django.core.mail.backends"
NONE_IS_SENT = {"EMAIL_BACKEND": f"{_BACKENDS}.dummy.EmailBackend"}
#: Where mail servers take mail with STARTTLS (RFC 6409). Django would take 25, which they mean for one another.
_SUBMISSION = 587


def settings_of(url: str) -> dict[str, Any]:
    """The `EMAIL_…` settings that differ from Django's own. Raises `Malformed`, which never names the password."""
    try:
        found = environ.Env.email_url_config(url)
    except ImproperlyConfigured:
        raise Malformed("it doesn't begin with smtp://, smtp+tls:// or smtp+ssl://.") from None
    except ValueError:
        raise Malformed("it is no address.") from None
    if found["EMAIL_BACKEND"] == f"{_BACKENDS}.smtp.EmailBackend" and not found["EMAIL_HOST"]:
        raise Malformed("it names no mail server.")
    if found["EMAIL_BACKEND"] == f"{_BACKENDS}.filebased.EmailBackend" and not found["EMAIL_FILE_PATH"]:
        raise Malformed("it names no folder.")
    if found.get("EMAIL_USE_TLS") and not found["EMAIL_PORT"]:
        found["EMAIL_PORT"] = _SUBMISSION
    return {name: value for name, value in found.items() if name.startswith("EMAIL_") and value}
