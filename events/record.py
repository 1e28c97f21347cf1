"""Writing events: each once, however often and by however many processes it is seen; with a delivery for each target
that wants to hear of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone
from django_q.tasks import async_task

from events.kinds import Kind
from events.models import Delivery, Event, Target
from vsadmin.lib import logs

#: The task that sends what waits; its schedule has the same name.
DELIVER = "notifications_deliver"
_TASK = f"events.tasks.{DELIVER}"

_TITLE, _TEXT, _KEY = 300, 10_000, 255
#: Events written in one statement.
_AT_ONCE = 200


@dataclass(frozen=True)
class News:
    """What may be an event: see `record`."""

    kind: Kind
    key: str
    title: str
    text: str = ""
    at: datetime | None = None
    about: models.Model | None = None
    server: models.Model | None = None
    forced: bool = False


def record(
    kind: Kind,
    key: str,
    title: str,
    *,
    text: str = "",
    at: datetime | None = None,
    about: models.Model | None = None,
    server: models.Model | None = None,
    forced: bool = False,
) -> Event | None:
    """Write an event, if that one (`kind` and `key`) isn't written yet; None where it was.

    `at`: when it happened (now by default). `about`: what its page leads to. `server`: the server it is about. Texts
    are for people and may quote what others wrote; they are shown as text only. Within a transaction it counts once
    that is committed. Raises DatabaseError.
    """
    written = record_all([News(kind, key, title, text, at, about, server, forced)])
    return written[0] if written else None


def record_all(news: Iterable[News]) -> list[Event]:
    """The same for several, in a dozen statements for each 200; returns those that are new.

    Of two with one key the first counts. Raises DatabaseError.
    """
    drafts: dict[str, Event] = {}
    for one in news:
        event = _event(one)
        drafts.setdefault(event.key, event)
    # In one order for everybody: two processes with the same news must not wait for each other.
    keys = sorted(drafts)
    written: list[Event] = []
    for first in range(0, len(keys), _AT_ONCE):
        written += _write([drafts[key] for key in keys[first : first + _AT_ONCE]])
    for event in written:
        logs.event("event_recorded", kind=event.kind, title=event.title, server=event.server_name)
    return written


def wake() -> None:
    """Let the worker send what waits, once this transaction is committed. That it can't be asked fails nothing: the
    schedule asks every minute."""
    transaction.on_commit(lambda: async_task(_TASK, q_options={"task_name": DELIVER}), robust=True)


def _write(drafts: list[Event]) -> list[Event]:
    with transaction.atomic():
        known = set(Event.objects.filter(key__in=[one.key for one in drafts]).values_list("key", flat=True))
        fresh = [one for one in drafts if one.key not in known]
        if not fresh:
            return []
        Event.objects.bulk_create(fresh, ignore_conflicts=True)
        # Where another process was first, its event has the key, and ours isn't there.
        written = list(Event.objects.filter(uid__in=[one.uid for one in fresh]).order_by("pk"))
        targets = list(Target.objects.filter(active=True)) if written else []
        deliveries = [
            Delivery(event=event, target=target)
            for event in written
            for target in targets
            if event.kind in target.kinds
        ]
        if deliveries:
            Delivery.objects.bulk_create(deliveries)
            wake()
    return written


def _event(news: News) -> Event:
    return Event(
        kind=news.kind,
        key=_key(f"{news.kind.value}:{_storable(news.key)}"),
        at=news.at or timezone.now(),
        title=_cut(_storable(" ".join(news.title.split())), _TITLE),
        text=_cut(_storable(news.text.replace("\r\n", "\n")), _TEXT),
        forced=news.forced,
        server_key=news.server.pk if news.server is not None else None,
        server_name=_storable(str(news.server))[:100] if news.server is not None else "",
        about=news.about._meta.label_lower if news.about is not None else "",
        about_key=str(news.about.pk) if news.about is not None else "",
    )


def _key(whole: str) -> str:
    """It, or where it is too long its beginning and its SHA-256: others with that beginning stay others."""
    if len(whole) <= _KEY:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return f"{whole[: _KEY - len(digest) - 1]}:{digest}"


def _storable(text: str) -> str:
    """With replacement characters for what databases refuse (NUL, halves of surrogate pairs), and for what would be
    obeyed instead of shown (control characters, changes of the direction of writing)."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
