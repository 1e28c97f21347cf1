"""What comes is said to be something else: other bytes than a list names, or perhaps another mod of the same id."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from mods import operations
from mods.models import Lookup, Release
from mods.plans import Plan
from mods.tests.planned import Stage, said
from mods.tests.test_plan_back import kept_copy
from mods.wishes import Target

pytestmark = pytest.mark.django_db

OTHER = "The mod database's file has other bytes (SHA-256) than the list says."


@pytest.fixture(autouse=True)
def _data_dir(settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"


def listed(sha256: str, **more: Any) -> Target:
    return Target(modid="one", version="1.0.0", sha256=sha256, **more)


# A list's files


@pytest.mark.django_db(transaction=True)  # files are fetched in threads
@pytest.mark.parametrize("is_read", [True, False])
@pytest.mark.parametrize("is_right", [True, False])
def test_other_bytes_than_the_list_names_are_said_the_first_time_too(
    stage: Stage, is_read: bool, is_right: bool
) -> None:
    one = stage.release("one", "1.0.0")
    digest = hashlib.sha256(one.content).hexdigest() if is_right else "f" * 64
    plan = stage.ready(read=is_read).plan("align", listed(digest))
    assert said(plan) == ["install one 1.0.0"]
    assert (OTHER in plan.steps[0].notes) == (not is_right)
    assert (f"One 1.0.0: {OTHER}" in plan.warnings) == (not is_right)


def test_a_list_without_digests_names_no_bytes(stage: Stage) -> None:
    stage.release("one", "1.0.0")
    plan = stage.ready().plan("align", listed(""))
    assert OTHER not in plan.steps[0].notes


def test_a_kept_copy_of_the_very_bytes_comes_first(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    one = stage.release("one", "1.0.0")
    kept = kept_copy(stage, monkeypatch, one)
    stage.ready()
    Release.objects.update(sha256="f" * 64)
    (step,) = stage.plan("align", listed(kept.sha256)).steps
    assert step.new
    assert step.new.kept == kept.pk


def test_the_same_version_in_other_bytes_is_replaced_if_the_list_s_can_be_had(stage: Stage) -> None:
    one = stage.release("one", "1.0.0")
    stage.folder.add_zip("one.zip", modid="one", name="One", version="1.0.0", description="by hand")
    stage.ready()
    plan = stage.plan("align", listed(hashlib.sha256(one.content).hexdigest()))
    assert said(plan) == ["replace one 1.0.0 -> 1.0.0"]
    plan = stage.plan("align", listed("f" * 64))
    assert said(plan) == []
    assert plan.warnings == ("One 1.0.0 has other bytes (SHA-256) than the list says, and those aren't available.",)
    assert said(stage.plan("align", listed(stage.row("one").sha256))) == []


def test_a_homemade_mod_in_other_bytes_is_said(stage: Stage) -> None:
    stage.folder.add_zip("one.zip", modid="one", name="One", version="1.0.0")
    plan = stage.ready().plan("align", listed("f" * 64))
    assert (said(plan), len(plan.warnings)) == ([], 1)


# Somebody's own mod, whose id is another page's


def own(stage: Stage, **fields: Any) -> Plan:
    """An own mod, and a page that has releases under its id: "Lamp" by Stranger."""
    stage.release("lamp", "3.0.0", mod={"author": "Stranger"})
    stage.folder.add_zip("lamp.zip", **{"modid": "lamp", "name": "Our Torches", "version": "0.1.0", **fields})
    return stage.ready().plan("update")


def test_a_stranger_s_page_is_named_and_the_installed_name_shown(stage: Stage) -> None:
    plan = own(stage, authors=["anna", "ben"])
    (step,) = plan.steps
    assert step.name == "Our Torches"
    text = (
        "The installed file is “Our Torches” 0.1.0 by anna, ben; “Lamp” by Stranger has the same mod id, and may be "
        "another mod."
    )
    assert text in step.notes
    assert f"Our Torches 0.1.0: {text}" in plan.warnings


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "Lamp"},
        {"name": "Lamp!"},
        {"name": "Lamp (our build)"},
        {"authors": ["anna", "stranger"]},
        {"version": "3.0.0", "name": "Our Torches"},
    ],
)
def test_what_fits_is_not_doubted(stage: Stage, fields: dict[str, Any]) -> None:
    plan = own(stage, **fields)
    assert not [one for one in plan.warnings if "may be another mod" in one]


def test_a_file_without_authors_is_doubted_by_its_name(stage: Stage) -> None:
    assert [one for one in own(stage).warnings if "may be another mod" in one]


def test_what_a_dependency_brings_is_looked_at_too(stage: Stage) -> None:
    stage.release("lamp", "3.0.0", mod={"author": "Stranger"})
    stage.folder.add_zip("lamp.zip", modid="lamp", name="Our Torches", version="0.1.0")
    stage.release("top", "1.0.0", needs={"lamp": "2.0.0"})
    plan = stage.ready().plan("install", "top")
    assert len(said(plan)) == 2
    assert [one for one in plan.warnings if "may be another mod" in one]
    assert Lookup.objects.filter(key="lamp", state="found").exists()


# Enabled or not


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("was_on", [True, False])
@pytest.mark.parametrize("is_on", [True, False, None])
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_after_an_import_the_server_is_in_line(stage: Stage, was_on: bool, is_on: bool | None, version: str) -> None:
    """Another version, or the same one, enabled or disabled as the list says: one import does it."""
    stage.put(stage.release("one", "1.0.0"), "one.zip" + ("" if was_on else ".disabled"))
    stage.release("one", "1.1.0")
    stage.ready()
    wanted = Target(modid="one", version=version, enabled=is_on)
    operation = operations.plan(stage.ask("align", wanted))
    if operation.state == "planned":
        operations.confirm(operation)
        assert operations.run(operation.pk).state == "done"
    row = stage.row("one")
    assert (row.version, row.enabled) == (
        version,
        was_on if is_on is None and version == "1.0.0" else is_on is not False,
    )
    again = operations.plan(stage.ask("align", wanted))
    assert again.state == "done"
    assert "Public matches the list." in again.message


def test_what_serverconfig_disables_keeps_its_name(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip")
    stage.release("one", "1.1.0")
    stage.folder.configure(WorldConfig={"DisabledMods": ["one"]})
    for kind in ("update", "install"):
        (step,) = stage.ready().plan(kind, "one").steps
        assert step.new
        assert step.new.file_name == "one_1.1.0.zip"


def test_a_disabled_mod_that_is_installed_anew_is_enabled(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"), "one.zip.disabled")
    stage.release("one", "1.1.0")
    (step,) = stage.ready().plan("install", "one").steps
    assert step.new
    assert step.new.file_name == "one_1.1.0.zip"
