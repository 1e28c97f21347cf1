"""What a target is told of an event, in each form. Texts may quote strangers: they stay texts.

docs/notifications.md describes the webhook's JSON; what is there is a promise.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.mail import EmailMessage
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from events import conf
from events.kinds import TONES, Kind
from events.models import Delivery

#: Discord's limits, in UTF-16 units (https://discord.com/developers/docs/resources/message#embed-object-embed-limits).
_CONTENT, _EMBED_TITLE, _EMBED_TEXT, _EMBED_FIELD = 1900, 250, 3500, 900
_COLOURS = {"bad": 0xC0392B, "warn": 0xB7791F, "good": 0x2F855A, "info": 0x2B6CB0}
#: What means something in Discord's Markdown.
_MARKDOWN = re.compile(r"[\\*_~`|>#\-\[\]()<]")
_NOT_BREAKING = "\N{ZERO WIDTH SPACE}"
_SUBJECT = 200


@dataclass(frozen=True)
class Letter:
    """One delivery's content."""

    delivery_id: str
    #: "" for a test.
    event_id: str
    kind: str
    kind_title: str
    title: str
    text: str
    at: datetime
    recorded_at: datetime
    forced: bool
    server_key: int | None
    server_name: str
    #: The event's page, where it is known under which address the panel is reached.
    url: str
    tone: str

    @property
    def is_test(self) -> bool:
        return not self.event_id


def of(delivery: Delivery) -> Letter:
    """Of an event, or a test."""
    event = delivery.event
    if event is None:
        return Letter(
            delivery_id=str(delivery.delivery_id),
            event_id="",
            kind="test",
            kind_title=_("Test"),
            title=_("A test from vsadmin"),
            text=_("If you can read this, “%s” works.") % delivery.target.name,
            at=delivery.created_at,
            recorded_at=delivery.created_at,
            forced=False,
            server_key=None,
            server_name="",
            url=_public(reverse("admin:events_target_changelist")),
            tone="info",
        )
    known = event.kind in Kind.values
    return Letter(
        delivery_id=str(delivery.delivery_id),
        event_id=str(event.uid),
        kind=event.kind,
        kind_title=str(Kind(event.kind).label) if known else event.kind,
        title=event.title,
        text=event.text,
        at=event.at,
        recorded_at=event.recorded_at,
        forced=event.forced,
        server_key=event.server_key,
        server_name=event.server_name,
        url=_public(reverse("admin:events_event_change", args=[event.pk])),
        tone=TONES.get(Kind(event.kind), "") if known else "",
    )


def _public(path: str) -> str:
    """The whole address of a page; "" where nobody said under which one the panel is reached."""
    origins = [one for one in settings.CSRF_TRUSTED_ORIGINS if "*" not in one]
    return f"{origins[0].rstrip('/')}{path}" if origins else ""


def webhook(letter: Letter) -> dict[str, Any]:
    """The documented JSON."""
    return {
        "version": 1,
        "delivery_id": letter.delivery_id,
        "test": letter.is_test,
        "event": {
            "id": letter.event_id or None,
            "kind": letter.kind,
            "kind_title": letter.kind_title,
            "title": letter.title,
            "text": letter.text,
            "forced": letter.forced,
            "at": letter.at.isoformat(),
            "recorded_at": letter.recorded_at.isoformat(),
            "server": {"id": letter.server_key, "name": letter.server_name} if letter.server_key else None,
            "url": letter.url or None,
        },
    }


def discord(letter: Letter) -> dict[str, Any]:
    """For Discord's webhooks: nobody is mentioned, whatever the texts say, and nothing in them is Markdown."""
    embed: dict[str, Any] = {
        "title": _plain(letter.kind_title, _EMBED_TITLE),
        "color": _COLOURS.get(letter.tone, 0x6B7280),
        "timestamp": letter.at.isoformat(),
        "footer": {"text": f"vsadmin · {letter.delivery_id}"},
    }
    if letter.text.strip():  # Discord refuses empty ones
        embed["description"] = _plain(letter.text, _EMBED_TEXT)
    if letter.server_name.strip():
        embed["fields"] = [{"name": _("Server"), "value": _plain(letter.server_name, _EMBED_FIELD), "inline": True}]
    if letter.url:
        embed["url"] = letter.url
    return {
        "content": _plain(letter.title, _CONTENT),
        "embeds": [embed],
        "allowed_mentions": {"parse": []},
    }


def _plain(text: str, limit: int) -> str:
    """The text without Markdown, links and mentions, at most `limit` UTF-16 units long, no escape cut in two."""
    parts: list[str] = []
    left = limit - 1
    for char in text:
        piece = f"\\{char}" if _MARKDOWN.match(char) else char
        if char == "@":
            piece += _NOT_BREAKING
        left -= len(piece.encode("utf-16-le")) // 2
        if left < 0:
            return "".join(parts) + "…"
        parts.append(piece)
    return "".join(parts)


def email(letter: Letter, address: str) -> EmailMessage:
    """A plain e-mail. Its Message-ID is the delivery's: a mail program shows a repeated one once."""
    subject = " ".join(f"[vsadmin] {letter.title}".split())
    facts = [
        (_("What"), letter.kind_title),
        (_("Server"), letter.server_name),
        (_("When"), date_format(timezone.localtime(letter.at), "j M Y H:i:s T")),
        (_("More"), letter.url),
    ]
    paragraphs = [
        letter.title,
        letter.text,
        "\n".join(f"{name}: {value}" for name, value in facts if value),
        _("Sent by vsadmin. Who is told of what is set under System, Notifications."),
    ]
    return EmailMessage(
        subject=subject if len(subject) <= _SUBJECT else f"{subject[: _SUBJECT - 1]}…",
        body="\n\n".join(one for one in paragraphs if one),
        from_email=sender(),
        to=[address],
        headers={
            "Message-ID": f"<{letter.delivery_id}@vsadmin.invalid>",
            "Auto-Submitted": "auto-generated",
            "X-Vsadmin-Delivery": letter.delivery_id,
        },
    )


def sender() -> str:
    """Whom e-mails come from: as set, else the mail account's own address, else Django's default."""
    account = settings.EMAIL_HOST_USER
    return conf.MAIL_FROM.get() or (account if "@" in account else settings.DEFAULT_FROM_EMAIL)
