"""Which events a person has seen. `user` is a saved account."""

from typing import Any

from django.db.models import QuerySet, Subquery
from django.db.models.functions import Coalesce

from events.models import Event, Read

#: Counted no further: "99+" says enough.
MOST = 100
RIGHT = "events.view_event"


def unread(user: Any) -> int:
    """How many events are new to this person, at most `MOST`; one query, bounded. What was before they came isn't."""
    return _unread(user)[:MOST].count()


def seen_up_to(user: Any) -> int:
    return Read.objects.filter(user_key=user.pk).values_list("seen_up_to", flat=True).first() or 0


def is_new(event: Event, user: Any, seen: int) -> bool:
    """Whether `unread` counts it for somebody who has seen what is up to `seen`."""
    return event.pk > seen and event.recorded_at >= user.date_joined


def mark_read(user: Any) -> None:
    """From now on all that is there is seen. Writes only where something is new."""
    latest = Event.objects.order_by("-pk").values_list("pk", flat=True).first()
    if latest is None:
        return
    if Read.objects.filter(user_key=user.pk, seen_up_to__gte=latest).exists():
        return
    if not Read.objects.filter(user_key=user.pk).update(seen_up_to=latest):
        Read.objects.bulk_create([Read(user_key=user.pk, seen_up_to=latest)], ignore_conflicts=True)


def _unread(user: Any) -> QuerySet[Event]:
    seen = Subquery(Read.objects.filter(user_key=user.pk).values("seen_up_to")[:1])
    return Event.objects.filter(pk__gt=Coalesce(seen, 0), recorded_at__gte=user.date_joined).order_by()
