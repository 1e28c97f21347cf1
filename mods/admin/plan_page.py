"""How a change's page shows its plan and, once it ran, what came of each step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mods import plans, versions
from mods.admin.changes import Changes
from mods.models import Operation, Step
from mods.versions import Compatibility

ACTIONS: dict[str, tuple[str, str | Promise]] = {
    "install": ("good", gettext_lazy("install")),
    "update": ("info", gettext_lazy("update")),
    "back": ("warn", gettext_lazy("roll back")),
    "replace": ("info", gettext_lazy("replace")),
    "remove": ("bad", gettext_lazy("remove")),
    "enable": ("good", gettext_lazy("enable")),
    "disable": ("calm", gettext_lazy("disable")),
}
_COMPATIBILITY: dict[str, tuple[str, str | Promise]] = {
    Compatibility.COMPATIBLE.value: ("good", gettext_lazy("compatible")),
    Compatibility.NOT_VERIFIED.value: ("calm", gettext_lazy("not verified")),
    Compatibility.INCOMPATIBLE.value: ("bad", gettext_lazy("incompatible")),
}
STEP_TONES = {
    Step.State.WAITING: "calm",
    Step.State.PLACING: "info",
    Step.State.PLACED: "good",
    Step.State.DONE: "good",
    Step.State.FAILED: "bad",
    Step.State.SKIPPED: "calm",
}


@dataclass(frozen=True)
class ShownStep:
    """One step: what is planned and, once the change started, how it went."""

    planned: plans.PlannedStep
    changes: Changes
    #: The row of the journal; None until the change starts.
    row: Step | None = None

    @property
    def kind(self) -> str:
        """What the step does: as its action, but a replacement is an update, a roll back or neither."""
        return kind_of(self.planned)

    @property
    def action(self) -> tuple[str, str | Promise]:
        return ACTIONS.get(self.kind, ("calm", self.planned.action))

    @property
    def compatibility(self) -> tuple[str, str | Promise] | None:
        return _COMPATIBILITY.get(self.planned.compatibility)

    @property
    def size(self) -> int | None:
        """Bytes that are placed; None where nothing is."""
        return self.planned.new.size if self.planned.new else None

    @property
    def needs_download(self) -> bool:
        return self.planned.new is not None and not self.planned.new.at_hand

    @property
    def is_kept(self) -> bool:
        """Whether what goes now is kept for good, since it can't be fetched again."""
        return bool(self.planned.old and self.planned.old.keep_because and self.planned.action in {"replace", "remove"})

    @property
    def state_tone(self) -> str:
        return STEP_TONES.get(Step.State(self.row.state), "calm") if self.row else ""


@dataclass(frozen=True)
class ShownGroup:
    """Steps in one frame: `is_together`, all of them are carried out or none, else each by itself."""

    steps: tuple[ShownStep, ...]
    is_together: bool


def kind_of(step: plans.PlannedStep) -> str:
    if step.action != Step.Action.REPLACE:
        return step.action
    if versions.newer(step.to_version, step.from_version):
        return "update"
    return "back" if versions.newer(step.from_version, step.to_version) else "replace"


@dataclass(frozen=True)
class OfferGroup:
    """What is only done if a person ticks it, of one kind."""

    title: str
    offers: tuple[plans.Offer, ...]


def offer_groups(plan: plans.Plan | None) -> list[OfferGroup]:
    titles = {
        plans.OLDER: _("Back to an older version, only if you tick it"),
        plans.RETRACTED: _("Retracted releases, only if you tick them"),
    }
    found = plan.offers if plan else ()
    groups = [OfferGroup(title, tuple(one for one in found if one.kind == kind)) for kind, title in titles.items()]
    return [group for group in groups if group.offers]


def read_plan(operation: Operation) -> plans.Plan | None:
    """The stored plan; None where there is none, or where another version of vsadmin wrote it."""
    try:
        return plans.plan_from_json(operation.plan) if operation.plan else None
    except plans.NotAPlan:
        return None


def groups(steps: Iterable[tuple[plans.PlannedStep, Step | None]], changes: dict[int, Changes]) -> list[ShownGroup]:
    """The groups of several steps, in the plan's order, then one frame of all others.

    `changes` are by the step's place in the plan.
    """
    found: dict[int, list[ShownStep]] = {}
    for place, (planned, row) in enumerate(steps):
        found.setdefault(planned.group, []).append(ShownStep(planned, changes.get(place, Changes()), row))
    together = [ShownGroup(tuple(members), is_together=True) for members in found.values() if len(members) > 1]
    single = tuple(members[0] for members in found.values() if len(members) == 1)
    return [*together, ShownGroup(single, is_together=False)] if single else together


def planned_steps(plan: plans.Plan | None, rows: Sequence[Step]) -> list[tuple[plans.PlannedStep, Step | None]]:
    """What the journal says, once there is one; before, what the plan says."""
    found: list[tuple[plans.PlannedStep, Step | None]] = []
    for row in rows:
        try:
            found.append((plans.step_from_json(row.planned), row))
        except plans.NotAPlan:
            old = plans.OldFile("", "", "", 0, row.modid, row.from_version, row.name)
            found.append((plans.PlannedStep(row.action, row.group, row.why, old=old), row))
    return found or [(step, None) for step in (plan.steps if plan else ())]


def in_words(steps: Iterable[plans.PlannedStep]) -> str:
    """How many steps do what: "2 updates, 1 new mod"."""
    counted: dict[str, int] = {}
    for step in steps:
        counted[kind_of(step)] = counted.get(kind_of(step), 0) + 1
    return ", ".join(_count(kind, counted[kind]) for kind in ACTIONS if kind in counted)


def _count(kind: str, n: int) -> str:
    match kind:
        case "install":
            words = ngettext("%d new mod", "%d new mods", n)
        case "update":
            words = ngettext("%d update", "%d updates", n)
        case "back":
            words = ngettext("%d back to an older version", "%d back to an older version", n)
        case "replace":
            words = ngettext("%d replaced", "%d replaced", n)
        case "remove":
            words = ngettext("%d removed", "%d removed", n)
        case "enable":
            words = ngettext("%d enabled", "%d enabled", n)
        case _:
            words = ngettext("%d disabled", "%d disabled", n)
    return words % n


def downloads_in_words(plan: plans.Plan, size: str) -> str:
    """What has to come from the mod database first; `size` is that of all of it."""
    if not any(step.new for step in plan.steps):
        return _("Nothing has to be downloaded.")
    count = sum(1 for step in plan.steps if step.new and not step.new.at_hand)
    if not count:
        return _("Every file is at hand: nothing has to be downloaded.")
    words = ngettext("%(size)s to download, in %(count)d file.", "%(size)s to download, in %(count)d files.", count)
    return words % {"size": size, "count": count}
