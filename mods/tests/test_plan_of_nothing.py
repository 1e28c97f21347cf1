"""A plan without steps says why: that all is up to date is said only if it is known."""

from collections.abc import Callable

import pytest
from django.test import Client

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import holds, inventory, planning, refresh
from mods.models import Lookup, Operation
from mods.tests.planned import Stage
from mods.tests.test_change_commands import run

pytestmark = pytest.mark.django_db
UNKNOWN = "The server's game version isn't known, so nothing is recommended. Set it on the server's page."


@pytest.fixture
def blind(server_dir: Callable[..., ServerDir], mod_database: ModDatabase) -> Stage:
    """A server without a log yet: 1.0.0 is installed, 1.1.0 is out."""
    stage = Stage(server_dir(game_version=""), mod_database)
    stage.put(stage.release("lamp", "1.0.0"))
    stage.release("lamp", "1.1.0")
    return stage.ready()


def planned(stage: Stage, kind: str, *targets: str) -> tuple[str, str]:
    operation = stage.ask(kind, *targets)
    planning.make(operation)
    return operation.state, operation.message


@pytest.mark.parametrize("targets", [(), ("lamp",), ("lamp", "absent")])
def test_without_a_game_version_nothing_is_called_up_to_date(blind: Stage, targets: tuple[str, ...]) -> None:
    assert planned(blind, "update", *targets) == ("failed", UNKNOWN)


def test_a_version_that_is_named_needs_no_game_version(blind: Stage) -> None:
    plan = blind.plan("update", "lamp@1.1.0")
    assert len(plan.steps) == 1
    assert UNKNOWN not in plan.warnings
    plan = blind.plan("install", "lamp")
    assert len(plan.steps) == 1


def test_beside_steps_it_is_a_warning(blind: Stage) -> None:
    blind.put(blind.release("other", "1.0.0"))
    plan = blind.ready().plan("update", "lamp@1.1.0", "other")
    assert (len(plan.steps), plan.may_run) == (1, True)
    assert UNKNOWN in plan.warnings


@pytest.mark.parametrize("arguments", [("--all",), ("lamp",)])
def test_the_command_fails_then(blind: Stage, arguments: tuple[str, ...]) -> None:
    code, _out, err = run("update_mods", *arguments, "--dry-run")
    assert code == 1
    assert UNKNOWN in err


def test_the_page_says_it(blind: Stage, admin_client: Client) -> None:
    planned(blind, "update")
    text = admin_client.get(f"/admin/mods/operation/{Operation.objects.get().pk}/change/").text
    assert "so nothing is recommended. Set it on the server" in text
    assert "up to date" not in text


def test_without_mods_there_is_nothing_to_know(blind: Stage) -> None:
    next(blind.folder.mods.iterdir()).unlink()
    assert planned(blind, "update") == ("done", "Nothing to do. Everything is up to date.")


def test_what_was_never_asked_about_is_not_up_to_date(stage: Stage) -> None:
    stage.put(stage.release("lamp", "1.0.0"))
    inventory.scan(stage.server)
    said = "The mod database wasn't asked about 1 mod yet (Lamp 1.0.0). Check for updates first."
    for targets in ((), ("lamp",)):
        assert planned(stage, "update", *targets) == ("failed", said)
    stage.put(stage.release("other", "1.0.0"))
    stage.ready()
    assert planned(stage, "update") == ("done", "Nothing to do. Everything is up to date.")
    Lookup.objects.filter(key="lamp").update(state="unknown")
    assert planned(stage, "update") == ("done", f"Nothing to do. Everything is up to date. {said}")


def test_by_name_it_is_said_what_is_not_up_to_date(stage: Stage) -> None:
    stage.folder.add_zip("own.zip", modid="own", name="Own", version="1.0.0")
    stage.put(stage.release("near", "1.0.0"))
    stage.release("near", "2.0.0", game_versions=["1.22.0"])
    stage.put(stage.release("old", "1.0.0", game_versions=["1.19.0"]))
    stage.ready()
    plan = stage.plan("update", "own", "near", "old")
    assert plan.left_alone == (
        "Own 1.0.0: It isn't in the mod database, so nothing newer can be known.",
        "Near 1.0.0 is up to date. 2.0.0 isn't listed for 1.21.5.",
        "Old 1.0.0: No stable release names 1.21.5 or an earlier patch of it.",
    )


def test_what_is_held_is_the_reason(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    stage.release("one", "1.1.0")
    stage.ready()
    holds.hold(stage.server, "one", version="1.0.0", actor="anna")
    assert planned(stage, "update") == ("done", "Nothing to do. One 1.0.0 is held (by anna).")


def test_warnings_of_an_empty_plan_are_said(stage: Stage) -> None:
    stage.put(stage.release("one", "1.0.0"))
    operation = stage.ready().ask("align", "one@1.0.0")
    operation.wish["targets"][0]["held"] = True
    planning.make(operation)
    assert operation.message.startswith("Nothing to do. Public matches the list. The list holds these; ")


def test_a_retracted_or_vanished_mod_is_not_up_to_date(stage: Stage) -> None:
    gone, bad = stage.release("gone", "1.0.0"), stage.release("bad", "1.0.0")
    for one in (gone, bad, stage.release("fine", "1.0.0")):
        stage.put(one)
    stage.ready()
    stage.database.retract(bad, "It eats worlds.")
    stage.database.remove_mod(gone.mod)
    refresh.refresh(force=True)
    why = {
        "bad": "1.0.0 was retracted: It eats worlds.",
        "gone": "The mod database doesn't have this mod any more.",
    }
    said = [
        f"Bad 1.0.0: No stable release names 1.21.5 or an earlier patch of it. {why['bad']}",
        f"Gone 1.0.0: It isn't in the mod database, so nothing newer can be known. {why['gone']}",
    ]
    assert planned(stage, "update") == ("done", "Nothing to do. " + " ".join(said))
    assert planned(stage, "update", "bad") == ("done", "Nothing to do. " + said[0])
    _code, out, _err = run("list_mods")
    for key, text in why.items():
        assert f"< Public: {key}: {text}\n" in out
    assert out.count("<") == 2
