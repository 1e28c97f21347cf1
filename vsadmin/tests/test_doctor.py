"""What the doctor says of each part: how it is, why, and what to do."""

import io
import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import Schedule

from cache import counters
from cache.models import KnownDigest
from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import keeping
from mods.models import GameServer, RefreshRun
from mods.tests.change_rows import make_kept
from mods.tests.rows import install, make_mod, make_release, make_server
from vsadmin import doctor, doctor_database, doctor_parts, findings, schedules
from vsadmin.doctor import Part
from vsadmin.doctor_database import Looked, look_at_sqlite
from vsadmin.findings import Finding, State, not_ok
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.stored.models import StoredSetting

GIB = 1024**3


@pytest.fixture
def well(transactional_db: None, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A panel that runs well, without servers."""
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    (tmp_path / "state").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=50 * GIB, total=100 * GIB))
    schedules.sync()
    Worker.write(beat_at=timezone.now())
    RefreshRun.objects.create(state=RefreshRun.State.COMPLETED)


pytestmark = pytest.mark.usefixtures("well")


def part(name: str, **options: Any) -> Part:
    return next(one for one in doctor.examine(**options).parts if one.name == name)


def troubles(name: str, **options: Any) -> list[Finding]:
    return [one for one in part(name, **options).findings if one.state is not State.OK]


def only_trouble(name: str, **options: Any) -> Finding:
    (found,) = troubles(name, **options)
    return found


@pytest.fixture
def server(server_dir: Callable[..., ServerDir]) -> GameServer:
    place = server_dir("public")
    return make_server(data_dir=str(place.path), mod_folders=[{"path": str(place.mods), "device": 1}])


def test_all_well(server: GameServer) -> None:
    report = doctor.examine()
    assert [(one.name, one.findings) for one in report.parts if one.state is not State.OK] == []
    assert report.state is State.OK
    assert {one.name for one in report.parts} == {
        "database", "worker", "schedules", "mod_database", f"server-{server.pk}", "cache", "kept", "space", "clock",
        "settings", "versions",
    }  # fmt: skip


# --- the command


def run_command(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("doctor", *arguments, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_the_command_when_all_is_well() -> None:
    code, said = run_command()
    assert code == 0
    assert "ok       Database\n" in said
    assert "NOT OK" not in said


def test_the_command_when_something_is_wrong() -> None:
    Worker.objects.all().delete()
    code, said = run_command()
    assert code == 1
    assert "NOT OK   Background worker\n         NOT OK: It never gave a sign of life" in said
    assert "→ Start vsadmin: ./run.sh" in said


def test_the_command_for_scripts() -> None:
    code, said = run_command("--json")
    told = json.loads(said)
    assert (code, told["state"]) == (0, "ok")
    first = told["parts"][0]
    assert (first["part"], first["state"]) == ("database", "ok")
    assert set(first["findings"][0]) == {"state", "text", "remedy", "command"}


def test_a_warning_is_no_failure() -> None:
    counters.add(files=1, bytes=600 * 1024 * 1024)
    code, said = run_command()
    assert code == 0
    assert "WARNING  Download cache" in said
    assert "./run.sh manage cache_evict" in said


# --- never hanging, never breaking off


@pytest.fixture
def stuck(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A disk that hangs; how often somebody went to it."""
    release, calls = threading.Event(), list[int]()

    def hang(row: GameServer) -> list[Finding]:
        calls.append(row.pk)
        release.wait(30)
        return []

    monkeypatch.setattr(doctor_parts, "server", hang)
    yield calls
    release.set()


def test_a_part_that_hangs_says_so_and_the_others_go_on(server: GameServer, stuck: list[int]) -> None:
    begun = time.monotonic()
    for _again in range(2):
        report = doctor.examine(patience=1.5)
        assert [one.name for one in report.parts if one.state is State.NOT_OK] == [f"server-{server.pk}"]
    assert time.monotonic() - begun < 15
    assert len(stuck) == 1, "nobody else joins who waits already"


def test_a_part_that_fails_says_so_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: object) -> list[Finding]:
        raise RuntimeError("odd")

    monkeypatch.setattr(doctor_parts, "kept", fail)
    report = doctor.examine()
    assert [one.name for one in report.parts if one.state is State.NOT_OK] == ["kept"]
    assert "RuntimeError: odd" in only_trouble("kept").text


def test_without_a_database_the_rest_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_database, "look", lambda _patience: lambda: Looked(False, [not_ok("It is off.")]))
    report = doctor.examine()
    assert [one.name for one in report.parts if one.state is State.NOT_OK] == ["database"]
    assert [one.name for one in report.parts if one.state is State.OK] == ["space", "clock", "settings", "versions"]


def test_the_number_of_queries_is_fixed(server_dir: Callable[..., ServerDir]) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            doctor.examine()
        return len(queries)

    few = count()
    for number in range(4):
        row = make_server(f"Server {number}", data_dir=str(server_dir(f"{number}").path))
        for other in range(3):
            install(row, f"mod{other}")
        make_kept(row, f"kept{number}")
    assert count() == few
    assert few < 25


# --- the database


def sqlite_file(path: Path) -> Path:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE t (x)")
        database.executemany("INSERT INTO t VALUES (?)", [("x" * 500,) for _number in range(2000)])
    database.close()
    return path


def told(path: Path, patience: float = 5.0) -> Looked:
    return look_at_sqlite(path, patience)


def test_a_whole_database(tmp_path: Path) -> None:
    looked = told(sqlite_file(tmp_path / "a b#?.sqlite3"))
    assert {one.state for one in looked.findings} == {State.OK}
    assert "is undamaged" in looked.findings[0].text


def test_a_large_one_is_looked_at_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_database, "_STEPS", 1)
    looked = told(sqlite_file(tmp_path / "db.sqlite3"), patience=0)
    assert "looking at all of it takes longer" in looked.findings[0].text
    assert looked.findings[0].state is State.OK


def test_a_damaged_one(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "db.sqlite3")
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 8192)
    assert told(path).findings[0].state is State.NOT_OK
    assert told(path).findings[0].command == "./run.sh manage restore BACKUP-FILE"
    path.write_bytes(b"no database at all" * 100)
    looked = told(path)
    assert (looked.answers, looked.findings[0].state) == (False, State.NOT_OK)


def test_one_that_is_not_there(tmp_path: Path) -> None:
    looked = told(tmp_path / "db.sqlite3")
    assert not looked.answers
    assert looked.findings[0].command == "./run.sh"
    assert not (tmp_path / "db.sqlite3").exists(), "looking makes none"


def test_one_that_others_write_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_database, "WRITE_WAIT", 0.01)
    path = sqlite_file(tmp_path / "db.sqlite3")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert [one.state for one in told(path).findings] == [State.OK, State.OK, State.WARNING]
    other.close()


def test_one_without_a_log_ahead(tmp_path: Path) -> None:
    path = sqlite_file(tmp_path / "db.sqlite3")
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode=DELETE")
    database.close()
    assert [one.state for one in told(path).findings] == [State.OK, State.WARNING, State.OK]


def test_migrations_that_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsadmin.firstrun.pending_migrations", lambda: ["mods.0099_later"])
    assert only_trouble("database").text == "1 update of its tables is missing."


# --- worker, schedules, mod database


def test_the_worker() -> None:
    Worker.write(beat_at=timezone.now() - timedelta(minutes=9))
    assert "Silent since" in only_trouble("worker").text
    Worker.write(beat_at=timezone.now(), restarts=2)
    assert (found := only_trouble("worker")).state is State.WARNING
    assert "2 times" in found.text
    Worker.write("attic", beat_at=timezone.now() - timedelta(minutes=1))
    assert "2 times" in only_trouble("worker").text
    Worker.write("attic", beat_at=timezone.now() - timedelta(minutes=9))
    assert "The worker on attic is silent since" in only_trouble("worker").text


def test_the_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Schedule.objects.get(name="mod_scan")
    row.next_run = timezone.now() - timedelta(minutes=20)
    row.save()
    assert only_trouble("schedules").text == "“Scan the servers' mod folders” should have run 20 min ago."
    row.delete()
    assert only_trouble("schedules").command == "./run.sh manage sync_schedules"
    monkeypatch.setenv("VS_MOD_SCAN_INTERVAL", "0")
    assert not troubles("schedules"), "it is off"
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "7200")
    assert only_trouble("schedules").text.startswith("Not scheduled as the settings say: ")


def test_the_mod_database(server: GameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    RefreshRun.objects.update(started_at=timezone.now() - timedelta(hours=5))
    assert "The last refresh is from" in only_trouble("mod_database").text
    monkeypatch.setenv("VS_MOD_LIST_REFRESH_INTERVAL", "0")
    assert not troubles("mod_database")
    RefreshRun.objects.create(state=RefreshRun.State.FAILED, failures={"alpha": "No route."})
    found = only_trouble("mod_database")
    assert (found.state, "No route." in found.text) == (State.NOT_OK, True)
    RefreshRun.objects.all().delete()
    assert not troubles("mod_database")
    install(server, "alpha")
    assert only_trouble("mod_database").text == "It was never asked."


def test_it_is_asked_only_when_that_is_wanted(mod_database: ModDatabase) -> None:
    assert "answers" not in str(part("mod_database").findings)
    assert not troubles("mod_database", online=True)
    assert "answers, in" in str(part("mod_database", online=True).findings)


def test_it_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "doesn't answer" in only_trouble("mod_database", online=True).text
    assert run_command("--online")[0] == 1


# --- servers


def server_trouble(row: GameServer) -> Finding:
    return only_trouble(f"server-{row.pk}")


def test_a_server_whose_folder_is_gone(server: GameServer) -> None:
    shutil.rmtree(server.data_dir)
    assert server_trouble(server).state is State.NOT_OK
    assert "There is no folder" in server_trouble(server).text


def test_a_server_that_may_only_be_looked_at(server: GameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: real(path, mode) and mode != os.W_OK)
    found = server_trouble(server)
    assert found.state is State.WARNING
    assert found.command == f'sudo setfacl -R -m "u:$(id -un):rwX" {server.mod_folders[0]["path"]}'


def test_a_server_of_unknown_version(server: GameServer) -> None:
    Path(server.data_dir, "Logs", "server-main.log").unlink()
    GameServer.objects.update(game_version="")
    assert "game version isn't known" in server_trouble(server).text
    GameServer.objects.update(game_version_by_hand="1.21.5")
    assert not troubles(f"server-{server.pk}")


def test_a_server_that_the_last_scan_could_not_read(server: GameServer) -> None:
    GameServer.objects.update(unreachable_since=timezone.now(), unreachable_why="Gone.")
    assert server_trouble(server).command == "./run.sh manage scan_mods"


def test_servers_that_share_their_mods(server: GameServer, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "Mods").symlink_to(server.mod_folders[0]["path"])
    other = make_server("Other", data_dir=str(tmp_path / "two"), mod_folders=[{"path": str(tmp_path / "two" / "Mods")}])
    assert "with Public:" in server_trouble(other).text
    assert "with Other:" in server_trouble(server).text


# --- cache, kept copies, disk, clock, settings


def test_alarms_of_the_cache() -> None:
    KnownDigest.objects.create(key="moddb:1", sha256="a" * 64, refused_at=timezone.now(), refused_sha256="b" * 64)
    assert "for 1 file" in only_trouble("cache").text


def test_kept_copies_that_are_gone_or_strange(server: GameServer) -> None:
    copy = make_kept(server, "alpha")
    assert only_trouble("kept").state is State.NOT_OK
    keeping.folder().mkdir()
    (keeping.folder() / copy.stored_name).touch()
    assert not troubles("kept")
    (keeping.folder() / "notes.txt").touch()
    assert "notes.txt" in only_trouble("kept").text


@pytest.mark.parametrize(("free", "expected"), [(GIB // 2, State.WARNING), (GIB // 10, State.NOT_OK)])
def test_little_space(free: int, expected: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _place: SimpleNamespace(free=free, total=100 * GIB))
    assert only_trouble("space").state is expected


def test_a_clock_that_is_slow(server: GameServer) -> None:
    release = make_release(make_mod("alpha"), "1.0.0")
    assert not troubles("clock")
    release.created = timezone.now() + timedelta(days=400)
    release.save()
    found = only_trouble("clock")
    assert (found.state, found.command) == (State.NOT_OK, "sudo timedatectl set-ntp true")


def test_a_clock_that_was_set_back() -> None:
    Worker.write(beat_at=timezone.now() + timedelta(hours=1))
    assert only_trouble("clock").state is State.WARNING


def test_a_file_of_the_future(server: GameServer) -> None:
    later = time.time() + 9 * 3600
    place = Path(server.mod_folders[0]["path"], "alpha.zip")
    place.touch()
    os.utime(place, (later, later))
    assert str(place) in only_trouble("clock").text


def test_the_clock_of_the_mod_database() -> None:
    def ahead(minutes: int) -> State:
        online = doctor_parts.Online(findings.ok(""), timedelta(minutes=minutes))
        return doctor_parts.clock_online(online)[0].state

    assert [ahead(0), ahead(-10), ahead(10)] == [State.OK, State.WARNING, State.WARNING]


def test_settings_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_SCAN_INTERVAL", "soon")
    found = next(one for one in troubles("settings"))
    assert (found.state, "VS_MOD_SCAN_INTERVAL is 'soon'" in found.text) == (State.NOT_OK, True)
    assert found.remedy


def test_settings_of_the_panel_that_cannot_be_read() -> None:
    StoredSetting.objects.create(name="VS_MOD_SOAK_DAYS", text="a week")
    StoredSetting.objects.create(name="VS_OF_ANOTHER_VERSION", text="whatever")
    assert only_trouble("settings").text == (
        "VS_MOD_SOAK_DAYS was set to “a week” in the panel, which can't be read: that is not a whole number. Its "
        "default counts."
    )
