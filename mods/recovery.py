"""After a crash: every change that was cut short is put back or finished, and nothing is left lying about.

Each piece may itself be cut short and is done again next time. None needs the cache: what can't be put away stays in
staging until it can.
"""

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import inventory, journal, keeping, news, placing, turns
from mods.journal import Item
from mods.models import GameServer, Operation, Step
from vsadmin.lib import files, locks, logs

_log = logging.getLogger(__name__)

#: Seconds to wait for a scan of the server that is under way.
_WAIT = 30.0
#: Whoever asked may not have come to enqueue it yet.
_FRESH = timedelta(minutes=2)
_STAGING_NAME = re.compile(r"(\d{1,18})-[0-9a-f]{8}")
_UNRESOLVED = (Step.State.PLACING, Step.State.PLACED)


@dataclass
class Mended:
    """What was done: how many operations were brought to an end, and what couldn't be put right yet."""

    operations: int = 0
    problems: list[str] = field(default_factory=list)


def recover(*, at_start: bool = False) -> int:
    """Bring to an end what dead processes left, and let the worker have what waits; returns how many operations ended.

    At the worker's start, in the minute job; `at_start` looks into staging folders and at kept copies besides. One
    server's trouble never stops the others.
    """
    ended = _close_lost_plans()
    for server in GameServer.objects.all():
        try:
            with locks.hold(turns.changing(server.pk)):
                mended = mend(server)
                ended += mended.operations
                if at_start or mended.operations:
                    sweep(server)
        except locks.Busy:
            continue  # somebody works on it
        except Exception:  # noqa: BLE001  # whatever it is, the others' mods matter as much; it is tried again
            _log.exception("recovery of %s", server.name)
        else:
            run_next(server)
    if at_start or ended:
        _tend_kept_copies()
    return ended


def mend(server: GameServer, *, why: str = "") -> Mended:
    """Put back or finish every change of the server that was cut short. Call it with `turns.changing` held.

    `why`: what cut short the ones that still count as running. Raises `locks.Busy`, DatabaseError.
    """
    mended = Mended()
    cut_short = Q(state=Operation.State.RUNNING) | Q(steps__state__in=_UNRESOLVED)
    operations = list(server.operations.filter(cut_short).distinct().order_by("-pk"))
    if not operations:
        return mended
    problems = {}
    for operation in operations:
        operation.server = server
        problems[operation] = _mend_one(operation)
    inventory.scan(server)  # before they are closed, so that one cut short here is mended again
    for operation, found in problems.items():
        mended.problems += found
        if operation.state == Operation.State.RUNNING:
            words = why or _("It was interrupted: the worker or the machine stopped.")
            journal.close(operation, why=words, remarks=found)
            mended.operations += 1
        for problem in found:
            logs.event("mod_change_recovery_failed", level=logging.ERROR, operation=operation.pk, reason=problem)
    return mended


def _mend_one(operation: Operation) -> list[str]:
    """Put back what was in the middle, put away what was placed; returns what couldn't be, in words."""
    items = _items(operation)
    with locks.wait_for(inventory.server_lock(operation.server_id), _WAIT):
        problems = _put_back([item for item in reversed(items) if item.step.state == Step.State.PLACING])
    placed = [item for item in items if item.step.state == Step.State.PLACED]
    left = {item.step.pk: journal.put_away(operation, item) for item in placed}
    journal.mark([item.step for item in placed if not left[item.step.pk]], Step.State.DONE)
    problems += [problem for problem in left.values() if problem]
    return problems or _tidy(operation, items)


def _items(operation: Operation) -> list[Item]:
    """Its steps in their order; one that this version of vsadmin can't read is left alone."""
    items = []
    for step in operation.steps.order_by("position"):
        try:
            items.append(journal.item_of(operation, step))
        except (KeyError, TypeError):
            logs.event("mod_change_step_unreadable", level=logging.ERROR, operation=operation.pk, step=step.pk)
    return items


def _put_back(items: Sequence[Item]) -> list[str]:
    """Undo these steps on the disk; returns what couldn't be, in words. Raises DatabaseError."""
    problems = []
    for item in items:
        try:
            placing.undo(item.change)
        except (OSError, placing.Refused) as error:
            text = files.in_words(error) if isinstance(error, OSError) else str(error)
            words = _("%(mod)s couldn't be put back as it was yet. %(why)s It is tried again every minute.")
            problems.append(words % {"mod": item.planned.name, "why": text})
            journal.mark([item.step], Step.State.PLACING, problems[-1])
        else:
            words = _("It was cut short, and the mod is as it was.")
            journal.mark([item.step], Step.State.FAILED, item.step.message or words)
    return problems


def _tidy(operation: Operation, items: Sequence[Item]) -> list[str]:
    """Remove the staging folders of a change whose steps are all settled; returns what is in the way, in words."""
    name = journal.staging_name(operation)
    problems = []
    for folder in journal.folders_of(items):
        for place in placing.staging_places(folder, name):
            try:
                journal.keep_leftovers(place, operation.server, operation, items)
                placing.clear(place)
            except OSError as error:
                words = _("The folder %(place)s, which is no longer needed, couldn't be cleared up. %(why)s")
                problems.append(words % {"place": place, "why": files.in_words(error)})
    return problems


def undo_group(items: Sequence[Item]) -> None:
    """Put back a group whose placing failed; each item's `problem` says why. Raises DatabaseError."""
    for item in items:
        item.step.message = item.problem
    _put_back(list(reversed(items)))


def tidy(operation: Operation, items: Sequence[Item]) -> list[str]:
    """As recovery does it: of a change that ran to its end. Raises DatabaseError, `locks.Busy`."""
    if any(item.step.state in _UNRESOLVED for item in items):
        return []
    return _tidy(operation, items)


# --- staging folders that no change knows


def sweep(server: GameServer) -> None:
    """Empty staging folders of changes that are over or that nobody knows; what lies aside becomes a kept copy.

    Call it with `turns.changing` held. Raises OSError, `locks.Busy`, DatabaseError.
    """
    for folder in [Path(entry["path"]) for entry in server.mod_folders]:
        for place in (folder.parent / placing.STAGING, folder / placing.STAGING):
            try:
                found = [one for one in place.iterdir() if _STAGING_NAME.fullmatch(one.name)]
            except OSError:
                continue  # there is none, or it isn't ours to look into
            for one in found:
                _sweep_one(server, one)
            with suppress(OSError):  # not empty, or not ours
                place.rmdir()


def _sweep_one(server: GameServer, place: Path) -> None:
    operation = Operation.objects.filter(pk=int(place.name.partition("-")[0])).first()
    if operation is not None and journal.staging_name(operation) != place.name:
        operation = None
    if operation is not None and (not operation.is_over or operation.steps.filter(state__in=_UNRESOLVED).exists()):
        return
    if placing.in_use(place):
        return
    kept = journal.keep_leftovers(place, server, operation, _items(operation) if operation else ())
    placing.clear(place)
    logs.event("mod_staging_swept", server=server.name, staging=str(place), kept=kept)


def _tend_kept_copies() -> None:
    try:
        keeping.tend()
    except (OSError, locks.Busy, DatabaseError):
        _log.exception("kept copies")


# --- what waits


def run_next(server: GameServer, *, anyway: bool = False) -> None:
    """Let the worker have the server's longest waiting change, unless it has it already.

    `anyway`: it may have had it while another one was under way, and left it. Twice does no harm.
    """
    first = longest_waiting(server)
    if first is not None and (anyway or turns.run_task(first) not in turns.queued_tasks()):
        turns.run_later(first)


def longest_waiting(server: GameServer) -> int | None:
    """The server's queued change that somebody said yes to first, by primary key; None where none is queued."""
    waiting = server.operations.filter(state=Operation.State.QUEUED).only("plan")
    return min(((str((one.plan or {}).get("confirmed_at", "")), one.pk) for one in waiting), default=("", None))[1]


def _close_lost_plans() -> int:
    """Plans that no process makes any more, nor will: neither does the worker have the task, nor anybody the lock."""
    lost = Operation.objects.filter(state=Operation.State.PLANNING, asked_at__lt=timezone.now() - _FRESH)
    closed = 0
    for pk in list(lost.values_list("pk", flat=True)):
        try:
            with locks.hold(turns.planning(pk)):
                if turns.plan_task(pk) not in turns.queued_tasks():
                    closed += _close_plan(lost.filter(pk=pk), pk)
        except locks.Busy:
            continue
    return closed


@transaction.atomic
def _close_plan(lost: QuerySet[Operation], pk: int) -> int:
    words = _("Planning was interrupted: the worker stopped. Nothing was changed; ask again.")
    ended = lost.update(state=Operation.State.FAILED, ended_at=timezone.now(), doing="", message=words)
    if ended:
        news.of_change(pk)
    return ended
