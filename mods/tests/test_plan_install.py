"""Planning to install: by id, number, page or one-click link; what is chosen, what is said, what is refused."""

import os
import pwd
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from mods import answers, planning, refresh
from mods.models import Mod, Operation, Release
from mods.tests.planned import Stage, lacks, said
from mods.wishes import Target

pytestmark = pytest.mark.django_db


def store_list() -> None:
    with refresh.client() as database:
        answers.store_list(database.mods())


def test_the_recommended_release_with_exact_file_version_and_digest(stage: Stage) -> None:
    stage.release("carry", "1.0.0")
    stage.release("carry", "1.1.0")
    stage.release("carry", "1.2.0", game_versions=["1.22.0"])
    stage.release("carry", "1.3.0-pre.1")
    plan = stage.ready().plan("install", "Carry")
    assert said(plan) == ["install carry 1.1.0"]
    new = plan.steps[0].new
    assert new is not None
    release = Release.objects.get(version="1.1.0")
    assert (new.release, new.file_id, new.sha256, new.size) == (
        release.pk, release.file_id, release.sha256, release.size,
    )  # fmt: skip
    assert (new.folder, new.file_name, new.at_hand) == (str(stage.folder.mods), "carry_1.1.0.zip", False)
    assert plan.steps[0].compatibility == "compatible"
    assert plan.may_run


@pytest.mark.parametrize(
    ("version", "options", "note"),
    [
        ("1.2.0", {"game_versions": ["1.22.0"]}, "Not made for 1.21.5: it names 1.22.0."),
        ("1.2.0", {"game_versions": ["1.21.7"]}, "Not verified for 1.21.5: it names 1.21.7."),
        ("1.2.0-pre.1", {}, "It is a prerelease."),
        ("1.2.0", {"mod": {"side": "client"}}, "It is for players' own games only; a server doesn't need it."),
    ],
)
def test_what_is_not_recommended_only_by_name_and_with_a_word(
    stage: Stage,
    version: str,
    options: dict[str, Any],
    note: str,
) -> None:
    stage.release("carry", version, **options)
    plan = stage.ready().plan("install", f"carry@{version}")
    assert said(plan) == [f"install carry {version}"]
    assert note in plan.steps[0].notes


def test_young_releases_are_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    made = timezone.now() - timedelta(days=2, hours=1)
    stage.release("carry", "1.0.0", created=made.strftime("%Y-%m-%d %H:%M:%S"))
    stage.ready()
    assert stage.plan("install", "carry").steps[0].notes == ("Released 2 days ago (young: less than 3 days).",)
    monkeypatch.setenv("VS_MOD_SOAK_DAYS", "2")
    assert stage.plan("install", "carry").steps[0].notes == ()


def test_by_page_number_and_alias(stage: Stage) -> None:
    stage.release("carry", "1.0.0", mod={"alias": "carryit"})
    stage.ready()
    store_list()
    mod = Mod.objects.get()
    for target in (Target(number=mod.asset_id), Target(number=mod.mod_id), Target(alias="CarryIt")):
        assert said(stage.plan("install", target)) == ["install carry 1.0.0"]
    plan = stage.plan("install", Target(number=999_999))
    assert lacks(plan) == [("missing", "#999999")]


def test_by_a_one_click_link(stage: Stage) -> None:
    stage.release("carry", "1.0.0")
    stage.release("carry", "1.1.0")
    plan = stage.ready().plan("install", "vintagestorymodinstall://carry@1.0.0")
    assert said(plan) == ["install carry 1.0.0"]


def test_what_is_there_already_is_left_alone(stage: Stage) -> None:
    stage.put(stage.release("carry", "1.0.0"))
    plan = stage.ready().plan("install", "carry")
    assert plan.steps == ()
    assert plan.left_alone == ("Carry 1.0.0 is installed already.",)


def test_a_version_that_is_not_there_lists_those_that_are(stage: Stage) -> None:
    stage.release("carry", "1.0.0")
    stage.release("carry", "1.10.0")
    plan = stage.ready().plan("install", "carry@9.9.9")
    assert lacks(plan) == [("missing", "carry")]
    assert plan.unmet[0].text == "There is no 9.9.9 of carry. There are: 1.10.0, 1.0.0."


def test_a_mod_that_is_not_there(stage: Stage) -> None:
    plan = stage.ready().plan("install", "nowhere")
    assert plan.unmet[0].text == "nowhere can't be installed: it isn't in the mod database."


def test_an_outage_is_said_and_what_is_stored_serves(stage: Stage) -> None:
    stage.release("carry", "1.0.0")
    stage.ready()
    stage.database.fault("/api", "statuscode_500")
    assert said(stage.plan("install", "carry")) == ["install carry 1.0.0"]
    plan = stage.plan("install", "other")
    assert lacks(plan) == [("unknown", "other")]
    assert "the mod database couldn't be asked about it" in plan.unmet[0].text


def test_a_name_that_is_taken_is_not_used(stage: Stage) -> None:
    stage.release("carry", "1.0.0")
    (stage.folder.mods / "CARRY_1.0.0.zip").write_text("somebody's notes")
    plan = stage.ready().plan("install", "carry")
    assert plan.steps[0].new is not None
    assert plan.steps[0].new.file_name == "carry_1.0.0-2.zip"


def test_an_unknown_game_version_is_said(stage: Stage) -> None:
    stage.folder.log("nothing")
    stage.release("carry", "1.0.0", game_versions=["1.19.0"])
    stage.release("carry", "1.1.0-rc.1")
    plan = stage.ready().plan("install", "carry")
    assert said(plan) == ["install carry 1.0.0"]
    assert "The server's game version isn't known, so nothing can be said about what fits it." in plan.warnings


def test_a_folder_that_cannot_be_written_to_is_an_obstacle(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stage.release("carry", "1.0.0")
    stage.ready()
    monkeypatch.setattr("mods.planning.os.access", lambda *_args: False)
    plan = stage.plan("install", "carry")
    user = pwd.getpwuid(os.geteuid()).pw_name  # whoever types it is somebody else
    command = f"sudo setfacl -R -m \"u:{user}:rwX\" '{stage.folder.mods}'"
    assert plan.obstacles == (f"vsadmin may not write to {stage.folder.mods}. Allow it: {command}",)
    assert not plan.may_run


@pytest.mark.django_db(transaction=True)
def test_files_never_read_are_fetched_and_read_once(stage: Stage) -> None:
    stage.release("top", "1.0.0", needs={"lib": "1.0.0"})
    stage.release("lib", "1.0.0")
    stage.ready(read=False)
    plan = stage.plan("install", "top")
    assert said(plan) == ["install top 1.0.0", "install lib 1.0.0"]
    assert all(step.new and step.new.sha256 and step.new.size and step.new.at_hand for step in plan.steps)
    before = len(stage.database.log)
    assert stage.plan("install", "top") == plan
    assert len(stage.database.log) == before


@pytest.mark.django_db(transaction=True)
def test_a_file_that_cannot_be_had_is_said_and_the_others_go_on(stage: Stage) -> None:
    stage.release("good", "1.0.0")
    stage.release("bad", "1.0.0", content=b"<!doctype html><title>502</title>")
    plan = stage.ready(read=False).plan("install", "good", "bad")
    assert said(plan) == ["install good 1.0.0"]
    assert plan.left_alone[0].startswith("Bad 1.0.0 can't be had: What came for bad 1.0.0 can't be used")


@pytest.mark.django_db(transaction=True)
def test_where_nothing_of_it_can_be_had_planning_failed(stage: Stage) -> None:
    stage.release("bad", "1.0.0", content=b"<!doctype html><title>502</title>")
    operation = stage.ready(read=False).ask("install", "bad")
    assert planning.make(operation).state == Operation.State.FAILED
    assert operation.message.startswith("Bad 1.0.0 can't be had: What came for bad 1.0.0 can't be used")


def test_a_disk_that_is_nearly_full_is_said(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(stage.release("one", "1.0.0").content)
    stage.ready()
    for free, said_so in ((size, False), (size - 1, True)):
        monkeypatch.setattr("mods.planning.files.free_bytes", lambda _folder, free=free: free)
        assert any("free, and this takes" in one for one in stage.plan("install", "one").warnings) is said_so
