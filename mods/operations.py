"""Changes of a server's mods, from the wish to the result: asking, confirming, cancelling, carrying out, undoing.

Every face uses these functions alone. `planning` makes the plan, `carrying` carries it out, `recovery` clears up after
a crash.
"""

import threading
from collections.abc import Callable, Collection
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import carrying, plans, recovery, starts, turns, wishes
from mods.models import ClaimedModId, GameServer, InstalledMod, KeptCopy, Mod, Operation, ServerStart
from mods.wishes import Target, Wish
from vsadmin.lib import locks

#: Told while it works: how much is behind us, how much there is in all, what is being done.
Report = Callable[[int, int, str], None]

_State = Operation.State
#: Seconds to wait for somebody who plans another operation under the same lock.
_PLANNING_WAIT = 600.0


class NotNow(Exception):
    """It can't be done as things are; the text says why and what to do."""


def ask(server: GameServer, wish: Wish, *, user: Any = None, actor: str = "") -> Operation:
    """Write down what somebody wants, to be planned next. `actor`: who it is, where it is no user of the panel."""
    return Operation.objects.create(
        server=server,
        kind=wish.kind,
        title=_title(wish)[:300],
        wish=wishes.to_json(wish),
        asked_by=user,
        asked_by_name=(actor or (user.get_username() if user is not None else ""))[:150],
        undoes_id=wish.operation if wish.kind == Operation.Kind.UNDO else None,
    )


def plan(operation: Operation, *, report: Report | None = None, stop: threading.Event | None = None) -> Operation:
    """Make the plan here and now; returns the operation as it is then.

    One that isn't being planned (any more) is left alone. Raises `locks.Busy`, DatabaseError.
    """
    from mods import planning  # it is large, and only this needs it

    with locks.wait_for(turns.planning(operation.pk), _PLANNING_WAIT, stop):
        operation.refresh_from_db()
        if operation.state == _State.PLANNING:
            planning.make(operation, report, stop)
    operation.refresh_from_db()
    return operation


def agree(operation: Operation, keys: Collection[str]) -> None:
    """Let the plan be made again with these of its offers (`plans.Offer.key`). It isn't enqueued. Raises NotNow."""
    operation.refresh_from_db()
    try:
        found = plans.plan_from_json(operation.plan) if operation.plan else plans.Plan()
    except plans.NotAPlan as error:
        raise NotNow(str(error)) from None
    chosen = [one.key for one in found.offers if one.key in keys]
    if not chosen:
        raise NotNow(_("Nothing was ticked, so the plan stays as it is."))
    wish = {**operation.wish, "agreed": [*operation.wish.get("agreed", ()), *chosen]}
    waiting = Operation.objects.filter(pk=operation.pk, state=_State.PLANNED)
    if not waiting.update(state=_State.PLANNING, wish=wish, plan=None, total=0):
        operation.refresh_from_db()
        raise NotNow(_("It is %s, so its plan can't be made again.") % operation.get_state_display())
    operation.refresh_from_db()


def plan_in_background(operation: Operation) -> None:
    turns.plan_later(operation.pk)


def confirm(operation: Operation, *, go_on: bool = False, planned: str | None = None) -> None:
    """Let the plan be carried out; `go_on`: in spite of what it couldn't meet. It isn't enqueued. Raises NotNow.

    `planned`: when the plan was made that a person read (`planned_at`, ISO form); one made since then isn't taken.
    """
    operation.refresh_from_db()
    if operation.state != _State.PLANNED or operation.plan is None:
        raise NotNow(_("It is %s, so there is nothing to confirm.") % operation.get_state_display())
    if planned is not None and planned != (operation.planned_at.isoformat() if operation.planned_at else ""):
        raise NotNow(_("It was planned again in the meantime. Read the new plan first, then decide."))
    try:
        found = plans.plan_from_json(operation.plan)
    except plans.NotAPlan as error:
        raise NotNow(_("%s Plan it again.") % error) from None
    changed = {**operation.plan, "confirmed_at": timezone.now().isoformat()}
    if go_on:
        changed["go_on"] = True
    if not plans.plan_from_json(changed).may_run:
        reasons = [*found.obstacles, *(one.text for one in found.unmet if not go_on)]
        raise NotNow(" ".join(reasons) or _("There is nothing to do."))
    waiting = Operation.objects.filter(pk=operation.pk, state=_State.PLANNED, planned_at=operation.planned_at)
    if not waiting.update(state=_State.QUEUED, plan=changed, message=""):
        operation.refresh_from_db()
        raise NotNow(_("It is %s, so there is nothing to confirm.") % operation.get_state_display())
    operation.refresh_from_db()


def run_in_background(operation: Operation) -> None:
    turns.run_later(operation.pk)


def run(operation_id: int, *, report: Report | None = None, stop: threading.Event | None = None) -> Operation:
    """Carry out a confirmed operation, here and now; returns it as it is then.

    It stays queued where another change of its server is under way: the worker gets it once that one ends. One that
    isn't queued is left alone. Whatever goes wrong is said in the operation. `stop` ends it at the next safe point.
    Raises Operation.DoesNotExist, DatabaseError.
    """
    return carrying.run(operation_id, report=report, stop=stop)


def cancel(operation: Operation) -> None:
    """End it: at once where it waits, after its current step where it runs. Raises NotNow where it is over."""
    mine = Operation.objects.filter(pk=operation.pk)
    before = (_State.PLANNING, _State.PLANNED, _State.QUEUED)
    words = _("It was cancelled before anything was changed.")
    ended = mine.filter(state__in=before).update(
        state=_State.CANCELLED, cancel_requested=True, message=words, doing="", ended_at=timezone.now()
    )
    asked = ended or mine.filter(state=_State.RUNNING).update(cancel_requested=True)
    operation.refresh_from_db()
    if not asked:
        raise NotNow(_("It is over already: %s.") % operation.get_state_display())


def recover(*, at_start: bool = False) -> int:
    """Bring to an end what dead processes left; returns how many operations ended. Call it at the worker's start
    (`at_start`: thoroughly) and every minute."""
    return recovery.recover(at_start=at_start)


def undo_wish(operation: Operation) -> Wish:
    """The wish to reverse what an operation did. Raises NotNow where there is nothing to reverse."""
    operation.refresh_from_db()
    if operation.state == _State.UNDONE:
        raise NotNow(_("It was rolled back already."))
    if not operation.is_over:
        raise NotNow(_("It is %s. Wait for its end, or cancel it.") % operation.get_state_display())
    if not operation.steps.carried_out().exists():
        raise NotNow(_("It changed nothing, so there is nothing to roll back."))
    return Wish(kind=Operation.Kind.UNDO, operation=operation.pk)


# --- titles


def _title(wish: Wish) -> str:
    """What is wanted, in a few words."""
    count = len(wish.targets)
    if wish.kind == Operation.Kind.UNDO:
        undone = Operation.objects.filter(pk=wish.operation or 0).select_related("undoes").first()
        if undone is not None and undone.undoes is not None:
            return _("Again: %s") % undone.undoes.title
        return _("Roll back: %s") % (undone.title if undone else f"#{wish.operation}")
    if wish.kind == Operation.Kind.ALIGN:
        return ngettext("Bring in line with a list of %d mod", "Bring in line with a list of %d mods", count) % count
    if wish.kind == Operation.Kind.PUT_BACK:
        start = ServerStart.objects.filter(pk=wish.start or 0).only("started_at").first()
        return _("Put back what ran %s") % (starts.on_that_day(start.started_at) if start else f"#{wish.start}")
    if wish.kind == Operation.Kind.PREPARE:
        return _("Get ready for game version %s") % wish.game_version
    if not count:
        return _("Update all mods")
    if count == 1:
        return _ONE[wish.kind]() % _name_of(wish.targets[0])
    return _many(wish.kind, count)


_ONE: dict[str, Callable[[], str]] = {
    Operation.Kind.INSTALL: lambda: _("Install %s"),
    Operation.Kind.UPDATE: lambda: _("Update %s"),
    Operation.Kind.ROLL_BACK: lambda: _("Roll back %s"),
    Operation.Kind.REMOVE: lambda: _("Remove %s"),
    Operation.Kind.ENABLE: lambda: _("Enable %s"),
    Operation.Kind.DISABLE: lambda: _("Disable %s"),
    Operation.Kind.RESTORE: lambda: _("Restore the kept copy of %s"),
}


def _many(kind: str, count: int) -> str:
    texts = {
        Operation.Kind.INSTALL: ngettext("Install %d mod", "Install %d mods", count),
        Operation.Kind.UPDATE: ngettext("Update %d mod", "Update %d mods", count),
        Operation.Kind.ROLL_BACK: ngettext("Roll back %d mod", "Roll back %d mods", count),
        Operation.Kind.REMOVE: ngettext("Remove %d mod", "Remove %d mods", count),
        Operation.Kind.ENABLE: ngettext("Enable %d mod", "Enable %d mods", count),
        Operation.Kind.DISABLE: ngettext("Disable %d mod", "Disable %d mods", count),
        Operation.Kind.RESTORE: ngettext("Restore %d kept copy", "Restore %d kept copies", count),
    }
    return texts[Operation.Kind(kind)] % count


def _name_of(target: Target) -> str:
    """The mod's name where we know it, else what was asked for."""
    name = ""
    if target.row is not None:
        row = InstalledMod.objects.filter(pk=target.row).first()
        name = row.name if row else _("a mod")
    elif target.kept is not None:
        kept = KeptCopy.objects.filter(pk=target.kept).first()
        name = str(kept) if kept else _("a mod")
    elif target.number is not None:
        mod = Mod.objects.filter(asset_id=target.number).first() or Mod.objects.filter(mod_id=target.number).first()
        name = mod.name if mod else f"#{target.number}"
    else:
        name = _name_of_id(target.modid) if target.modid else _name_of_alias(target.alias)
    return f"{name} {target.version}".strip()


def _name_of_id(modid: str) -> str:
    key = modid.lower()
    row = InstalledMod.objects.filter(modid_key=key).only("name").first()
    if row is not None:
        return row.name
    claims = list(ClaimedModId.objects.filter(key=key).select_related("mod").only("mod__name")[:2])
    return claims[0].mod.name if len(claims) == 1 else modid


def _name_of_alias(alias: str) -> str:
    mod = Mod.objects.filter(alias=alias).only("name").first() if alias else None
    return mod.name if mod else alias
