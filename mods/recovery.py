"""After a crash: every change that was cut short is put back or finished, and nothing is left lying about.

Each piece may itself be cut short and is done again next time. None needs the cache: what can't be put away stays in
staging until it can.
"""

import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import inventory, journal, keeping, news, placing, plans, serverdir, turns
from mods.journal import Item
from mods.models import GameServer, Operation, Step
from mods.staging import NotTheServers, Places, Staging
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
    """What was done: how many operations were brought to an end, and what couldn't be put right yet.

    `problems`: mods that aren't as they were yet, so nothing else of the server may be changed. `remarks`: replaced
    files that couldn't be put away yet, which is in nobody's way.
    """

    operations: int = 0
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def recover(*, at_start: bool = False) -> int:
    """Bring to an end what dead processes left, and let the worker have what waits; returns how many operations ended.

    At the worker's start, in the minute job; `at_start` looks into staging folders and at kept copies besides. One
    server's trouble never stops the others.
    """
    ended = 0
    try:
        ended += _close_lost_plans()
    except Exception:  # noqa: BLE001  # a plan that nobody makes is no reason to leave mods half-way
        _log.exception("lost plans")
    for server in GameServer.objects.all():
        try:
            with locks.hold(turns.changing(server.pk)):
                mended = mend(server)
                ended += mended.operations
                if at_start or mended.operations:
                    sweep(server)
            run_next(server)
        except locks.Busy:
            continue  # somebody works on it
        except Exception:  # noqa: BLE001  # whatever it is, the others' mods matter as much; it is tried again
            _log.exception("recovery of %s", server.name)
    if at_start or ended:
        _tend_kept_copies()
    return ended


def mend(server: GameServer, *, why: str = "") -> Mended:
    """Put back or finish every change of the server that was cut short. Call it with `turns.changing` held.

    `why`: what cut short the ones that still count as running. Raises `locks.Busy`, DatabaseError.
    """
    mended = Mended()
    cut_short = Q(state=Operation.State.RUNNING) | Q(steps__state__in=_UNRESOLVED)
    found = []
    for operation in list(server.operations.filter(cut_short).distinct().order_by("-pk")):
        operation.server = server
        found.append((operation, _mend_one(operation)))
    if any(operation.state == Operation.State.RUNNING or one.has_moved for operation, one in found):
        inventory.scan(server)  # before they are closed, so that one cut short here is mended again
    for operation, one in found:
        mended.problems += one.problems
        mended.remarks += one.remarks
        if operation.state == Operation.State.RUNNING:
            words = why or _("It was interrupted: the worker or the machine stopped.")
            journal.close(operation, why=words, remarks=[*one.problems, *one.remarks])
            mended.operations += 1
    return mended


@dataclass
class _Mending:
    """One operation being mended. `has_moved`: files were put back."""

    operation: Operation
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    has_moved: bool = False

    def put_back(self, item: Item) -> None:
        """Undo the step on the disk. Raises DatabaseError."""
        try:
            placing.undo(item.change)
            old = item.change.old
            is_gone = old is not None and not old.exists()
        except (OSError, placing.Refused) as error:
            self.not_put_back(item.step, error)
            return
        self.has_moved = True
        words = _("It was cut short, and the mod is as it was.")
        if old is not None and is_gone:
            words = _("It was cut short, and %s is gone: somebody took it away.") % old.path
        journal.mark([item.step], Step.State.FAILED, item.problem or words)

    def not_put_back(self, step: Step, error: OSError | placing.Refused) -> None:
        """A mod isn't as it was, or what it replaced isn't put away, because of `error`. Raises DatabaseError."""
        why = files.in_words(error) if isinstance(error, OSError) else str(error)
        words = _("%(mod)s couldn't be put back as it was yet. %(why)s It is tried again every minute.")
        self.left(step, words % {"mod": step.name, "why": why})

    def left(self, step: Step, problem: str) -> None:
        """The step stays as it is, to be tried again. What is wrong is logged once. Raises DatabaseError."""
        (self.problems if step.state == Step.State.PLACING else self.remarks).append(problem)
        if step.message != problem:
            journal.mark([step], Step.State(step.state), problem)
            logs.event("mod_change_recovery_failed", level=logging.ERROR, operation=self.operation.pk, reason=problem)


def _mend_one(operation: Operation) -> _Mending:
    """Put back what was in the middle, put away what was placed. Raises `locks.Busy`, DatabaseError."""
    mending = _Mending(operation)
    try:
        places = journal.places_of(operation)
    except serverdir.Unusable as error:
        for step in operation.steps.filter(state__in=_UNRESOLVED):
            mending.not_put_back(step, placing.Refused(error.text))
        return mending
    with places:
        items = _items(mending, places)
        with locks.wait_for(inventory.server_lock(operation.server_id), _WAIT):
            for item in reversed(items):
                if item.step.state == Step.State.PLACING:
                    mending.put_back(item)
        placed = [item for item in items if item.step.state == Step.State.PLACED]
        found = [(item.step, journal.put_away(operation, item)) for item in placed]
        journal.mark([step for step, problem in found if not problem], Step.State.DONE)
        for step, problem in found:
            if problem:
                mending.left(step, problem)
        if not (mending.problems or mending.remarks):
            mending.remarks += _tidy(operation, items, places)
    return mending


def _items(mending: _Mending, places: Places) -> list[Item]:
    """The operation's steps in their order, without those that can't be looked into now.

    A step whose record isn't ours, or leads out of the server's folders, is settled: nothing of it is touched.
    """
    items = []
    for step in mending.operation.steps.order_by("position"):
        unresolved = step.state in _UNRESOLVED
        try:
            item = journal.item_of(step, places)
            if unresolved:
                _check_mounted(mending.operation.server, item, places)
        except (plans.NotAPlan, NotTheServers) as error:
            if unresolved:
                words = _("Its record can't be followed, so none of its files was touched. %s")
                journal.mark([step], Step.State.FAILED, words % error)
                logs.event("mod_change_step_unreadable", level=logging.ERROR, operation=step.operation_id, step=step.pk)
        except (OSError, placing.Refused) as error:
            if unresolved:
                mending.not_put_back(step, error)
        else:
            items.append(item)
    return items


def _check_mounted(server: GameServer, item: Item, places: Places) -> None:
    """Raise Refused if the disk of one of its mod folders isn't there: the staging folder isn't there either."""
    known = {entry.get("path"): entry.get("device") for entry in server.mod_folders if isinstance(entry, dict)}
    for path in journal.folders_of(item.planned):
        folder = places.folder(path)
        if folder.descriptor is None or folder.names():
            continue
        if known.get(path) not in (None, os.fstat(folder.descriptor).st_dev):
            text = _("%s is empty and on another disk than before: its disk seems to be unmounted. Mount it again.")
            raise placing.Refused(text % path)


def _tidy(operation: Operation, items: Sequence[Item], places: Places) -> list[str]:
    """Remove the staging folders of a change whose steps are all settled; returns what is in the way, in words."""
    problems = []
    for folder in {folder for item in items for folder in journal.folders_of(item.planned)}:
        try:
            for place in places.stagings(folder):
                journal.keep_leftovers(place, operation.server, operation, items)
                place.clear()
        except (OSError, placing.Refused) as error:
            why = files.in_words(error) if isinstance(error, OSError) else str(error)
            words = _("The staging folder for %(folder)s, which is no longer needed, couldn't be cleared up. %(why)s")
            problems.append(words % {"folder": folder, "why": why})
    return problems


def undo_group(operation: Operation, items: Sequence[Item]) -> None:
    """Put back a group whose placing failed; each item's `problem` says why. Raises DatabaseError."""
    mending = _Mending(operation)
    for item in reversed(items):
        mending.put_back(item)


def tidy(operation: Operation, items: Sequence[Item], places: Places) -> list[str]:
    """As recovery does it: of a change that ran to its end. Raises DatabaseError, `locks.Busy`."""
    if any(item.step.state in _UNRESOLVED for item in items):
        return []
    return _tidy(operation, items, places)


# --- staging folders that no change knows


def sweep(server: GameServer) -> None:
    """Empty staging folders of changes that are over or that nobody knows; what lies aside becomes a kept copy.

    Call it with `turns.changing` held. Raises OSError, `locks.Busy`, DatabaseError.
    """
    try:
        found = serverdir.read(Path(server.data_dir)).mod_folders
    except serverdir.Unusable:
        return
    with Places(found, {str(folder): os.path.realpath(folder) for folder in found}, "") as places:
        for folder in found:
            for one in places.left_over(str(folder), _STAGING_NAME):
                _sweep_one(server, one)


def _sweep_one(server: GameServer, place: Staging) -> None:
    name = place.folder.path.name
    operation = Operation.objects.filter(pk=int(name.partition("-")[0])).first()
    if operation is not None and journal.staging_name(operation) != name:
        operation = None
    if operation is not None and (not operation.is_over or operation.steps.filter(state__in=_UNRESOLVED).exists()):
        return
    if not place.lock():
        return
    kept = journal.keep_leftovers(place, server, operation)
    place.clear()
    logs.event("mod_staging_swept", server=server.name, staging=str(place.folder.path), kept=kept)


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
    return min(((_said_yes_at(one.plan), one.pk) for one in waiting), default=("", None))[1]


def _said_yes_at(plan: object) -> str:
    return str(plan.get("confirmed_at", "")) if isinstance(plan, dict) else ""


def _close_lost_plans() -> int:
    """Plans that no process makes any more, nor will: neither does the worker have the task, nor anybody the lock."""
    now = timezone.now()
    fresh = (now - _FRESH, now + _FRESH)  # whichever way a clock was set
    lost = Operation.objects.filter(state=Operation.State.PLANNING).exclude(asked_at__range=fresh)
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
