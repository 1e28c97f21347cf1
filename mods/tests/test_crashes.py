"""Crashes are known once each, by scans of a made-up server's folder; and what may have caused them."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conftest import Events, ServerDir
from events.models import Event
from mods import crashes, crashlog, inventory
from mods.models import Crash, GameServer, ServerStart
from mods.tests.change_rows import make_change, make_step, replace

pytestmark = pytest.mark.django_db

NOW = timezone.now().replace(microsecond=0)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


class Crashing:
    """A server with deepmining and other, looked at as time goes by."""

    def __init__(self, folder: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = monkeypatch
        self.put("deepmining", "0.9.3")
        self.put("other", "1.0.0")
        self.server = GameServer.objects.create(name=folder.path.parent.name.title(), data_dir=str(folder.path))
        folder.log("")

    @property
    def log(self) -> Path:
        return self.folder.path / "Logs" / "server-crash.log"

    def put(self, modid: str, version: str) -> None:
        self.folder.add_zip(f"{modid}.zip", modid=modid, version=version, name=modid.title())

    def started(self, minutes_ago: float, *, fatal: str = "", fatal_ago: float = 0) -> None:
        lines = [f"{self._local(minutes_ago)} [Notification] Game Version: v1.21.5 (Stable)"]
        if fatal:
            lines += [f"{self._local(fatal_ago)} [Fatal] {line}" for line in fatal.split("\n")]
        self.folder.log("\n".join(lines) + "\n")
        self._written(self.folder.path / "Logs" / "server-main.log", fatal_ago if fatal else minutes_ago)

    def crashed(
        self, minutes_ago: float, culprit: str = " in the following mod: deepmining@0.9.4", **said: str
    ) -> None:
        version = said.get("deepmining", "0.9.4")
        frame = said.get("frame", "DeepMining.Drill.Tick()")
        with self.log.open("a") as log:
            log.write(
                "Running on 64 bit Linux 6.6.0 with 32000 MB RAM\nGame Version: v1.21.5 (Stable)\n"
                f"{self._local(minutes_ago)}: Critical error occurred{culprit}\n"
                f"Loaded Mods: deepmining@{version}, other@1.0.0, game@1.21.5\n"
                f"System.Exception: {said.get('error', 'Boom')}\n   at {frame}\n"
            )
        self._written(self.log, minutes_ago)

    def scan(self, minutes_ago: float = 0) -> None:
        self._patch.setattr(timezone, "now", lambda: ago(minutes_ago))
        assert not inventory.scan(self.server).unreachable

    def updated(self, *, restart: bool = True) -> None:
        """A good start with 0.9.3 a day ago; then 0.9.4, and a start with it five minutes ago."""
        self.scan(24 * 60 + 10)
        self.started(24 * 60)
        self.scan(24 * 60 - 5)
        self.scan(24 * 60 - 20)
        self.put("deepmining", "0.9.4")
        self.scan(8)
        if restart:
            self.started(5)
            self.scan(4)

    @staticmethod
    def _local(minutes_ago: float) -> str:
        return f"{timezone.localtime(ago(minutes_ago)):%d.%m.%Y %H:%M:%S}"

    @staticmethod
    def _written(path: Path, minutes_ago: float) -> None:
        os.utime(path, (ago(minutes_ago).timestamp(), ago(minutes_ago).timestamp()))


@pytest.fixture
def crashing(server_dir: Callable[..., ServerDir], monkeypatch: pytest.MonkeyPatch) -> Crashing:
    return Crashing(server_dir(), monkeypatch)


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


# --- what may have caused it


def test_what_changed_since_the_last_good_start_is_told(crashing: Crashing) -> None:
    crashing.updated()
    change = make_change(crashing.server, plan=None, state="done")
    step = replace("deepmining", "0.9.3", "0.9.4")
    make_step(change, step, done_at=ago(7))
    crashing.crashed(2)
    crashing.scan(1)
    (story,) = crashes.latest_open([crashing.server])
    assert story.good == ServerStart.objects.get(good=True)
    assert [(one.key, one.before, one.after) for one in story.changed.changed] == [("deepmining", "0.9.3", "0.9.4")]
    (suspect,) = story.suspects
    assert (suspect.key, suspect.version, suspect.before) == ("deepmining", "0.9.4", "0.9.3")
    assert (suspect.is_named, suspect.is_involved, suspect.can_go_back) == (True, True, True)
    assert suspect.changed_at == ago(7)
    assert not story.is_put_back


def test_where_none_is_named_those_that_changed_and_first_those_in_the_stack(crashing: Crashing) -> None:
    crashing.updated()
    crashing.put("aaa", "1.0.0")
    crashing.scan(3.9)
    crashing.started(3)
    crashing.scan(2.5)
    crashing.crashed(2, culprit="")
    crashing.scan(1)
    (story,) = crashes.latest_open([crashing.server])
    assert [(one.key, one.is_involved) for one in story.suspects] == [("deepmining", True), ("aaa", False)]


def test_of_a_mod_that_is_there_twice_either_version_may_be_named(crashing: Crashing) -> None:
    crashing.folder.add_zip("deepmining-old.zip", modid="deepmining", version="0.9.0")
    crashing.updated()
    crashing.crashed(3, deepmining="0.9.0")
    crashing.scan(1)
    assert Crash.objects.get().start == ServerStart.objects.first()


def test_free_text_that_is_a_mods_name_names_it(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(3, culprit=" in the following mod: Deepmining")
    crashing.crashed(2, culprit=" in the following mod: who knows <b>")
    crashing.scan(1)
    assert list(Crash.objects.values_list("blamed_key", "blamed_version")) == [("", ""), ("deepmining", "0.9.4")]
    assert crashes.blamed_in_words(Crash.objects.all()[0]) == "“who knows <b>”"
    assert crashes.blamed_in_words(Crash(blamed="Oh dear " * 30)) == f"“{'Oh dear ' * 9}Oh dear…”"


def test_the_crash_of_a_run_nobody_saw_isnt_laid_to_an_older_start(crashing: Crashing) -> None:
    """Updated, started, crashed, started again: all between two scans. Of files without an id no entry tells."""
    (crashing.folder.mods / "tool.dll").write_bytes(b"MZ")
    crashing.updated(restart=False)
    crashing.crashed(4)
    crashing.started(3)
    crashing.scan(1)
    crash = Crash.objects.get()
    assert ServerStart.objects.count() == 2
    assert crash.start is None
    (story,) = crashes.latest_open([crashing.server])
    assert story.good is not None
    assert [one.key for one in story.changed.changed] == ["deepmining"]
    assert [one.key for one in story.suspects] == ["deepmining"]


def test_a_good_start_that_crashed_later_comes_after_one_that_did_not(crashing: Crashing) -> None:
    crashing.updated()
    ServerStart.objects.filter(good=None).update(good=True)
    latest = ServerStart.objects.all()[0]
    crashing.crashed(4.5)
    crashing.scan(4)
    crashing.started(3)
    crashing.scan(2.5)
    crashing.crashed(2)
    crashing.scan(1)
    ServerStart.objects.filter(pk=latest.pk).update(good=True)
    (story,) = crashes.latest_open([crashing.server])
    assert story.good is not None
    assert story.good != latest
    assert story.open_ones == 2


def test_a_crash_is_over_once_dismissed_or_a_later_start_was_good(crashing: Crashing) -> None:
    crashing.updated()
    crashing.crashed(4)
    crashing.crashed(3)
    crashing.scan(2)
    latest = Crash.objects.all()[0]
    assert crashes.dismiss(latest, by="ann") == 2
    assert not crashes.latest_open([crashing.server])
    latest.refresh_from_db()
    assert latest.dismissed_by_name == "ann"

    Crash.objects.update(dismissed_at=None)
    crashing.started(1)
    crashing.scan(0.5)
    assert crashes.latest_open([crashing.server])
    crashing.scan(-15)
    assert not crashes.latest_open([crashing.server])


def test_a_set_put_back_is_told(crashing: Crashing) -> None:
    before = (crashing.folder.mods / "deepmining.zip").read_bytes()
    crashing.updated()
    crashing.crashed(3)
    crashing.scan(2)
    (crashing.folder.mods / "deepmining.zip").write_bytes(before)
    crashing.scan(1)
    (story,) = crashes.latest_open([crashing.server])
    assert story.is_put_back
    assert not story.suspects[0].can_go_back


def test_a_crash_known_late_makes_its_start_no_good_one(crashing: Crashing) -> None:
    crashing.updated()
    crashing.scan(-20)
    assert ServerStart.objects.all()[0].good is True
    crashing.crashed(2)
    crashing.scan(-21)
    assert ServerStart.objects.all()[0].good is False


def test_stories_of_many_servers_take_as_many_queries_as_of_one(
    server_dir: Callable[..., ServerDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = []
    for name in ("a", "b", "c"):
        one = Crashing(server_dir(name), monkeypatch)
        GameServer.objects.filter(pk=one.server.pk).update(name=name)
        one.server.refresh_from_db()
        one.updated()
        one.crashed(2)
        one.scan(1)
        servers.append(one.server)
    counts = []
    for chosen in (servers[:1], servers):
        with CaptureQueriesContext(connection) as queries:
            assert len(crashes.latest_open(chosen)) == len(chosen)
        counts.append(len(queries))
    assert counts[0] == counts[1] == 5
    Crash.objects.update(dismissed_at=NOW)
    with CaptureQueriesContext(connection) as queries:
        assert not crashes.latest_open(servers)
    assert len(queries) == 1
