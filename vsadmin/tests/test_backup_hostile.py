"""Backups that somebody else wrote: refused before anything is replaced, and nothing in them goes on by itself."""

import contextlib
import gzip
import io
import json
import sqlite3
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import connection
from django.db.models import Model
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from pytest_django import Settings

from cache.models import CacheEntry
from events.models import Delivery, Target
from mods.models import GameServer, KeptCopy, Operation, RefreshRun, Step
from vsadmin import backup, backup_archive, backup_database, dbcopy
from vsadmin.backup import BackupError
from vsadmin.lib.jobs.models import JobRun, Worker

pytestmark = pytest.mark.django_db(transaction=True)
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite's file is altered")

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's dumps")


@pytest.fixture
def data_dir(tmp_path: Path, settings: Settings) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    settings.VSADMIN_DATA_DIR = folder
    (folder / "secret_key").write_text("mine")
    return folder


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def unpacked(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]  # files


def with_sql(tmp_path: Path, *statements: str) -> Path:
    """A backup in whose database these statements were run."""
    backup.make(tmp_path / "good.tar.gz")
    members = unpacked(tmp_path / "good.tar.gz")
    (tmp_path / "altered.sqlite3").write_bytes(members["database.sqlite3"])
    for statement in statements:
        with contextlib.closing(sqlite3.connect(tmp_path / "altered.sqlite3", isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = DELETE")
            database.execute("PRAGMA writable_schema = ON")
            database.execute(statement)
    members["database.sqlite3"] = (tmp_path / "altered.sqlite3").read_bytes()
    members |= {"secret_key": b"theirs", "kept/x_1~0123456789ab.zip": b"theirs"}
    return packed(tmp_path / "altered.tar.gz", members)


def assert_refused(source: Path, words: str, data_dir: Path) -> None:
    """Refused in these words, and not a byte of ours is another."""
    here = GameServer.objects.create(name="Here", data_dir="/srv/here")
    before = {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()}
    with pytest.raises(BackupError, match=words):
        backup.restore(source)
    assert {path: path.read_bytes() for path in data_dir.rglob("*") if path.is_file()} == before
    assert list(GameServer.objects.all()) == [here]


# --- what was under way


def under_way() -> None:
    """A bit of everything that a worker would go on with."""
    server = GameServer.objects.create(name="Theirs", data_dir="/srv/theirs")
    for number, state in enumerate(Operation.State):
        operation = Operation.objects.create(server=server, kind="install", title=state, state=state)
        step = Step.State.values[number % len(Step.State.values)]
        Step.objects.create(
            operation=operation, server=server, position=0, group=0, action="install", name=step, planned={}, state=step
        )
    for run in JobRun.State:
        JobRun.objects.create(job="mod_scan", state=run)
    RefreshRun.objects.create()
    target = Target.objects.create(name="Hook", form="webhook", address="https://hooks.example.com/secret")
    Delivery.objects.create(target=target, claimed_until=timezone.now())
    Session.objects.create(session_key="x", session_data="y", expire_date=timezone.now())
    OrmQ.objects.create(key="vsadmin", payload="pickled")
    Schedule.objects.create(name="evil", func="os.system", args="'id'")
    Worker.write(beat_at=timezone.now())


def test_nothing_that_was_under_way_goes_on(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    under_way()
    backup.make(tmp_path / "theirs.tar.gz")
    GameServer.objects.all().delete()
    Worker.objects.all().delete()  # on PostgreSQL one that beats may be elsewhere
    call_command("restore", str(tmp_path / "theirs.tar.gz"), "--yes")

    assert set(Operation.objects.values_list("title", "state")) == {
        *((state, "failed") for state in ("planning", "planned", "queued", "running", "failed")),
        *((state, state) for state in ("done", "cancelled", "undone")),
    }
    assert set(Step.objects.values_list("name", "state")) == {
        *((state, "failed") for state in ("waiting", "placing", "failed")),
        *(("placed", "done"), ("done", "done"), ("skipped", "skipped")),
    }
    ended = Operation.objects.get(title="running")
    assert "isn't gone on with" in ended.message
    assert ended.ended_at
    assert set(JobRun.objects.values_list("state", flat=True)) == {"done", "failed"}
    assert RefreshRun.objects.get().state == RefreshRun.State.FAILED
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.next_try_at, delivery.claimed_until) == ("failed", None, None)
    for model in (Session, OrmQ, Schedule, Worker):
        assert not model.objects.exists(), model
    out = capsys.readouterr().out
    assert out.index("Nobody can tell who wrote a backup") < out.index("What was here is in")
    assert "Server: 'Theirs' in '/srv/theirs'" in out
    assert "Notifications go to: 'Hook', 'hooks.example.com'" in out
    assert "secret" not in out


@pytest.mark.parametrize("name", ["../../x.zip", "/etc/passwd", "", ".staging"])
@on_sqlite
def test_names_of_files_that_are_not_ours_are_refused(data_dir: Path, name: str) -> None:
    KeptCopy.objects.create(server_name="x", name="x", file_name="x.zip", stored_name=name, size=1, sha256="0" * 64)
    with pytest.raises(BackupError, match="isn't a backup"):
        backup._settle()
    KeptCopy.objects.all().delete()
    CacheEntry.objects.create(key="moddb:1", title="x", file_name=name, size=1, sha256="0" * 64)
    with pytest.raises(BackupError, match="isn't a backup"):
        backup._settle()


# --- other schemas than ours


@on_sqlite
@pytest.mark.parametrize(
    "evil",
    [
        "CREATE TRIGGER evil AFTER INSERT ON mods_gameserver BEGIN DELETE FROM auth_user; END",
        "CREATE INDEX evil ON mods_gameserver (hex(name))",
    ],
)
def test_another_schema_changes_nothing_here(data_dir: Path, tmp_path: Path, evil: str) -> None:
    assert_refused(with_sql(tmp_path, evil), "isn't a backup of vsadmin.*'evil'", data_dir)


@on_sqlite
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE evil (x)",
        "CREATE INDEX evil ON mods_gameserver (name)",
        "CREATE INDEX evil ON mods_gameserver (hex(name))",
        "DROP INDEX mods_release_modid_key_8bb3a0f7",
        "ALTER TABLE mods_gameserver ADD evil text",
        "ALTER TABLE mods_gameserver ADD evil text GENERATED ALWAYS AS (hex(name)) VIRTUAL",
        "ALTER TABLE mods_gameserver DROP COLUMN restart_note",
        "DROP TABLE mods_hold",
    ],
)
def test_any_other_schema_is_refused(tmp_path: Path, statement: str) -> None:
    compared = copies(tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "given.sqlite3")) as database:
        if statement.startswith("DROP INDEX"):
            found = "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'mods_release' AND sql NOT NULL"
            statement = f"DROP INDEX {database.execute(found).fetchone()[0]}"
        database.execute(statement)
    with pytest.raises(BackupError, match="isn't as vsadmin makes it"):
        compared()


@on_sqlite
def test_our_own_schema_is_taken(tmp_path: Path) -> None:
    copies(tmp_path)()


def copies(tmp_path: Path) -> Callable[[], None]:
    """Two copies of the test's database, `ours` and `given`; call what is returned to compare them."""
    for name in ("ours", "given"):
        dbcopy.copy_sqlite(tmp_path / f"{name}.sqlite3")

    def compare() -> None:
        with backup_database._instead(tmp_path / "ours.sqlite3"), connection.cursor() as cursor:
            cursor.execute("ATTACH %s AS given", [backup_database._uri(tmp_path / "given.sqlite3")])
            backup_database._compare(cursor)

    return compare


@on_sqlite
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW evil AS SELECT 1",
        "CREATE VIRTUAL TABLE evil USING fts5(x)",
        "CREATE TRIGGER evil AFTER INSERT ON auth_user BEGIN SELECT 1; END",
    ],
)
def test_what_would_run_is_refused_before_anything_is_asked_of_it(tmp_path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "x.sqlite3")) as database:
        database.execute("CREATE TABLE auth_user (id)")
        database.execute(statement)
    with pytest.raises(BackupError, match="'evil'"):
        backup_database._applied_sqlite(tmp_path / "x.sqlite3")


@on_sqlite
@pytest.mark.parametrize(
    "value",
    [
        "name = x'00ff'",
        "name = CAST(x'ff' AS TEXT)",
        "created_at = '2026-13-45 00:00:00'",
        "restart_note = hex(zeroblob(8 * 1024 * 1024 + 1))",  # two letters too many
    ],
)
def test_values_that_no_page_could_read_are_refused(data_dir: Path, tmp_path: Path, value: str) -> None:
    GameServer.objects.create(name="Theirs", data_dir="/srv/theirs")
    altered = with_sql(tmp_path, f"UPDATE mods_gameserver SET {value}")
    GameServer.objects.all().delete()
    assert_refused(altered, "'mods_gameserver'", data_dir)


@pytest.mark.parametrize(("model", "value"), [(GameServer, "notes = '{}'"), (RefreshRun, "state = 'odd'")])
def test_words_and_lists_that_no_page_could_show_are_refused(model: type[Model], value: str) -> None:
    GameServer.objects.create(name="Theirs", data_dir="/srv/theirs")
    RefreshRun.objects.create()
    backup_database.check_values()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET {value}")
    with pytest.raises(BackupError, match=f"'{model._meta.db_table}'") as caught:
        backup_database.check_values()
    assert caught.value.__context__ is None  # else a cursor that stays open is told of on the terminal


def test_a_key_after_which_none_would_be_left_is_refused() -> None:
    RefreshRun.objects.create(pk=2**53)
    backup_database.check_values()
    RefreshRun.objects.create(pk=2**53 + 1)
    with pytest.raises(BackupError, match="'mods_refreshrun'"):
        backup_database.check_values()


@on_sqlite
def test_rows_that_point_at_nothing_are_refused(data_dir: Path, tmp_path: Path) -> None:
    server = GameServer.objects.create(name="Theirs", data_dir="/srv/theirs")
    Operation.objects.create(server=server, kind="install", title="x")
    altered = with_sql(tmp_path, "DELETE FROM mods_gameserver")
    GameServer.objects.all().delete()
    assert_refused(altered, "invalid foreign key", data_dir)


@on_sqlite
def test_migrations_that_nobody_here_knows_are_a_newer_version(data_dir: Path, tmp_path: Path) -> None:
    newer = "INSERT INTO django_migrations (app, name, applied) VALUES ('mods', '9999_later', '2030-01-01')"
    assert_refused(with_sql(tmp_path, newer), "newer vsadmin", data_dir)


@on_sqlite
def test_an_index_that_lacks_a_row_is_damage_that_raises_nothing_by_itself(data_dir: Path, tmp_path: Path) -> None:
    """`integrity_check` returns what it finds; only whoever looks at that notices."""
    altered = with_sql(
        tmp_path,
        "CREATE TABLE aside AS SELECT * FROM sqlite_master WHERE name = 'jobrun_job_queued'",
        "DELETE FROM sqlite_master WHERE name = 'jobrun_job_queued'",
        "INSERT INTO jobs_jobrun (job, arguments, state, queued_at, done, total, doing, message) "
        "VALUES ('x', '{}', 'done', '2026-01-01', 0, 0, '', '')",
        "INSERT INTO sqlite_master SELECT * FROM aside",
        "DROP TABLE aside",
    )
    assert_refused(altered, "database is damaged: (row 1 missing from|wrong # of entries in) index", data_dir)


@on_sqlite
def test_damage_that_sqlite_quotes_in_its_message(data_dir: Path, tmp_path: Path) -> None:
    altered = with_sql(
        tmp_path, "UPDATE sqlite_master SET name = CAST(x'ff41' AS TEXT), sql = 'x' WHERE name = 'mods_hold'"
    )
    assert_refused(altered, "damaged", data_dir)


# --- PostgreSQL's dumps


@on_postgresql
@pytest.mark.parametrize(
    ("there", "gone", "words"),
    [
        (
            "CREATE TRIGGER evil BEFORE UPDATE ON mods_gameserver FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "DROP TRIGGER evil ON mods_gameserver",
            "TRIGGER",
        ),
        ("CREATE INDEX evil ON mods_gameserver (upper(name))", "DROP INDEX evil", "'evil'"),
        ("ALTER TABLE mods_gameserver ADD evil text", "ALTER TABLE mods_gameserver DROP evil", "'mods_gameserver'"),
    ],
)
def test_a_dump_of_another_schema_is_refused(data_dir: Path, tmp_path: Path, there: str, gone: str, words: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(there)
        try:
            backup.make(tmp_path / "altered.tar.gz")
        finally:
            cursor.execute(gone)
    assert_refused(tmp_path / "altered.tar.gz", words, data_dir)


def test_of_a_dumps_script_only_rows_are_read() -> None:
    script = io.BytesIO(
        b'SELECT evil();\nCOPY public.a (id, "name") FROM stdin;\n1\tx\\ny\n\\.\n\nDROP TABLE b;\n'
        b"COPY a FROM PROGRAM 'id';\nCOPY public.b (id) FROM stdin;\n\\.\n"
    )
    found = [(name, columns, list(rows)) for name, columns, rows in backup_database._blocks(iter(script))]
    assert found == [("a", ["id", "name"], [b"1\tx\\ny\n"]), ("b", ["id"], [])]


def test_a_dump_that_grows_beyond_measure() -> None:
    lines = dbcopy._pieces(io.BytesIO(b"x" * 10 + b"\n" + b"y" * 10), 20)
    assert next(lines) == b"x" * 10 + b"\n"
    with pytest.raises(dbcopy.Failed, match="more than 20 bytes"):
        next(lines)


# --- archives


def test_what_would_fill_the_disk_is_refused_before_it_is_read(data_dir: Path, tmp_path: Path) -> None:
    members = {"manifest.json": b"{}", "kept/x_1~0123456789ab.zip": bytes(backup_archive._ALWAYS_FINE)}
    assert_refused(packed(tmp_path / "bomb.tar.gz", members), "would grow from", data_dir)


def test_sizes_that_are_honest_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backup_archive.growth_limit(1) == 64 * 1024 * 1024
    assert backup_archive.growth_limit(1024**3) == 50 * 1024**3


@pytest.mark.parametrize(("name", "most"), [("manifest.json", 65536), ("secret_key", 4096)])
def test_small_members_are_small(data_dir: Path, tmp_path: Path, name: str, most: int) -> None:
    backup.make(tmp_path / "good.tar.gz")
    members = unpacked(tmp_path / "good.tar.gz")
    members[name] = members[name].ljust(most)
    backup.look(packed(tmp_path / "fits.tar.gz", members))
    members[name] += b" "
    with pytest.raises(BackupError, match=f"it holds '{name}'"):
        backup.look(packed(tmp_path / "large.tar.gz", members))


@pytest.mark.parametrize("key", [b"", b"  \n", b"\xff\xfe", b"a\x00b", b"two\nlines"])
def test_a_key_with_which_nothing_would_start_is_refused(data_dir: Path, tmp_path: Path, key: bytes) -> None:
    backup.make(tmp_path / "good.tar.gz")
    members = unpacked(tmp_path / "good.tar.gz")
    members["secret_key"] = key
    assert_refused(packed(tmp_path / "bad.tar.gz", members), "it holds 'secret_key'", data_dir)


def crafted(path: Path, *blocks: tuple[bytes, int, bytes]) -> Path:
    """An archive of these headers (kind, size as said) with what follows each."""
    with gzip.open(path, "wb") as file:
        for kind, size, content in blocks:
            member = tarfile.TarInfo("kept/x_1~0123456789ab.zip")
            member.type, member.size = kind, size
            file.write(member.tobuf(tarfile.USTAR_FORMAT))
            file.write(content.ljust(-(-len(content) // 512) * 512, b"\0"))
        file.write(bytes(1024))
    return path


@pytest.mark.parametrize(
    "blocks",
    [
        [(tarfile.XHDTYPE, 17_000, bytes(17_000))],
        [(tarfile.GNUTYPE_LONGNAME, 17_000, b"x" * 17_000)],
        [(tarfile.XHDTYPE, 12, b"12 size=9999"), (tarfile.REGTYPE, 1, b"x")],
        [(tarfile.XHDTYPE, 24, b"24 GNU.sparse.size=99999"), (tarfile.REGTYPE, 1, b"x")],
        [(tarfile.XHDTYPE, 22, b"22 GNU.sparse.map=0,1\n"), (tarfile.REGTYPE, 1, b"x")],
        [(tarfile.GNUTYPE_SPARSE, 0, b"")],
        [(tarfile.SYMTYPE, 0, b"")],
        [(tarfile.LNKTYPE, 0, b"")],
        [(tarfile.FIFOTYPE, 0, b"")],
        [(tarfile.BLKTYPE, 0, b"")],
        [(tarfile.XGLTYPE, 12, b"12 comment=x")],
    ],
)
def test_headers_that_tarfile_would_believe(tmp_path: Path, blocks: list[tuple[bytes, int, bytes]]) -> None:
    with pytest.raises(BackupError, match=r"it holds 'kept/x_1~0123456789ab\.zip'"):
        backup.look(crafted(tmp_path / "x.tar.gz", *blocks))


@pytest.mark.parametrize("cut", [1, 9, 200])
def test_an_archive_that_is_cut_short(data_dir: Path, tmp_path: Path, cut: int) -> None:
    backup.make(tmp_path / "good.tar.gz")
    (tmp_path / "cut.tar.gz").write_bytes((tmp_path / "good.tar.gz").read_bytes()[:-cut])
    assert_refused(tmp_path / "cut.tar.gz", "can't be read as a backup", data_dir)


@pytest.mark.parametrize(
    "change", [{"version": "1\x1b[2J"}, {"vendor": "oracle"}, {"made_at": 5}, {"form": "x"}, {"form": None}]
)
def test_a_manifest_that_says_nonsense(data_dir: Path, tmp_path: Path, change: dict[str, object]) -> None:
    backup.make(tmp_path / "good.tar.gz")
    members = unpacked(tmp_path / "good.tar.gz")
    members["manifest.json"] = json.dumps({**json.loads(members["manifest.json"]), **change}).encode()
    with pytest.raises(BackupError, match="manifest is missing or damaged"):
        backup.look(packed(tmp_path / "bad.tar.gz", members))


def test_no_space_is_said_before_anything_is_written(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup.make(tmp_path / "good.tar.gz")
    monkeypatch.setattr("vsadmin.lib.files.free_bytes", lambda _folder: 1000)
    assert_refused(tmp_path / "good.tar.gz", "only 1000 bytes is free", data_dir)
