"""Crashes are known once each, by scans of a made-up server's folder."""

import os
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conftest import Events
from events.models import Event
from mods import crashes, crashlog
from mods.models import Crash, GameServer, ServerStart
from mods.tests.crashing import NOW, Crashing, ago

pytestmark = pytest.mark.django_db


def test_a_crash_is_known_with_all_that_is_said_of_it(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(2)
    crashing.scan(1)
    crashing.scan()
    crash = Crash.objects.get()
    assert crash.happened_at == ago(2)
    assert (crash.blamed, crash.blamed_key, crash.blamed_version) == ("deepmining@0.9.4", "deepmining", "0.9.4")
    assert crash.error == "System.Exception: Boom\n   at DeepMining.Drill.Tick()"
    assert crash.loaded == [["deepmining", "0.9.4"], ["other", "1.0.0"], ["game", "1.21.5"]]
    assert crash.involved == ["deepmining"]
    assert crash.game_version == "1.21.5"
    assert crash.start == ServerStart.objects.first()
    assert crash.dismissed_at is None
    assert [start.good for start in ServerStart.objects.all()] == [None, True]
    crashing.scan(-20)
    assert [start.good for start in ServerStart.objects.all()] == [False, True]


def test_it_is_an_event_once(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(3)
    crashing.crashed(2)
    for minutes in (1.5, 1, 0.5):
        crashing.scan(minutes)
    event = Event.objects.get(kind="server_crashed")
    assert event.title == "Public crashed. The game names deepmining 0.9.4."
    assert event.text == "System.Exception: Boom\nIt crashed 1 time before, too."
    assert (event.about, event.about_key) == ("mods.crash", str(Crash.objects.all()[0].pk))
    assert event.at == ago(2)


def test_a_log_that_nobody_wrote_to_costs_no_query(crashing: Crashing, monkeypatch: pytest.MonkeyPatch) -> None:
    crashing.updated()
    crashing.crashed(2)
    crashing.scan(1)
    monkeypatch.setattr(crashlog, "read", lambda *_, **__: pytest.fail("read again"))
    with CaptureQueriesContext(connection) as queries:
        crashes.after_scan(crashing.server, None, now=NOW)
    assert not queries.captured_queries


def test_no_crash_log_is_no_crash_and_one_that_comes_later_is_new(crashing: Crashing) -> None:
    crashing.scan(60)
    assert not Crash.objects.exists()
    for number in range(8):
        crashing.crashed(40 - number)
    crashing.scan()
    assert Crash.objects.filter(dismissed_at=None).count() == 8


def test_an_old_log_at_first_sight_is_history(crashing: Crashing) -> None:
    crashing.started(30)
    for number in range(9):
        crashing.crashed(9000 + 10 * number)
    crashing.scan()
    assert Crash.objects.count() == crashes.HISTORY
    assert not Crash.objects.open().exists()
    assert not Event.objects.filter(kind="server_crashed").exists()


def test_a_crash_that_ended_the_latest_run_is_news_at_first_sight(crashing: Crashing) -> None:
    crashing.started(10_000)
    crashing.crashed(9_000)
    crashing.scan()
    assert Crash.objects.open().count() == 1


def test_a_broken_log_breaks_no_scan(crashing: Crashing) -> None:
    crashing.log.write_bytes(b"\xff\xfe\x00" + os.urandom(3000))
    crashing.scan(3)
    crashing.log.unlink()
    crashing.log.mkdir()
    crashing.scan(1)
    assert not Crash.objects.exists()


def test_what_raises_while_a_log_is_read_is_logged_and_tried_again(
    crashing: Crashing, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    crashing.updated()
    crashing.crashed(3)
    with monkeypatch.context() as patch:
        patch.setattr(crashlog, "read", lambda *_, **__: 1 / 0)
        crashing.scan(2)
    assert "crash log of Public" in caplog.text
    assert not Crash.objects.exists()
    crashing.scan(1)
    assert Crash.objects.exists()


def test_a_log_that_cant_be_read_is_said_and_tried_again(
    crashing: Crashing, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    crashing.updated()
    crashing.crashed(3)

    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied", str(crashing.log))

    with monkeypatch.context() as patch:
        patch.setattr(crashlog, "read", refuse)
        crashing.scan(2)
    (event,) = events.named("crash_log_unreadable")
    assert event["reason"].startswith("Access was refused")
    crashing.scan(1)
    assert Crash.objects.exists()


def test_what_another_version_noted_is_no_hindrance(crashing: Crashing) -> None:
    crashing.updated()
    GameServer.objects.update(crash_log={"log": {"place": 3}, "main": "x"})
    crashing.server.refresh_from_db()
    crashing.crashed(3)
    crashing.scan(1)
    assert Crash.objects.count() == 1


def test_a_rotated_log_with_entries_known_already_tells_the_new_ones_alone(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(3.5)
    crashing.scan(3)
    entries = crashing.log.read_bytes()
    crashing.log.rename(crashing.log.with_suffix(".1"))
    crashing.log.write_bytes(entries)
    crashing.crashed(2, error="Bang")
    crashing.scan(1)
    assert [crashes.first_line(crash) for crash in Crash.objects.all()] == [
        "System.Exception: Bang",
        "System.Exception: Boom",
    ]


def test_many_crashes_are_bounded(crashing: Crashing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crashes, "MAX_CRASHES", 4)
    crashing.scan(100)
    for number in range(4):
        crashing.crashed(50 - number, error=f"Boom {number}")
        crashing.crashed(40 - number, error=f"Bang {number}")
        crashing.scan(30 - number)
    assert Crash.objects.count() == 4


# --- the main log


def test_a_fatal_entry_alone_is_a_crash(crashing: Crashing) -> None:
    crashing.scan(60)
    crashing.started(30, fatal="Critical error occurred in the following mod: other@1.0.0\nBoom", fatal_ago=20)
    for minutes in (10, 5):
        crashing.scan(minutes)
    crash = Crash.objects.get()
    assert (crash.blamed_key, crash.error, crash.from_main_log) == ("other", "Boom", True)
    assert crash.happened_at == ago(20)


def test_both_logs_tell_of_one_crash(crashing: Crashing) -> None:
    crashing.scan(60)
    crashing.started(30, fatal="Boom", fatal_ago=20)
    crashing.crashed(20)
    crashing.scan(10)
    crash = Crash.objects.get()
    assert not crash.from_main_log
    assert crash.blamed_key == "deepmining"


def test_the_crash_logs_entry_takes_the_place_of_the_main_logs(crashing: Crashing) -> None:
    crashing.scan(60)
    crashing.started(30, fatal="Boom", fatal_ago=20)
    crashing.scan(19)
    assert Crash.objects.get().from_main_log
    crashing.crashed(20)
    crashing.scan(10)
    crash = Crash.objects.get()
    assert (crash.from_main_log, crash.blamed_key) == (False, "deepmining")
    assert Event.objects.filter(kind="server_crashed").count() == 1


def test_of_one_run_the_main_log_tells_one_crash(crashing: Crashing) -> None:
    """Some mod writes so all the time."""
    crashing.scan(60)
    for minutes in (25, 20, 15):
        crashing.started(30, fatal="Boom", fatal_ago=minutes)
        crashing.scan(minutes - 1)
    assert Crash.objects.count() == 1


# --- two that are alike


def test_the_very_same_words_again_are_another_crash(crashing: Crashing) -> None:
    """Within a second, even: they stand at another place."""
    crashing.updated()
    for _ in range(2):
        crashing.crashed(3)
        crashing.crashed(3)
        crashing.scan(2.5)
        crashing.scan(2.4)
    assert Crash.objects.count() == 4
    assert set(Crash.objects.values_list("happened_at", flat=True)) == {ago(3)}


def test_entries_whose_date_says_nothing_are_crashes_all_the_same(
    crashing: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing.updated()
    monkeypatch.setattr(Crashing, "_local", staticmethod(lambda _minutes_ago: "once upon a time"))
    for minutes in (3, 2):
        crashing.crashed(minutes)
        crashing.scan(minutes - 0.9)
    crashing.log.unlink()
    crashing.crashed(1)  # the log was begun anew, and says the same again
    crashing.scan(0.1)
    assert list(Crash.objects.values_list("happened_at", flat=True)) == [ago(1), ago(2), ago(3)]


def test_a_copy_of_the_log_goes_on_where_it_was_left(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(3)
    crashing.crashed(3)
    crashing.scan(2.5)
    entries = crashing.log.read_bytes()
    crashing.log.unlink()
    crashing.log.write_bytes(entries)
    crashing.crashed(3)
    crashing.scan(2)
    assert Crash.objects.count() == 3


def test_a_log_cut_short_tells_its_known_entries_not_again(crashing: Crashing) -> None:
    crashing.updated()
    for minutes in (3.5, 3, 3):
        crashing.crashed(minutes)
    crashing.scan(2.5)
    entries = crashing.log.read_text()
    crashing.log.write_text(entries[entries.index("Running on", 10) :])
    crashing.crashed(2)
    crashing.scan(1)
    assert list(Crash.objects.values_list("happened_at", flat=True)) == [ago(2), ago(3), ago(3), ago(3.5)]


# --- logs that were moved away


@pytest.mark.parametrize("moves", [True, False])
def test_a_crash_followed_by_a_restart_before_the_next_scan(moves: bool, crashing: Crashing) -> None:
    """From 1.20 on a start moves the logs of the run before; of the crash log it is said that it stays."""
    crashing.updated()
    main = crashing.folder.path / "Logs" / "server-main.log"
    crashing.crashed(3.5)
    crashing.scan(3.2)
    crashing.started(3, fatal="Boom", fatal_ago=2.5)
    crashing.crashed(2.5, error="Bang")
    crashing.archive(main, *([crashing.log] if moves else []))
    crashing.started(2, fatal="Boom", fatal_ago=1.5)
    crashing.archive(main)
    crashing.started(1)
    crashing.crashed(0.8, error="Bing")
    for minutes in (0.5, 0.4):
        crashing.scan(minutes)
    assert [(crash.happened_at, crashes.first_line(crash)) for crash in Crash.objects.all()] == [
        (ago(0.8), "System.Exception: Bing"),
        (ago(1.5), "Boom"),
        (ago(2.5), "System.Exception: Bang"),
        (ago(3.5), "System.Exception: Boom"),
    ]
    assert list(ServerStart.objects.values_list("started_at", flat=True))[:4] == [ago(1), ago(2), ago(3), ago(5)]
    assert [crash.start.started_at for crash in Crash.objects.all() if crash.start] == [ago(1), ago(2), ago(3), ago(5)]


def test_what_was_moved_away_before_the_first_look_is_past(crashing: Crashing) -> None:
    crashing.started(30, fatal="Boom", fatal_ago=20)
    crashing.archive(crashing.folder.path / "Logs" / "server-main.log")
    crashing.started(10)
    crashing.scan(5)
    crashing.scan(4)
    assert not Crash.objects.exists()
    assert ServerStart.objects.count() == 1


def test_a_run_that_was_seen_is_not_told_again_once_its_log_is_moved(crashing: Crashing) -> None:
    crashing.scan(60)
    crashing.started(30, fatal="Boom", fatal_ago=20)
    crashing.scan(19)
    crashing.archive(crashing.folder.path / "Logs" / "server-main.log")
    crashing.started(10)
    crashing.scan(9)
    assert Crash.objects.count() == 1
    assert [start.started_at for start in ServerStart.objects.all()] == [ago(10), ago(30)]


def test_an_archived_log_of_a_time_that_was_watched_tells_no_start(crashing: Crashing) -> None:
    """Somebody copied an old folder there: that run was none of this server's, or vsadmin would have seen it."""
    crashing.scan(60)
    crashing.started(500)
    crashing.archive(crashing.folder.path / "Logs" / "server-main.log")
    crashing.started(30)
    crashing.scan(20)
    assert [start.started_at for start in ServerStart.objects.all()] == [ago(30)]


def test_a_moved_log_that_cant_be_read_keeps_nobody_from_reading_the_others(
    crashing: Crashing, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    crashing.updated()
    main = crashing.folder.path / "Logs" / "server-main.log"
    crashing.started(3, fatal="Boom", fatal_ago=2.5)
    crashing.archive(main)
    crashing.started(2, fatal="Bang", fatal_ago=1.5)
    real = crashlog.fatal

    def refuse(path: Path, zone: tzinfo) -> list[tuple[crashlog.Entry, datetime]]:
        if "Archive" in path.parts:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, zone)

    monkeypatch.setattr(crashlog, "fatal", refuse)
    for minutes in (1, 0.5):
        crashing.scan(minutes)
    assert [crashes.first_line(crash) for crash in Crash.objects.all()] == ["Bang"]
    assert len(events.named("crash_log_unreadable")) == 1, "it isn't tried for ever"


# --- its time


def test_a_server_in_a_container_has_a_clock_of_its_own(crashing: Crashing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hours ahead: the file's time of change tells it, of an entry from before that one as well."""
    crashing.updated()
    ahead = staticmethod(lambda minutes_ago: f"{timezone.localtime(ago(minutes_ago - 180)):%d.%m.%Y %H:%M:%S}")
    monkeypatch.setattr(Crashing, "_local", ahead)
    crashing.crashed(3, error="Bang")
    crashing.crashed(2)
    crashing.scan(1)
    assert list(Crash.objects.values_list("happened_at", flat=True)) == [ago(2), ago(3)]


@pytest.mark.parametrize(("late", "told"), [(5, 2), (600, 12)])
def test_no_crash_is_later_than_the_last_change_of_its_log(
    late: int, told: float, crashing: Crashing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log's clock is three hours ahead, and the file was changed a little, or much, earlier or later than that."""
    crashing.updated()
    ahead = staticmethod(lambda minutes_ago: f"{timezone.localtime(ago(minutes_ago - 180)):%d.%m.%Y %H:%M:%S}")
    monkeypatch.setattr(Crashing, "_local", ahead)
    crashing.crashed(2)
    changed = ago(2) + timedelta(seconds=late if late < 60 else -late)
    os.utime(crashing.log, (changed.timestamp(), changed.timestamp()))
    crashing.scan(1)
    assert Crash.objects.get().happened_at == ago(told)


def test_a_crash_loop_that_only_the_main_log_tells_of(crashing: Crashing) -> None:
    """Each run ends within a minute: as many crashes as runs."""
    crashing.scan(60)
    for minutes in (30, 29, 28):
        crashing.started(minutes, fatal="Boom", fatal_ago=minutes - 0.5)
        crashing.scan(minutes - 0.6)
    assert Crash.objects.count() == 3
