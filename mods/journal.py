"""A change's steps as rows, which tell recovery how far it came, and the files that belong to each.

Of a step that is `placing`, the staging folder shows what was done: `placing.undo` needs no more than the plan. One
that is `placed` is done; what it replaced still has to be put away from there.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from io import BufferedReader
from pathlib import Path

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cache import deposits
from mods import keeping, modset, news, placing, plans, serverdir
from mods.models import GameServer, InstalledMod, Operation, Step
from mods.plans import OldFile, Plan, PlannedStep
from mods.staging import Places, Staging
from vsadmin.lib import files, locks, logs
from vsadmin.lib.folders import Folder

#: Failed steps that a result names.
_NAMED = 5
_EVENTS = {
    Step.Action.INSTALL: "mod_installed",
    Step.Action.REPLACE: "mod_replaced",
    Step.Action.REMOVE: "mod_removed",
    Step.Action.ENABLE: "mod_enabled",
    Step.Action.DISABLE: "mod_disabled",
}


@dataclass
class Item:
    """One step under way: its row, its plan, its files. `problem` says why it can't be done."""

    step: Step
    planned: PlannedStep
    change: placing.Change
    seen: os.stat_result | None = None
    problem: str = ""


def staging_name(operation: Operation) -> str:
    """Its number, and letters that differ where a database restored from a backup gives the number again."""
    asked = operation.asked_at.astimezone(UTC).strftime("%Y%m%d%H%M%S%f")
    return f"{operation.pk}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}"


def write(operation: Operation, plan: Plan) -> list[Step]:
    """Make the rows of its steps."""
    return Step.objects.bulk_create(
        [
            Step(
                operation=operation,
                server_id=operation.server_id,
                position=position,
                group=one.group,
                action=one.action,
                modid=one.modid[:200],
                modid_key=one.modid.lower()[:200],
                name=one.name[:300],
                from_version=one.from_version[:100],
                to_version=one.to_version[:100],
                why=one.why,
                planned=plans.to_json(one),
            )
            for position, one in enumerate(plan.steps)
        ],
        batch_size=200,
    )


def places_of(operation: Operation) -> Places:
    """The mod folders that the change may touch: those of its server's folder as it is on disk now, whatever rows say.

    Raises serverdir.Unusable.
    """
    stored = operation.plan if isinstance(operation.plan, dict) else {}
    real = stored.get("places")
    return Places(
        serverdir.read(Path(operation.server.data_dir)).mod_folders,
        {path: str(led) for path, led in real.items()} if isinstance(real, dict) else {},
        staging_name(operation),
    )


def item_of(step: Step, places: Places) -> Item:
    """The step with its files; staging is where it is, if it is.

    Raises plans.NotAPlan, `placing.Refused` if it has to do with a folder that isn't the server's, OSError.
    """
    planned = plans.step_from_json(step.planned)
    if not isinstance(step.position, int):  # SQLite takes anything into a column of numbers
        raise plans.NotAPlan
    old, new = planned.old, planned.new
    first = old or new
    assert first is not None  # `step_from_json` has seen to it
    old_folder, new_folder = places.folder(first.folder), places.folder((new or first).folder)
    moves = not planned.rename_to
    nowhere = Folder(old_folder.path, None)
    change = placing.Change(
        number=step.position,
        staging=places.staging((new or first).folder) if moves else nowhere,
        old_staging=places.staging(first.folder) if moves else nowhere,
        old=old_folder / old.file_name if old else None,
        new=new_folder / new.file_name if new else None,
        new_sha256=new.sha256 if new else "",
        old_sha256=old.sha256 if old else "",
        rename_to=old_folder / planned.rename_to if planned.rename_to else None,
        is_folder=bool(old and old.kind == InstalledMod.Kind.FOLDER),
    )
    return Item(step, planned, change)


def folders_of(planned: PlannedStep) -> set[str]:
    """The mod folders that this step has to do with."""
    return {one.folder for one in (planned.old, planned.new) if one is not None}


# --- what was replaced


def put_away(operation: Operation, item: Item) -> str:
    """Of a placed step: what it replaced goes into the cache or becomes a kept copy; then the step is to be done.

    "" where that is so. Otherwise what is wrong, in words: the file stays in staging, and the step is to stay `placed`,
    for recovery to see to. Raises DatabaseError.
    """
    try:
        _put_away(operation, item)
    except (OSError, locks.Busy) as error:
        why = files.in_words(error) if isinstance(error, OSError) else _("Others are busy there for too long.")
        words = _("The file that was replaced, of %(mod)s, couldn't be put away yet; it lies in %(place)s. %(why)s")
        return words % {"mod": item.planned.name, "place": item.change.aside.path, "why": why}
    return ""


def _put_away(operation: Operation, item: Item) -> None:
    old, aside = item.planned.old, item.change.aside
    if old is None or not aside.exists():
        return
    with aside.open() as file:
        if not (old.cache_key and _into_cache(old, file)):
            why = old.keep_because or _("The download cache has another file under its number.")
            keeping.keep(file, server=operation.server, old=old, why=why, operation=operation)
    aside.unlink()


def _into_cache(old: OldFile, file: BufferedReader) -> bool:
    ending = Path(modset.bare_name(old.file_name)).suffix
    try:
        outcome = deposits.deposit(
            old.cache_key,
            file,
            sha256=old.sha256,
            name=f"{old.modid or 'file'}_{old.version}{ending}",
            title=old.name or old.modid,
            version=old.version,
        )
    except ValueError:  # that is no key
        return False
    return outcome is not deposits.Outcome.OTHER_BYTES


def keep_leftovers(place: Staging, server: GameServer, operation: Operation | None, items: Sequence[Item] = ()) -> int:
    """Make kept copies of what still lies aside in the staging folder of a change that is over, or that nobody knows.

    Returns how many. Raises OSError, `locks.Busy`, DatabaseError.
    """
    known = {item.change.aside.path: item.planned.old for item in items}
    found = place.put_aside()
    for aside, name in found:
        with aside.open() as file:
            old = known.get(aside.path) or keeping.described(file, name)
            why = _("It was left over from an interrupted change.")
            keeping.keep(file, server=server, old=old, why=why, operation=operation)
        aside.unlink()
    return len(found)


# --- states


def mark(steps: Sequence[Step], state: Step.State, message: str = "") -> None:
    """One statement for all of them. Raises DatabaseError."""
    if steps:
        Step.objects.filter(pk__in=[step.pk for step in steps]).update(state=state, message=message)
    for step in steps:
        step.state, step.message = state, message


def commit(operation: Operation, items: Sequence[Item]) -> None:
    """Record that these steps' files are in place, together with who did it. Raises DatabaseError."""
    steps = [item.step for item in items]
    now = timezone.now()
    with transaction.atomic():
        Step.objects.filter(pk__in=[step.pk for step in steps]).update(state=Step.State.PLACED, message="", done_at=now)
        if operation.asked_by_id is not None:
            server_type = ContentType.objects.get_for_model(GameServer)
            LogEntry.objects.bulk_create(
                LogEntry(
                    user_id=operation.asked_by_id,
                    content_type=server_type,
                    object_id=str(operation.server_id),
                    object_repr=operation.server.name[:200],
                    action_flag=CHANGE,
                    change_message=in_words(step),
                )
                for step in steps
            )
    for step in steps:
        step.state, step.message, step.done_at = Step.State.PLACED, "", now
        logs.event(
            _EVENTS[Step.Action(step.action)],
            server=operation.server.name,
            modid=step.modid,
            from_version=step.from_version,
            to_version=step.to_version,
            operation=operation.pk,
        )


def in_words(step: Step) -> str:
    """What the step did, as in the admin log."""
    texts = {
        Step.Action.INSTALL: _("Installed %(name)s %(to)s (change %(number)d)"),
        Step.Action.REPLACE: _("Replaced %(name)s %(from)s by %(to)s (change %(number)d)"),
        Step.Action.REMOVE: _("Removed %(name)s %(from)s (change %(number)d)"),
        Step.Action.ENABLE: _("Enabled %(name)s %(from)s (change %(number)d)"),
        Step.Action.DISABLE: _("Disabled %(name)s %(from)s (change %(number)d)"),
    }
    return texts[Step.Action(step.action)] % {
        "name": step.name,
        "from": step.from_version,
        "to": step.to_version,
        "number": step.operation_id,
    }


def close(operation: Operation, *, why: str = "", cancelled: bool = False, remarks: Sequence[str] = ()) -> None:
    """End a running operation: its state and a result in words follow from its steps. Raises DatabaseError.

    `why`: what ended it before its end. `remarks`: what else a person should know.
    """
    operation.steps.filter(state=Step.State.WAITING).update(state=Step.State.SKIPPED)
    steps = list(operation.steps.all())
    done = [step for step in steps if step.state in (Step.State.PLACED, Step.State.DONE)]
    failed = [step for step in steps if step.state in (Step.State.FAILED, Step.State.PLACING)]
    state = Operation.State.FAILED
    if steps and len(done) == len(steps):
        state = Operation.State.DONE
    elif cancelled:
        state = Operation.State.CANCELLED
    message = _result(why, len(done), len(steps), failed, remarks)
    with transaction.atomic():
        ended = Operation.objects.filter(pk=operation.pk, state=Operation.State.RUNNING).update(
            state=state, message=message, ended_at=timezone.now(), done=len(done), total=len(steps), doing=""
        )
        if ended:
            news.of_change(operation.pk)
    if not ended:
        return
    if state == Operation.State.DONE and operation.undoes_id is not None:
        over = (Operation.State.DONE, Operation.State.FAILED, Operation.State.CANCELLED)
        Operation.objects.filter(pk=operation.undoes_id, state__in=over).update(state=Operation.State.UNDONE)
        # What an undone undo had undone is in force again.
        again = Operation.objects.filter(undone_by=operation.undoes_id, state=Operation.State.UNDONE)
        again.update(state=Operation.State.DONE)
    good = state == Operation.State.DONE
    logs.event(
        "mod_change_completed" if good else "mod_change_failed",
        level=logging.INFO if good or cancelled else logging.ERROR,
        operation=operation.pk,
        server=operation.server.name,
        state=state.value,
        done=len(done),
        steps=len(steps),
        result=message,
    )


def _result(why: str, done: int, total: int, failed: Sequence[Step], remarks: Sequence[str]) -> str:
    counted = _("%(done)d of %(total)d done") % {"done": done, "total": total}
    if failed:
        named = [f"{step.name}: {step.message}" for step in failed[:_NAMED]]
        if len(failed) > _NAMED:
            named.append(_("and %d more.") % (len(failed) - _NAMED))
        counted += "; " + ngettext("%d failed", "%d failed", len(failed)) % len(failed) + ": " + " ".join(named)
    else:
        counted += "."
        if why and done < total:
            counted += " " + _("The others are as they were. Plan it again.")
    return " ".join(part for part in (why, counted, *remarks) if part)
