"""The commands that change a server's mods: they show the plan, ask, carry it out, and end with 0, 1 or 2."""

import builtins
import json
import os
import signal
from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from cache import eviction
from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import inventory, operations, refresh
from mods.management import answering, changing
from mods.models import GameServer, Hold, InstalledMod, Operation, Release, ServerStart

pytestmark = pytest.mark.django_db(transaction=True)
MakeServer = Callable[..., ServerDir]

CHANGING = ["install_mod", "update_mods", "rollback_mod", "remove_mod", "enable_mod", "disable_mod", "import_mods"]
ALL = [*CHANGING, "hold_mod", "unhold_mod", "export_mods"]


@pytest.fixture(autouse=True)
def _data_dir(settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"


@pytest.fixture
def database(mod_database: ModDatabase) -> ModDatabase:
    """alpha 1.0.0 to 1.2.0; beta, which needs gamma; delta, for another game version."""
    alpha = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(alpha, "alpha", "1.0.0", game_versions=["1.21.5"], changelog="<p>First</p>")
    faster = "<ul><li>Faster\x1b[2J</li></ul>"
    mod_database.add_release(alpha, "alpha", "1.1.0", game_versions=["1.21.5"], changelog=faster)
    mod_database.add_release(alpha, "alpha", "1.2.0", game_versions=["1.21.5"], changelog="<p>Fixed &amp; good</p>")
    beta = mod_database.add_mod(name="Beta", modids=["beta"])
    mod_database.add_release(beta, "beta", "2.0.0", game_versions=["1.21.5"], dependencies={"gamma": "1.0.0"})
    gamma = mod_database.add_mod(name="Gamma", modids=["gamma"])
    mod_database.add_release(gamma, "gamma", "1.3.0", game_versions=["1.21.5"])
    delta = mod_database.add_mod(name="Delta", modids=["delta"])
    mod_database.add_release(delta, "delta", "1.0.0", game_versions=["1.18.0"])
    return mod_database


@pytest.fixture
def public(server_dir: MakeServer, database: ModDatabase) -> ServerDir:
    """A server with alpha 1.0.0 and a mod made at home."""
    folder = server_dir()
    GameServer.objects.create(name="Public", data_dir=str(folder.path))
    folder.add_zip("alpha.zip", modid="alpha", name="Alpha", version="1.0.0")
    folder.add_zip("homemade.zip", modid="homemade")
    inventory.scan_all()
    refresh.refresh()
    return folder


def files(server: ServerDir) -> list[str]:
    return sorted(path.name for path in server.mods.iterdir() if not path.name.startswith("."))


def run(*command: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error with the message of the end."""
    out, err = StringIO(), StringIO()
    try:
        call_command(*command, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue() + str(error)
    return 0, out.getvalue(), err.getvalue()


def started(public: ServerDir) -> None:
    """The server has started since its mods were last changed."""
    server = GameServer.objects.get(data_dir=str(public.path))
    mods = [
        {"modid": row.modid, "version": row.version, "sha256": row.sha256, "file_name": row.file_name, "name": row.name}
        for row in server.installed_mods.all()
    ]
    ServerStart.objects.create(server=server, started_at=timezone.now(), mods=mods)


def asked(monkeypatch: pytest.MonkeyPatch, answer: str | BaseException) -> None:
    """Somebody sits at the terminal and gives this answer."""

    def give() -> str:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    monkeypatch.setattr(answering, "can_ask", lambda: True)
    monkeypatch.setattr(changing, "can_ask", lambda: True)
    monkeypatch.setattr(builtins, "input", give)


# --- plan, ask, carry out


def test_a_mod_comes_with_what_it_needs(public: ServerDir) -> None:
    code, out, _err = run("install_mod", "beta", "--yes")
    assert code == 0
    assert files(public) == ["alpha.zip", "beta_2.0.0.zip", "gamma_1.3.0.zip", "homemade.zip"]
    assert "install Beta 2.0.0, " in out
    assert "install Gamma 1.3.0, " in out
    assert "needs" in out
    operation = Operation.objects.get()
    assert operation.state == Operation.State.DONE
    assert operation.asked_by_name


@pytest.mark.parametrize("target", ["beta@2.0.0", "vintagestorymodinstall://beta@2.0.0"])
def test_targets_are_read_as_people_paste_them(public: ServerDir, target: str) -> None:
    assert run("install_mod", target, "--yes")[0] == 0
    assert "beta_2.0.0.zip" in files(public)


def test_it_says_that_the_server_needs_a_restart(public: ServerDir) -> None:
    started(public)
    GameServer.objects.update(restart_note="Ask ada.\x1b[2J")
    code, out, _err = run("disable_mod", "homemade", "--yes")
    assert code == 0
    assert "Restart the server to load it: 1 disabled since the server started" in out
    assert "Ask ada." in out
    assert "\x1b" not in out


@pytest.fixture
def retracted(public: ServerDir, database: ModDatabase) -> ServerDir:
    """alpha 1.2.0 is installed, and was retracted."""
    (public.mods / "alpha.zip").unlink()
    public.add_zip("alpha.zip", modid="alpha", name="Alpha", version="1.2.0")
    bad = next(one for one in database.store.releases_of("alpha") if one.version == "1.2.0")
    database.retract(bad, "Keep it.")
    inventory.scan_all()
    refresh.refresh()
    return public


def test_an_update_of_all_never_goes_back_unasked(retracted: ServerDir) -> None:
    code, out, err = run("update_mods", "--all", "--yes")
    assert (code, err) == (0, "")
    assert "Older versions, only with --allow-downgrades:\n  - Alpha 1.2.0 -> 1.1.0: 1.2.0 was retracted: Keep" in out
    assert "alpha.zip" in files(retracted)
    code, out, _err = run("update_mods", "--all", "--yes", "--allow-downgrades")
    assert code == 0
    assert "1. replace Alpha 1.2.0 -> 1.1.0, " in out
    assert "alpha_1.1.0.zip" in files(retracted)


def test_a_retracted_release_takes_an_option(retracted: ServerDir) -> None:
    run("update_mods", "--all", "--yes", "--allow-downgrades")
    for command in (["rollback_mod", "alpha", "1.2.0"], ["install_mod", "alpha@1.2.0"]):
        code, out, err = run(*command, "--yes")
        assert code == 1
        assert "Retracted, only with --allow-retracted:\n  - Alpha 1.1.0 -> 1.2.0: 1.2.0 was retracted: Keep it." in out
        assert "needs a yes of its own" in err
    assert run("rollback_mod", "alpha", "1.2.0", "--yes", "--allow-retracted")[0] == 0
    assert "alpha_1.2.0.zip" in files(retracted)


def test_what_is_left_out_as_retracted_is_no_success(retracted: ServerDir, tmp_path: Path) -> None:
    wanted = tmp_path / "list.txt"
    wanted.write_text("alpha@1.2.0\ngamma@1.3.0\n")
    run("update_mods", "--all", "--yes", "--allow-downgrades")
    code, _out, err = run("import_mods", str(wanted), "--yes")
    assert (code, files(retracted)) == (1, ["alpha_1.1.0.zip", "gamma_1.3.0.zip", "homemade.zip"])
    assert "not done: Alpha 1.1.0 -> 1.2.0: 1.2.0 was retracted: Keep it." in err


def test_a_dry_run_only_shows(public: ServerDir) -> None:
    before = files(public)
    code, out, _err = run("update_mods", "--all", "--dry-run")
    assert code == 0
    assert "1. replace Alpha 1.0.0 -> 1.2.0, " in out
    assert "compatible" in out
    assert "1 step, " in out
    assert out.endswith("Nothing was changed: this was a dry run.\n")
    assert files(public) == before
    assert Operation.objects.get().state == Operation.State.CANCELLED


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("YES ", 0), ("", 1), ("n", 1), (EOFError(), 1)])
def test_it_asks_first(
    public: ServerDir, monkeypatch: pytest.MonkeyPatch, answer: str | BaseException, code: int
) -> None:
    asked(monkeypatch, answer)
    ended, out, err = run("remove_mod", "homemade")
    assert ended == code
    assert "remove homemade 1.0.0" in out
    assert "Carry it out? [y/N]" in err  # standard output is no terminal here
    assert ("homemade.zip" in files(public)) == bool(code)
    assert ("Nothing was changed." in err) == bool(code)
    assert Operation.objects.get().is_over


def test_a_user_without_a_name_is_named_by_number(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert run("remove_mod", "homemade", "--yes")[0] == 0
    assert Operation.objects.get().asked_by_name == f"uid {os.getuid()}"


def test_with_nobody_to_ask_it_refuses(public: ServerDir) -> None:
    code, _out, err = run("remove_mod", "homemade")
    assert code == 2
    assert "--yes" in err
    assert not Operation.objects.exists()


def test_nothing_to_do_is_no_failure(public: ServerDir) -> None:
    code, out, _err = run("enable_mod", "alpha", "--yes")
    assert code == 0
    assert "Nothing to do" in out


def test_what_cannot_be_had_refuses_the_plan_unless_told_to_go_on(public: ServerDir) -> None:
    code, out, err = run("install_mod", "beta", "nosuchmod", "--yes")
    assert code == 1
    assert "Can't be had:" in out
    assert "nosuchmod" in out
    assert "--go-on" in err
    assert files(public) == ["alpha.zip", "homemade.zip"]
    assert Operation.objects.get().state == Operation.State.CANCELLED
    assert run("install_mod", "beta", "nosuchmod", "--yes", "--go-on")[0] == 0
    assert "beta_2.0.0.zip" in files(public)


def test_a_refused_plan_is_1_in_a_dry_run_too(public: ServerDir) -> None:
    assert run("install_mod", "delta", "--dry-run")[0] == 1


def test_a_failed_download_is_1_and_says_what_was_not_done(
    public: ServerDir, database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out = operations.run

    def without_the_file(number: int, *, report: Any = None, stop: Any = None) -> Operation:
        eviction.clear()
        database.fault("/", "404")
        return carry_out(number, report=report, stop=stop)

    monkeypatch.setattr(operations, "run", without_the_file)
    code, _out, err = run("install_mod", "gamma", "--yes")
    assert code == 1
    assert "not done: install Gamma 1.3.0" in err
    assert files(public) == ["alpha.zip", "homemade.zip"]


@pytest.mark.parametrize("how", [("alpha", "gamma"), ("--all",)])
def test_one_of_several_that_cannot_be_fetched_is_1_and_is_named(
    public: ServerDir, database: ModDatabase, how: tuple[str, ...]
) -> None:
    public.add_zip("gamma.zip", modid="gamma", name="Gamma", version="1.0.0")
    inventory.scan_all()
    refresh.refresh()
    release = Release.objects.get(modid="gamma")
    database.fault(f"/download/{release.file_id}", "404")
    code, _out, err = run("update_mods", *how, "--dry-run")
    assert (code, "Not all of it can be fetched" in err) == (1, True)
    code, _out, err = run("update_mods", *how, "--yes")
    assert code == 1
    assert "not done: Gamma 1.3.0 can't be had: The mod database no longer has the file of" in err
    assert files(public) == ["alpha_1.2.0.zip", "gamma.zip", "homemade.zip"]


# --- Ctrl-C


def test_ctrl_c_at_the_question_leaves_nothing_waiting(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, KeyboardInterrupt())
    code, _out, err = run("remove_mod", "homemade")
    assert code == 1
    assert "Nothing was changed." in err
    assert Operation.objects.get().state == Operation.State.CANCELLED
    assert "homemade.zip" in files(public)


def test_ctrl_c_while_planning_changes_nothing(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    make = operations.plan

    def interrupted(operation: Operation, *, report: Any = None, stop: Any = None) -> Operation:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(30)
        return make(operation, report=report, stop=stop)

    monkeypatch.setattr(operations, "plan", interrupted)
    code, _out, err = run("remove_mod", "homemade", "--yes")
    assert code == 1
    assert "Cancelled. Nothing was changed." in err
    assert Operation.objects.get().state == Operation.State.CANCELLED
    assert "homemade.zip" in files(public)


def test_ctrl_c_while_it_runs_stops_and_says_what_is_done(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out = operations.run

    def interrupted(number: int, *, report: Any = None, stop: Any = None) -> Operation:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(30)
        return carry_out(number, report=report, stop=stop)

    monkeypatch.setattr(operations, "run", interrupted)
    code, _out, err = run("remove_mod", "homemade", "--yes")
    operation = Operation.objects.get()
    assert code == 1
    assert operation.state == Operation.State.CANCELLED
    assert operation.message in err
    assert "homemade.zip" in files(public)


def test_it_waits_for_another_change_of_the_server(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    carry_out = operations.run
    times = []

    def busy_at_first(number: int, *, report: Any = None, stop: Any = None) -> Operation:
        times.append(1)
        return Operation.objects.get(pk=number) if len(times) == 1 else carry_out(number, report=report, stop=stop)

    monkeypatch.setattr(operations, "run", busy_at_first)
    assert run("remove_mod", "homemade", "--yes")[0] == 0
    assert len(times) == 2
    assert "homemade.zip" not in files(public)


def test_ctrl_c_while_it_waits_cancels_it(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(number: int, *, report: Any = None, stop: Any = None) -> Operation:
        assert not stop.is_set(), "it goes on waiting"
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(30)
        return Operation.objects.get(pk=number)

    monkeypatch.setattr(operations, "run", busy)
    assert run("remove_mod", "homemade", "--yes")[0] == 1
    assert Operation.objects.get().state == Operation.State.CANCELLED


# --- JSON


def document(*command: str, code: int = 0) -> dict[str, Any]:
    ended, out, err = run(*command, "--json")
    assert ended == code
    assert code or not err
    found: dict[str, Any] = json.loads(out)
    return found


def test_json_is_one_document(public: ServerDir) -> None:
    started(public)
    found = document("install_mod", "beta", "--yes")
    assert found["operation"] == Operation.objects.get().pk
    assert (found["server"], found["state"]) == ("Public", "done")
    assert Operation.objects.get().message in found["message"]
    assert found["restart_needed"] is True
    assert [(step["action"], step["modid"], step["to_version"], step["state"]) for step in found["steps"]] == [
        ("install", "beta", "2.0.0", "done"),
        ("install", "gamma", "1.3.0", "done"),
    ]
    assert found["plan"]["may_run"] is True
    assert len(found["plan"]["steps"]) == 2


def test_json_of_a_dry_run_has_the_plan(public: ServerDir) -> None:
    found = document("update_mods", "--all", "--dry-run")
    assert (found["state"], found["steps"]) == ("cancelled", [])
    (step,) = found["plan"]["steps"]
    assert (step["old"]["version"], step["new"]["version"]) == ("1.0.0", "1.2.0")
    assert found["plan"]["download_bytes"] >= 0


def test_json_of_a_refused_plan_says_why(public: ServerDir) -> None:
    found = document("install_mod", "nosuchmod", "--yes", code=1)
    assert found["state"] == "cancelled"
    assert [one["modid"] for one in found["plan"]["unmet"]] == ["nosuchmod"]
    assert found["message"]


@pytest.mark.parametrize("command", [["install_mod", "::"], ["remove_mod", "nope"], ["remove_mod", "alpha"]])
def test_json_of_a_mistake_is_a_document_too(public: ServerDir, command: list[str]) -> None:
    flags = [] if command[1] == "alpha" else ["--yes"]
    found = document(*command, *flags, code=2)
    assert found["operation"] is None
    assert found["message"]


def test_with_json_the_question_is_on_standard_error(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, "y")
    code, out, err = run("remove_mod", "homemade", "--json")
    assert code == 0
    assert json.loads(out)["state"] == "done"
    assert "1. remove homemade" in err
    assert "Carry it out?" in err


# --- which server, which mod


@pytest.mark.parametrize("command", ALL)
def test_an_unknown_server_is_bad_usage(public: ServerDir, command: str) -> None:
    words = {"export_mods": [], "update_mods": ["--all"]}.get(command, ["alpha"])
    yes = ["--yes"]
    code, _out, err = run(command, *words, *yes, "--server", "Nope")
    assert code == 2
    assert "Known: Public" in err


def test_with_several_servers_one_must_be_named(public: ServerDir, server_dir: MakeServer) -> None:
    GameServer.objects.create(name="Testing", data_dir=str(server_dir("testing").path))
    code, _out, err = run("install_mod", "beta", "--yes")
    assert code == 2
    assert "--server: Public, Testing" in err
    assert run("install_mod", "gamma", "--yes", "--server", "Public")[0] == 0
    assert "gamma_1.3.0.zip" in files(public)


def test_without_a_server_it_says_what_to_do() -> None:
    code, _out, err = run("export_mods")
    assert code == 2
    assert "Add one in the panel" in err


@pytest.mark.parametrize(
    "command", ["update_mods", "remove_mod", "enable_mod", "disable_mod", "hold_mod", "unhold_mod"]
)
def test_a_mod_that_is_not_installed_is_bad_usage(public: ServerDir, command: str) -> None:
    code, _out, err = run(command, "alpa", "--yes")
    assert code == 2
    assert "alpa isn't installed on Public. Do you mean alpha?" in err


def test_a_mod_put_there_by_hand_just_now_is_found(public: ServerDir) -> None:
    public.add_zip("fresh.zip", modid="fresh")
    assert run("remove_mod", "Fresh", "--yes")[0] == 0
    assert "fresh.zip" not in files(public)


@pytest.mark.parametrize("text", ["::", "https://example.com/mod/1", "carryon@"])
def test_a_target_that_names_no_mod_is_bad_usage(public: ServerDir, text: str) -> None:
    code, _out, _err = run("install_mod", text, "--yes")
    assert code == 2


# --- each command


def test_update_needs_names_or_all(public: ServerDir) -> None:
    assert run("update_mods", "--yes")[0] == 2
    assert run("update_mods", "alpha", "--all", "--yes")[0] == 2
    assert run("update_mods", "--dry-run")[0] == 0


def test_update_leaves_held_mods_alone(public: ServerDir) -> None:
    assert run("hold_mod", "alpha", "--reason", "the world needs it")[0] == 0
    code, out, _err = run("update_mods", "--all", "--yes")
    assert code == 0
    assert "the world needs it" in out
    assert "alpha.zip" in files(public)
    assert run("unhold_mod", "alpha")[0] == 0
    assert run("update_mods", "--all", "--yes")[0] == 0
    assert "alpha_1.2.0.zip" in files(public)


def test_changelogs_of_all_versions_passed(public: ServerDir) -> None:
    Release.objects.filter(version="1.1.0").update(retracted=True, retraction_reason="It ate a world")
    code, out, _err = run("update_mods", "--dry-run", "--changelogs")
    assert code == 0
    assert (
        out.index("Alpha 1.2.0") < out.index("  Fixed & good") < out.index("Alpha 1.1.0") < out.index("  - Faster[2J")
    )
    assert "(retracted: It ate a world)" in out
    assert "First" not in out
    assert "\x1b" not in out
    found = document("update_mods", "--dry-run", "--changelogs")
    assert [(one["version"], one["retracted"], one["text"]) for one in found["changelogs"]] == [
        ("1.2.0", False, "Fixed & good"),
        ("1.1.0", True, "- Faster[2J"),
    ]


def test_a_mod_goes_back_to_what_it_was(public: ServerDir) -> None:
    run("update_mods", "alpha", "--yes")
    code, out, _err = run("rollback_mod", "Alpha", "--yes")
    assert code == 0
    assert "replace Alpha 1.2.0 -> 1.0.0" in out
    assert "ModConfig" in out
    assert InstalledMod.objects.get(modid_key="alpha").version == "1.0.0"


def test_a_removed_mod_comes_back(public: ServerDir) -> None:
    content = (public.mods / "homemade.zip").read_bytes()
    run("remove_mod", "homemade", "--yes")
    assert run("rollback_mod", "homemade", "--yes")[0] == 0
    assert (public.mods / "homemade_1.0.0.zip").read_bytes() == content


def test_a_whole_change_goes_back(public: ServerDir, server_dir: MakeServer) -> None:
    GameServer.objects.create(name="Testing", data_dir=str(server_dir("testing").path))
    run("install_mod", "beta", "--yes", "--server", "Public")
    number = str(Operation.objects.get().pk)
    code, _out, err = run("rollback_mod", "--operation", number, "--yes", "--server", "Testing")
    assert code == 2
    assert "Public" in err
    assert run("rollback_mod", "--operation", number, "--yes")[0] == 0
    assert files(public) == ["alpha.zip", "homemade.zip"]
    assert Operation.objects.get(pk=number).state == Operation.State.UNDONE
    assert run("rollback_mod", "--operation", number, "--yes")[0] == 1  # only once


def test_what_cannot_be_rolled_back_is_said(public: ServerDir) -> None:
    code, _out, err = run("rollback_mod", "alpha", "--yes")
    assert code == 1
    assert "no version of alpha to go back to" in err
    code, _out, err = run("rollback_mod", "alpha", "0.5.0", "--yes")
    assert code == 2
    assert "install_mod alpha@0.5.0" in err
    assert run("rollback_mod", "never", "--yes")[0] == 2
    assert run("rollback_mod", "--yes")[0] == 2
    assert run("rollback_mod", "alpha", "--operation", "1", "--yes")[0] == 2
    assert run("rollback_mod", "--operation", "99", "--yes")[0] == 2


def test_disable_and_enable(public: ServerDir) -> None:
    assert run("disable_mod", "alpha", "homemade.zip", "--yes")[0] == 0
    assert files(public) == ["alpha.zip.disabled", "homemade.zip.disabled"]
    assert run("enable_mod", "alpha", "--yes")[0] == 0
    assert files(public) == ["alpha.zip", "homemade.zip.disabled"]


def test_removing_what_others_need_says_so(public: ServerDir) -> None:
    run("install_mod", "beta", "--yes")
    code, out, _err = run("remove_mod", "gamma", "--yes")
    assert code == 1
    assert "Beta" in out[out.index("Can't be had:") :]
    assert "gamma_1.3.0.zip" in files(public)


def test_a_hold_changes_no_file_and_does_not_ask(public: ServerDir) -> None:
    assert run("hold_mod", "Alpha", "--dry-run")[1] == "Alpha 1.0.0 would be held.\n"
    assert not Hold.objects.exists()
    found = document("hold_mod", "alpha", "--reason", "works")
    assert found["holds"] == [{"modid": "alpha", "version": "1.0.0", "reason": "works"}]
    held = Hold.objects.get()
    assert (held.modid_key, held.version, held.reason) == ("alpha", "1.0.0", "works")
    assert held.set_by_name
    assert document("unhold_mod", "ALPHA", "--dry-run")["released"] == ["alpha"]
    assert Hold.objects.exists()
    assert document("unhold_mod", "ALPHA")["released"] == ["alpha"]
    assert run("unhold_mod", "alpha")[0] == 0
    assert not Hold.objects.exists()


def test_a_hold_can_be_lifted_when_the_mod_is_gone(public: ServerDir) -> None:
    run("hold_mod", "homemade")
    (public.mods / "homemade.zip").unlink()
    inventory.scan_all()
    assert run("unhold_mod", "homemade")[0] == 0
    assert not Hold.objects.exists()


def test_a_list_goes_from_one_server_to_another(public: ServerDir, server_dir: MakeServer, tmp_path: Path) -> None:
    run("install_mod", "beta", "--yes")
    run("remove_mod", "homemade", "--yes")
    listed = tmp_path / "list.json"
    listed.write_text(run("export_mods")[1])
    testing = server_dir("testing")
    GameServer.objects.create(name="Testing", data_dir=str(testing.path))
    testing.add_zip("other.zip", modid="other")
    to_testing = ["--yes", "--server", "Testing"]
    assert run("import_mods", str(listed), *to_testing)[0] == 0
    assert files(testing) == ["alpha_1.0.0.zip", "beta_2.0.0.zip", "gamma_1.3.0.zip", "other.zip"]
    assert run("import_mods", str(listed), "--remove-others", *to_testing)[0] == 0
    assert "other.zip" not in files(testing)


def test_a_list_can_be_lines_on_standard_input(public: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = run("export_mods", "--lines")[1]
    assert "alpha@1.0.0\n" in lines
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"gamma@1.3.0\n")))
    assert run("import_mods", "-", "--yes")[0] == 0
    assert "gamma_1.3.0.zip" in files(public)


def test_export_is_one_document(public: ServerDir) -> None:
    assert {mod["modid"] for mod in document("export_mods")["mods"]} == {"alpha", "homemade"}
    assert run("export_mods", "--json", "--lines")[0] == 2


def test_an_unreadable_list_is_bad_usage(public: ServerDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "broken").write_text("{")
    (tmp_path / "words").write_text("this is :: no list")
    for name in ("missing", "bytes", "broken", "words", "."):
        code, _out, err = run("import_mods", str(tmp_path / name), "--yes")
        assert (code, bool(err)) == (2, True), name
    asked(monkeypatch, "y")
    code, _out, err = run("import_mods", "-")
    assert code == 2
    assert "standard input" in err


# --- at a terminal


def test_hostile_names_do_not_reach_the_terminal(public: ServerDir) -> None:
    public.add_zip("evil.zip", modid="evil")
    inventory.scan_all()
    InstalledMod.objects.filter(modid="evil").update(name="evil\x1b[2J\u202ename", version="1.0\x1b[0m")
    for command in (["remove_mod", "evil", "--dry-run"], ["hold_mod", "evil"], ["enable_mod", "evil", "--yes"]):
        code, out, err = run(*command)
        assert code == 0, err
        assert all(char.isprintable() or char == "\n" for char in out + err)


@pytest.mark.parametrize("command", ALL)
def test_help_tells_the_policy_and_the_exit_codes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command(command, "--help")
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for wanted in ("--server", "--dry-run", "--yes", "--json", "Exit code 0"):
        assert wanted in text
    assert ("Nothing changes before you say yes" in text) == (command in CHANGING)
