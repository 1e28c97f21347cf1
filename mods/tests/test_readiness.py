"""How all mods of servers stand to a game version, and the plan that gets a server ready."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods import answers, holds, inventory, operations, planning, readiness, refresh, rights, status, wishes
from mods.judging import Do, Verdict
from mods.models import GameServer, InstalledMod, Lookup, Mod, Operation, Release
from mods.readiness import Finding
from mods.tests.planned import Stage, lacks, said
from mods.tests.rows import install, make_mod, make_release, make_server
from mods.wishes import Target, Wish

pytestmark = pytest.mark.django_db

GAME = "1.22.0"


def judged(server: GameServer, game_version: str = GAME) -> dict[str, Finding]:
    """By file name."""
    (report,) = readiness.of([server], game_version)
    return {one.row.file_name: one for one in report.findings}


def in_short(server: GameServer, game_version: str = GAME) -> dict[str, tuple[str, str, str]]:
    found = judged(server, game_version).items()
    return {name: (one.verdict.value, one.do.value, one.judgement.version) for name, one in found}


def known(modid: str, *releases: tuple[str, str], **options: Any) -> Mod:
    """A mod of the database with releases: version, then the game versions that it names, with commas."""
    mod = make_mod(modid)
    for version, listed in releases:
        make_release(mod, version, game_versions=[one for one in listed.split(",") if one], **options)
    return mod


# --- the service


def test_each_mod_with_what_to_do() -> None:
    server = make_server()
    known("fits", ("1.0.0", "1.21.5,1.22.0"))
    known("newer", ("1.0.0", "1.21.5"), ("2.0.0", "1.22.0"))
    known("near", ("1.0.0", "1.21.5"), ("1.5.0", "1.22.0-rc.1"))
    known("stuck", ("1.0.0", "1.21.5"))
    for modid in ("fits", "newer", "near", "stuck", "homemade"):
        install(server, modid, file_name=f"{modid}.zip")
    install(server, "stuck", "0.9.0", file_name="old.zip")
    install(server, "", "", file_name="lone.dll", kind="dll", name="lone.dll")
    install(server, "newer", file_name="off.zip.disabled", enabled=False)
    assert in_short(server) == {
        "fits.zip": ("ready", "nothing", ""),
        "newer.zip": ("ready", "update", "2.0.0"),
        "near.zip": ("not_verified", "update", "1.5.0"),
        "stuck.zip": ("blocking", "replace", ""),
        "homemade.zip": ("not_verified", "nothing", ""),
        "old.zip": ("ready", "remove", ""),
        "lone.dll": ("not_verified", "nothing", ""),
        "off.zip.disabled": ("ready", "remove", ""),
    }
    (report,) = readiness.of([server], GAME)
    assert next(iter(report.findings)).row.file_name == "stuck.zip", "what stands in the way comes first"
    assert (report.count(Verdict.READY), report.count(Verdict.BLOCKING), report.updates) == (4, 1, 2)
    assert report.is_blocked
    assert not report.is_there


def test_a_file_that_cannot_be_loaded_is_blocking() -> None:
    server = make_server()
    known("newer", ("1.0.0", "1.21.5,1.22.0"), ("2.0.0", "1.22.0"))
    known("same", ("1.0.0", "1.22.0"))
    install(server, "", "", file_name="page.zip", wont_load="Not a zip file.", problems=["Not a zip file."])
    install(server, "", "", file_name="off.zip.disabled", wont_load="Not a zip file.", enabled=False)
    for modid in ("newer", "same"):
        install(server, modid, file_name=f"{modid}.zip", wont_load="It failed.")
    assert in_short(server) == {
        "page.zip": ("blocking", "remove", ""),
        "same.zip": ("blocking", "replace", ""),
        "newer.zip": ("ready", "update", "2.0.0"),
        "off.zip.disabled": ("ready", "nothing", ""),
    }
    assert judged(server)["page.zip"].judgement.why == "Not a zip file."
    assert judged(server)["same.zip"].judgement.why == "It failed. No other release is for 1.22.0 yet."


def test_a_mod_without_its_library_is_blocking(admin_client: Client) -> None:
    server = make_server()
    known("app", ("1.0.0", "1.22.0"))
    install(server, "app", file_name="app.zip", dependencies={"Lib": "1.0.0"})
    assert in_short(server) == {"app.zip": ("blocking", "install", "")}
    page = admin_client.get("/admin/mods/gameserver/readiness/?version=1.22.0").text
    assert "install Lib, which it needs" in page
    assert f'href="/admin/mods/operation/install/?server={server.pk}&amp;target=Lib"' in page
    known("lib", ("1.0.0", "1.22.0"))
    lib = install(server, "lib", file_name="lib.zip", enabled=False)
    assert in_short(server)["app.zip"] == ("blocking", "remove", "")
    lib.enabled = True
    lib.save()
    assert in_short(server)["app.zip"] == ("ready", "nothing", "")


def test_a_folder_is_updated_by_hand() -> None:
    server = make_server()
    known("newer", ("1.0.0", "1.21.5"), ("2.0.0", "1.22.0"))
    install(server, "newer", file_name="newer", kind="folder")
    (one,) = judged(server).values()
    assert (one.do, one.by_hand) == (Do.UPDATE, True)
    assert readiness.of([server], GAME)[0].updates == 0


def test_a_hold_counts_on_its_own_server_only() -> None:
    here, there = make_server("Here"), make_server("There")
    known("newer", ("1.0.0", "1.21.5"), ("2.0.0", "1.22.0"))
    for server in (here, there):
        install(server, "newer", file_name="newer.zip")
    holds.hold(here, "Newer", version="1.0.0", actor="ann")
    assert in_short(here) == {"newer.zip": ("blocking", "unhold", "")}
    assert in_short(there) == {"newer.zip": ("ready", "update", "2.0.0")}
    assert judged(here)["newer.zip"].is_held
    assert not judged(there)["newer.zip"].is_held


def test_one_that_needs_a_blocking_one_is_blocking() -> None:
    server = make_server()
    known("lib", ("1.0.0", "1.21.5"))
    known("app", ("1.0.0", "1.22.0"))
    known("other", ("1.0.0", "1.22.0"))
    install(server, "lib", file_name="lib.zip")
    install(server, "app", file_name="app.zip", dependencies={"Lib": "1.0.0", "game": "1.20.0"})
    install(server, "other", file_name="other.zip", dependencies={"lib": "0.1.0"}, side="client")
    found = judged(server)
    assert {name: one.verdict.value for name, one in found.items()} == {
        "lib.zip": "blocking", "app.zip": "blocking", "other.zip": "ready",
    }  # fmt: skip
    assert found["app.zip"].judgement.why.startswith("It needs Lib, which is blocking.")
    InstalledMod.objects.filter(file_name="lib.zip").update(enabled=False)
    assert judged(server)["app.zip"].judgement.why.startswith("It needs Lib 1.0.0, which is disabled.")


def test_what_an_update_needs_is_known_where_its_file_was_read() -> None:
    server = make_server()
    known("lib", ("1.0.0", "1.22.0"))
    mod = known("app", ("1.0.0", "1.21.5"))
    make_release(mod, "2.0.0", game_versions=["1.22.0"], dependencies={"lib": "3.0.0"})
    install(server, "lib", file_name="lib.zip")
    install(server, "app", file_name="app.zip")
    assert judged(server)["app.zip"].judgement.why.startswith("It needs Lib 3.0.0; there is 1.0.0 for it.")


def test_another_mod_that_claims_the_id_is_named_where_one_is_stuck() -> None:
    server = make_server()
    known("stuck", ("1.0.0", "1.21.5"))
    fork = Mod.objects.create(mod_id=77, name="A fork")
    make_release(Mod.objects.get(lookups__key="stuck"), "1.1.0-rc.1", game_versions=["1.22.0"])
    Lookup.objects.create(key="elsewhere", modid="stuck", mod=fork)
    make_release(fork, "2.0.0", game_versions=["1.22.0"])
    install(server, "stuck", file_name="stuck.zip")
    (one,) = judged(server).values()
    assert one.do is Do.REPLACE
    assert one.rival == readiness.Rival(fork.pk, "A fork", "2.0.0")
    assert "A fork claims the same mod id, and has 2.0.0 for it." in one.judgement.why
    assert one.judgement.prerelease == "1.1.0-rc.1"


def test_a_mod_gone_from_the_database_offers_nothing() -> None:
    server = make_server()
    known("gone", ("1.0.0", "1.21.5"), ("2.0.0", "1.22.0"))
    known("fitted", ("1.0.0", "1.22.0"))
    install(server, "gone", file_name="gone.zip")
    install(server, "fitted", file_name="fitted.zip")
    for lookup in Lookup.objects.all():
        answers.mark_absent(lookup)
    status.update(InstalledMod.objects.all())
    assert in_short(server) == {"gone.zip": ("blocking", "remove", ""), "fitted.zip": ("not_verified", "nothing", "")}
    why = judged(server)["fitted.zip"].judgement.why
    assert why == "1.0.0 is gone from the mod database, so nothing more will be heard of it."


def test_a_retracted_one_stands_in_the_way() -> None:
    server = make_server()
    known("bad", ("1.0.0", "1.22.0"), retracted=True, retraction_reason="Eats chests.")
    install(server, "bad", file_name="bad.zip")
    status.update(InstalledMod.objects.all())
    assert in_short(server) == {"bad.zip": ("blocking", "replace", "")}
    assert judged(server)["bad.zip"].judgement.why.startswith("1.0.0 was retracted: Eats chests.")


def test_back_to_an_older_one_is_called_so() -> None:
    server = make_server()
    make_release(known("bad", ("1.0.0", "1.22.0")), "1.1.0", game_versions=["1.22.0"], retracted=True)
    install(server, "bad", "1.1.0", file_name="bad.zip")
    status.update(InstalledMod.objects.all())
    assert in_short(server) == {"bad.zip": ("blocking", "go_back", "")}
    back = judged(server)["bad.zip"].judgement.back
    assert back
    assert back.version == "1.0.0"


def test_three_queries_however_many() -> None:
    servers = [make_server(), make_server("Testing")]
    known("a", ("1.0.0", "1.21.5"), ("2.0.0", "1.22.0"))
    for server in servers:
        install(server, "a")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            readiness.of(servers, GAME)
        return len(captured)

    few = queries()
    for number in range(30):
        known(f"m{number}", ("1.0.0", "1.21.5"), ("2.0.0", "1.22.0"))
        for server in servers:
            install(server, f"m{number}")
    assert queries() == few == 3


@pytest.mark.parametrize("given", ["1.22.0", " v1.22.0 ", "1.22.0-rc.1"])
def test_exact_versions_are_read(given: str) -> None:
    assert readiness.readable(given) == given.strip().removeprefix("v")


@pytest.mark.parametrize("given", ["", "1.22", "0.0.0", "latest", "1.22.0;drop", "1" * 80 + ".0.0"])
def test_others_aren_t(given: str) -> None:
    assert readiness.readable(given) == ""


# --- the plan


@pytest.fixture
def coming(stage: Stage) -> Stage:
    """app needs lib (new) from 2.0.0 on; stuck has nothing for 1.22.0 but a prerelease; fits needs nothing."""
    stage.put(stage.release("app", "1.0.0"))
    stage.release("app", "1.1.0")
    stage.release("app", "2.0.0", game_versions=["1.22.0"], needs={"lib": "1.5.0"})
    stage.release("lib", "1.0.0")
    stage.release("lib", "1.5.0", game_versions=["1.22.0"])
    stage.put(stage.release("stuck", "1.0.0"))
    stage.release("stuck", "2.0.0-rc.1", game_versions=["1.22.0"])
    stage.put(stage.release("fits", "1.0.0", game_versions=["1.21.5", "1.22.0"]))
    return stage.ready()


def test_the_plan_is_made_for_the_game_version_that_is_wished_for(coming: Stage) -> None:
    plan = coming.plan("prepare", game_version=GAME)
    assert said(plan) == ["replace app 1.0.0 -> 2.0.0", "install lib 1.5.0"]
    assert {step.compatibility for step in plan.steps} == {"compatible"}
    assert plan.steps[0].why.startswith("2.0.0 names 1.22.0 exactly.")
    assert plan.warnings[0] == "Made for 1.22.0; Public runs 1.21.5: carry it out when the server is updated."
    assert (plan.game_version, plan.made_for, plan.may_run) == ("1.21.5", GAME, True)
    assert len(plan.left_alone) == 1
    assert plan.left_alone[0].startswith("Stuck 1.0.0 stays, and stands in the way. 1.0.0 names 1.21.5 only")


def test_what_was_chosen_for_those_in_the_way(coming: Stage) -> None:
    pk = coming.row("stuck").pk
    assert "remove stuck 1.0.0" in said(coming.plan("prepare", Target(row=pk, remove=True), game_version=GAME))
    disabled = coming.plan("prepare", Target(row=pk, enabled=False), game_version=GAME)
    assert "disable stuck 1.0.0" in said(disabled)
    assert disabled.left_alone == ()
    taken = coming.plan("prepare", Target(row=pk, version="2.0.0-rc.1"), game_version=GAME)
    assert "replace stuck 1.0.0 -> 2.0.0-rc.1" in said(taken)
    absent = coming.plan("prepare", Target(row=pk, version="9.0.0"), game_version=GAME)
    assert lacks(absent) == [("missing", "stuck")]


def test_a_second_file_that_somebody_chose_to_remove_goes_once(coming: Stage) -> None:
    """The update takes it away as well."""
    coming.put(coming.database.store.releases_of("app")[0], "a-spare.zip")
    coming.ready()
    spare = InstalledMod.objects.get(file_name="a-spare.zip")
    other = InstalledMod.objects.exclude(pk=spare.pk).get(modid_key="app")
    both = tuple(Target(row=row.pk, remove=True) for row in (spare, other) if row.pk != _counting(coming))
    plan = coming.plan("prepare", *both, game_version=GAME)
    assert sorted(said(plan)) == ["install lib 1.5.0", "remove app 1.0.0", "replace app 1.0.0 -> 2.0.0"]


def _counting(stage: Stage) -> int:
    """The file of app that counts."""
    return next(one.row.pk for one in judged(stage.server).values() if one.row.modid == "app" and one.do is Do.UPDATE)


def test_removing_one_that_others_need_says_which(coming: Stage) -> None:
    coming.folder.add_zip("user.zip", modid="user", name="User", version="1.0.0", dependencies={"stuck": "1.0.0"})
    coming.ready()
    plan = coming.plan("prepare", Target(row=coming.row("stuck").pk, remove=True), game_version=GAME)
    assert lacks(plan) == [("breaks", "stuck")]


def test_held_ones_stay_and_that_is_said(coming: Stage) -> None:
    holds.hold(coming.server, "app", version="1.0.0", actor="ann")
    plan = coming.plan("prepare", game_version=GAME)
    assert said(plan) == []
    assert any(text.startswith("App 1.0.0 stays, and stands in the way. It is held.") for text in plan.left_alone)


def test_an_installed_one_that_another_needs_newer_comes_along(stage: Stage) -> None:
    """lib's installed version names the game version, and yet what needs it needs a newer one."""
    stage.put(stage.release("app", "1.0.0", needs={"lib": "1.0.0"}))
    stage.release("app", "2.0.0", game_versions=["1.22.0"], needs={"lib": "1.5.0"})
    stage.put(stage.release("lib", "1.0.0", game_versions=["1.21.5", "1.22.0"]))
    stage.release("lib", "1.5.0", game_versions=["1.22.0"])
    stage.ready()
    plan = stage.plan("prepare", game_version=GAME)
    assert said(plan) == ["replace app 1.0.0 -> 2.0.0", "replace lib 1.0.0 -> 1.5.0"]
    assert plan.unmet == ()


def test_a_library_that_is_too_old_is_updated_for_one_that_stays_as_it_is(stage: Stage) -> None:
    """Both are for the game version, and without the update the game wouldn't load app."""
    both = ["1.21.5", "1.22.0"]
    stage.put(stage.release("app", "1.0.0", game_versions=both, needs={"lib": "1.5.0"}))
    stage.put(stage.release("lib", "1.0.0", game_versions=both))
    stage.release("lib", "1.5.0", game_versions=["1.22.0"])
    stage.ready()
    assert in_short(stage.server) == {
        "app_1.0.0.zip": ("ready", "nothing", ""),
        "lib_1.0.0.zip": ("ready", "update", "1.5.0"),
    }
    plan = stage.plan("prepare", game_version=GAME)
    assert said(plan) == ["replace lib 1.0.0 -> 1.5.0"]
    assert plan.steps[0].why.startswith("App needs 1.5.0 of it.")
    holds.hold(stage.server, "lib", version="1.0.0", actor="ann")
    assert judged(stage.server)["app_1.0.0.zip"].verdict is Verdict.BLOCKING
    assert said(stage.plan("prepare", game_version=GAME)) == []


def test_nothing_to_do_is_said_in_its_own_words(stage: Stage) -> None:
    stage.put(stage.release("fits", "1.0.0", game_versions=["1.22.0"]))
    operation = stage.ready().ask("prepare", game_version=GAME)
    planning.make(operation)
    assert (operation.state, operation.message) == ("done", "Nothing to do. No update of Public is needed for it.")


def test_the_queries_of_a_plan_are_as_many_for_few_and_many(stage: Stage) -> None:
    def add(name: str) -> None:
        stage.put(stage.release(name, "1.0.0"))
        stage.release(name, "2.0.0", game_versions=["1.22.0"])

    add("first")
    stage.ready()

    def queries() -> int:
        operation = stage.ask("prepare", game_version=GAME)
        with CaptureQueriesContext(connection) as captured:
            planning.make(operation)
        return len(captured)

    few = queries()
    for number in range(12):
        add(f"m{number}")
    stage.ready()
    assert queries() == few


def runs(stage: Stage, game_version: str) -> None:
    """The server was started with this version of the game."""
    stage.folder.log(f"1.2.2026 20:00:00 [Notification] Game Version: v{game_version} (Stable)\n")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", ["1.21.5", "1.22.0"])
def test_carried_out_before_and_after_the_server_is_updated(coming: Stage, settings: Any, meanwhile: str) -> None:
    settings.VSADMIN_DATA_DIR = coming.folder.path.parent / "state"
    asked = operations.ask(coming.server, Wish("prepare", game_version=GAME), actor="ann")
    assert asked.title == "Get ready for game version 1.22.0"
    operations.plan(asked)
    operations.confirm(asked)
    runs(coming, meanwhile)
    inventory.scan(coming.server)
    done = operations.run(asked.pk)
    assert done.state == Operation.State.DONE, done.message
    assert coming.row("app").version == "2.0.0"
    assert coming.row("lib").version == "1.5.0"
    refresh.refresh()
    assert in_short(coming.server)["app_2.0.0.zip"] == ("ready", "nothing", "")


@pytest.mark.django_db(transaction=True)
def test_it_stops_where_the_server_got_another_game_version(coming: Stage, settings: Any) -> None:
    settings.VSADMIN_DATA_DIR = coming.folder.path.parent / "state"
    asked = operations.ask(coming.server, Wish("prepare", game_version=GAME))
    operations.plan(asked)
    operations.confirm(asked)
    runs(coming, "1.23.0")
    done = operations.run(asked.pk)
    assert done.state == Operation.State.FAILED
    assert "The server's game version was 1.21.5 and is 1.23.0 now." in done.message


def test_the_rights_it_takes() -> None:
    wish = Wish("prepare", game_version=GAME)
    assert rights.needed(wish) == {rights.UPDATE}
    assert rights.needed(Wish("prepare", (Target(row=1, remove=True),))) == {rights.UPDATE, rights.REMOVE}
    assert rights.needed(Wish("prepare", (Target(row=1, enabled=False),))) == {rights.UPDATE, rights.TOGGLE}
    assert wishes.from_json(wishes.to_json(wish)) == wish


def test_what_was_worked_out_is_used_again_until_anything_changes() -> None:
    """Whatever the verdicts stand on: each change shows at once."""
    server = make_server()
    mod = known("lib", ("1.0.0", "1.22.0"))
    row = install(server, "lib", file_name="lib.zip", side="universal")
    install(server, "app", file_name="app.zip", dependencies={"lib": "1.0.0"})

    def changes(model: Any, pk: int, **fields: Any) -> None:
        before = readiness.of([server], GAME)[0].findings
        again = readiness.of([server], GAME)[0].findings
        assert all(one is other for one, other in zip(before, again, strict=True)), "nothing changed"
        old = {name: getattr(model.objects.get(pk=pk), name) for name in fields}
        model.objects.filter(pk=pk).update(**fields)
        assert readiness.of([server], GAME)[0].findings != before, fields
        model.objects.filter(pk=pk).update(**old)
        assert readiness.of([server], GAME)[0].findings == before

    release = mod.releases.get()
    for fields in (
        {"version": "0.9.0"}, {"game_versions": ["1.20.0"]}, {"retracted": True}, {"gone_since": timezone.now()},
        {"dependencies": {"game": "1.23.0"}},
    ):  # fmt: skip
        changes(Release, release.pk, **fields)
    for fields in (
        {"enabled": False}, {"disabled_by_config": True}, {"version": "2.0.0"}, {"name": "Other"}, {"kind": "folder"},
        {"dependencies": {"nowhere": "1.0.0"}}, {"wont_load": "No."}, {"retracted": True}, {"modid_key": "other"},
    ):  # fmt: skip
        changes(InstalledMod, row.pk, **fields)
    changes(Lookup, row.lookup_id or 0, state=Lookup.State.ABSENT)
    stuck = known("stuck", ("1.0.0", "1.21.5"))
    install(server, "stuck", file_name="stuck.zip")
    fork = make_mod("fork", name="A fork")
    make_release(fork, "2.0.0", modid="stuck", modid_key="stuck", game_versions=[GAME])
    assert judged(server)["stuck.zip"].rival == readiness.Rival(fork.pk, "A fork", "2.0.0")
    changes(Mod, fork.pk, name="The fork")
    assert stuck.pk in readiness._known[(server.pk,)].rivals
    before = readiness.of([server], GAME)[0].findings
    holds.hold(server, "lib", version="1.0.0", actor="ann")
    assert readiness.of([server], GAME)[0].findings != before
    assert readiness.of([server], "1.21.5")[0].findings != readiness.of([server], GAME)[0].findings
