"""Which right each change takes, and who may see changes at all."""

from collections.abc import Sequence

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from mods import modset, starts
from mods.models import Operation, ServerStart, Step
from mods.modset import Entry
from mods.wishes import Wish

VIEW_MODS = "mods.view_installedmod"
VIEW_SERVERS = "mods.view_gameserver"
VIEW_CHANGES = "mods.view_operation"
VIEW_KEPT = "mods.view_keptcopy"
VIEW_STARTS = "mods.view_serverstart"
VIEW_CRASHES = "mods.view_crash"
DISMISS_CRASHES = "mods.dismiss_crash"
DELETE_KEPT = "mods.delete_keptcopy"
INSTALL = "mods.install_installedmod"
UPDATE = "mods.update_installedmod"
REMOVE = "mods.remove_installedmod"
TOGGLE = "mods.toggle_installedmod"
HOLD = "mods.hold_installedmod"
#: Whoever has one of these has changes of their own to look at.
SEE_CHANGES = (VIEW_CHANGES, INSTALL, UPDATE, REMOVE, TOGGLE)

_OF_KIND = {
    Operation.Kind.INSTALL: {INSTALL},
    Operation.Kind.UPDATE: {UPDATE},
    Operation.Kind.ROLL_BACK: {UPDATE},
    Operation.Kind.REMOVE: {REMOVE},
    Operation.Kind.ENABLE: {TOGGLE},
    Operation.Kind.DISABLE: {TOGGLE},
    # A kept copy comes in place of another version, or as a mod that isn't there.
    Operation.Kind.RESTORE: {INSTALL, UPDATE},
    Operation.Kind.ALIGN: {INSTALL, UPDATE},
    Operation.Kind.UNDO: set(),
    Operation.Kind.PUT_BACK: {UPDATE},
    Operation.Kind.PREPARE: {UPDATE},
}
#: Of a step, what its reverse takes.
_TO_REVERSE = {
    Step.Action.INSTALL: REMOVE,
    Step.Action.REPLACE: UPDATE,
    Step.Action.REMOVE: INSTALL,
    Step.Action.ENABLE: TOGGLE,
    Step.Action.DISABLE: TOGGLE,
}


def needed(wish: Wish) -> frozenset[str]:
    """The rights that asking for this takes, and carrying it out. Of an unknown kind: all of them."""
    if wish.kind not in _OF_KIND:
        return frozenset({INSTALL, UPDATE, REMOVE, TOGGLE, HOLD})
    wanted = set(_OF_KIND[Operation.Kind(wish.kind)])
    if wish.kind == Operation.Kind.ALIGN:
        if wish.remove_others or any(target.remove for target in wish.targets):
            wanted.add(REMOVE)
        if any(target.enabled is not None for target in wish.targets):
            wanted.add(TOGGLE)
        if any(target.held for target in wish.targets):
            wanted.add(HOLD)
    if wish.kind == Operation.Kind.PUT_BACK:
        wanted |= _to_put_back(wish.start)
    if wish.kind == Operation.Kind.PREPARE:
        wanted |= {REMOVE} if any(target.remove for target in wish.targets) else set()
        wanted |= {TOGGLE} if any(target.enabled is not None for target in wish.targets) else set()
    if wish.kind == Operation.Kind.UNDO:
        wanted |= _to_undo(wish.operation)
    return frozenset(wanted)


def _to_undo(operation: int | None) -> set[str]:
    """Rolling a change back takes what its steps' reverses take; where nothing is recorded of it, all of that."""
    actions = Step.objects.carried_out().filter(operation=operation or 0).values_list("action", flat=True).distinct()
    return {_TO_REVERSE[Step.Action(action)] for action in actions} or set(_TO_REVERSE.values())


def _to_put_back(start: int | None) -> set[str]:
    """What bringing its server from the mods that it has to those of that start takes; without the start, all."""
    found = ServerStart.objects.filter(pk=start or 0, mods__isnull=False).select_related("server").first()
    if found is None:
        return set(_BY_NAME.values())
    return to_put_back(modset.from_json(found.mods or ()), starts.sets_now([found.server])[found.server_id])


def to_put_back(then: Sequence[Entry], now: Sequence[Entry]) -> set[str]:
    """The same of two sets that are known already."""
    return {UPDATE} | {_BY_NAME[one] for one in modset.deeds(then, now)}


_BY_NAME = {"install": INSTALL, "update": UPDATE, "remove": REMOVE, "toggle": TOGGLE}


def may(request: HttpRequest, wish: Wish) -> bool:
    return request.user.has_perms(needed(wish))


def may_see_changes(request: HttpRequest) -> bool:
    return any(request.user.has_perm(right) for right in SEE_CHANGES)


def require(request: HttpRequest, *wanted: str) -> None:
    """Raises PermissionDenied where one of the rights is lacking."""
    if not request.user.has_perms(wanted):
        raise PermissionDenied
