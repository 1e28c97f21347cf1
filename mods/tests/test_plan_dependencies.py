"""Dependencies in a plan: resolved to recommended releases, transitively; what can't be met is said by name."""

from pathlib import Path
from typing import Any

import pytest

from mods import holds, inventory
from mods.models import Lookup
from mods.tests.planned import Stage, lacks, said

pytestmark = pytest.mark.django_db


def test_they_come_along_transitively_each_with_its_reason(stage: Stage) -> None:
    stage.release("top", "1.0.0", needs={"game": "1.21.0", "middle": "1.1.0", "survival": ""})
    stage.release("middle", "1.0.0")
    stage.release("middle", "1.2.0", needs={"base": "*"})
    stage.release("base", "0.5.0", needs={"creative": "1.21.0"})
    plan = stage.ready().plan("install", "top")
    assert said(plan) == ["install top 1.0.0", "install middle 1.2.0", "install base 0.5.0"]
    assert plan.unmet == ()
    assert [step.why for step in plan.steps] == [
        "You asked for it.", "Top 1.0.0 needs 1.1.0 or newer.", "Middle 1.2.0 needs it.",
    ]  # fmt: skip
    assert {step.group for step in plan.steps} == {1}


def test_what_is_there_and_new_enough_stays(stage: Stage) -> None:
    stage.put(stage.release("lib", "1.0.0"))
    stage.release("lib", "2.0.0")
    stage.release("top", "1.0.0", needs={"lib": "1.0.0"})
    assert said(stage.ready().plan("install", "top")) == ["install top 1.0.0"]


def test_what_is_too_old_is_updated_with_it(stage: Stage) -> None:
    stage.put(stage.release("lib", "1.0.0"))
    stage.release("lib", "2.0.0")
    stage.release("top", "1.0.0", needs={"lib": "1.5.0"})
    plan = stage.ready().plan("install", "top")
    assert said(plan) == ["install top 1.0.0", "replace lib 1.0.0 -> 2.0.0"]
    assert {step.group for step in plan.steps} == {1}


@pytest.mark.django_db(transaction=True)  # files are fetched in threads
@pytest.mark.parametrize("is_refreshed", [True, False])
def test_what_is_too_old_is_updated_though_it_was_not_refreshed(
    stage: Stage, is_refreshed: bool, settings: Any, tmp_path: Path
) -> None:
    """A library of which nobody asked yet whether it has something newer."""
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    stage.put(stage.release("lib", "0.5.1"))
    stage.release("lib", "0.6.0")
    stage.release("top", "1.0.0", needs={"lib": "0.6.0"})
    inventory.scan(stage.server)
    if is_refreshed:
        stage.ready(read=False)
    plan = stage.plan("install", "top")
    assert said(plan) == ["install top 1.0.0", "replace lib 0.5.1 -> 0.6.0"]
    assert plan.unmet == ()


def test_a_prerelease_of_a_library_is_no_reason_to_take_an_older_one(stage: Stage) -> None:
    stage.put(stage.release("lib", "1.0.0-rc.1"))
    stage.release("lib", "0.9.0")
    stage.release("lib", "1.0.0-rc.2")
    stage.release("top", "1.0.0", needs={"lib": "1.0.0-rc.2"})
    assert said(stage.ready().plan("install", "top")) == ["install top 1.0.0", "replace lib 1.0.0-rc.1 -> 1.0.0-rc.2"]


@pytest.mark.django_db(transaction=True)
def test_a_release_without_a_file_is_not_chosen(stage: Stage, settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    stage.release("lib", "1.0.0", missing_file=True)
    stage.release("top", "1.0.0", needs={"lib": "1.0.0"})
    plan = stage.ready(read=False).plan("install", "top")
    assert lacks(plan) == [("missing", "lib")]
    assert "the mod database has no file of it" in plan.unmet[0].text


def test_what_is_disabled_is_enabled(stage: Stage) -> None:
    stage.put(stage.release("lib", "1.0.0"), "lib.zip.disabled")
    stage.release("top", "1.0.0", needs={"lib": "1.0.0"})
    assert said(stage.ready().plan("install", "top")) == ["install top 1.0.0", "enable lib 1.0.0"]


def test_cycles_end(stage: Stage) -> None:
    stage.release("hen", "1.0.0", needs={"egg": "1.0.0"})
    stage.release("egg", "1.0.0", needs={"hen": "1.0.0", "egg": "1.0.0"})
    plan = stage.ready().plan("install", "hen")
    assert said(plan) == ["install hen 1.0.0", "install egg 1.0.0"]
    assert plan.unmet == ()


@pytest.mark.parametrize(
    ("kind", "releases"),
    [
        ("missing", []),
        ("incompatible", [("1.0.0", ["1.19.8"])]),
        ("not_verified", [("1.0.0", ["1.21.6"])]),
        ("prerelease", [("1.0.0-pre.1", ["1.21.5"])]),
        ("too_old", [("0.9.0", ["1.21.5"])]),
    ],
)
def test_what_cannot_be_met_is_said_by_name(
    stage: Stage,
    kind: str,
    releases: list[tuple[str, list[str]]],
) -> None:
    for version, game_versions in releases:
        stage.release("lib", version, game_versions=game_versions)
    stage.release("top", "1.0.0", needs={"lib": "1.0.0-dev.1"})
    plan = stage.ready().plan("install", "top")
    assert lacks(plan) == [(kind, "lib")]
    assert plan.unmet[0].text.startswith("Top 1.0.0 needs lib 1.0.0-dev.1: ")
    assert said(plan) == ["install top 1.0.0"]
    assert not plan.may_run


def test_a_retracted_one_cannot_be_had(stage: Stage) -> None:
    lib = stage.release("lib", "1.0.0")
    stage.put(stage.release("lib", "0.9.0"))
    stage.ready()
    stage.database.retract(lib, "Broken")
    Lookup.objects.update(checked_at=None)
    stage.release("top", "1.0.0", needs={"lib": "1.0.0"})
    plan = stage.ready().plan("install", "top")
    assert lacks(plan) == [("retracted", "lib")]


def test_a_held_one_is_not_raised(stage: Stage) -> None:
    stage.put(stage.release("lib", "1.0.0"))
    stage.release("lib", "2.0.0")
    stage.release("top", "1.0.0", needs={"lib": "2.0.0"})
    stage.ready()
    holds.hold(stage.server, "lib", version="1.0.0", reason="works", actor="tester")
    plan = stage.plan("install", "top")
    assert lacks(plan) == [("held", "lib")]
    assert "Lib 1.0.0 is held (works)" in plan.unmet[0].text


def test_told_to_go_on(stage: Stage) -> None:
    stage.release("top", "1.0.0", needs={"nowhere": "1.0.0"})
    plan = stage.ready().plan("install", "top", go_on=True)
    assert lacks(plan) == [("missing", "nowhere")]
    assert plan.may_run


def test_groups_are_apart_where_nothing_binds_them(stage: Stage) -> None:
    for name in ("one", "two"):
        stage.release(f"{name}lib", "1.0.0")
        stage.release(name, "1.0.0", needs={f"{name}lib": "1.0.0"})
    stage.release("alone", "1.0.0")
    plan = stage.ready().plan("install", "one", "alone", "two")
    by_group: dict[int, list[str]] = {}
    for step in plan.steps:
        by_group.setdefault(step.group, []).append(step.modid)
    assert list(by_group.values()) == [["one", "onelib"], ["alone"], ["two", "twolib"]]


def test_removing_what_others_need_says_which(stage: Stage) -> None:
    stage.put(stage.release("lib", "1.0.0"))
    stage.put(stage.release("top", "1.0.0", needs={"lib": "1.0.0"}))
    stage.put(stage.release("asleep", "1.0.0", needs={"lib": "1.0.0"}), "asleep.zip.disabled")
    for kind in ("remove", "disable"):
        plan = stage.ready().plan(kind, "lib")
        assert lacks(plan) == [("breaks", "lib")]
        assert plan.unmet[0].text == "Top 1.0.0 needs lib, which this takes away."
    assert stage.plan("remove", "lib", "top").unmet == ()


def test_going_back_below_what_others_need_says_which(stage: Stage) -> None:
    stage.release("lib", "1.0.0")
    stage.put(stage.release("lib", "2.0.0"))
    stage.put(stage.release("top", "1.0.0", needs={"lib": "1.5.0"}))
    plan = stage.ready().plan("install", "lib@1.0.0")
    assert said(plan) == ["replace lib 2.0.0 -> 1.0.0"]
    assert lacks(plan) == [("breaks", "lib")]
    assert "This is older than what is installed." in plan.steps[0].notes
