"""Nobody goes back to an older version, or gets a retracted release, without a yes to just that."""

from dataclasses import replace

import pytest

from demo.moddb import DemoRelease
from mods import holds, operations
from mods.models import InstalledMod, Release
from mods.plans import OLDER, RETRACTED, Plan
from mods.tests.planned import Stage, said
from mods.tests.test_plan_back import kept_copy
from mods.tests.test_plan_put_back import started, swap

pytestmark = pytest.mark.django_db

REASON = "Worlds could not be loaded any more after the mod was removed, keep it until 0.7."


@pytest.fixture
def bad(stage: Stage) -> DemoRelease:
    """one 0.6.0, which was retracted after it was installed; 0.5.1 is there."""
    stage.release("one", "0.5.1")
    bad = stage.release("one", "0.6.0")
    stage.put(bad)
    stage.ready()
    stage.database.retract(bad, REASON)
    return bad


def offered(plan: Plan) -> list[tuple[str, str, str, str]]:
    return [(one.kind, one.modid, one.from_version, one.to_version) for one in plan.offers]


BACK = [(OLDER, "one", "0.6.0", "0.5.1")]


@pytest.mark.parametrize(("kind", "targets"), [("update", ()), ("update", ("one",)), ("install", ("one",))])
def test_going_back_is_offered_and_not_done(
    stage: Stage, bad: DemoRelease, kind: str, targets: tuple[str, ...]
) -> None:
    plan = stage.ready().plan(kind, *targets)
    assert (said(plan), offered(plan), plan.may_run) == ([], BACK, False)
    assert plan.offers[0].why == f"0.6.0 was retracted: {REASON}"
    done = ["replace one 0.6.0 -> 0.5.1"]
    assert said(stage.plan(kind, *targets, allow_downgrades=True)) == done
    assert said(stage.plan(kind, *targets, agreed=("one@0.5.1",))) == done
    assert said(stage.plan(kind, *targets, agreed=("one@0.5.0",), allow_retracted=True)) == []


def test_an_update_of_all_goes_on_without_it(stage: Stage, bad: DemoRelease) -> None:
    stage.put(stage.release("two", "1.0.0"))
    stage.release("two", "1.1.0")
    plan = stage.ready().plan("update")
    assert (said(plan), offered(plan), plan.may_run) == (["replace two 1.0.0 -> 1.1.0"], BACK, True)


def test_what_needs_the_installed_one_is_no_obstacle_to_the_others(stage: Stage, bad: DemoRelease) -> None:
    """Only where somebody said yes does it matter who needs the retracted version."""
    stage.put(stage.release("user", "1.0.0", needs={"one": "0.6.0"}))
    stage.put(stage.release("two", "1.0.0"))
    stage.release("two", "1.1.0")
    stage.ready()
    assert stage.plan("update").unmet == ()
    assert [one.kind for one in stage.plan("update", allow_downgrades=True).unmet] == ["breaks"]


def test_who_names_the_older_version_has_said_yes(stage: Stage, bad: DemoRelease) -> None:
    for kind in ("update", "install", "roll_back"):
        plan = stage.ready().plan(kind, "one@0.5.1")
        assert (said(plan), offered(plan)) == (["replace one 0.6.0 -> 0.5.1"], [])
        assert "This is older than what is installed." in plan.steps[0].notes
        assert f"0.6.0 was retracted: {REASON}" in (plan.steps[0].why, *plan.steps[0].notes)


def test_something_newer_is_an_update_as_always(stage: Stage, bad: DemoRelease) -> None:
    stage.release("one", "0.7.0")
    plan = stage.ready().plan("update")
    assert (said(plan), offered(plan)) == (["replace one 0.6.0 -> 0.7.0"], [])


def test_what_is_held_is_not_offered(stage: Stage, bad: DemoRelease) -> None:
    stage.ready()
    holds.hold(stage.server, "one", version="0.6.0", reason="Keep it until 0.7.", actor="anna")
    plan = stage.plan("update")
    assert (said(plan), offered(plan)) == ([], [])
    assert plan.left_alone == ("One 0.6.0 is held (by anna: Keep it until 0.7).",)


def test_getting_ready_for_a_game_version_offers_it_too(stage: Stage, bad: DemoRelease) -> None:
    plan = stage.ready().plan("prepare", game_version="1.21.5")
    assert (said(plan), offered(plan), plan.left_alone) == ([], BACK, ())
    assert said(stage.plan("prepare", game_version="1.21.5", agreed=("one@0.5.1",))) == ["replace one 0.6.0 -> 0.5.1"]


# Retracted releases


@pytest.fixture
def replaced(stage: Stage, bad: DemoRelease) -> DemoRelease:
    """Instead of 0.6.0, which was retracted, 0.7.0 is there now."""
    newer = stage.release("one", "0.7.0")
    stage.ready()
    (stage.folder.mods / bad.file_name).unlink()
    stage.put(newer)
    stage.ready()
    return bad


AGAIN = [(RETRACTED, "one", "0.7.0", "0.6.0")]


@pytest.mark.parametrize("kind", ["roll_back", "install", "update", "align"])
def test_a_retracted_release_comes_only_after_a_yes(stage: Stage, replaced: DemoRelease, kind: str) -> None:
    plan = stage.plan(kind, "one@0.6.0")
    assert (said(plan), offered(plan), plan.unmet) == ([], AGAIN, ())
    assert plan.offers[0].why == f"0.6.0 was retracted: {REASON}"
    assert said(stage.plan(kind, "one@0.6.0", allow_downgrades=True)) == []
    for yes in ({"allow_retracted": True}, {"agreed": ("one@0.6.0",)}):
        plan = stage.plan(kind, "one@0.6.0", **yes)
        assert (said(plan), offered(plan)) == (["replace one 0.7.0 -> 0.6.0"], [])
        assert f"This release was retracted: {REASON}" in plan.steps[0].notes


def test_a_kept_copy_of_a_retracted_release_too(
    stage: Stage, replaced: DemoRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept_copy(stage, monkeypatch, replaced, version="0.6.0")
    assert offered(stage.plan("roll_back", "one@0.6.0")) == AGAIN
    Release.objects.filter(version="0.6.0").delete()  # as if it was retracted before we ever saw it
    assert offered(stage.plan("roll_back", "one@0.6.0")) == AGAIN
    assert said(stage.plan("roll_back", "one@0.6.0", allow_retracted=True)) == ["replace one 0.7.0 -> 0.6.0"]


def test_putting_back_leaves_it_out_and_goes_on(stage: Stage) -> None:
    bad = stage.release("one", "0.6.0")
    stage.release("one", "0.7.0")
    stage.put(bad)
    stage.put(stage.release("two", "1.0.0"))
    stage.release("two", "1.1.0")
    start = started(stage.ready())
    swap(stage, "one", "0.7.0")
    swap(stage, "two", "1.1.0")
    stage.database.retract(bad, REASON)
    stage.ready()
    plan = stage.plan("put_back", start=start.pk)
    assert (said(plan), offered(plan), plan.may_run) == (["replace two 1.1.0 -> 1.0.0"], AGAIN, True)
    assert len(said(stage.plan("put_back", start=start.pk, allow_retracted=True))) == 2


# Saying yes to a plan


def test_ticking_makes_the_plan_again(stage: Stage, bad: DemoRelease) -> None:
    operation = operations.plan(stage.ready().ask("update"))
    with pytest.raises(operations.NotNow):
        operations.confirm(operation)
    with pytest.raises(operations.NotNow, match="ticked"):
        operations.agree(operation, ["two@1.0.0"])
    operations.agree(operation, ["one@0.5.1", "two@1.0.0"])
    assert (operation.state, operation.wish["agreed"], operation.plan) == ("planning", ["one@0.5.1"], None)
    operations.plan(operation)
    assert operation.plan is not None
    assert [step["action"] for step in operation.plan["steps"]] == ["replace"]
    operations.confirm(operation)
    with pytest.raises(operations.NotNow):
        operations.agree(operation, ["one@0.5.1"])
    assert operation.state == "queued"


def test_figures_count_it_apart(stage: Stage, bad: DemoRelease) -> None:
    from mods import figures

    stage.ready()
    assert replace(figures.of(InstalledMod.objects.all()), mods=0, retracted=0, attention=0) == figures.Figures(
        to_go_back=1
    )
