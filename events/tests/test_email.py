"""E-mail, through Django's settings: what is sent, what goes wrong in words, never twice once it was taken."""

from collections.abc import Iterator

import pytest
from django.core import mail
from pytest_django import Settings

from events import deliver
from events.kinds import Kind
from events.models import Delivery
from events.record import record
from events.tests import mailserver
from events.tests.conftest import MakeTarget
from vsadmin.lib.mail import NONE_IS_SENT
from vsadmin.lib.tests.loopback import free_port

pytestmark = pytest.mark.django_db
SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.fixture
def server(settings: Settings) -> Iterator[mailserver.MailServer]:
    with mailserver.serving() as server:
        settings.EMAIL_BACKEND = SMTP
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
        settings.EMAIL_TIMEOUT = 5
        yield server


def sent_to(target: MakeTarget, title: str = "Public crashed") -> Delivery:
    target("admin@example.com", "email")
    event = record(Kind.CRASHED, "1", title, text="It broke.")
    assert event is not None
    deliver.run()
    return event.deliveries.get()


def test_a_mail_says_what_happened(target: MakeTarget, server: mailserver.MailServer, settings: Settings) -> None:
    settings.EMAIL_HOST_USER = ""
    delivery = sent_to(target)
    assert (delivery.state, delivery.result) == ("sent", "The mail server took it.")
    (message,) = server.mails
    for expected in (
        "Subject: [vsadmin] Public crashed",
        "To: admin@example.com",
        f"Message-ID: <{delivery.delivery_id}@vsadmin.invalid>",
        f"X-Vsadmin-Delivery: {delivery.delivery_id}",
        "Auto-Submitted: auto-generated",
        "It broke.",
        "What: A server crashed",
    ):
        assert expected in message, expected
    assert deliver.run() == 0
    assert len(server.mails) == 1


def test_one_that_was_taken_isnt_sent_again_though_the_goodbye_fails(
    target: MakeTarget, server: mailserver.MailServer
) -> None:
    server.answers["QUIT"] = "221 " + "x" * 9000  # more than a line may have, which smtplib raises for
    assert sent_to(target).state == "sent"


@pytest.mark.parametrize(
    ("command", "said", "state", "words"),
    [
        ("RCPT", "550 nobody here", "failed", "refuses the address (550)"),
        ("RCPT", "451 later", "waiting", "refuses the address (451)"),
        ("MAIL", "451 later", "waiting", "answered 451"),
        ("DATA", "554 no", "waiting", "answered 554"),
        ("MAIL", "", "waiting", "couldn't be reached"),
    ],
)
def test_what_the_server_refuses_is_said(
    command: str, said: str, state: str, words: str, target: MakeTarget, server: mailserver.MailServer
) -> None:
    server.answers[command] = said
    delivery = sent_to(target)
    assert delivery.state == state
    assert words in delivery.result
    assert server.mails == []


def test_a_server_that_isnt_there(target: MakeTarget, settings: Settings) -> None:
    settings.EMAIL_BACKEND = SMTP
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    delivery = sent_to(target)
    assert (delivery.state, delivery.result) == ("waiting", "The mail server couldn't be reached: Connection refused.")


def test_a_refused_login_names_no_password(
    target: MakeTarget, server: mailserver.MailServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers |= {"EHLO": "250-here\r\n250 AUTH PLAIN", "AUTH": "535 S3CRET is wrong"}
    settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "panel@example.com", "S3CRET"
    delivery = sent_to(target)
    assert delivery.result == "The mail server refuses the user or the password of EMAIL_URL (535)."
    assert "S3CRET" not in caplog.text


def test_without_a_mail_server_it_says_how_to_set_one(target: MakeTarget, settings: Settings) -> None:
    settings.EMAIL_BACKEND = NONE_IS_SENT["EMAIL_BACKEND"]
    delivery = sent_to(target)
    assert delivery.state == "failed"
    assert "EMAIL_URL=smtp+tls://" in delivery.result


def test_line_breaks_cant_add_headers(target: MakeTarget) -> None:
    sent_to(target, "Public\r\nBcc: evil@example.com\n" + "x" * 400)
    (message,) = mail.outbox
    assert message.subject.startswith("[vsadmin] Public Bcc: evil@example.com x")
    assert len(message.subject) == 200
    assert message.recipients() == ["admin@example.com"]


@pytest.mark.parametrize(
    ("given", "account", "sender"),
    [
        ("vsadmin <v@example.com>", "panel@example.com", "vsadmin <v@example.com>"),
        ("", "panel@example.com", "panel@example.com"),
        ("", "panel", "webmaster@localhost"),
    ],
)
def test_whom_it_comes_from(
    given: str, account: str, sender: str, target: MakeTarget, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_FROM_EMAIL", given)
    settings.EMAIL_HOST_USER = account
    sent_to(target)
    assert mail.outbox[0].from_email == sender
