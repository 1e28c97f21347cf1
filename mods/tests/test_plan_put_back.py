"""Planning to put back the set of mods that a start had: the very files, with one click."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from mods import holds, inventory, modset, starts
from mods.models import InstalledMod, KeptCopy, Operation, Release, ServerStart
from mods.rights import INSTALL, REMOVE, TOGGLE, UPDATE, needed
from mods.tests.planned import Stage, lacks, said
from mods.tests.test_plan_back import kept_copy
from mods.wishes import Wish

pytestmark = pytest.mark.django_db


def started(stage: Stage, **fields: Any) -> ServerStart:
    """A good start with the mods that are there now."""
    mods = modset.to_json(starts.sets_now([stage.server])[stage.server.pk])
    wanted = {"started_at": timezone.now() - timedelta(days=1), "mods": mods, "good": True, "game_version": "1.21.5"}
    return ServerStart.objects.create(server=stage.server, **{**wanted, **fields})


def swap(stage: Stage, modid: str, version: str) -> None:
    """Somebody put another version in the place of a mod."""
    (stage.folder.mods / stage.row(modid).file_name).unlink()
    stage.put(next(one for one in stage._releases if (one.modid, one.version) == (modid, version)))
    inventory.scan(stage.server)


def test_the_set_that_ran_is_put_back_whole(stage: Stage) -> None:
    one = stage.release("one", "1.0.0")
    stage.release("one", "1.1.0")
    stage.put(one)
    stage.put(stage.release("gone", "1.0.0"))
    stage.put(stage.release("off", "1.0.0"))
    on = stage.put(stage.release("on", "1.0.0"), "on.zip.disabled")
    stage.put(stage.release("same", "1.0.0"))
    stage.ready()
    start = started(stage)
    swap(stage, "one", "1.1.0")
    (stage.folder.mods / stage.row("gone").file_name).unlink()
    off = stage.folder.mods / stage.row("off").file_name
    off.rename(off.with_name(off.name + ".disabled"))
    (stage.folder.mods / on).rename(stage.folder.mods / "on.zip")
    stage.put(stage.release("added", "1.0.0"))
    stage.ready()

    plan = stage.plan("put_back", start=start.pk)
    assert sorted(said(plan)) == [
        "disable on 1.0.0",
        "enable off 1.0.0",
        "install gone 1.0.0",
        "remove added 1.0.0",
        "replace one 1.1.0 -> 1.0.0",
    ]
    assert plan.may_run
    assert not plan.left_alone
    by_mod = {step.modid: step for step in plan.steps}
    assert by_mod["one"].new is not None
    assert by_mod["one"].new.sha256 == modset.from_json(start.mods or ())[3].sha256
    assert by_mod["one"].new.file_name == one.file_name
    assert needed(Wish(Operation.Kind.PUT_BACK, start=start.pk)) == {INSTALL, UPDATE, REMOVE, TOGGLE}


def test_nothing_is_added_that_did_not_run(stage: Stage) -> None:
    """It ran without what it says it needs."""
    stage.put(stage.release("one", "1.0.0", needs={"lib": "1.0.0"}))
    stage.release("one", "1.1.0")
    stage.release("lib", "1.0.0")
    start = started(stage.ready())
    swap(stage, "one", "1.1.0")
    assert said(stage.plan("put_back", start=start.pk)) == ["replace one 1.1.0 -> 1.0.0"]
    assert needed(Wish(Operation.Kind.PUT_BACK, start=start.pk)) == {UPDATE}


def test_a_set_that_is_there_already_needs_nothing(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    start = started(stage.ready())
    operation = stage.ask("put_back", start=start.pk)
    from mods import planning

    planning.make(operation)
    assert operation.state == Operation.State.DONE
    assert operation.message == "Nothing to do. Public has those very mods already."


def test_the_kept_copy_is_used(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    old = stage.release("one", "1.0.0")
    stage.put(old)
    stage.release("one", "1.1.0")
    start = started(stage.ready())
    swap(stage, "one", "1.1.0")
    kept = kept_copy(stage, monkeypatch, old)
    plan = stage.plan("put_back", start=start.pk)
    assert said(plan) == ["replace one 1.1.0 -> 1.0.0"]
    assert plan.steps[0].new is not None
    assert plan.steps[0].new.kept == kept.pk


def test_what_cant_be_had_any_more_is_named_and_the_plan_refused(stage: Stage) -> None:
    stage.folder.add_zip("own.zip", modid="own", version="1.0.0")
    stage.put(stage.release("one", "1.0.0"))
    stage.release("one", "1.1.0")
    start = started(stage.ready())
    (stage.folder.mods / "own.zip").unlink()
    swap(stage, "one", "1.1.0")
    plan = stage.plan("put_back", start=start.pk)
    assert lacks(plan) == [("missing", "own")]
    assert "own 1.0.0 is no longer available" in plan.unmet[0].text
    assert not plan.may_run
    assert stage.plan("put_back", start=start.pk, go_on=True).may_run


def test_other_bytes_of_the_same_version_are_asked_about(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.release("one", "1.1.0")
    start = started(stage.ready())
    swap(stage, "one", "1.1.0")
    Release.objects.filter(version="1.0.0").update(sha256="f" * 64)
    plan = stage.plan("put_back", start=start.pk)
    assert lacks(plan) == [("missing", "one")]
    assert "the mod database has another one" in plan.unmet[0].text
    assert not plan.may_run


def test_a_hold_is_never_undone(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.release("one", "1.1.0")
    stage.put(stage.release("two", "1.0.0"))
    stage.release("two", "1.1.0")
    start = started(stage.ready())
    swap(stage, "one", "1.1.0")
    swap(stage, "two", "1.1.0")
    stage.put(stage.release("added", "1.0.0"))
    stage.ready()
    holds.hold(stage.server, "one", version="1.0.0", reason="it must stay")
    holds.hold(stage.server, "two", version="1.1.0", reason="1.0 eats claims.")
    holds.hold(stage.server, "added", version="1.0.0", reason="")
    plan = stage.plan("put_back", start=start.pk)
    assert said(plan) == ["replace one 1.1.0 -> 1.0.0"]
    assert plan.may_run
    assert sorted(plan.left_alone) == [
        "Added 1.0.0 wasn't there, but is held (by somebody), so it stays. Let it go first.",
        "Two 1.1.0 was 1.0.0, but is held at 1.1.0 (by somebody: 1.0 eats claims), so it stays. Let it go first.",
    ]


def test_a_mod_disabled_then_and_replaced_since_comes_back_disabled(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one_1.0.0.zip.disabled")
    new = stage.release("one", "1.1.0")
    start = started(stage.ready())
    (stage.folder.mods / "one_1.0.0.zip.disabled").unlink()
    stage.put(new)
    stage.ready()
    plan = stage.plan("put_back", start=start.pk)
    assert said(plan) == ["replace one 1.1.0 -> 1.0.0"]
    assert {step.new.file_name for step in plan.steps if step.new} == {"one_1.0.0.zip.disabled"}


def test_another_game_version_is_said(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.release("one", "1.1.0")
    start = started(stage.ready(), game_version="1.20.1")
    swap(stage, "one", "1.1.0")
    assert any("The game was 1.20.1" in warning for warning in stage.plan("put_back", start=start.pk).warnings)


def test_a_start_of_another_server_or_without_its_set_is_none(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    start = started(stage.ready(), mods=None)
    plan = stage.plan("put_back", start=start.pk)
    assert plan.left_alone == ("The mods of that start are no longer recorded.",)
    assert not plan.steps
    assert not KeptCopy.objects.exists()
    assert InstalledMod.objects.count() == 1
