"""Carrying out a plan: fetch, stage, look whether the world is still the same, place group by group, record, put away.

Everything that takes long (network, copies) happens before a server's lock is taken. Of each group, either all steps
are done or none. What happens at a crash is in `recovery`.
"""

import logging
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress

from django.db import DatabaseError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import (
    differences,
    downloads,
    fetching,
    inventory,
    journal,
    news,
    placing,
    plans,
    progress,
    recovery,
    serverdir,
    turns,
    withdrawals,
)
from mods.journal import Item
from mods.models import Operation, Release, Step
from mods.plans import Plan
from mods.progress import Report, Watch
from mods.staging import Places
from vsadmin.lib import files, locks, logs
from vsadmin.lib.jobs.models import Worker

_log = logging.getLogger(__name__)

#: Seconds to wait for another change of the server, or its recovery, before leaving it for later.
_PATIENCE = 2.0
#: Seconds to wait for a scan of the server that is under way.
_SCAN_WAIT = 120.0
#: Differences that a result names.
_NAMED = 5


class _CantRun(Exception):
    """Nothing was changed; the text says why and what to do."""


def run(operation_id: int, *, report: Report | None = None, stop: threading.Event | None = None) -> Operation:
    """Carry out a queued operation, here and now; returns it as it is then.

    It stays queued where another change of its server is under way, or has waited longer and has a worker to do it:
    the end of that one calls the worker. One that isn't queued is left alone. Whatever goes wrong is in the operation.
    Raises Operation.DoesNotExist, DatabaseError.
    """
    operation = Operation.objects.select_related("server").get(pk=operation_id)
    try:
        with locks.wait_for(turns.changing(operation.server_id), _PATIENCE, stop):
            mended = recovery.mend(operation.server)
            gives_way = _gives_way(operation)
            steps = None if gives_way else _claim(operation)
            if steps is not None:
                _guarded(operation, steps, mended.problems, report, stop or threading.Event())
    except locks.Busy:
        pass
    else:
        recovery.run_next(operation.server, anyway=not gives_way)
    return Operation.objects.select_related("server").get(pk=operation_id)


def _gives_way(operation: Operation) -> bool:
    """Whether another change has waited longer. Without a worker nobody would do that one, so it holds up nobody."""
    first = recovery.longest_waiting(operation.server)
    return first is not None and first != operation.pk and Worker.is_any_alive()


def _claim(operation: Operation) -> list[Step] | None:
    """Make it running and write its steps; None where it isn't waiting any more, or its plan is none."""
    now = timezone.now()
    try:
        with transaction.atomic():
            queued = Operation.objects.filter(pk=operation.pk, state=Operation.State.QUEUED)
            if not queued.update(state=Operation.State.RUNNING, started_at=now):
                return None
            operation.refresh_from_db(fields=["state", "started_at", "plan", "wish", "planned_at", "cancel_requested"])
            steps = journal.write(operation, plans.plan_from_json(operation.plan))
    except plans.NotAPlan as error:
        words = _("%s Plan it again.") % error
        with transaction.atomic():
            queued = Operation.objects.filter(pk=operation.pk, state=Operation.State.QUEUED)
            if queued.update(state=Operation.State.FAILED, ended_at=now, message=words):
                news.of_change(operation.pk)
        return None
    logs.event("mod_change_started", operation=operation.pk, server=operation.server.name, steps=len(steps))
    return steps


def _guarded(
    operation: Operation, steps: list[Step], unmended: list[str], report: Report | None, stop: threading.Event
) -> None:
    """Carry it out; whatever it raises, files and rows are brought together as after a crash, at the latest by
    recovery."""
    try:
        if unmended:
            raise _CantRun(_("An earlier change of this server isn't cleaned up yet. %s") % " ".join(unmended))
        _carry_out(operation, steps, report, stop)
        return
    except _CantRun as error:
        why = str(error)
    except DatabaseError:
        _log.exception("operation %d", operation.pk)
        why = _("The database couldn't be written. Check that its disk isn't full.")
    except Exception as error:  # noqa: BLE001  # whatever it is: no mod is to be lost by it
        _log.exception("operation %d", operation.pk)
        why = _("An unexpected error; the log has the details: %s.") % f"{type(error).__name__}: {error}"[:500]
    with suppress(DatabaseError, locks.Busy):  # else the minute job does it
        if connection.is_usable():
            recovery.mend(operation.server, why=why)
        else:  # on PostgreSQL the lock of the change went with it, so somebody else may be mending
            connection.close()


def _carry_out(operation: Operation, steps: list[Step], report: Report | None, stop: threading.Event) -> None:
    plan = plans.plan_from_json(operation.plan)
    fetches = sum(1 for one in plan.steps if one.new is not None)
    watch = Watch(operation, fetches + len(steps), report, stop)
    watch.tell("")
    with _opened(operation) as places:
        items = _prepare(steps, places)
        _ask_again(items, watch)
        _raise_for(differences.known(operation, plan, items))
        fetching.fetch_all(items, watch)
        _fail_groups(items)
        if not watch.should_end() and _left(items):
            watch.tell(_("Looking whether everything is as it was"))
            _compare_and_place(operation, plan, items, watch)
        remarks = _put_away(operation, items, watch)
        with suppress(locks.Busy):  # recovery's then
            remarks += recovery.tidy(operation, items, places)
    if any(item.step.state in (Step.State.PLACED, Step.State.DONE) for item in items):
        inventory.scan(operation.server)
    journal.close(operation, why=watch.why(), cancelled=watch.cancelled, remarks=remarks)


# --- groups


def _groups(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Those that are still to be done, each with its steps in their order."""
    found: dict[int, list[Item]] = {}
    for item in items:
        found.setdefault(item.step.group, []).append(item)
    yield from (group for group in found.values() if group[0].step.state == Step.State.WAITING)


def _left(items: Sequence[Item]) -> bool:
    return any(True for _group in _groups(items))


def _fail_groups(items: Sequence[Item]) -> None:
    """Settle the groups that have a problem before anything of them was placed."""
    for group in _groups(items):
        if any(item.problem for item in group):
            _explain(group)
            for item in group:
                journal.mark([item.step], Step.State.FAILED, item.problem)


def _explain(group: Sequence[Item]) -> None:
    """Say of those without a problem of their own what they failed with."""
    named = ", ".join(item.planned.name for item in group if item.problem)
    for item in group:
        item.problem = item.problem or _("It belongs together with %s, so it was left as it was.") % named


# --- fetching


def _opened(operation: Operation) -> Places:
    """The mod folders that it may touch. Raises _CantRun."""
    try:
        return journal.places_of(operation)
    except serverdir.Unusable as error:
        raise _CantRun(_unreachable(operation, error.text)) from None


def _unreachable(operation: Operation, why: str) -> str:
    return _("%(server)s can't be changed: %(why)s") % {"server": operation.server.name, "why": why}


def _prepare(steps: Sequence[Step], places: Places) -> list[Item]:
    """Make the staging folders; a step whose folder has none gets a problem. Raises _CantRun."""
    planned = [plans.step_from_json(step.planned) for step in steps]
    closed: dict[str, str] = {}
    try:
        for folder in {folder for one in planned if not one.rename_to for folder in journal.folders_of(one)}:
            try:
                places.make(folder)
            except FileNotFoundError:
                closed[folder] = _("The folder %s is gone.") % folder
            except OSError as error:
                closed[folder] = files.in_words(error)
        items = [journal.item_of(step, places) for step in steps]
    except placing.Refused as error:
        raise _CantRun(_differs([str(error)])) from None
    except OSError as error:
        raise _CantRun(files.in_words(error)) from None
    for item in items:
        named = journal.folders_of(item.planned) if not item.planned.rename_to else ()
        item.problem = next((closed[folder] for folder in named if folder in closed), "")
    return items


def _ask_again(items: Sequence[Item], watch: Watch) -> None:
    """Learn which of the releases that are to be placed were withdrawn since the mod database last told of them."""
    pks = [item.planned.new.release for item in items if item.planned.new and item.planned.new.release is not None]
    if pks:
        watch.tell(_("Asking the mod database whether anything was retracted"))
        releases = Release.objects.select_related("mod")
        if withdrawals.note(releases.filter(pk__in=pks), stop=watch.stop):
            withdrawals.note_unlisted(releases.filter(pk__in=pks), stop=watch.stop)


# --- placing


def _compare_and_place(operation: Operation, plan: Plan, items: Sequence[Item], watch: Watch) -> None:
    """Everything for which the server's lock is needed. Raises _CantRun, with nothing changed."""
    scanned = inventory.scan(operation.server, stop=watch.stop)
    if scanned.unreachable:
        raise _CantRun(_unreachable(operation, scanned.unreachable))
    try:
        with locks.wait_for(inventory.server_lock(operation.server_id), _SCAN_WAIT, watch.stop):
            left = [item for item in items if item.step.state == Step.State.WAITING]
            found = differences.find(operation, plan, left, watch.stop)
            _raise_for(found)
            _fail_groups(items)
            for group in list(_groups(items)):
                if watch.should_end():
                    return
                _place_group(operation, group)
                watch.tell(group[0].planned.name, more=len(group))
    except placing.Stopped:
        watch.should_end()
    except locks.Busy:
        if not watch.should_end():
            text = _("The mods of %s are being scanned for too long. Plan it again in a few minutes.")
            raise _CantRun(text % operation.server.name) from None


def _raise_for(found: Sequence[str]) -> None:
    if found:
        raise _CantRun(_differs(found))


def _differs(found: Sequence[str]) -> str:
    named = [*found[:_NAMED], _("And %d more.") % (len(found) - _NAMED)] if len(found) > _NAMED else found
    return _("Something changed since the plan was made, so nothing was done. %s") % " ".join(named)


def _place_group(operation: Operation, group: Sequence[Item]) -> None:
    """All of these steps, or none. Raises DatabaseError: then recovery decides which, by the rows."""
    journal.mark([item.step for item in group], Step.State.PLACING)
    at = group[0]
    try:
        for at in group:
            placing.place(at.change, at.seen)
        placing.sync([item.change for item in group])
    except (OSError, placing.Refused) as error:
        at.problem = files.in_words(error) if isinstance(error, OSError) else str(error)
        _explain(group)
        recovery.undo_group(operation, group)
    else:
        journal.commit(operation, group)


def _put_away(operation: Operation, items: Sequence[Item], watch: Watch) -> list[str]:
    """See to the replaced files, several at a time: most of it is waiting for the disk."""
    placed = [item for item in items if item.step.state == Step.State.PLACED]
    waiting: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in placed:
        waiting.put(item)
    problems: dict[int, str] = {}

    def work() -> None:
        """One thread. The database connection is its own."""
        try:
            while not watch.stop.is_set():
                item = waiting.get_nowait()
                problems[item.step.pk] = journal.put_away(operation, item)
        except queue.Empty:
            pass
        finally:
            connection.close()

    count = min(downloads.CONNECTIONS, len(placed))
    if count:
        with ThreadPoolExecutor(count) as pool:
            threads = [pool.submit(work) for _number in range(count)]
            while wait(threads, progress.REPORT_EVERY).not_done:
                watch.tell(_("Putting away what was replaced"))
        for thread in threads:
            thread.result()
    journal.mark([item.step for item in placed if problems.get(item.step.pk) == ""], Step.State.DONE)
    return [problem for problem in problems.values() if problem]
