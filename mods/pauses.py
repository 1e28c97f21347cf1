"""Until when a web address wants to be left alone (Retry-After), for all jobs and processes."""

from datetime import datetime, timedelta

from django.utils import timezone

from mods.models import Pause
from vsadmin.lib.http import MAX_RETRY_AFTER, origin

_MOST = timedelta(seconds=MAX_RETRY_AFTER)


def until(*urls: str) -> datetime | None:
    """When the origins of all these addresses may be asked again; None: now. One query."""
    now = timezone.now()
    origins = {origin(url) for url in urls}
    # Farther off than may be asked for: the clock was wrong.
    waiting = Pause.objects.filter(origin__in=origins, until__gt=now, until__lte=now + _MOST)
    return waiting.order_by("-until").values_list("until", flat=True).first()


def note(url: str, moment: datetime) -> None:
    """Note until when the origin of this address wants to be left alone."""
    Pause.objects.update_or_create(origin=origin(url), defaults={"until": moment})
