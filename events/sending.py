"""One try at one delivery, and what it came to. Nothing here writes the database, raises, or tells a secret."""

import json
import logging
import smtplib
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from threading import Event as Flag

from django.conf import settings
from django.core.mail import get_connection
from django.utils import timezone
from django.utils.translation import gettext as _

from events import conf, letters
from events.letters import Letter
from events.models import Delivery, Target
from vsadmin.lib import logs, mail
from vsadmin.lib.http import Client, HttpError

#: Seconds for one webhook, from asking to the last header of its answer. Nothing of the answer's body is read.
DEADLINE = 10.0
#: Answers after which another try may go better.
_MAY_PASS = frozenset({408, 425, 429})


class Outcome(StrEnum):
    """Whether it is there, may be there next time, or never will be."""

    SENT = "sent"
    AGAIN = "again"
    NEVER = "never"


@dataclass(frozen=True)
class Result:
    """What one try came to, in words for people; `wait`: seconds that the receiver asked to be left alone."""

    outcome: Outcome
    text: str
    wait: float | None = None


def send(delivery: Delivery, stop: Flag | None = None) -> Result:
    """Try it once. The delivery comes with its event and target; `stop` ends a wait soon."""
    target = delivery.target
    try:
        letter = letters.of(delivery)
        if target.form == Target.Form.EMAIL:
            return _email(letter, target.address)
        return _post(letter, target, stop)
    except Exception as error:  # noqa: BLE001  # its text or traceback could name the address, so neither is told
        kind = type(error).__name__
        logs.event("notification_error", level=logging.ERROR, target=target.name, error=kind)
        return Result(Outcome.AGAIN, _("An unexpected error (%s).") % kind)


def mail_is_set() -> bool:
    """Whether there is a mail server to send through."""
    return bool(mail.NONE_IS_SENT["EMAIL_BACKEND"] != settings.EMAIL_BACKEND)


def how_to_set_mail() -> str:
    return _(
        "No mail server is set, so no e-mail can be sent. Write "
        "EMAIL_URL=smtp+tls://user:password@mail.example.com:587 into the file .env beside manage.py, then start "
        "vsadmin again."
    )


# --- webhooks


def _post(letter: Letter, target: Target, stop: Flag | None) -> Result:
    form = letters.discord if target.form == Target.Form.DISCORD else letters.webhook
    headers = {
        "Content-Type": "application/json",
        "X-Vsadmin-Delivery": letter.delivery_id,
        "X-Vsadmin-Event": letter.kind,
    }
    try:
        with Client(
            user_agent=f"vsadmin/{settings.VSADMIN_VERSION}",
            allowed_origins=[target.address],
            trusted_private_origins=[target.address] if conf.ALLOW_PRIVATE.get() else [],
            max_connections=1,
            stop=stop,
        ) as client:
            body = json.dumps(form(letter)).encode()
            answer = client.post(target.address, body, headers=headers, deadline=DEADLINE)
    except HttpError as error:
        return _unsent(error)
    return _answered(answer.status, answer.headers.get("Retry-After", ""))


def _unsent(error: HttpError) -> Result:
    if error.kind == "forbidden_address":
        hint = _("If that is meant, set VSADMIN_ALLOW_PRIVATE_WEBHOOKS=on and start vsadmin again.")
        return Result(Outcome.NEVER, f"{error.text} {hint}")
    return Result(Outcome.AGAIN, error.text)


def _answered(status: int, retry_after: str) -> Result:
    if 200 <= status < 300:
        return Result(Outcome.SENT, _("Received: the answer was %d.") % status)
    if 300 <= status < 400:
        text = _("The address leads elsewhere (%d), which isn't followed. Write the address that it leads to.")
        return Result(Outcome.NEVER, text % status)
    if status >= 500 or status in _MAY_PASS:
        text = _("The receiver asks to be left alone for a while (%d).") if status == 429 else _("The answer was %d.")
        return Result(Outcome.AGAIN, text % status, _seconds(retry_after))
    text = _("The receiver refuses it (%d). Look whether the webhook still exists, and write its address anew.")
    return Result(Outcome.NEVER, text % status)


_DAY = 86_400.0


def _seconds(retry_after: str) -> float | None:
    """Of a Retry-After header: seconds, also with a fraction as Discord has it, or a date; None for nonsense."""
    try:
        wait = float(retry_after)
    except ValueError:
        try:
            wait = (parsedate_to_datetime(retry_after) - timezone.now()).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
        if wait > _DAY:
            return None  # rather our clock is wrong
    return wait if 0 <= wait < 10**9 else None


# --- e-mail


def _email(letter: Letter, address: str) -> Result:
    if not mail_is_set():
        return Result(Outcome.NEVER, how_to_set_mail())
    connection = get_connection()
    try:
        connection.open()  # else sending would close it, and what goes wrong then would count as not sent
        connection.send_messages([letters.email(letter, address)])
    except smtplib.SMTPRecipientsRefused as error:
        codes = [int(code) for code, _text in error.recipients.values()]
        outcome = Outcome.NEVER if codes and min(codes) >= 500 else Outcome.AGAIN
        return Result(outcome, _("The mail server refuses the address (%s).") % ", ".join(map(str, codes)))
    except smtplib.SMTPAuthenticationError as error:
        text = _("The mail server refuses the user or the password of EMAIL_URL (%d).")
        return Result(Outcome.AGAIN, text % error.smtp_code)
    except smtplib.SMTPResponseException as error:
        return Result(Outcome.AGAIN, _("The mail server answered %d.") % error.smtp_code)
    except (smtplib.SMTPException, OSError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        return Result(Outcome.AGAIN, _("The mail server couldn't be reached: %s.") % why)
    finally:
        with suppress(Exception):
            connection.close()
    return Result(Outcome.SENT, _("The mail server took it."))
