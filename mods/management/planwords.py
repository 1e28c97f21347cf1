"""A plan in plain words, for a terminal."""

from collections.abc import Iterable, Iterator

from cache.wording import size
from mods import plans
from mods.models import Step
from mods.plans import Plan, PlannedStep
from vsadmin.lib.plaintext import one_line

_COMPATIBILITY = {
    "compatible": "compatible",
    "not_verified": "not verified for this game version",
    "incompatible": "INCOMPATIBLE with this game version",
}


def lines(plan: Plan) -> Iterator[str]:
    """The whole plan: steps, what is left alone, what to know, what stands in its way, and the sum."""
    for number, step in enumerate(plan.steps, start=1):
        yield from _step(number, step)
    yield from _list("Left alone:", plan.left_alone)
    yield from _list("To know:", plan.warnings)
    yield from _list("Older versions, only with --allow-downgrades:", _offers(plan, plans.OLDER))
    yield from _list("Retracted, only with --allow-retracted:", _offers(plan, plans.RETRACTED))
    yield from _list("Can't be had:", [unmet.text for unmet in plan.unmet])
    yield from _list("In the way:", plan.obstacles)
    if plan.steps:
        steps = "1 step" if len(plan.steps) == 1 else f"{len(plan.steps)} steps"
        yield f"{steps}, {size(plan.download_bytes)} to download."


def refusal(plan: Plan) -> str:
    """Why this plan may not run, and what to do."""
    if plan.obstacles:
        return "Nothing was changed: see what is in the way above, and ask again when it is mended."
    if not plan.steps and plan.offers and not plan.unmet:
        return "Nothing was changed: all that could be done needs a yes of its own, see above."
    if not plan.steps:
        return "Nothing was changed, since nothing of it can be had: see above."
    return (
        "Nothing was changed, since not all of it can be had: see above. With --go-on the rest is carried out all "
        "the same."
    )


def offer(one: plans.Offer) -> str:
    """In a few words: "Carry On 1.1.0 -> 1.0.0: 1.1.0 was retracted: it eats worlds."."""
    way = f"{one.from_version} -> {one.to_version}" if one.from_version else one.to_version
    return one_line(f"{one.name} {way}: {one.why}")


def _offers(plan: Plan, kind: str) -> list[str]:
    return [offer(one) for one in plan.offers if one.kind == kind]


def what(action: str, name: str, from_version: str, to_version: str) -> str:
    """A step in a few words: "replace Carry On 1.0.0 -> 1.1.0"."""
    version = f"{from_version} -> {to_version}" if action == Step.Action.REPLACE else to_version or from_version
    return one_line(f"{action} {name} {version}".rstrip())


def _step(number: int, step: PlannedStep) -> Iterator[str]:
    facts = [what(step.action, step.name, step.from_version, step.to_version)]
    if step.new is not None:
        place = "at hand" if step.new.at_hand else "to download"
        facts.append(f"{size(step.new.size)} {place}")
    elif step.action == Step.Action.REMOVE and step.old is not None:
        facts.append(size(step.old.size))
    if step.compatibility:
        facts.append(_COMPATIBILITY.get(step.compatibility, step.compatibility))
    yield f"{number:>3}. {', '.join(facts)}"
    for words in (step.why, *step.notes):
        if words:
            yield f"     {one_line(words)}"


def _list(heading: str, sentences: Iterable[str]) -> Iterator[str]:
    listed = [f"  - {one_line(sentence)}" for sentence in sentences]
    if listed:
        yield heading
        yield from listed
