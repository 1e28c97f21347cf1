"""Writing events: each once, however often it is seen; and a delivery for whoever wants to hear of it."""

import uuid
from datetime import datetime

from django.db import models, transaction
from django.utils import timezone

from events.kinds import Kind
from events.models import Delivery, Event, Target
from vsadmin.lib import logs


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
    are for people and may quote what others wrote; they are shown as text only. Raises DatabaseError.
    """
    event = Event(
        kind=kind,
        key=f"{kind.value}:{key}"[:255],
        at=at or timezone.now(),
        title=title[:300],
        text=text,
        forced=forced,
        server_key=server.pk if server is not None else None,
        server_name=str(server)[:100] if server is not None else "",
        about=about._meta.label_lower if about is not None else "",
        about_key=str(about.pk) if about is not None else "",
    )
    with transaction.atomic():
        if Event.objects.filter(key=event.key).exists():
            return None
        Event.objects.bulk_create([event], ignore_conflicts=True)
        written = Event.objects.get(key=event.key)
        if written.recorded_at != event.recorded_at:
            return None  # another process was first
        targets = [one for one in Target.objects.filter(active=True) if kind.value in one.kinds]
        Delivery.objects.bulk_create(
            Delivery(delivery_id=uuid.uuid4(), event=written, target=target) for target in targets
        )
    logs.event("event_recorded", kind=kind.value, title=written.title, server=written.server_name)
    return written
