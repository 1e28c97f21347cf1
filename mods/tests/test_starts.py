"""Each start of a server is known once, with the set of mods that it had, where that is certain."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conftest import Events, ServerDir
from mods import modset, serverlog, starts
from mods.models import FolderState, GameServer, InstalledMod, ServerStart
from mods.tests.rows import install, make_server

pytestmark = pytest.mark.django_db
MakeServer = Callable[..., ServerDir]

#: Some evening, by the machine's clock.
EVENING = timezone.make_aware(datetime(2026, 11, 22, 20, 0))  # noqa: DTZ001  # made aware by the zone


def at(minutes: float) -> datetime:
    return EVENING + timedelta(minutes=minutes)


class Watched:
    """A server whose log and rows a test writes, and that it scans at given minutes."""

    def __init__(self, folder: ServerDir) -> None:
        self.folder = folder
        self.server = make_server(data_dir=str(folder.path))
        self.before: datetime | None = None
        folder.log("")

    def started(self, minute: float, *lines: str, offset: timedelta = timedelta()) -> None:
        """The server starts and writes its log; `offset`: of the zone of its container from the machine's."""
        begin = timezone.localtime(at(minute)) + offset
        told = ("Game Version: v1.21.5 (Stable)", "Mods, sorted by dependency: game, carry, creative, survival", *lines)
        stamped = ((begin + timedelta(seconds=number), line) for number, line in enumerate(told))
        self.folder.log("".join(f"{moment:%d.%m.%Y %H:%M:%S} [Notification] {line}\n" for moment, line in stamped))
        self.touch(minute + (len(told) - 1) / 60)

    def touch(self, minute: float) -> None:
        """The log was written last at that minute."""
        os.utime(self.path, (at(minute).timestamp(), at(minute).timestamp()))

    @property
    def path(self) -> Path:
        return self.folder.path / "Logs" / "server-main.log"

    def scan(self, minute: float, *, changed: bool = False) -> None:
        if changed:
            starts.note_set(self.server, now=at(minute), scanned_before=self.before)
        starts.after_scan(self.server, now=at(minute), scanned_before=self.before)
        self.before = at(minute)

    def update(self, version: str) -> None:
        InstalledMod.objects.update(version=version, sha256=version * 2)

    @property
    def starts(self) -> list[tuple[datetime, str | None]]:
        """Each start, the first one first, and the version that it had of the one mod; None where that isn't known."""
        return [
            (start.started_at, start.mods[0]["version"] if start.mods else None)
            for start in ServerStart.objects.order_by("started_at")
        ]


@pytest.fixture
def watched(server_dir: MakeServer) -> Watched:
    watched = Watched(server_dir())
    install(watched.server, "Carry", "1.0.0", sha256="a" * 64, side="universal")
    return watched


def test_a_start_is_known_once_with_the_set_it_had(watched: Watched, events: Events) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    watched.scan(10)
    assert watched.starts == [(at(4), "1.0.0")]
    start = ServerStart.objects.get()
    assert start.game_version == "1.21.5"
    assert start.loaded == ["game", "carry", "creative", "survival"]
    assert modset.from_json(start.mods or []) == (
        modset.Entry("Carry", "1.0.0", "a" * 64, True, "Carry_1.0.0_0.zip", "Carry", "universal"),
    )
    assert len(events.named("server_start_seen")) == 1


def test_a_start_before_anybody_watched_has_no_known_set(watched: Watched) -> None:
    watched.started(-600)
    watched.scan(0, changed=True)
    assert watched.starts == [(at(-600), None)]


def test_a_set_that_was_not_noted_before_the_scan_was_cut_short_is_noted_at_the_next_start(watched: Watched) -> None:
    """As versions before this one could leave it. The log names what the noted set lacks: which it read isn't known."""
    watched.scan(0, changed=True)
    install(watched.server, "Second")
    watched.scan(5)
    watched.started(6)
    with watched.path.open("a") as log:
        log.write("22.11.2026 20:06:05 [Notification] \n")
    watched.path.write_text(watched.path.read_text().replace("game, carry", "game, carry, second"))
    watched.scan(10)
    assert watched.starts == [(at(6), None)]
    assert [len(state.mods) for state in FolderState.objects.all()] == [2, 1]


def test_what_the_log_names_later_is_compared_with_the_set_as_well(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    assert watched.starts == [(at(4), "1.0.0")]
    install(watched.server, "Second")
    watched.path.write_text(watched.path.read_text().replace("game, carry", "game, carry, second"))
    watched.scan(10)
    assert watched.starts == [(at(4), None)]


def test_a_mod_that_the_server_loads_from_elsewhere_does_not_make_its_set_unknown(watched: Watched) -> None:
    """By --addModPath: none of its folders that vsadmin sees holds it."""
    watched.scan(0, changed=True)
    watched.started(4)
    watched.path.write_text(watched.path.read_text().replace("game, carry", "game, carry, elsewhere"))
    watched.scan(5)
    assert watched.starts == [(at(4), "1.0.0")]


def test_a_start_amid_a_change_has_no_known_set(watched: Watched) -> None:
    """Somebody copied a file in and restarted: which came first isn't known."""
    watched.scan(0, changed=True)
    watched.update("2.0.0")
    watched.started(3)
    watched.scan(5, changed=True)
    assert watched.starts == [(at(3), None)]


@pytest.mark.parametrize("is_first_scan", [True, False])
@pytest.mark.parametrize(
    ("touched", "modid", "version"), [(-1, "Carry", "2.0.0"), (1, "Carry", None), (-1, "Other", None)]
)
def test_files_that_nobody_touched_since_the_start_were_there_then(
    touched: float, modid: str, version: str | None, is_first_scan: bool, watched: Watched
) -> None:
    """Copied in by hand before the restart, both between two scans. The log names Carry as loaded."""
    start = (timezone.now() - EVENING) / timedelta(minutes=1) + 1  # the test's folder is as old as the test
    watched.server.mod_folders = [{"path": str(watched.folder.path / "Mods"), "device": None}]
    if not is_first_scan:
        watched.scan(start - 3, changed=True)
    watched.update("2.0.0")
    changed = int(at(start + touched).timestamp() * 10**9)
    InstalledMod.objects.update(fingerprint=f"1:{changed}:{changed}:1", modid=modid, modid_key=modid.lower())
    watched.started(start)
    watched.scan(start + 2, changed=True)
    assert [told for _moment, told in watched.starts] == [version]


def test_a_folder_that_was_touched_since_the_start_may_have_held_more(watched: Watched) -> None:
    watched.server.mod_folders = [{"path": str(watched.folder.path / "Mods"), "device": None}]
    InstalledMod.objects.update(fingerprint="1:1:1:1")
    watched.started((timezone.now() - EVENING) / timedelta(minutes=1) - 5)
    watched.scan((timezone.now() - EVENING) / timedelta(minutes=1) + 5, changed=True)
    assert [told for _moment, told in watched.starts] == [None]


def test_a_start_after_a_change_has_the_new_set_and_one_before_it_the_old(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(1)
    watched.scan(5)
    watched.update("2.0.0")
    watched.scan(10, changed=True)
    watched.started(11)
    watched.scan(15)
    assert watched.starts == [(at(1), "1.0.0"), (at(11), "2.0.0")]


def test_a_change_while_the_server_was_reading_its_mods_leaves_the_set_unknown(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.scan(5)
    watched.update("2.0.0")
    watched.started(4.95)  # the scan of minute 5 was three seconds after
    watched.scan(10, changed=True)
    assert watched.starts == [(at(4.95), None)]


def test_two_starts_at_the_same_second_of_different_days_are_two(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    watched.scan(24 * 60)
    watched.started(24 * 60 + 4)
    watched.scan(24 * 60 + 5)
    assert [moment for moment, _ in watched.starts] == [at(4), at(24 * 60 + 4)]


def test_what_is_written_after_the_start_is_added_until_it_has_settled(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    assert ServerStart.objects.get().failures == {}
    watched.started(4, "[carry] x")
    with watched.path.open("a") as log:
        log.write("22.11.2026 20:05:00 [Error] [Carry] An exception was thrown:\nBoom\n")
    watched.touch(6)
    watched.scan(10)
    assert ServerStart.objects.get().failures == {"carry": ["When the server started it, it failed: Boom."]}
    assert len(watched.starts) == 1


def test_a_settled_start_is_not_read_again(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    for minute in (5, 18, 20):
        watched.scan(minute)
    monkeypatch.setattr(serverlog, "read", lambda path: pytest.fail("read again"))
    watched.scan(25)


def test_a_scan_with_nothing_new_writes_nothing_and_asks_little(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    watched.scan(30)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        watched.scan(35)
    assert len(queries) == 2
    assert all(query["sql"].startswith("SELECT") for query in queries.captured_queries)


def test_no_log_is_no_start(watched: Watched) -> None:
    watched.path.unlink()
    watched.scan(0, changed=True)
    watched.scan(5)
    assert not watched.starts


def test_a_start_in_the_future_says_nothing(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(90)
    watched.touch(3)  # by the machine's clock; not a whole number of quarter hours away
    watched.scan(5)
    assert not watched.starts


def test_a_container_in_another_zone(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(4, offset=timedelta(hours=-2))
    watched.scan(5)
    assert watched.starts == [(at(4), "1.0.0")]
    watched.touch(7.3)  # from now on, when the log was written says nothing of its zone
    watched.scan(10)
    watched.scan(15)
    assert watched.starts == [(at(4), "1.0.0")]
    watched.started(60 * 6 + 4, offset=timedelta(hours=-2))
    watched.scan(60 * 6 + 5)
    assert [moment for moment, _ in watched.starts] == [at(4), at(60 * 6 + 4)]


def test_a_server_whose_clock_is_behind(watched: Watched) -> None:
    """Its new start seems to be before the last scan, which saw the old one."""
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    watched.scan(30)
    watched.started(27.3)
    watched.scan(35)
    assert [moment for moment, _ in watched.starts] == [at(4), at(27.3)]


def test_of_a_log_that_is_appended_to_the_last_start_counts(watched: Watched) -> None:
    """--append: one log holds several starts, and all that was loaded at each."""
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    before = watched.path.read_text()
    watched.started(7)
    before += "22.11.2026 20:07:00 [Notification] Server logger started.\n"
    watched.path.write_text(before + watched.path.read_text().replace("1.21.5", "1.21.6").replace("carry, ", ""))
    watched.touch(7.1)
    watched.scan(10)
    assert [moment for moment, _ in watched.starts] == [at(4), at(7)]
    start = ServerStart.objects.all()[0]
    assert (start.game_version, start.loaded) == ("1.21.6", ["game", "creative", "survival"])


def test_a_log_of_another_culture(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    watched.path.write_text(watched.path.read_text().replace("22.11.2026", "22/11/2569"))
    watched.touch(4.1)
    watched.scan(5)
    assert [moment for moment, _ in watched.starts] == [at(4)]
    assert "carry" in ServerStart.objects.get().loaded


def test_an_older_log_put_back_makes_no_start_anew(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.started(4)
    watched.scan(5)
    watched.started(61.5)
    watched.scan(65)
    watched.started(4)
    watched.scan(70)
    watched.scan(75)
    assert [moment for moment, _ in watched.starts] == [at(4), at(61.5)]


# --- the sets


def states() -> list[tuple[datetime, datetime | None]]:
    return list(FolderState.objects.order_by("seen_at").values_list("seen_at", "seen_before_at"))


def test_a_state_is_noted_only_when_the_set_of_mods_changed(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.scan(5)
    watched.scan(10, changed=True)  # a file was read again, and is the same
    InstalledMod.objects.update(file_name="renamed.zip")
    watched.scan(15, changed=True)
    assert states() == [(at(0), None)]
    InstalledMod.objects.update(enabled=False)
    watched.scan(20, changed=True)
    InstalledMod.objects.update(enabled=True, disabled_by_config=True)
    watched.scan(25, changed=True)
    assert states() == [(at(0), None), (at(20), at(15))]
    InstalledMod.objects.update(disabled_by_config=False)
    watched.scan(30, changed=True)
    assert states()[-1] == (at(30), at(25))
    InstalledMod.objects.update(sha256="b" * 64)
    watched.scan(35, changed=True)
    assert states()[-1] == (at(35), at(30))


def test_servers_known_before_have_their_first_state_without_a_change(watched: Watched) -> None:
    watched.before = at(-5)
    watched.scan(0)
    assert states() == [(at(0), None)]


def test_a_clock_put_back_keeps_the_order(watched: Watched) -> None:
    watched.scan(0, changed=True)
    watched.update("2.0.0")
    watched.scan(-60, changed=True)
    assert FolderState.objects.filter(server=watched.server)[0].mods[0]["version"] == "2.0.0"


def test_old_states_are_forgotten(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "MAX_STATES", 5)
    for number in range(8):
        watched.update(f"{number}.0.0")
        watched.scan(number * 5, changed=True)
    assert [state.mods[0]["version"] for state in FolderState.objects.all()] == [f"{n}.0.0" for n in (7, 6, 5, 4, 3)]


def test_states_before_the_latest_starts_are_forgotten_and_those_in_force_kept(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "_STARTS_WITH_STATES", 2)
    for number in range(4):
        watched.update(f"{number}.0.0")
        watched.scan(number * 60, changed=True)
        watched.scan(number * 60 + 5)
        watched.started(number * 60 + 10.1)
        watched.scan(number * 60 + 15)
    watched.update("9.0.0")
    watched.scan(300, changed=True)
    kept = [state.mods[0]["version"] for state in FolderState.objects.all()]
    assert kept == ["9.0.0", "3.0.0", "2.0.0"]


def test_starts_of_a_server_that_crashes_all_day_are_bounded(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "MAX_STARTS", 3)
    watched.scan(0, changed=True)
    for number in range(6):
        watched.started(number * 10 + 4.1)
        watched.scan(number * 10 + 5)
    assert [moment for moment, _ in watched.starts] == [at(34.1), at(44.1), at(54.1)]


def test_servers_are_told_apart(watched: Watched, server_dir: MakeServer) -> None:
    watched.scan(0, changed=True)
    other = GameServer.objects.create(name="Other", data_dir=str(server_dir("other").path))
    starts.after_scan(other, now=at(1), scanned_before=None)
    watched.started(4)
    watched.scan(5)
    assert FolderState.objects.get(server=other).mods == []
    assert ServerStart.objects.get(server=watched.server).mods
