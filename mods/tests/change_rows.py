"""Changes as planning and carrying out leave them, for tests of pages."""

from typing import Any

from django.utils import timezone

from mods import plans, wishes
from mods.models import GameServer, KeptCopy, Operation, Step
from mods.plans import NewFile, OldFile, Plan, PlannedStep
from mods.wishes import Target, Wish


def old(modid: str, version: str = "1.0.0", **fields: Any) -> OldFile:
    return OldFile("/srv/Mods", f"{modid}_{version}.zip", "a" * 64, 1024, modid, version, modid.title(), **fields)


def new(modid: str, version: str = "1.1.0", **fields: Any) -> NewFile:
    wanted: dict[str, Any] = {"release": 1, "file_id": 1, **fields}
    size = wanted.pop("size", 2 * 1024 * 1024)
    return NewFile("/srv/Mods", f"{modid}_{version}.zip", "b" * 64, size, modid, version, modid.title(), **wanted)


def replace(modid: str, before: str = "1.0.0", after: str = "1.1.0", *, group: int = 0, **fields: Any) -> PlannedStep:
    """A planned step from one version to the other."""
    why = fields.pop("why", f"{after} is recommended for 1.21.5.")
    placed = new(modid, after, at_hand=fields.pop("at_hand", False))
    return PlannedStep("replace", group, why, old(modid, before), placed, **{"compatibility": "compatible", **fields})


def make_change(
    server: GameServer,
    kind: str = "update",
    state: str = "planned",
    *,
    plan: Plan | None = None,
    targets: tuple[Target, ...] = (),
    **fields: Any,
) -> Operation:
    """A change in that state with that plan; of one that ran, the journal too."""
    wanted = {"title": "Update 2 mods", "asked_by_name": "ann", "planned_at": timezone.now(), **fields}
    change = Operation.objects.create(
        server=server,
        kind=kind,
        state=state,
        wish=wishes.to_json(Wish(kind=kind, targets=targets)),
        plan=plans.to_json(plan) if plan else None,
        **wanted,
    )
    if plan and state not in {"planning", "planned", "queued", "cancelled"}:
        for position, step in enumerate(plan.steps):
            make_step(change, step, position)
    return change


def make_step(change: Operation, step: PlannedStep, position: int = 0, **fields: Any) -> Step:
    """The journal's row of a planned step; done, unless `fields` say otherwise."""
    wanted: dict[str, Any] = {"state": Step.State.DONE, "done_at": timezone.now(), **fields}
    return Step.objects.create(
        operation=change,
        server=change.server,
        position=position,
        group=step.group,
        action=step.action,
        modid=step.modid,
        modid_key=step.modid.lower(),
        name=step.name,
        from_version=step.from_version,
        to_version=step.to_version,
        why=step.why,
        planned=plans.to_json(step),
        **wanted,
    )


def make_kept(server: GameServer | None, modid: str = "alpha", version: str = "1.0.0", **fields: Any) -> KeptCopy:
    """The row of a kept copy; its file isn't made."""
    wanted = {
        "server_name": server.name if server else "Gone",
        "modid": modid,
        "modid_key": modid.lower(),
        "name": modid.title(),
        "version": version,
        "file_name": f"{modid}_{version}.zip",
        "stored_name": f"{modid}_{version}~{KeptCopy.objects.count():012d}.zip",
        "size": 4096,
        "sha256": "c" * 64,
        "why": "The mod database doesn't know it.",
        **fields,
    }
    return KeptCopy.objects.create(server=server, **wanted)
