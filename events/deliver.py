"""Deliveries on their way: claimed, tried, tried again, given up. At least once, and never again after "received".

A process that dies between sending and recording leaves a claim that runs out; the next try has the same delivery id.
"""

import logging
import threading
import time
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from events import sending
from events.models import Delivery, Target
from events.record import wake
from events.sending import Outcome, Result
from vsadmin.lib import locks, logs

#: Seconds that one run may take: the worker has other work.
BUDGET = 30.0
#: After the first failed try, the second, and so on; then always the last.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 20, 40, 60))
#: From when on a delivery that fails once more is given up.
GIVE_UP_AFTER = timedelta(hours=6)
#: So often it is tried at least, however old it is: the clock may have been set, or nothing ran for a day; and so
#: often at most.
LEAST_TRIES, MOST_TRIES = 5, 50
#: Longer than any try takes.
CLAIM = timedelta(minutes=5)
#: What is due so soon is waited for, in seconds: Discord wants a pause after each few messages. Not for ever.
_WAIT_FOR = 3.0
_SHORT_TRIES = 5

_LOCK = "notifications"
_State = Delivery.State


def run(stop: threading.Event | None = None, *, budget: float = BUDGET) -> int:
    """Send what is due, in one process at a time; returns how many were sent. Raises DatabaseError.

    A target that fails has the rest of its deliveries wait for the next run, so that one that is down holds up nobody
    else for longer than one try.
    """
    try:
        with locks.hold(_LOCK):
            return _run(stop or threading.Event(), time.monotonic() + budget)
    except locks.Busy:
        return 0


def _run(stop: threading.Event, end: float) -> int:
    _end_switched_off()
    failed: set[int] = set()
    sent = 0
    while not stop.is_set() and time.monotonic() < end:
        now = timezone.now()
        waiting = _waiting(now).exclude(target__in=failed)
        due = waiting.filter(_is_due(now)).order_by("created_at", "pk").first()
        if due is None:
            soon = waiting.order_by("next_try_at").values_list("next_try_at", flat=True).first()
            pause = (soon - now).total_seconds() if soon else _WAIT_FOR + 1
            if pause > _WAIT_FOR or time.monotonic() + pause >= end:
                break
            stop.wait(max(pause, 0.05))
            continue
        result = attempt(due.pk, stop)
        if result is not None and result.outcome == Outcome.SENT:
            sent += 1
        elif result is not None and not _is_short(result.wait, due.tries + 1):
            failed.add(due.target_id)
    return sent


def attempt(pk: int, stop: threading.Event | None = None) -> Result | None:
    """Try this delivery now, unless it is over or somebody else has it (None). Raises DatabaseError."""
    now = timezone.now()
    mine = _waiting(now).filter(pk=pk)
    if not mine.update(claimed_until=now + CLAIM, tries=F("tries") + 1):
        return None
    delivery = Delivery.objects.select_related("event", "target").get(pk=pk)
    result = sending.send(delivery, stop)
    _note(delivery, result)
    return result


def send_test(target: Target) -> Delivery:
    """Ask for a test; where one waits untried already, that one. The worker sends it."""
    waiting = target.deliveries.filter(event=None, state=_State.WAITING, tries=0).first()
    delivery = waiting or Delivery.objects.create(target=target)
    wake()
    return delivery


def _waiting(now: datetime) -> QuerySet[Delivery]:
    """What nobody has in hand. A claim that is far too long was made before the clock was put back.

    Twice its length at least: whoever claimed it may have looked at the clock a moment later than we did.
    """
    free = Q(claimed_until=None) | Q(claimed_until__lte=now) | Q(claimed_until__gt=now + 2 * CLAIM)
    return Delivery.objects.filter(free, state=_State.WAITING)


def _is_due(now: datetime) -> Q:
    return Q(next_try_at__lte=now) | Q(next_try_at__gt=now + GIVE_UP_AFTER)


def _end_switched_off() -> None:
    """What waits for a target that was switched off isn't sent: it would all come at once when it is on again."""
    Delivery.objects.filter(state=_State.WAITING, event__isnull=False, target__active=False).update(
        state=_State.FAILED, next_try_at=None, ended_at=timezone.now(), result=_("The target was switched off.")
    )


def _is_short(wait: float | None, tries: int) -> bool:
    """Whether the receiver asked for a pause that is worth waiting for."""
    return wait is not None and wait <= _WAIT_FOR and tries <= _SHORT_TRIES


def _note(delivery: Delivery, result: Result) -> None:
    """Write down what a try came to."""
    now = timezone.now()
    fields = {"claimed_until": None, "next_try_at": None, "ended_at": now, "result": result.text}
    next_try = _next_try(delivery, result, now) if result.outcome == Outcome.AGAIN else None
    if result.outcome == Outcome.SENT:
        state = _State.SENT
    elif next_try is not None:
        state = _State.WAITING
        fields |= {"next_try_at": next_try, "ended_at": None}
    else:
        state = _State.FAILED
        if result.outcome == Outcome.AGAIN:
            fields["result"] = _("%s Given up.") % result.text
    Delivery.objects.filter(pk=delivery.pk, state=_State.WAITING).update(state=state, **fields)
    if next_try is not None and result.wait is not None:
        # The receiver asked for quiet: that goes for everything it gets.
        Delivery.objects.filter(target=delivery.target_id, state=_State.WAITING, next_try_at__lt=next_try).update(
            next_try_at=next_try
        )
    logs.event(
        "notification_sent" if state == _State.SENT else "notification_failed",
        level=logging.INFO if state == _State.SENT else logging.WARNING,
        target=delivery.target.name,
        delivery=str(delivery.delivery_id),
        state=str(state),
        tries=delivery.tries,
        result=result.text,
    )


def _next_try(delivery: Delivery, result: Result, now: datetime) -> datetime | None:
    """When it is tried again; None where it is given up."""
    pause = PAUSES[min(delivery.tries, len(PAUSES)) - 1]
    if result.wait is not None:
        # Never sooner than was asked; where that is short, not much later either.
        asked = timedelta(seconds=max(result.wait, 1))
        pause = asked if _is_short(result.wait, delivery.tries) else max(pause, asked)
    next_try = now + pause
    is_old = next_try - delivery.created_at > GIVE_UP_AFTER and delivery.tries >= LEAST_TRIES
    return None if is_old or pause > GIVE_UP_AFTER or delivery.tries >= MOST_TRIES else next_try
