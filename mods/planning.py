"""The plan: from a wish to exact steps, with reasons, sizes and warnings, before anything changes.

Dependencies stand only inside the files, so planning fetches those that were never read: it belongs into the
background.
`make` is the only writer of an operation's plan; `operations` carries it out.
"""

import logging
import os
import shlex
import threading
from collections.abc import Callable
from pathlib import Path

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import holds, inventory, news, plans, serverdir, wishes
from mods.candidates import PLANNED_FIELDS, Candidates
from mods.drafting import Drafter
from mods.models import GameServer, InstalledMod, Operation, Step
from mods.plans import Plan, PlannedStep
from mods.resolving import Resolver, World
from mods.stepping import Stepper
from vsadmin.lib import files, logs, sizes

Report = Callable[[int, int, str], None]

_log = logging.getLogger(__name__)


def make(operation: Operation, report: Report | None = None, stop: threading.Event | None = None) -> Operation:
    """Plan what the operation asks for and store it. Never raises for what the outside does.

    Afterwards it is PLANNED, DONE (nothing to do), FAILED (the message says why), or CANCELLED meanwhile.
    """
    try:
        wish = wishes.from_json(operation.wish)
        plan = _plan(operation.server, wish, report, stop)
    except Exception as error:  # noqa: BLE001  # a plan that can't be made must say so, not stay in the making
        _log.exception("plan of operation %s", operation.pk)
        reason = f"{type(error).__name__}: {error}"[:500]
        text = _("An unexpected error while planning; nothing was changed. The log has the details: %s") % reason
        return _conclude(operation, Operation.State.FAILED, text)
    if stop is not None and stop.is_set():
        return _conclude(
            operation,
            Operation.State.FAILED,
            _("vsadmin was stopped while it planned; nothing was changed. Plan it again."),
        )
    operation.plan = plans.to_json(plan)
    if plan.steps or plan.unmet or plan.offers:
        return _conclude(operation, Operation.State.PLANNED, "", plan)
    if plan.obstacles:
        return _conclude(operation, Operation.State.FAILED, " ".join(plan.obstacles), plan)
    words = " ".join((*(plan.left_alone or (_all_well(operation),)), *plan.warnings))
    return _conclude(operation, Operation.State.DONE, _("Nothing to do. %s") % words, plan)


def _all_well(operation: Operation) -> str:
    """What is so already, where a wish needs no step."""
    server = operation.server.name
    if operation.kind == Operation.Kind.ALIGN:
        return _("%s matches the list.") % server
    if operation.kind == Operation.Kind.PUT_BACK:
        return _("%s has those very mods already.") % server
    if operation.kind == Operation.Kind.PREPARE:
        return _("No update of %s is needed for it.") % server
    return _("Everything is up to date.")


def _conclude(operation: Operation, state: Operation.State, message: str, plan: Plan | None = None) -> Operation:
    """Store the result, unless somebody cancelled meanwhile."""
    now = timezone.now()
    over = state in Operation.OVER
    with transaction.atomic():
        concluded = Operation.objects.filter(pk=operation.pk, state=Operation.State.PLANNING).update(
            state=state,
            message=message,
            plan=operation.plan,
            planned_at=now,
            ended_at=now if over else None,
            total=len(plan.steps) if plan else 0,
            done=0,
            doing="",
        )
        if concluded and state == Operation.State.FAILED:
            news.of_change(operation.pk)
    operation.refresh_from_db()
    logs.event(
        "mod_change_planned",
        operation=operation.pk,
        server=operation.server.name,
        state=operation.state,
        steps=operation.total,
        unmet=len(plan.unmet) if plan else 0,
    )
    return operation


def _plan(server: GameServer, wish: wishes.Wish, report: Report | None, stop: threading.Event | None) -> Plan:
    scanned = inventory.scan(server, stop=stop)
    if scanned.unreachable:
        return Plan(obstacles=(_("%(server)s can't be changed now: %(why)s") % {
            "server": server.name, "why": scanned.unreachable,
        },))  # fmt: skip
    world = World(server, _rows(server), holds.of(server), wish.game_version)
    candidates = Candidates(report, stop)
    resolver = Resolver(world, candidates)
    drafter = Drafter(world, candidates, resolver, wish)
    drafter.draft()
    resolver.resolve()
    drafter.look_through()
    lost = [_("%(mod)s can't be had: %(why)s") % {"mod": draft, "why": why} for draft, why in resolver.dropped]
    steps = Stepper(world).of(resolver.drafts)
    return Plan(
        steps=steps,
        unmet=tuple(dict.fromkeys(resolver.unmet)),
        # Where others go on, it is left alone; where nothing of it can be had, that is no "nothing to do".
        obstacles=tuple(_obstacles(steps) if steps else (*drafter.unknown, *lost)),
        warnings=(*drafter.warnings, *(drafter.unknown if steps else ()), *_warnings(steps, world)),
        left_alone=(*drafter.left_alone, *(lost if steps else ())),
        lost=tuple(lost),
        offers=tuple(dict.fromkeys(drafter.offers)),
        game_version=server.game_version,
        made_for=wish.game_version,
        go_on=wish.go_on,
        places={folder: os.path.realpath(folder) for step in steps for folder in _folders(step)},
    )


def _folders(step: PlannedStep) -> set[str]:
    return {one.folder for one in (step.new, step.old) if one is not None}


def _rows(server: GameServer) -> list[InstalledMod]:
    """With what planning needs of each, and without the long texts; one query."""
    return list(
        server.installed_mods
        .select_related("recommended_release__mod", "back_to_release__mod", "release", "lookup", "successor")
        .only(
            "server", "folder", "file_name", "kind", "enabled", "disabled_by_config", "modid", "modid_key", "name",
            "authors",
            "version", "dependencies", "size", "sha256", "outdated", "retracted", "retraction_reason", "compatibility",
            "recommended", "newer", "newer_why", "gone", "latest", "lookup__state", "successor__modid",
            "successor__version", "release__version", "release__file_id", "release__sha256", "release__retracted",
            "release__gone_since", "release__mod",
            *(f"recommended_release__{name}" for name in PLANNED_FIELDS),
            *(f"back_to_release__{name}" for name in PLANNED_FIELDS),
        )
    )  # fmt: skip


def _obstacles(steps: tuple[PlannedStep, ...]) -> list[str]:
    """Why no step could be carried out in a folder, with what mends it."""
    found = []
    for folder in sorted({folder for step in steps for folder in _folders(step)}):
        path = Path(folder)
        if not path.is_dir():
            found.append(
                _("There is no folder %(folder)s. Start the server once, or make it: %(command)s")
                % {"folder": folder, "command": f"mkdir {shlex.quote(folder)}"}
            )
        elif not os.access(path, os.W_OK | os.X_OK):
            found.append(
                _("vsadmin may not write to %(folder)s. Allow it: %(command)s")
                % {"folder": folder, "command": serverdir.letting_in(path, "rwX")}
            )
    return found


def _warnings(steps: tuple[PlannedStep, ...], world: World) -> list[str]:
    found = []
    if not world.game_version and any(step.new for step in steps):
        found.append(_("The server's game version isn't known, so nothing can be said about what fits it."))
    if any(step.action in (Step.Action.REPLACE, Step.Action.REMOVE) for step in steps):
        found.append(
            _("Rolling back brings the mod files back, not the world or ModConfig: back those up before big changes.")
        )
    for folder, size in _needed(steps).items():
        try:
            free = files.free_bytes(Path(folder))
        except OSError:
            continue
        if size > free:
            found.append(
                _("%(folder)s has %(free)s free, and this takes %(size)s while it runs.")
                % {"folder": folder, "free": sizes.in_words(free), "size": sizes.in_words(size)}
            )
    return found


def _needed(steps: tuple[PlannedStep, ...]) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for step in steps:
        if step.new is not None:
            sizes[step.new.folder] = sizes.get(step.new.folder, 0) + step.new.size
    return sizes
