"""Planning to go back: to a version had before, to a kept copy, or all that a change did."""

import hashlib

import pytest
from django.utils import timezone

from mods import plans
from mods.models import KeptCopy, Operation, Release, Step
from mods.plans import NewFile, OldFile, PlannedStep
from mods.tests.planned import Stage, lacks, said
from mods.wishes import Target

pytestmark = pytest.mark.django_db


def kept_copy(stage: Stage, monkeypatch: pytest.MonkeyPatch, release: object, **values: object) -> KeptCopy:
    """A kept copy whose bytes are that release's."""
    content: bytes = release.content  # type: ignore[attr-defined]  # a DemoRelease
    path = stage.folder.path / "kept.zip"
    path.write_bytes(content)
    monkeypatch.setattr("mods.keeping.open", lambda _kept: path.open("rb"))
    return KeptCopy.objects.create(**{
        "server": stage.server, "server_name": "Public", "modid": "one", "modid_key": "one", "name": "One",
        "version": "1.0.0", "file_name": "one.zip", "stored_name": "one_1.0.0~abc.zip", "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(), "why": "…", **values,
    })  # fmt: skip


def carried_out(stage: Stage, *steps: PlannedStep) -> Operation:
    """A finished change with these steps, as `operations` records it."""
    operation = Operation.objects.create(server=stage.server, kind="update", title="…", state="done")
    for position, step in enumerate(steps):
        Step.objects.create(
            operation=operation, server=stage.server, position=position, group=step.group, action=step.action,
            modid=step.modid, modid_key=step.modid, name=step.name, from_version=step.from_version,
            to_version=step.to_version, planned=plans.to_json(step), state="done", done_at=timezone.now(),
        )  # fmt: skip
    return operation


def test_to_a_named_version_from_the_mod_database(stage: Stage) -> None:
    stage.release("one", "1.0.0")
    stage.put(stage.release("one", "1.1.0"))
    plan = stage.ready().plan("roll_back", "one@1.0.0")
    assert said(plan) == ["replace one 1.1.0 -> 1.0.0"]
    assert plan.may_run


def test_to_the_version_before_where_none_is_named(stage: Stage) -> None:
    stage.release("one", "1.0.0")
    stage.put(stage.release("one", "1.1.0"))
    stage.ready()
    folder = str(stage.folder.mods)
    carried_out(
        stage,
        PlannedStep(
            "replace", 1, "", old=OldFile(folder, "one_1.0.0.zip", "0" * 64, 1, "one", "1.0.0", "One"),
            new=NewFile(folder, "one_1.1.0.zip", "1" * 64, 1, "one", "1.1.0", "One", release=1),
        ),
    )  # fmt: skip
    assert said(stage.plan("roll_back", "one")) == ["replace one 1.1.0 -> 1.0.0"]


def test_without_anything_from_before_it_says_so(stage: Stage) -> None:
    stage.put(stage.release("one", "1.1.0"))
    plan = stage.ready().plan("roll_back", "one")
    assert plan.steps == ()
    assert plan.left_alone == ("No version of One 1.1.0 from before is known here. Name one, as one@1.0.0.",)


def test_a_kept_copy_comes_before_the_mod_databases_file(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old = stage.release("one", "1.0.0", needs={"lib": "1.0.0"})
    stage.release("lib", "1.0.0")
    stage.put(stage.release("one", "1.1.0"))
    stage.ready()
    kept = kept_copy(stage, monkeypatch, old)
    for plan in (stage.plan("roll_back", "one@1.0.0"), stage.plan("restore", Target(kept=kept.pk))):
        assert said(plan) == ["replace one 1.1.0 -> 1.0.0", "install lib 1.0.0"]
        new = plan.steps[0].new
        assert new is not None
        assert (new.kept, new.release, new.sha256, new.at_hand) == (kept.pk, None, kept.sha256, True)
        assert plan.steps[0].compatibility == "compatible"


def test_of_a_kept_copy_it_is_said_what_the_mod_database_says_of_its_version(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = stage.release("one", "1.0.0", game_versions=["1.19.0"])
    stage.put(stage.release("one", "1.1.0"))
    stage.ready()
    Release.objects.filter(version="1.0.0").update(retracted=True, retraction_reason="Eats worlds.")
    kept_copy(stage, monkeypatch, bad)
    step = stage.plan("roll_back", "one@1.0.0", allow_retracted=True).steps[0]
    assert step.compatibility == "incompatible"
    assert "This release was retracted: Eats worlds." in step.notes
    assert "Not made for 1.21.5: it names 1.19.0." in step.notes


def test_a_kept_copy_that_is_gone(stage: Stage) -> None:
    plan = stage.ready().plan("restore", Target(kept=99))
    assert plan.left_alone == ("That kept copy is gone.",)


def test_a_version_that_nobody_has_any_more(stage: Stage) -> None:
    stage.put(stage.release("one", "1.1.0"))
    plan = stage.ready().plan("roll_back", "one@0.1.0")
    assert lacks(plan) == [("missing", "one")]


def undo(stage: Stage, operation: Operation) -> plans.Plan:
    return stage.plan("undo", operation=operation.pk)


def test_a_whole_change_is_reversed_under_the_names_from_before(stage: Stage) -> None:
    before, gone = stage.release("one", "1.0.0"), stage.release("gone", "3.0.0")
    now, added = stage.release("one", "1.1.0"), stage.release("added", "1.0.0")
    asleep = stage.release("asleep", "1.0.0")
    for release, name in ((now, "one_1.1.0.zip"), (added, "added_1.0.0.zip"), (asleep, "asleep.zip.disabled")):
        stage.put(release, name)
    stage.ready()
    folder = str(stage.folder.mods)

    def digest(release: object) -> str:
        return hashlib.sha256(release.content).hexdigest()  # type: ignore[attr-defined]  # a DemoRelease

    operation = carried_out(
        stage,
        PlannedStep(
            "replace", 1, "", old=OldFile(folder, "My One.zip", digest(before), 1, "one", "1.0.0", "One"),
            new=NewFile(folder, "one_1.1.0.zip", digest(now), 1, "one", "1.1.0", "One", release=1),
        ),
        PlannedStep("install", 1, "", new=NewFile(folder, "added_1.0.0.zip", digest(added), 1, "added", "1.0.0")),
        PlannedStep("remove", 2, "", old=OldFile(folder, "gone.zip", digest(gone), 1, "gone", "3.0.0", "Gone")),
        PlannedStep(
            "disable", 3, "", old=OldFile(folder, "asleep.zip", digest(asleep), 1, "asleep", "1.0.0"),
            rename_to="asleep.zip.disabled",
        ),
    )  # fmt: skip
    plan = undo(stage, operation)
    assert sorted(said(plan)) == [
        "enable asleep 1.0.0", "install gone 3.0.0", "remove added 1.0.0", "replace one 1.1.0 -> 1.0.0",
    ]  # fmt: skip
    names = {step.modid: step.new.file_name if step.new else step.rename_to for step in plan.steps}
    assert names == {"one": "My One.zip", "gone": "gone.zip", "asleep": "asleep.zip", "added": ""}
    together = {step.modid: step.group for step in plan.steps}
    assert together["one"] == together["added"] != together["gone"] != together["asleep"]


def test_what_was_changed_since_stays(stage: Stage) -> None:
    stage.put(stage.release("one", "1.2.0"))
    stage.ready()
    folder = str(stage.folder.mods)
    operation = carried_out(
        stage,
        PlannedStep("install", 1, "", new=NewFile(folder, "one_1.1.0.zip", "1" * 64, 1, "one", "1.1.0", "One")),
    )
    plan = undo(stage, operation)
    assert plan.steps == ()
    assert plan.left_alone == ("One was changed since, and stays as it is.",)
