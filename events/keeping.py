"""How many events are kept: what is older than the newest ones goes, with its deliveries."""

from datetime import timedelta

from django.utils import timezone

from events.models import Delivery, Event

#: Events that are kept.
MAX_EVENTS = 5000
#: How long it is kept that a test was sent.
_TESTS = timedelta(days=30)
_AT_ONCE = 500


def prune() -> int:
    """Delete what is beyond the bound, some 500 at a time; returns how many events went. Raises DatabaseError."""
    Delivery.objects.filter(event=None, created_at__lt=timezone.now() - _TESTS).delete()
    beyond = Event.objects.order_by("-pk").values_list("pk", flat=True)
    surplus = list(beyond[MAX_EVENTS : MAX_EVENTS + _AT_ONCE])
    if surplus:
        Event.objects.filter(pk__in=surplus).delete()
    return len(surplus)
