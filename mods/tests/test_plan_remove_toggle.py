"""Planning to remove, enable and disable; bringing a server in line with a list."""

import hashlib

import pytest

from mods import holds
from mods.tests.planned import Stage, lacks, said
from mods.wishes import Target

pytestmark = pytest.mark.django_db


def test_by_modid_row_or_file_name(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.put(stage.release("two", "1.0.0"))
    (stage.folder.mods / "broken.zip").write_bytes(b"not a zip")
    stage.ready()
    plan = stage.plan("remove", "one", Target(row=stage.row("two").pk), "broken.zip", "nowhere", Target(row=10_000))
    assert said(plan) == ["remove one 1.0.0", "remove two 1.0.0", "remove  "]
    assert plan.left_alone == ("nowhere isn't installed.", "One of the chosen files is gone by now.")


def test_a_held_one_is_not_removed_just_so(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.ready()
    holds.hold(stage.server, "one", version="1.0.0", actor="anna")
    assert lacks(stage.plan("remove", "one")) == [("held", "one")]


def test_disable_and_enable_are_renames(stage: Stage) -> None:
    stage.put(stage.release("on", "1.0.0"), "On.zip")
    stage.put(stage.release("off", "1.0.0"), "Off.zip.disabled")
    stage.ready()
    assert [step.rename_to for step in stage.plan("disable", "on", "off").steps] == ["On.zip.disabled"]
    plan = stage.plan("enable", "on", "off")
    assert [step.rename_to for step in plan.steps] == ["Off.zip"]
    assert plan.left_alone == ("On 1.0.0 is enabled already.",)


def test_a_folder_is_not_disabled_by_its_name(stage: Stage) -> None:
    """The game loads every folder among its mods; one that was renamed once gets its name back."""
    for name in ("lamp", "brook.disabled"):
        (stage.folder.mods / name).mkdir()
        info = f'{{"type": "code", "name": "{name[:5].title()}", "modid": "{name[:5].strip(".")}"}}'
        (stage.folder.mods / name / "modinfo.json").write_text(info)
    stage.ready()
    plan = stage.plan("disable", "lamp", "brook")
    assert not plan.steps
    assert "a folder, which the game loads whatever its name. To disable it, add “lamp” to" in plan.left_alone[0]


def test_enabling_brings_what_it_needs(stage: Stage) -> None:
    stage.put(stage.release("off", "1.0.0", needs={"lib": "1.0.0"}), "off.zip.disabled")
    stage.release("lib", "1.0.0")
    assert said(stage.ready().plan("enable", "off")) == ["enable off 1.0.0", "install lib 1.0.0"]


def test_what_serverconfig_disables_is_told_apart(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.folder.configure(WorldConfig={"DisabledMods": ["one"]})
    plan = stage.ready().plan("enable", "one")
    assert plan.left_alone == (
        "One 1.0.0 is disabled in serverconfig.json: take it out of DisabledMods there.",
    )  # fmt: skip


def test_in_line_with_a_list(stage: Stage) -> None:
    same, older = stage.release("same", "1.0.0"), stage.release("older", "1.0.0")
    stage.put(same)
    stage.release("older", "2.0.0")
    stage.put(older)
    stage.release("absent", "3.0.0")
    stage.put(stage.release("off", "1.0.0"))
    stage.put(stage.release("extra", "1.0.0"))
    listed = (
        Target(modid="same", version="1.0.0", sha256=hashlib.sha256(same.content).hexdigest(), enabled=True),
        Target(modid="older", version="2.0.0", enabled=True),
        Target(modid="absent", version="3.0.0", enabled=True),
        Target(modid="off", version="1.0.0", enabled=False),
    )
    plan = stage.ready().plan("align", *listed)
    assert sorted(said(plan)) == ["disable off 1.0.0", "install absent 3.0.0", "replace older 1.0.0 -> 2.0.0"]
    assert plan.left_alone == ("Not in the list, and staying: Extra 1.0.0.",)
    plan = stage.plan("align", *listed, remove_others=True)
    assert "remove extra 1.0.0" in said(plan)
    plan = stage.plan("align", Target(row=stage.row("extra").pk, remove=True))
    assert said(plan) == ["remove extra 1.0.0"]


def test_a_listed_mod_that_is_to_be_disabled_arrives_disabled(stage: Stage) -> None:
    stage.release("one", "1.0.0")
    plan = stage.ready().plan("align", Target(modid="one", version="1.0.0", enabled=False))
    assert plan.steps[0].new is not None
    assert plan.steps[0].new.file_name == "one_1.0.0.zip.disabled"


def test_a_listed_mod_that_is_held_here_stays(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.release("one", "2.0.0")
    stage.ready()
    holds.hold(stage.server, "one", version="1.0.0", actor="anna")
    plan = stage.plan("align", Target(modid="one", version="2.0.0", enabled=True, held=True))
    assert plan.steps == ()
    assert plan.left_alone == ("one is held here. Let it go first.",)


def test_of_removing_it_is_said_that_the_world_is_not_rolled_back(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.ready()
    assert any("not the world or ModConfig" in one for one in stage.plan("remove", "one").warnings)
    assert stage.plan("disable", "one").warnings == ()
