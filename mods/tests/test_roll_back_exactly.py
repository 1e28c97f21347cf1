"""Rolling a change back restores the files from before, byte for byte and name for name, or names the exception."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mods import holds, inventory, modset, operations, plans
from mods.models import InstalledMod, KeptCopy, Operation, Release
from mods.modset import Entry
from mods.plans import Plan
from mods.tests.planned import Stage, lacks, said
from mods.tests.test_plan_put_back import started, swap
from mods.wishes import Target

pytestmark = pytest.mark.django_db(transaction=True)

Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def _data_dir(settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"


def files(stage: Stage) -> Files:
    folders = [stage.folder.mods, stage.folder.path / "More"]
    found = [path for folder in folders if folder.exists() for path in folder.iterdir() if path.is_file()]
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in found}


def carry_out(stage: Stage, kind: str, *targets: Any, **options: Any) -> Operation:
    operation = operations.plan(stage.ask(kind, *targets, **options))
    assert operation.state == "planned", operation.message
    operations.confirm(operation)
    operation = operations.run(operation.pk)
    assert operation.state == "done", operation.message
    return operation


def undo_plan(stage: Stage, operation: Operation) -> Plan:
    plan = operations.plan(stage.ask("undo", operation=operation.pk)).plan
    return plans.plan_from_json(plan)


def updating(stage: Stage) -> Operation:
    """With what it needs; under a name of the person's own; one that is disabled."""
    stage.put(stage.release("one", "1.0.0"), "My One.zip")
    stage.release("one", "1.1.0", needs={"lib": "2.0.0", "brand": "1.0.0"})
    stage.put(stage.release("lib", "1.0.0"))
    for modid, version in (("lib", "2.0.0"), ("brand", "1.0.0"), ("off", "1.1.0")):
        stage.release(modid, version)
    stage.put(stage.release("off", "1.0.0"), "off.zip.disabled")
    return carry_out(stage.ready(), "update")


def removing(stage: Stage) -> Operation:
    """Both files of it, one of them disabled."""
    stage.put(stage.release("one", "1.1.0"), "one.zip")
    stage.put(stage.release("one", "1.0.0"), "spare.zip.disabled")
    return carry_out(stage.ready(), "remove", "one")


def toggling(stage: Stage) -> Operation:
    stage.put(stage.release("one", "1.0.0"), "A one (old).zip")
    return carry_out(stage.ready(), "disable", "one")


def waking(stage: Stage) -> Operation:
    """A disabled file, too old, that something needs: another one that is enabled takes its place."""
    stage.put(stage.release("lib", "1.0.0"), "lib.zip.disabled")
    stage.release("lib", "2.0.0")
    stage.release("one", "1.0.0", needs={"lib": "2.0.0"})
    return carry_out(stage.ready(), "install", "one")


def elsewhere(stage: Stage) -> Operation:
    """In the second of two folders."""
    (stage.folder.path / "More").mkdir()
    stage.folder.configure(ModPaths=["Mods", "More"])
    stage.put(stage.release("one", "1.0.0"))
    (stage.folder.mods / "one_1.0.0.zip").rename(stage.folder.path / "More" / "one.zip")
    return carry_out(stage.ready(), "remove", "one")


def swapping(stage: Stage) -> Operation:
    """The new file has the name that the twin had, which goes."""
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.put(stage.release("one", "0.9.0"), "one_1.1.0.zip.disabled")
    stage.release("one", "1.1.0")
    stage.ready()
    return carry_out(stage, "align", "one@1.1.0")


@pytest.mark.parametrize("change", [updating, removing, toggling, waking, elsewhere, swapping])
def test_what_was_there_is_there_again(
    stage: Stage, change: Callable[[Stage], Operation], monkeypatch: pytest.MonkeyPatch
) -> None:
    before: list[Files] = []
    ready = stage.ready

    def noting() -> Stage:
        before.append(files(stage))
        return ready()

    monkeypatch.setattr(stage, "ready", noting)  # it is called when all is in place
    operation = change(stage)
    after = files(stage)
    assert after != before[0]
    undone = carry_out(stage, "undo", operation=operation.pk)
    assert files(stage) == before[0]
    carry_out(stage, "undo", operation=undone.pk)
    assert files(stage) == after


def test_a_name_of_a_twin_that_the_same_plan_removes_is_free(stage: Stage) -> None:
    """`one_1.1.0.zip` holds 0.9.0."""
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.put(stage.release("one", "0.9.0"), "one_1.1.0.zip")
    new = stage.release("one", "1.1.0")
    carry_out(stage.ready(), "update")
    assert files(stage) == {"Mods/one_1.1.0.zip": new.content}


@pytest.mark.parametrize("holder", ["another", "two"])
def test_a_name_that_a_step_of_another_group_frees_is_not_counted_on(stage: Stage, holder: str) -> None:
    """Whether that group comes before or after."""
    stage.put(stage.release(holder, "1.0.0"), "one_1.1.0.zip")
    stage.release(holder, "1.1.0")
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.release("one", "1.1.0")
    carry_out(stage.ready(), "update", *sorted([holder, "one"]))
    assert set(files(stage)) == {"Mods/one_1.1.0-2.zip", f"Mods/{holder}_1.1.0.zip"}


def test_two_files_that_exchange_their_names_go_together(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "a.zip")
    stage.put(stage.release("two", "1.0.0"), "b.zip")
    start = started(stage.ready())
    (stage.folder.mods / "a.zip").unlink()
    (stage.folder.mods / "b.zip").unlink()
    for modid, name in (("one", "b.zip"), ("two", "a.zip")):
        stage.put(stage.release(modid, "1.1.0"), name)
    stage.ready()
    plan = stage.plan("put_back", start=start.pk)
    assert len({step.group for step in plan.steps}) == 1
    carry_out(stage, "put_back", start=start.pk)
    assert len(files(stage)) == 2


# Exceptions


def test_a_second_enabled_file_that_an_update_took_away_stays_away(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.put(stage.release("one", "0.9.0"), "older.zip")
    stage.release("one", "1.1.0")
    operation = carry_out(stage.ready(), "update")
    plan = undo_plan(stage, operation)
    assert said(plan) == ["replace one 1.1.0 -> 1.0.0"]
    assert plan.left_alone == (
        "One 0.9.0 (older.zip) doesn't come back: another file of this mod is enabled, and the game loads only one of "
        "them.",
    )
    carry_out(stage, "undo", operation=operation.pk)
    assert sorted(files(stage)) == ["Mods/one.zip"]
    assert not InstalledMod.objects.with_problems().exists()


def test_of_two_enabled_files_that_were_removed_the_one_that_was_loaded_comes_back(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.put(stage.release("one", "0.9.0"), "older.zip")
    plan = undo_plan(stage, carry_out(stage.ready(), "remove", "one"))
    assert said(plan) == ["install one 1.0.0"]
    assert "One 0.9.0 (older.zip) doesn't come back" in plan.left_alone[0]


def test_a_removed_file_does_not_come_back_beside_another_one(stage: Stage) -> None:
    old = stage.release("one", "1.0.0")
    stage.put(old)
    operation = carry_out(stage.ready(), "remove", "one")
    stage.put(stage.release("one", "1.1.0"))
    plan = undo_plan(stage.ready(), operation)
    assert (said(plan), len(plan.left_alone)) == ([], 1)
    stage.put(old)
    (stage.folder.mods / "one_1.1.0.zip").unlink()
    assert undo_plan(stage.ready(), operation).left_alone == ("One is there again already.",)


def test_a_twin_disabled_as_a_spare_is_not_enabled_again(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.put(stage.release("one", "0.9.0"), "older.zip")
    stage.ready()
    older = InstalledMod.objects.get(file_name="older.zip")
    plan = undo_plan(stage, carry_out(stage, "disable", Target(row=older.pk)))
    assert (said(plan), len(plan.left_alone)) == ([], 1)


def test_a_twin_that_appeared_since_is_left_and_named(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.release("one", "1.1.0")
    operation = carry_out(stage.ready(), "update")
    stage.put(stage.release("one", "1.2.0"), "newer.zip")
    plan = undo_plan(stage.ready(), operation)
    assert said(plan) == ["replace one 1.1.0 -> 1.0.0"]
    assert any("One 1.2.0 (newer.zip) is enabled as well" in note for note in plan.steps[0].notes)


def test_a_name_that_somebody_took_since_is_said(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.release("one", "1.1.0")
    operation = carry_out(stage.ready(), "update")
    stage.put(stage.release("two", "1.0.0"), "one.zip")
    (step,) = undo_plan(stage.ready(), operation).steps
    assert step.new
    assert step.new.file_name == "one-2.zip"
    assert "Its name from before, one.zip, belongs to another file now." in step.notes


def test_other_bytes_of_the_same_version_are_asked_about(stage: Stage) -> None:
    stage.folder.add_zip("one.zip", modid="one", name="One", version="1.0.0", description="made by hand")
    stage.release("one", "1.0.0")
    stage.release("one", "1.1.0")
    operation = carry_out(stage.ready(), "update")
    assert said(undo_plan(stage, operation)) == ["replace one 1.1.0 -> 1.0.0"], "from the kept copy"
    KeptCopy.objects.all().delete()
    for _known in (True, False):
        plan = undo_plan(stage, operation)
        assert (said(plan), lacks(plan), plan.may_run) == (
            ["replace one 1.1.0 -> 1.0.0"], [("missing", "one")], False,
        )  # fmt: skip
        assert "the mod database has another one" in plan.unmet[0].text
        Release.objects.filter(version="1.0.0").update(sha256="", dependencies=None)


def test_a_mod_folder_that_is_no_longer_used_is_said(stage: Stage) -> None:
    operation = elsewhere(stage)
    stage.folder.configure()
    (step,) = undo_plan(stage.ready(), operation).steps
    assert step.new
    assert step.new.folder == str(stage.folder.mods)
    assert any("More any more, where it was" in note for note in step.notes)


def test_nothing_is_brought_besides_and_what_is_lacking_is_named(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0", needs={"lib": "1.0.0"}), "one.zip")
    stage.put(stage.release("lib", "1.0.0"))
    stage.release("one", "1.1.0")
    operation = carry_out(stage.ready(), "update")
    assert undo_plan(stage, operation).unmet == ()
    carry_out(stage, "remove", "lib")
    plan = undo_plan(stage, operation)
    assert (said(plan), lacks(plan)) == (["replace one 1.1.0 -> 1.0.0"], [("missing", "lib")])


def test_a_hold_set_since_is_asked_about(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.release("one", "1.1.0")
    operation = carry_out(stage.ready(), "update")
    holds.hold(stage.server, "one", version="1.1.0")
    assert lacks(undo_plan(stage, operation)) == [("held", "one")]
    holds.hold(stage.server, "one", version="1.0.0")
    assert lacks(undo_plan(stage, operation)) == []


def test_another_file_with_the_same_bytes_isnt_the_one_that_was_removed(stage: Stage) -> None:
    one = stage.release("one", "1.0.0")
    stage.put(one, "one.zip")
    stage.put(one, "spare.zip.disabled")
    stage.ready()
    before = files(stage)
    removed = InstalledMod.objects.get(file_name="one.zip")
    operation = carry_out(stage, "remove", Target(row=removed.pk))
    carry_out(stage, "undo", operation=operation.pk)
    assert files(stage) == before


def test_what_the_roll_back_itself_replaces_is_not_there_again(stage: Stage) -> None:
    older = stage.release("one", "1.0.0")
    stage.put(older)
    stage.put(stage.release("one", "1.1.0"), "one.zip")
    plan = undo_plan(stage, carry_out(stage.ready(), "update", "one@1.0.0"))
    assert said(plan) == ["replace one 1.0.0 -> 1.1.0"]
    assert plan.left_alone[0].startswith("One 1.0.0 (one_1.0.0.zip) doesn't come back")


# The set of a start keeps the same rule


def test_putting_back_makes_no_duplicate(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.put(stage.release("one", "0.9.0"), "older.zip")
    stage.release("one", "1.1.0")
    start = started(stage.ready())
    carry_out(stage, "update")
    plan = stage.plan("put_back", start=start.pk)
    assert said(plan) == ["replace one 1.1.0 -> 1.0.0"]
    assert "One 0.9.0 (older.zip) doesn't come back" in plan.left_alone[0]
    carry_out(stage, "put_back", start=start.pk)
    assert sorted(files(stage)) == ["Mods/one.zip"]


def test_what_took_the_place_of_a_spare_goes(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    older = stage.put(stage.release("one", "0.9.0"), "older.zip")
    start = started(stage.ready())
    (stage.folder.mods / older).unlink()
    stage.put(stage.release("one", "1.1.0"), "newer.zip")
    stage.ready()
    plan = stage.plan("put_back", start=start.pk)
    assert (said(plan), len(plan.left_alone)) == (["remove one 1.1.0"], 1)


def test_what_serverconfig_disabled_stays_off(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.release("one", "1.1.0")
    stage.folder.configure(WorldConfig={"DisabledMods": ["one"]})
    start = started(stage.ready())
    swap(stage, "one", "1.1.0")
    names = []
    for config in ({"WorldConfig": {"DisabledMods": ["one@1.0.0"]}}, {}):
        stage.folder.configure(**config)
        inventory.scan(stage.server)
        stage.server.refresh_from_db()
        (step,) = stage.plan("put_back", start=start.pk).steps
        assert step.new
        names.append(step.new.file_name)
    assert names == ["one.zip", "one.zip.disabled"]


@pytest.mark.parametrize(
    ("then", "now", "deeds"),
    [
        (["1.0 on"], ["1.1 on"], {"update"}),
        (["1.0 off"], ["1.1 on"], {"update"}),
        (["1.0 on"], ["1.0 off"], {"toggle"}),
        (["1.0 on"], [], {"install"}),
        (["1.0 on", "0.9 on"], ["1.0 on"], set()),
        (["1.0 on", "0.9 off"], ["1.0 on"], {"install"}),
        (["1.0 on", "0.9 on"], ["1.0 on", "1.1 on"], {"remove"}),
    ],
)
def test_rights_are_those_of_what_is_done(then: list[str], now: list[str], deeds: set[str]) -> None:
    def entries(files: list[str]) -> list[Entry]:
        return [Entry("one", one.split()[0], one.split()[0], one.endswith("on"), one) for one in files]

    assert modset.deeds(entries(then), entries(now)) == deeds
