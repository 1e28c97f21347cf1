"""Planning to update: never past what is recommended, never what is held; duplicates go."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mods import holds, planning
from mods.models import InstalledMod
from mods.tests.planned import Stage, lacks, said
from mods.wishes import Target

pytestmark = pytest.mark.django_db


def outdated(stage: Stage, *modids: str) -> None:
    for modid in modids:
        stage.put(stage.release(modid, "1.0.0"))
        stage.release(modid, "1.1.0")
        stage.release(modid, "2.0.0", game_versions=["1.22.0"])
        stage.release(modid, "1.2.0-pre.1")


def test_all_that_are_outdated_up_to_the_servers_game_version(stage: Stage) -> None:
    outdated(stage, "one", "two")
    stage.put(stage.release("fresh", "1.0.0"))
    plan = stage.ready().plan("update")
    assert said(plan) == ["replace one 1.0.0 -> 1.1.0", "replace two 1.0.0 -> 1.1.0"]
    assert plan.steps[0].why == "1.1.0 is recommended for 1.21.5."
    assert len({step.group for step in plan.steps}) == 2
    assert any("not the world or ModConfig" in warning for warning in plan.warnings)


def test_some_by_name(stage: Stage) -> None:
    outdated(stage, "one", "two")
    stage.put(stage.release("fresh", "1.0.0"))
    plan = stage.ready().plan("update", "two", "fresh", "absent", Target(row=stage.row("two").pk))
    assert said(plan) == ["replace two 1.0.0 -> 1.1.0"]
    assert plan.left_alone == ("Fresh 1.0.0 is up to date.", "absent isn't installed.")


def test_held_ones_are_left_alone_and_by_whom_is_said(stage: Stage) -> None:
    outdated(stage, "one", "two")
    stage.ready()
    holds.hold(stage.server, "ONE", version="1.0.0", reason="2.0 eats chests.", actor="anna")
    for targets in ((), ("one", "two")):
        plan = stage.plan("update", *targets)
        assert said(plan) == ["replace two 1.0.0 -> 1.1.0"]
        assert plan.left_alone == ("One 1.0.0 is held (by anna: 2.0 eats chests).",)
        assert plan.unmet == ()


def test_a_held_one_changes_only_by_name_and_version_and_when_told_to_go_on(stage: Stage) -> None:
    outdated(stage, "one")
    stage.ready()
    holds.hold(stage.server, "one", version="1.0.0", actor="anna")
    plan = stage.plan("install", "one@1.1.0")
    assert (said(plan), lacks(plan), plan.may_run) == (["replace one 1.0.0 -> 1.1.0"], [("held", "one")], False)


def test_a_disabled_one_stays_disabled(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip.disabled")
    stage.release("one", "1.1.0", needs={"nowhere": "1.0.0"})
    plan = stage.ready().plan("update")
    assert plan.steps[0].new is not None
    assert plan.steps[0].new.file_name == "one_1.1.0.zip.disabled"
    assert plan.unmet == ()


def test_further_files_of_the_same_mod_go_with_it(stage: Stage) -> None:
    old = stage.release("one", "0.9.0")
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.put(old, "older.zip")
    stage.release("one", "1.1.0")
    plan = stage.ready().plan("update")
    assert said(plan) == ["replace one 1.0.0 -> 1.1.0", "remove one 0.9.0"]
    assert {step.group for step in plan.steps} == {1}
    assert plan.steps[1].why == "The same mod is here more than once."


@pytest.mark.parametrize("targets", [(), ("one",), ("one@1.1.0",)])
def test_an_older_file_beside_one_that_is_up_to_date_is_taken_away(stage: Stage, targets: tuple[str, ...]) -> None:
    stage.put(stage.release("one", "1.0.0"), "older.zip")
    stage.put(stage.release("one", "1.0.1"), "spare.zip.disabled")
    stage.put(stage.release("one", "1.1.0"), "one.zip")
    plan = stage.ready().plan("update", *targets)
    assert said(plan) == ["remove one 1.0.0"]
    assert plan.steps[0].why == "One 1.1.0 (one.zip) is there as well, and is newer."
    assert plan.left_alone == ()


def test_what_was_retracted_is_kept_when_it_goes(stage: Stage) -> None:
    stage.release("one", "1.0.0")
    bad = stage.release("one", "1.1.0")
    stage.put(bad)
    stage.database.retract(bad, "Corrupts saves")
    plan = stage.ready().plan("update", allow_downgrades=True)
    old = plan.steps[0].old
    assert old is not None
    assert (old.cache_key, old.keep_because) == ("", "It was retracted from the mod database.")


def test_where_the_replaced_file_goes(stage: Stage) -> None:
    same, _altered, _own = (stage.release(name, "1.0.0") for name in ("same", "altered", "own"))
    for name in ("same", "altered"):
        stage.release(name, "1.1.0")
    stage.put(same)
    stage.folder.add_zip("altered.zip", modid="altered", name="Altered", version="1.0.0", description="by hand")
    stage.folder.add_zip("own.zip", modid="own", name="Own", version="0.1.0")
    plan = stage.ready().plan("update")
    because = {
        step.modid: (bool(step.old and step.old.cache_key), step.old and step.old.keep_because) for step in plan.steps
    }
    assert because == {
        "same": (True, ""),
        "altered": (False, "The mod database's file of this version is another one."),
        "own": (False, "The mod database doesn't have this version."),
    }


def test_links_and_folders_are_left_to_people(stage: Stage) -> None:
    stage.release("linked", "1.1.0")
    real = stage.folder.add_zip("real.zip", folder=stage.folder.path, modid="linked", name="Linked", version="1.0.0")
    (stage.folder.mods / "linked.zip").symlink_to(real)
    stage.release("unpacked", "1.1.0")
    (stage.folder.mods / "unpacked").mkdir()
    (stage.folder.mods / "unpacked" / "modinfo.json").write_text(
        '{"type": "content", "modid": "unpacked", "name": "Unpacked", "version": "1.0.0"}'
    )
    plan = stage.ready().plan("update")
    assert plan.steps == ()
    assert sorted(plan.left_alone) == [
        "Linked 1.0.0 (linked.zip) is a link to a file elsewhere: change it by hand.",
        "Unpacked 1.0.0 (unpacked) is a folder, which vsadmin neither replaces nor removes: do it by hand.",
    ]


def test_nothing_to_do_is_said(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    operation = stage.ready().ask("update")
    planning.make(operation)
    assert (operation.state, operation.message) == ("done", "Nothing to do. Everything is up to date.")


def test_a_list_that_the_server_has_already_is_said_to_match(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    operation = stage.ready().ask("align", "one@1.0.0")
    planning.make(operation)
    assert (operation.state, operation.message) == ("done", "Nothing to do. Public matches the list.")


def test_a_plan_cancelled_meanwhile_stays_cancelled(stage: Stage) -> None:
    outdated(stage, "one")
    operation = stage.ready().ask("update")
    type(operation).objects.filter(pk=operation.pk).update(state="cancelled")
    planning.make(operation)
    assert (operation.state, operation.plan) == ("cancelled", None)


def test_an_error_of_ours_ends_in_words(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(planning, "Stepper", broken)
    operation = stage.ready().ask("update")
    planning.make(operation)
    assert operation.state == "failed"
    assert operation.message.startswith("An unexpected error while planning; nothing was changed.")


def test_a_server_out_of_reach(stage: Stage) -> None:
    operation = stage.ready().ask("update")
    stage.folder.path.rename(stage.folder.path.with_name("away"))
    planning.make(operation)
    assert operation.state == "failed"
    assert "can't be changed now" in operation.message


def test_the_number_of_queries_is_the_same_for_few_and_for_many(stage: Stage) -> None:
    outdated(stage, "a1")
    stage.ready()

    def queries() -> int:
        operation = stage.ask("update")
        with CaptureQueriesContext(
            connection,
        ) as captured:
            planning.make(operation)
        return len(captured)

    few = queries()
    outdated(stage, *(f"b{number}" for number in range(20)))
    stage.release("lib", "1.0.0")
    stage.ready()
    assert queries() == few


def test_the_plan_of_all_leaves_nothing_that_is_counted_as_an_update(stage: Stage) -> None:
    """A spare that is disabled isn't counted while the game loads another file of its mod, and is again after that."""
    stage.put(stage.release("one", "1.1.0"), "one.zip")
    stage.put(stage.release("one", "1.0.0"), "spare.zip.disabled")
    stage.ready()
    assert not InstalledMod.objects.outdated().exists()
    assert stage.plan("update").steps == ()
    (stage.folder.mods / "one.zip").unlink()
    stage.ready()
    assert InstalledMod.objects.outdated().count() == len(stage.plan("update").steps) == 1
    stage.put(stage._releases[0], "one.zip")
    stage.ready()
    assert InstalledMod.objects.outdated().count() == len(stage.plan("update").steps) == 0
