"""What becomes an event: each once, however often it is seen, and nothing that was so already at first sight."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from cache.models import CacheEntry, KnownDigest
from cache.store import FetchError
from conftest import ServerDir
from demo.moddb import DemoRelease, ModDatabase
from events.kinds import Kind
from events.models import Event
from mods import catalogue, downloads, inventory, news, operations, planning, recovery, refresh, status, withdrawals
from mods.models import GameServer, InstalledMod, Lookup, Mod, Operation, RefreshRun, Release
from mods.tests.changes import World
from mods.tests.planned import Stage
from mods.tests.rows import install, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_state(settings: Settings, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"


def told(kind: Kind) -> list[Event]:
    return list(Event.objects.filter(kind=kind).order_by("pk"))


def look(stage: Stage) -> None:
    """A scan and a refresh that asks for everything, twice over: what was seen is seen again."""
    for _time in range(2):
        inventory.scan(stage.server)
        refresh.refresh(force=True)


@pytest.fixture
def alpha(stage: Stage) -> DemoRelease:
    """Installed, for 1.21.5; known to the last refresh."""
    release = stage.release("alpha", "1.0.0")
    stage.put(release)
    stage.ready()
    return release


# --- retractions


@pytest.mark.parametrize(
    ("by_moderator", "words"), [(False, "by its author"), (True, "by a moderator of the mod database")]
)
def test_a_retraction_is_told_with_its_reason(by_moderator: bool, words: str, stage: Stage, alpha: DemoRelease) -> None:
    stage.database.retract(alpha, "It <b>deletes</b> chunks.", by_moderator)
    look(stage)
    (event,) = told(Kind.RETRACTED)
    assert event.title == f"Alpha 1.0.0 was retracted {words}"
    assert event.text == "It deletes chunks.\nInstalled on Public."
    assert (event.forced, event.server_key) == (by_moderator, stage.server.pk)
    assert (event.about, event.about_key) == ("mods.mod", str(Mod.objects.get().pk))


def test_a_moderator_who_comes_after_the_author_is_told_too(stage: Stage, alpha: DemoRelease) -> None:
    stage.database.retract(alpha, "Broken.")
    look(stage)
    stage.database.retract(alpha, "Malware.", by_moderator=True)
    look(stage)
    assert [(event.forced, event.text.split("\n")[0]) for event in told(Kind.RETRACTED)] == [
        (False, "Broken."),
        (True, "Malware."),
    ]


def test_on_two_servers_it_is_one_event(stage: Stage, alpha: DemoRelease, server_dir: Callable[..., ServerDir]) -> None:
    folder = server_dir("testing")
    (folder.mods / "alpha.zip").write_bytes(alpha.content)
    inventory.scan(GameServer.objects.create(name="Testing", data_dir=str(folder.path)))
    stage.database.retract(alpha, "")
    look(stage)
    (event,) = told(Kind.RETRACTED)
    assert (event.text, event.server_key) == ("Installed on Public, Testing.", None)


def test_one_that_was_retracted_before_we_saw_it_is_told_as_well(stage: Stage) -> None:
    alpha = stage.release("alpha", "1.0.0")
    stage.release("alpha", "1.1.0")
    stage.database.retract(alpha, "Broken.")
    stage.put(alpha)
    look(stage)
    assert [event.title for event in Event.objects.all()] == ["Alpha 1.0.0 was retracted by its author"]


def test_one_that_is_put_there_later_is_told_by_the_scan(stage: Stage, alpha: DemoRelease) -> None:
    bad = stage.release("alpha", "1.1.0")
    look(stage)
    Event.objects.all().delete()
    Release.objects.filter(version="1.1.0").update(retracted=True, retraction_reason="Broken.")
    (stage.folder.mods / alpha.file_name).unlink()
    stage.put(bad)
    inventory.scan(stage.server)
    inventory.scan(stage.server)
    assert [event.title for event in told(Kind.RETRACTED)] == ["Alpha 1.1.0 was retracted by its author"]


def test_a_release_that_vanishes_without_a_word_is_told(stage: Stage) -> None:
    server = make_server("Other")
    mod = make_mod("beta")
    release = make_release(mod, "1.0.0", gone_since=START)
    row = install(server, "beta", "1.0.0", lookup=Lookup.objects.get(key="beta"))
    status.update(InstalledMod.objects.filter(pk=row.pk))
    (event,) = told(Kind.RETRACTED)
    assert event.title == "Beta 1.0.0 is no longer offered by the mod database"
    assert release.withdrawn


def test_what_a_change_learns_of_retractions_is_told_once(stage: Stage, alpha: DemoRelease) -> None:
    stage.database.retract(alpha, "Broken.")
    withdrawals.note(Release.objects.filter(version="1.0.0"))
    assert len(told(Kind.RETRACTED)) == 1
    look(stage)
    assert len(told(Kind.RETRACTED)) == 1


# --- recommended updates


def test_a_new_recommendation_is_told_for_each_server_and_version(
    stage: Stage, alpha: DemoRelease, server_dir: Callable[..., ServerDir]
) -> None:
    folder = server_dir("testing")
    (folder.mods / "alpha.zip").write_bytes(alpha.content)
    inventory.scan(GameServer.objects.create(name="Testing", data_dir=str(folder.path)))
    stage.release("alpha", "1.1.0")
    look(stage)
    assert {event.title for event in told(Kind.RECOMMENDED)} == {
        "Alpha 1.1.0 is recommended on Public",
        "Alpha 1.1.0 is recommended on Testing",
    }
    stage.release("alpha", "1.2.0")
    look(stage)
    assert len(told(Kind.RECOMMENDED)) == 4
    event = told(Kind.RECOMMENDED)[-1]
    assert event.text == "Installed: 1.0.0."
    assert event.about == "mods.installedmod"


def test_a_new_server_floods_nobody(stage: Stage) -> None:
    for number in range(5):
        old = stage.release(f"mod{number}", "1.0.0")
        stage.release(f"mod{number}", "1.1.0")
        stage.put(old)
    (stage.folder.mods / "homemade.zip").write_bytes(stage.release("other", "1.0.0").content)
    look(stage)
    assert InstalledMod.objects.outdated().count() == 5
    assert not Event.objects.exists()


def test_a_mod_installed_later_is_no_news(stage: Stage, alpha: DemoRelease) -> None:
    beta = stage.release("beta", "1.0.0")
    stage.release("beta", "1.1.0")
    stage.put(beta)
    look(stage)
    assert not Event.objects.exists()


# --- going back


def test_that_a_mod_can_go_back_is_told_once_and_is_no_update(stage: Stage) -> None:
    stage.release("beta", "1.0.0")
    bad = stage.release("beta", "1.1.0")
    stage.put(bad)
    look(stage)
    assert not told(Kind.GO_BACK)
    stage.database.retract(bad, "Keep it until 1.2.")
    look(stage)
    (event,) = told(Kind.GO_BACK)
    assert event.title == "Beta can go back to 1.0.0 on Public"
    assert event.text.endswith("nothing changes unless you ask for it.\nKeep it until 1.2.")
    assert not told(Kind.RECOMMENDED)
    Event.objects.all().delete()
    InstalledMod.objects.update(compatibility="not_verified")  # something of it changes
    status.update(InstalledMod.objects.all())
    look(stage)
    assert not told(Kind.GO_BACK)


def test_what_was_retracted_before_it_was_installed_is_no_way_back_to_tell_of(stage: Stage) -> None:
    stage.release("beta", "1.0.0")
    bad = stage.release("beta", "1.1.0")
    stage.database.retract(bad, "Keep it until 1.2.")
    stage.put(bad)
    look(stage)
    assert InstalledMod.objects.to_go_back().count() == 1
    assert not told(Kind.GO_BACK)


# --- compatibility


def test_marked_and_unmarked_each_time(stage: Stage, alpha: DemoRelease) -> None:
    alpha.game_versions = ("1.21.4",)
    look(stage)
    (event,) = told(Kind.FITS_NO_MORE)
    assert event.title == "Alpha 1.0.0 is no longer marked for 1.21.5"
    assert (event.server_key, event.about) == (stage.server.pk, "mods.installedmod")
    alpha.game_versions = ("1.21.4", "1.21.5")
    look(stage)
    (event,) = told(Kind.FITS)
    assert event.title == "Alpha 1.0.0 is now marked for 1.21.5"
    alpha.game_versions = ()
    look(stage)
    assert (len(told(Kind.FITS)), len(told(Kind.FITS_NO_MORE))) == (1, 2)


def test_another_game_version_of_the_server_is_no_news(stage: Stage, alpha: DemoRelease) -> None:
    for version in ("1.21.6", "1.22.0", "1.21.5"):
        stage.folder.log(f"1.2.2026 20:00:00 [Notification] Game Version: v{version} (Stable)\n")
        look(stage)
        assert InstalledMod.objects.get().server.game_version == version
    assert not Event.objects.exclude(kind=Kind.STARTED).exists()


def test_another_installed_version_is_no_news(stage: Stage, alpha: DemoRelease) -> None:
    other = stage.release("alpha", "1.1.0", game_versions=["1.20.0"])
    look(stage)
    (stage.folder.mods / alpha.file_name).unlink()
    stage.put(other)
    look(stage)
    assert InstalledMod.objects.get().compatibility != "compatible"
    assert not told(Kind.FITS_NO_MORE)


def test_what_the_catalogue_learns_is_told_too(stage: Stage, alpha: DemoRelease) -> None:
    alpha.game_versions = ("1.20.0",)
    assert catalogue.fetch_details(Mod.objects.get()) == ""
    assert len(told(Kind.FITS_NO_MORE)) == 1


# --- gone


def test_a_mod_that_is_gone_is_told_each_time_it_goes(stage: Stage, alpha: DemoRelease) -> None:
    stage.database.remove_mod(alpha.mod)
    look(stage)
    (event,) = Event.objects.all()
    assert (event.kind, event.title) == (Kind.GONE, "Alpha is gone from the mod database")
    assert event.text == "Its files stay where they are. Installed on Public."
    back = stage.database.add_mod(name="Alpha", modids=["alpha"])
    stage.database.add_release(back, "alpha", "1.0.0", game_versions=["1.21.5"])
    look(stage)
    stage.database.remove_mod(back)
    look(stage)
    assert len(told(Kind.GONE)) == 2


def test_one_whose_every_release_is_retracted_isnt_gone(stage: Stage, alpha: DemoRelease) -> None:
    stage.database.retract(alpha, "Malware.", by_moderator=True)
    look(stage)
    assert [event.kind for event in Event.objects.all()] == [Kind.RETRACTED]


def test_one_that_never_was_there_isnt_gone(stage: Stage) -> None:
    stage.folder.add_zip("homemade.zip", modid="homemade")
    look(stage)
    assert not Event.objects.exists()


def test_one_that_is_installed_nowhere_is_no_news(stage: Stage, alpha: DemoRelease) -> None:
    InstalledMod.objects.all().delete()
    stage.database.remove_mod(alpha.mod)
    refresh.look_up(list(Lookup.objects.all()))
    assert not Event.objects.exists()


# --- other bytes


def test_other_bytes_under_a_number_are_told_once(mod_database: ModDatabase) -> None:
    theirs = mod_database.add_release(mod_database.add_mod(name="Carry On"), "carry", "1.2.0")
    ours = make_release(make_mod("carry"), "1.2.0", file_id=theirs.file_id, file_name=theirs.file_name)
    downloads.fetch_release(ours).close()
    CacheEntry.objects.all().delete()
    mod_database.fault("/files", "wrong_bytes")
    for _time in range(3):
        with pytest.raises(FetchError):
            downloads.fetch_release(ours)
    (event,) = told(Kind.OTHER_BYTES)
    alarm = KnownDigest.objects.get()
    assert event.title == "The file of carry 1.2.0 was exchanged"
    assert alarm.refused_sha256 in event.text
    assert (event.about, event.about_key) == ("cache.knowndigest", str(alarm.pk))


def test_an_alarm_stays_one_where_no_event_can_be_written(
    mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise DatabaseError("disk full")

    theirs = mod_database.add_release(mod_database.add_mod(name="Carry On"), "carry", "1.2.0")
    ours = make_release(make_mod("carry"), "1.2.0", file_id=theirs.file_id, file_name=theirs.file_name)
    KnownDigest.objects.create(key=f"moddb:{theirs.file_id}", sha256="a" * 64)
    monkeypatch.setattr(news, "of_other_bytes", fail)
    with pytest.raises(FetchError) as caught:
        downloads.fetch_release(ours)
    assert caught.value.kind == "alarm"


# --- changes


@pytest.fixture
def world(tmp_path: Path, server_dir: Callable[..., ServerDir]) -> World:
    made = server_dir()
    (tmp_path / "scratch").mkdir()
    return World(made, GameServer.objects.create(name="Public", data_dir=str(made.path)), tmp_path / "scratch")


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_done(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = world.run(world.remove("a.zip"), asked_by_name="ann")
    operations.run(operation.pk)
    operations.recover()
    (event,) = Event.objects.filter(kind__in=[Kind.CHANGE_DONE, Kind.CHANGE_FAILED])
    assert (event.kind, event.title) == (Kind.CHANGE_DONE, "A change: done on Public")
    assert event.text == f"{operation.message} Asked for by ann."
    assert (event.about, event.about_key, event.server_key) == ("mods.operation", str(operation.pk), world.server.pk)


@pytest.mark.django_db(transaction=True)
def test_a_change_that_fails(world: World) -> None:
    world.put("a.zip", "a")
    world.scan()
    operation = world.queued(world.remove("a.zip"))
    (world.mods / "a.zip").unlink()
    assert operations.run(operation.pk).state == Operation.State.FAILED
    (event,) = told(Kind.CHANGE_FAILED)
    assert event.title == "A change: failed on Public"
    assert not told(Kind.CHANGE_DONE)


def test_a_plan_of_another_version_of_vsadmin(world: World) -> None:
    operation = world.queued(world.install(world.release("a", "1.0.0")))
    Operation.objects.update(plan={"steps": [{}]})
    operations.run(operation.pk)
    assert len(told(Kind.CHANGE_FAILED)) == 1


def test_a_plan_that_cant_be_made_and_one_that_has_nothing_to_do(stage: Stage, alpha: DemoRelease) -> None:
    planning.make(stage.ask("update"))
    assert Operation.objects.get().state == Operation.State.DONE
    assert not Event.objects.exists(), "nothing was changed"
    broken = stage.ask("update")
    Operation.objects.filter(pk=broken.pk).update(wish={"nonsense": True})
    broken.refresh_from_db()
    planning.make(broken)
    (event,) = told(Kind.CHANGE_FAILED)
    assert event.about_key == str(broken.pk)


def test_a_plan_that_was_lost(stage: Stage) -> None:
    lost = stage.ask("update")
    Operation.objects.filter(pk=lost.pk).update(asked_at=START - timedelta(hours=1))
    with time_machine.travel(START, tick=False):
        recovery.recover()
        recovery.recover()
    assert len(told(Kind.CHANGE_FAILED)) == 1


@pytest.mark.parametrize(("done", "count"), [(0, 0), (1, 1)])
def test_a_cancelled_one_is_news_where_it_changed_something(done: int, count: int) -> None:
    change = Operation.objects.create(
        server=make_server(), kind="update", title="Update Alpha", state=Operation.State.CANCELLED, done=done
    )
    news.of_change(change.pk)
    assert [event.title for event in Event.objects.all()] == ["Update Alpha: cancelled part way on Public"] * count


# --- refreshes that fail


def test_refreshes_that_fail_for_hours_are_told_once_an_outage(
    stage: Stage, alpha: DemoRelease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "KEPT_RUNS", 6)

    def hours(clock: Any, count: int) -> list[int]:
        found = []
        for _hour in range(count):
            clock.shift(timedelta(hours=1))
            refresh.refresh()
            found.append(len(told(Kind.REFRESH_FAILING)))
        return found

    with time_machine.travel(START, tick=False) as clock:
        refresh.refresh()
        stage.database.fault("/api", "garbage")
        assert hours(clock, 12) == [0, 0, 0, *[1] * 9], "also once the first runs of it are forgotten"
        stage.database.clear_faults()
        assert hours(clock, 2) == [1, 1]
        stage.database.fault("/api", "garbage")
        assert hours(clock, 5) == [1, 1, 1, 2, 2]
    event = told(Kind.REFRESH_FAILING)[0]
    assert event.title == "The mod database hasn't given a usable answer for 3 h 0 min"
    assert event.text.startswith("Nothing was lost; what is known stays. ")
    assert event.about == "mods.refreshrun"


def test_one_that_breaks_off_counts_as_failed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    RefreshRun.objects.create(started_at=datetime.now(UTC) - timedelta(hours=4), state=RefreshRun.State.FAILED)

    class Broken:
        def __init__(self, *_arguments: object, **_options: object) -> None:
            raise RuntimeError("broken")

    monkeypatch.setattr(refresh, "_Refresh", Broken)
    with pytest.raises(RuntimeError):
        refresh.refresh()
    assert len(told(Kind.REFRESH_FAILING)) == 1


# --- what it costs, and who is at it at the same time


def test_a_refresh_without_news_asks_the_events_nothing(stage: Stage, alpha: DemoRelease) -> None:
    for number in range(5):
        stage.put(stage.release(f"mod{number}", "1.0.0"))
    look(stage)
    with CaptureQueriesContext(connection) as captured:
        inventory.scan(stage.server)
        refresh.refresh()
    assert not [query for query in captured if "events_" in query["sql"]]


@pytest.mark.django_db(transaction=True)
def test_two_refreshes_at_once_tell_it_once(stage: Stage) -> None:
    release = stage.release("alpha", "1.0.0")
    stage.put(release)
    stage.ready()
    release.game_versions = ("1.21.4",)
    Release.objects.update(game_versions=["1.21.4"])
    begin = threading.Barrier(3)

    def judge() -> None:
        try:
            begin.wait()
            status.update(InstalledMod.objects.all())
        finally:
            connection.close()

    threads = [threading.Thread(target=judge) for _number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told(Kind.FITS_NO_MORE)) == 1
