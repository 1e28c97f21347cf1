"""What a refresh stores, how few questions it asks, and what it leaves alone when answers fail."""

import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DataError
from django.forms.models import model_to_dict

from conftest import Events, ServerDir
from demo.moddb import ModDatabase
from mods import answers, inventory, moddb, refresh, status, wording
from mods.models import GameServer, InstalledMod, Lookup, Mod, RefreshRun, Release
from mods.tests.rows import its_turn_is_last

pytestmark = pytest.mark.django_db
MakeServer = Callable[..., ServerDir]
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 2.0)


@pytest.fixture
def folder(server_dir: MakeServer) -> ServerDir:
    return server_dir(game_version="1.21.5")


@pytest.fixture
def server(folder: ServerDir) -> GameServer:
    return GameServer.objects.create(name="Public", data_dir=str(folder.path))


def publish(database: ModDatabase, modid: str, *versions: str, **options: Any) -> Any:
    """A mod with one release of each version, all for 1.21.5."""
    mod = database.add_mod(name=options.pop("name", modid.title()), modids=[modid], **options)
    for version in versions:
        database.add_release(mod, modid, version, game_versions=["1.21.5"], changelog=f"<p>News of {version}</p>")
    return mod


def installed(modid: str) -> InstalledMod:
    return InstalledMod.objects.for_pages().get(modid_key=modid.lower())


def asked(database: ModDatabase, prefix: str) -> int:
    return sum(f" {prefix}" in line for line in database.log)


def everything_stored() -> list[dict[str, Any]]:
    """All that the mod database told us, for comparing before and after; not when it was last tried."""
    rows: list[dict[str, Any]] = [
        model_to_dict(row) for model in (Mod, Release, InstalledMod) for row in model.objects.order_by("pk")
    ]
    return rows + [model_to_dict(row, exclude=["tried_at", "error"]) for row in Lookup.objects.order_by("pk")]


def test_everything_about_a_mod_is_stored(folder: ServerDir, server: GameServer, mod_database: ModDatabase) -> None:
    publish(mod_database, "Alpha", "1.0.0", "1.1.0", name="Alpha Mod", author="Ann", tags=["QoL"], side="both")
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan(server)

    result = refresh.refresh()

    assert (result.refreshed, result.failures) == (1, {})
    mod = Mod.objects.get()
    assert (mod.name, mod.author, mod.tags, mod.side) == ("Alpha Mod", "Ann", ["QoL"], "both")
    assert mod.fetched_at is not None
    newest = Release.objects.get(version="1.1.0")
    assert newest.game_versions == ["1.21.5"]
    assert newest.file_id
    assert newest.created
    assert "News of 1.1.0" in newest.changelog
    row = installed("alpha")
    assert row.lookup is not None
    assert row.lookup.state == Lookup.State.FOUND
    assert (row.latest, row.recommended, row.outdated) == ("1.1.0", "1.1.0", True)
    assert row.compatibility == "compatible"
    assert row.checked_at == row.lookup.tried_at


def test_a_mod_that_is_not_in_the_database_is_a_state_and_no_error(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    folder.add_zip("a.zip", modid="homemade")
    inventory.scan(server)
    result = refresh.refresh()
    assert (result.refreshed, result.failures) == (1, {})
    lookup = Lookup.objects.get()
    assert (lookup.state, lookup.error) == (Lookup.State.ABSENT, "")
    assert installed("homemade").compatibility == "not_verified"


def test_statuscode_500_is_an_error_and_removes_nothing(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    publish(mod_database, "alpha", "1.0.0")
    folder.add_zip("a.zip", modid="alpha")
    inventory.scan(server)
    refresh.refresh()
    before = everything_stored()
    mod_database.fault("/api", "statuscode_500")
    result = refresh.refresh(force=True)
    assert result.no_answer
    assert everything_stored() == before
    assert "error of its own" in Lookup.objects.get().error


FAULTS = ["refuse", "500_html", "statuscode_500", "garbage", "truncated", "redirect_loop", "404", "hang", "endless"]


@pytest.mark.parametrize("fault", FAULTS)
def test_an_outage_leaves_every_stored_value_as_it_was(
    fault: str, folder: ServerDir, server: GameServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(mod_database, "alpha", "1.0.0", "1.1.0")
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan(server)
    refresh.refresh()
    before = everything_stored()
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 0.3)
    mod_database.fault("/", fault)

    result = refresh.refresh(force=True)

    assert result.no_answer
    assert set(result.failures) == {"alpha"}
    assert everything_stored() == before
    run = RefreshRun.objects.first()
    assert run is not None
    assert (run.state, run.failed) == (RefreshRun.State.FAILED, 1)
    lookup = Lookup.objects.get()
    assert lookup.error
    assert lookup.tried_at is not None
    assert lookup.checked_at is not None
    assert lookup.tried_at > lookup.checked_at, "its age is that of the last answer"


@pytest.mark.parametrize("url", ["http://nowhere.invalid", "https://127.0.0.1:9"])
def test_no_such_host_and_no_connection(
    url: str, folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VS_MODDB_URL", url)
    folder.add_zip("a.zip", modid="alpha")
    inventory.scan(server)
    assert refresh.refresh().no_answer


def test_tls_that_fails(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mod_database.serve() as url:
        monkeypatch.setenv("VS_MODDB_URL", url.replace("http:", "https:"))
        folder.add_zip("a.zip", modid="alpha")
        inventory.scan(server)
        assert refresh.refresh().no_answer


def test_one_mods_failure_does_not_stop_the_others(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase, events: Events
) -> None:
    for modid in ("alpha", "beta", "gamma"):
        publish(mod_database, modid, "1.0.0")
        folder.add_zip(f"{modid}.zip", modid=modid)
    inventory.scan(server)
    mod_database.fault("/api/mod/beta", "garbage")
    result = refresh.refresh()
    assert result.refreshed == 2
    assert set(result.failures) == {"beta"}
    assert not result.no_answer
    assert result.run.state == RefreshRun.State.COMPLETED
    assert (result.run.asked, result.run.failed) == (3, 1)
    assert "2 checked" in result.run.summary
    assert "1 failed" in result.run.summary


@pytest.mark.parametrize("broken", ["/api/updates", "/api/v2/mods/install-information"])
@pytest.mark.parametrize("fault", ["404", "500_html", "garbage"])
def test_the_details_serve_where_a_batch_endpoint_fails(
    broken: str, fault: str, folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mod = publish(mod_database, "alpha", "1.0.0")
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan(server)
    refresh.refresh()
    mod_database.fault(broken, fault)
    mod_database.add_release(mod, "alpha", "1.2.0", game_versions=["1.21.5"])
    result = refresh.refresh()
    assert (result.refreshed, result.failures) == (1, {})
    assert installed("alpha").recommended == "1.2.0"


def test_a_bad_id_never_spoils_a_batch(folder: ServerDir, server: GameServer, mod_database: ModDatabase) -> None:
    publish(mod_database, "alpha", "1.0.0", "1.1.0")
    for number, modid in enumerate(["alpha", "a,b", "a@b", "sp ace", "1122", "quo&te", "ünïcode", "x" * 150]):
        folder.add_zip(f"{number}.zip", modid=modid, version="1.0.0")
    inventory.scan(server)
    result = refresh.refresh()
    assert not result.failures
    assert installed("alpha").recommended == "1.1.0"
    assert "can't be asked" in Lookup.objects.get(key="a,b").error
    assert asked(mod_database, "/api/updates") == 1


def test_a_retraction_is_stored_with_its_reason(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mod = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(mod, "alpha", "1.0.0", game_versions=["1.21.5"])
    bad = mod_database.add_release(mod, "alpha", "1.1.0", game_versions=["1.21.5"])
    folder.add_zip("a.zip", modid="alpha", version="1.1.0")
    inventory.scan(server)
    refresh.refresh()
    mod_database.retract(bad, "corrupts shelves")

    refresh.refresh()

    row = installed("alpha")
    assert (row.retracted, row.retraction_reason) == (True, "corrupts shelves")
    assert Release.objects.get(version="1.1.0").withdrawn, "it stays, marked"
    assert (row.latest, row.recommended, row.outdated, row.back_to) == ("1.0.0", "", False, "1.0.0")


def test_a_retraction_is_seen_even_where_we_never_saw_the_release(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mod = publish(mod_database, "alpha", "1.0.0")
    bad = mod_database.add_release(mod, "alpha", "1.1.0", game_versions=["1.21.5"])
    mod_database.retract(bad, "malware", by_moderator=True)
    folder.add_zip("a.zip", modid="alpha", version="1.1.0")
    inventory.scan(server)
    refresh.refresh()
    row = installed("alpha")
    assert (row.retracted, row.retraction_reason) == (True, "malware")


def test_a_mod_that_vanishes_stays_with_its_releases_marked_gone(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mod = publish(mod_database, "alpha", "1.0.0", name="Alpha Mod")
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan(server)
    refresh.refresh()
    mod_database.remove_mod(mod)
    refresh.refresh()
    row = installed("alpha")
    assert row.lookup is not None
    assert row.lookup.state == Lookup.State.ABSENT
    assert row.lookup.mod is not None
    assert row.lookup.mod.name == "Alpha Mod"
    assert Release.objects.get().gone_since is not None
    assert (row.gone, row.retracted) == (True, False), "nobody said anything of a retraction"


def test_a_mod_that_was_absent_is_found_once_it_is_published(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan(server)
    refresh.refresh()
    publish(mod_database, "alpha", "1.0.0")
    refresh.refresh()
    assert Lookup.objects.get().state == Lookup.State.FOUND


def test_an_unchanged_set_costs_two_batches_and_its_share_of_the_oldest(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "7200")
    count = 30
    for number in range(count):
        publish(mod_database, f"mod{number}x", "1.0.0")
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(server)
    result = refresh.refresh()
    assert (result.run.changed, result.run.unchanged) == (count, 0)
    mod_database.log.clear()

    result = refresh.refresh()

    share = math.ceil(count * 7200 / 86400)
    assert asked(mod_database, "/api/updates") == 1
    assert asked(mod_database, "/api/v2/mods/install-information") == 1
    assert asked(mod_database, "/api/mod/") == share
    assert len(mod_database.log) == 2 + share == result.run.requests
    assert (result.run.changed, result.run.unchanged) == (0, count)


def test_all_details_are_renewed_within_a_day(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "21600")
    for number in range(10):
        publish(mod_database, f"mod{number}x", "1.0.0")
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(server)
    with time_machine.travel(START, tick=True):
        refresh.refresh()
    for hours in (6, 12, 18, 24):
        with time_machine.travel(START + timedelta(hours=hours), tick=True):
            refresh.refresh()
    assert not Lookup.objects.filter(fetched_at__lt=START + timedelta(hours=1)).exists()


def test_force_renews_all_details(folder: ServerDir, server: GameServer, mod_database: ModDatabase) -> None:
    for number in range(5):
        publish(mod_database, f"mod{number}x", "1.0.0")
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(server)
    refresh.refresh()
    mod_database.log.clear()
    refresh.refresh(force=True)
    assert asked(mod_database, "/api/mod/") == 5


def test_a_new_release_is_noticed_by_the_batch_and_its_details_fetched(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mods = [publish(mod_database, f"mod{number}x", "1.0.0") for number in range(30)]
    for number in range(30):
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(server)
    refresh.refresh()
    mod_database.add_release(mods[29], "mod29x", "1.1.0", game_versions=["1.21.5"], changelog="fixes")
    mod_database.log.clear()
    result = refresh.refresh()
    assert asked(mod_database, "/api/mod/") <= 1 + math.ceil(30 / 24)
    assert result.run.changed == 1
    assert installed("mod29x").outdated


def test_at_most_four_connections(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most, lock = 0, 0, threading.Lock()
    real = moddb.ModDB.mod

    def counted(self: moddb.ModDB, key: str | int) -> moddb.ModDetails:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        try:
            return real(self, key)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(moddb.ModDB, "mod", counted)
    for number in range(20):
        publish(mod_database, f"mod{number}x", "1.0.0")
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(server)
    refresh.refresh()
    assert 1 < most <= 4


def test_an_outage_is_not_asked_about_once_for_each_mod(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    for number in range(60):
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(server)
    mod_database.fault("/", "garbage")
    result = refresh.refresh()
    assert len(result.failures) == 60
    assert len(mod_database.log) < 60


def test_two_servers_with_two_versions_of_a_mod(
    folder: ServerDir, server: GameServer, server_dir: MakeServer, mod_database: ModDatabase
) -> None:
    other_dir = server_dir("testing", game_version="1.20.4")
    other = GameServer.objects.create(name="Testing", data_dir=str(other_dir.path))
    mod = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(mod, "alpha", "1.0.0", game_versions=["1.20.4"])
    mod_database.add_release(mod, "alpha", "1.1.0", game_versions=["1.20.4"])
    mod_database.add_release(mod, "alpha", "2.0.0", game_versions=["1.21.5"])
    folder.add_zip("a.zip", modid="alpha", version="1.1.0")
    other_dir.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan_all()
    refresh.refresh()
    rows = {row.server.name: row for row in InstalledMod.objects.for_pages()}
    assert (rows["Public"].recommended, rows["Public"].compatibility) == ("2.0.0", "incompatible")
    assert (rows["Testing"].recommended, rows["Testing"].compatibility) == ("1.1.0", "compatible")
    assert rows["Testing"].latest == "2.0.0"
    assert other.name == "Testing"


def test_one_game_version_with_two_versions_of_a_mod(
    folder: ServerDir, server: GameServer, server_dir: MakeServer, mod_database: ModDatabase
) -> None:
    other_dir = server_dir("testing", game_version="1.21.5")
    GameServer.objects.create(name="Testing", data_dir=str(other_dir.path))
    publish(mod_database, "alpha", "1.0.0", "1.1.0")
    folder.add_zip("a.zip", modid="alpha", version="1.1.0")
    other_dir.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan_all()
    refresh.refresh()
    assert Lookup.objects.get().recommendations == {"1.21.5": "1.1.0"}, "whichever of the two was answered last"
    assert dict(InstalledMod.objects.values_list("server__name", "outdated")) == {"Public": False, "Testing": True}


def test_an_answer_that_cannot_be_stored_fails_alone(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    for modid in ("alpha", "beta"):
        publish(mod_database, modid, "1.0.0")
        folder.add_zip(f"{modid}.zip", modid=modid)
    inventory.scan(server)
    real = answers.store_details

    def refuse_beta(lookup: Lookup, found: Any, **options: Any) -> answers.Stored:
        if lookup.key == "beta":
            raise DataError("value too long")
        return real(lookup, found, **options)

    monkeypatch.setattr(answers, "store_details", refuse_beta)
    result = refresh.refresh()
    assert result.refreshed == 1
    assert "couldn't be stored" in result.failures["beta"]


def test_only_releases_that_carry_the_modid_count(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mod = mod_database.add_mod(name="Pack", modids=["main", "addon"])
    mod_database.add_release(mod, "main", "1.0.0", game_versions=["1.21.5"])
    mod_database.add_release(mod, "addon", "9.0.0", game_versions=["1.21.5"])
    folder.add_zip("a.zip", modid="main", version="1.0.0")
    inventory.scan(server)
    refresh.refresh()
    row = installed("main")
    assert (row.latest, row.recommended, row.outdated) == ("1.0.0", "1.0.0", False)


def test_where_two_mods_claim_an_id_the_one_that_carries_it_is_taken(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    empty = mod_database.add_mod(name="Squatter", modids=["alpha"])
    carrying = mod_database.add_mod(name="Real", modids=["alpha"])
    mod_database.add_release(empty, "other", "1.0.0", game_versions=["1.21.5"])
    mod_database.add_release(carrying, "alpha", "1.0.0", game_versions=["1.21.5"])
    folder.add_zip("a.zip", modid="alpha")
    inventory.scan(server)
    answers.store_list(refresh.client().mods())
    refresh.refresh()
    lookup = Lookup.objects.select_related("mod").get()
    assert lookup.mod is not None
    assert lookup.mod.name == "Real"
    assert lookup.also_claimed_by == []

    mod_database.add_release(empty, "alpha", "5.0.0", game_versions=["1.21.5"])
    answers.store_list(refresh.client().mods())
    refresh.refresh(force=True)
    lookup.refresh_from_db()
    assert lookup.also_claimed_by, "where both carry it, it is said"


def test_stopping_keeps_what_was_learnt_and_calls_the_rest_nothing(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    for number in range(30):
        publish(mod_database, f"mod{number}x", "1.0.0")
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(server)
    stop = threading.Event()
    mod_database.latency = 0.1  # or all are here before five are written

    def after_five(done: int, total: int, doing: str) -> None:
        if done == 5 and total == 30:
            stop.set()

    result = refresh.refresh(report=after_five, stop=stop)
    assert 5 <= result.refreshed < 30
    assert not result.failures
    assert "stopped" in result.run.summary
    assert Lookup.objects.exclude(fetched_at=None).count() == result.refreshed


def test_a_refresh_that_breaks_off_says_so(
    folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> int:
        raise RuntimeError("boom")

    monkeypatch.setattr(status, "update", broken)
    with pytest.raises(RuntimeError):
        refresh.refresh()
    assert RefreshRun.objects.get().state == RefreshRun.State.FAILED


def test_what_a_killed_refresh_left_unjudged_is_judged_by_the_next(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(mod_database, "alpha", "1.0.0", "1.1.0")
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan(server)

    def killed(*_: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(status, "update", killed)
        with pytest.raises(KeyboardInterrupt):
            refresh.refresh()
    RefreshRun.objects.update(state=RefreshRun.State.RUNNING)
    refresh.refresh()
    assert installed("alpha").outdated
    assert not RefreshRun.objects.filter(state=RefreshRun.State.RUNNING).exists()


def test_nothing_installed_is_a_refresh_without_questions(mod_database: ModDatabase) -> None:
    result = refresh.refresh()
    assert (result.refreshed, result.run.requests) == (0, 0)
    assert result.run.state == RefreshRun.State.COMPLETED


# --- what the batches tell


def test_a_release_newly_listed_for_the_game_version_is_recommended_at_once(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mod = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(mod, "alpha", "1.0.0", game_versions=["1.21.5"])
    later = mod_database.add_release(mod, "alpha", "2.0.0", game_versions=["1.22.0"])
    for number in range(30):
        publish(mod_database, f"mod{number}x", "1.0.0")
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    inventory.scan(server)
    refresh.refresh()
    assert installed("alpha").recommended == "1.0.0"
    its_turn_is_last("alpha")
    later.game_versions = ("1.21.5", "1.22.0")

    mod_database.fault("/api/mod/alpha", "500_html")
    assert set(refresh.refresh().failures) == {"alpha"}
    assert installed("alpha").recommended == "1.0.0"
    mod_database.clear_faults()
    mod_database.log.clear()
    refresh.refresh()
    assert (installed("alpha").recommended, installed("alpha").outdated) == ("2.0.0", True)
    assert asked(mod_database, "/api/mod/alpha") == 1
    mod_database.log.clear()
    refresh.refresh()
    assert asked(mod_database, "/api/mod/alpha") == 0


@pytest.mark.parametrize("state", ["draft", "locked"])
def test_a_mod_that_is_hidden_costs_no_request_at_each_refresh(
    state: str, folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    publish(mod_database, "hidden", "1.0.0", "1.1.0", status=state)
    for number in range(30):
        publish(mod_database, f"mod{number}x", "1.0.0")
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    folder.add_zip("a.zip", modid="hidden", version="1.0.0")
    inventory.scan(server)
    refresh.refresh()
    assert Lookup.objects.get(key="hidden").state == Lookup.State.ABSENT
    its_turn_is_last("hidden")
    mod_database.log.clear()
    for _time in range(3):
        refresh.refresh()
    assert asked(mod_database, "/api/mod/hidden") == 0


def test_a_page_that_goes_on_under_another_id_is_found_by_its_number(
    folder: ServerDir, server: GameServer, mod_database: ModDatabase
) -> None:
    mod = mod_database.add_mod(name="Haulage", modids=["haulold"])
    old = mod_database.add_release(mod, "haulold", "1.5.0", game_versions=["1.21.5"])
    folder.add_zip("a.zip", modid="haulold", version="1.5.0")
    inventory.scan(server)
    refresh.refresh()
    mod_database.store._releases["haulold"].remove(old)
    mod_database.store._releases["haulnew"] = [old]
    old.modid = "haulnew"
    mod_database.add_release(mod, "haulnew", "1.6.0", game_versions=["1.21.5"])

    assert refresh.refresh().failures == {}

    row = installed("haulold")
    assert row.lookup is not None
    assert row.lookup.state == Lookup.State.FOUND
    assert row.successor is not None
    assert (row.successor.modid, row.successor.version) == ("haulnew", "1.6.0")
    assert (row.retracted, row.outdated, row.recommended) == (False, False, "")
    assert wording.absence(row) == "Its page continues as haulnew 1.6.0, under another mod id."
    mod_database.log.clear()
    refresh.refresh()
    assert asked(mod_database, "/api/mod/") <= 2, "by id and by number, when its turn comes"
