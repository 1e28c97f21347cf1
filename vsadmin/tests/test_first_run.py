"""What `up` prepares: the database with a copy of it, the static files, the first administrator."""

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders
from django.db import OperationalError, connection
from django.db.backends.sqlite3.base import DatabaseWrapper
from pytest_django.plugin import DjangoDbBlocker

from vsadmin import dbcopy, firstrun
from vsadmin.firstrun import CannotStart

User = get_user_model()


@pytest.mark.django_db
def test_one_start_prepares_at_a_time(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second waits, and at last says for whom."""
    monkeypatch.setattr(firstrun, "PATIENCE", 0.1)
    with firstrun.alone(), pytest.raises(CannotStart, match="Another start of vsadmin"), firstrun.alone():
        pass
    with firstrun.alone():
        pass


# --- the database ---------------------------------------------------------------------------------


@pytest.fixture
def data_dir(tmp_path: Path, settings: Any) -> Path:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    settings.VSADMIN_DATA_DIR.mkdir()
    return tmp_path / "data"


@pytest.fixture
def own_connection(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: DjangoDbBlocker
) -> Iterator[DatabaseWrapper]:
    """A connection to an SQLite file of the test's own, standing in for the panel's."""
    facts = {**connection.settings_dict, "ENGINE": "sqlite3", "NAME": str(data_dir / "vsadmin.sqlite3"), "OPTIONS": {}}
    own = DatabaseWrapper(facts, "own")
    monkeypatch.setattr(firstrun, "connection", own)
    monkeypatch.setattr(dbcopy, "connection", own)
    with django_db_blocker.unblock():
        yield own
    own.close()


@pytest.fixture
def database(data_dir: Path, own_connection: DatabaseWrapper) -> Path:
    """An SQLite database with one table."""
    place = data_dir / "vsadmin.sqlite3"
    with own_connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (word TEXT)")
        cursor.execute("INSERT INTO kept VALUES ('treasure')")
    place.chmod(0o644)
    return place


@pytest.fixture
def migrated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    done: list[str] = []
    monkeypatch.setattr(firstrun, "call_command", lambda name, **options: done.append(name))
    return done


def plan(monkeypatch: pytest.MonkeyPatch, pending: list[str], *, is_new: bool = False) -> None:
    monkeypatch.setattr(firstrun, "_plan", lambda: (pending, is_new))


def copies() -> list[Path]:
    return sorted(firstrun.copies_folder().iterdir()) if firstrun.copies_folder().is_dir() else []


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_database_is_copied_before_it_is_migrated(
    database: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(monkeypatch, ["mods.0002_more"])
    said: list[str] = []
    firstrun.prepare_database(said.append)
    (copy,) = copies()
    assert migrated == ["migrate"]
    assert mode(copy) == 0o600
    assert str(copy) in said[0]
    with sqlite3.connect(copy) as opened:
        assert opened.execute("SELECT word FROM kept").fetchall() == [("treasure",)]


def test_nothing_is_done_where_nothing_is_pending(
    database: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(monkeypatch, [])
    said: list[str] = []
    firstrun.prepare_database(said.append)
    assert (migrated, copies(), said) == ([], [], [])


def test_a_new_database_is_not_copied(database: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch, ["mods.0001_initial"], is_new=True)
    firstrun.prepare_database(lambda text: None)
    assert (migrated, copies()) == (["migrate"], [])


def test_three_copies_are_kept_and_other_files_left_alone(
    database: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(monkeypatch, ["mods.0002_more"])
    firstrun.copies_folder().mkdir()
    for day in range(1, 6):
        (firstrun.copies_folder() / f"vsadmin-2001010{day}-000000.sqlite3").touch()
    (firstrun.copies_folder() / "mine.sqlite3").touch()
    firstrun.prepare_database(lambda text: None)
    names = [copy.name for copy in copies()]
    assert names[:3] == ["mine.sqlite3", "vsadmin-20010104-000000.sqlite3", "vsadmin-20010105-000000.sqlite3"]
    assert len(names) == 4


def test_without_a_copy_nothing_is_migrated(
    database: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(target: Path) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    plan(monkeypatch, ["mods.0002_more"])
    monkeypatch.setattr(dbcopy, "copy_sqlite", full)
    with pytest.raises(CannotStart, match="disk is full") as refusal:
        firstrun.prepare_database(lambda text: None)
    assert "Nothing was changed" in refusal.value.remedy
    assert (migrated, copies()) == ([], [])


def test_only_its_owner_may_read_the_database(
    database: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(monkeypatch, [])
    firstrun.prepare_database(lambda text: None)
    assert mode(database) == 0o600


def test_a_database_that_does_not_answer(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused\nIs the server running?")

    monkeypatch.setattr(firstrun, "_plan", refuse)
    with pytest.raises(CannotStart, match=r"^The database can't be used: connection refused\n"):
        firstrun.prepare_database(lambda text: None)


@pytest.mark.usefixtures("own_connection")
def test_a_file_that_is_no_database(data_dir: Path) -> None:
    (data_dir / "vsadmin.sqlite3").write_text("no database at all, but long enough to have a header of its own")
    with pytest.raises(CannotStart, match="file is not a database"):
        firstrun.prepare_database(lambda text: None)


def test_postgresql_without_pg_dump_is_migrated_and_told(
    data_dir: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan(monkeypatch, ["mods.0002_more"])
    monkeypatch.setattr(firstrun, "connection", SimpleNamespace(vendor="postgresql", settings_dict={"NAME": "x"}))
    monkeypatch.setenv("PATH", "")
    said: list[str] = []
    firstrun.prepare_database(said.append)
    assert said[0] == (
        "No copy of the database was made: pg_dump isn't installed (sudo apt install postgresql-client)."
    )
    assert (migrated, copies()) == (["migrate"], [])


@pytest.mark.parametrize("works", [True, False])
def test_postgresql_is_dumped(
    data_dir: Path, tmp_path: Path, migrated: list[str], monkeypatch: pytest.MonkeyPatch, works: bool
) -> None:
    """pg_dump gets the password by its environment: arguments are seen by everybody on the machine."""
    from django.db.backends.postgresql.client import DatabaseClient

    program = tmp_path / "bin" / "pg_dump"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        'for part in "$@"; do case $part in --file=*) file=${part#--file=} ;; esac; done\n'
        f'echo "$@ $PGPASSWORD" > {tmp_path}/called\n'
        + ('echo dump > "$file"\n' if works else "echo 'server version mismatch' >&2; exit 1\n")
    )
    program.chmod(0o755)
    facts = {"NAME": "panel", "USER": "me", "PASSWORD": "secret", "HOST": "127.0.0.1", "PORT": 5432, "OPTIONS": {}}
    stand_in = SimpleNamespace(vendor="postgresql", settings_dict=facts, client=DatabaseClient(connection))
    monkeypatch.setattr(firstrun, "connection", stand_in)
    monkeypatch.setattr(dbcopy, "connection", stand_in)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    plan(monkeypatch, ["mods.0002_more"])
    said: list[str] = []
    firstrun.prepare_database(said.append)

    arguments, _space, password = (tmp_path / "called").read_text().strip().rpartition(" ")
    assert password == "secret"
    assert "secret" not in arguments
    assert "--format=custom" in arguments
    assert arguments.endswith(" -U me -h 127.0.0.1 -p 5432 panel")
    assert migrated == ["migrate"]
    if works:
        (copy,) = copies()
        assert (copy.suffix, copy.read_text(), mode(copy)) == (".dump", "dump\n", 0o600)
    else:
        assert (copies(), said[0]) == ([], "No copy of the database was made: server version mismatch")


@pytest.mark.django_db
def test_the_tests_own_database_is_up_to_date() -> None:
    assert firstrun.pending_migrations() == []


# --- static files ---------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path: Path, settings: Any) -> Iterator[Path]:
    settings.STATICFILES_DIRS = [tmp_path / "sources"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "data" / "tmp" / "static"
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "panel.css").write_text("a {}")
    remembered = cast(Any, finders.get_finder)  # an lru_cache
    remembered.cache_clear()
    yield tmp_path / "sources"
    remembered.cache_clear()


def test_static_files_are_collected_once(sources: Path, settings: Any) -> None:
    assert firstrun.collect_static() is True
    assert (settings.STATIC_ROOT / "panel.css").read_text() == "a {}"
    assert firstrun.collect_static() is False


def test_static_files_are_collected_again_when_one_changes(sources: Path, settings: Any) -> None:
    firstrun.collect_static()
    (sources / "panel.css").write_text("a { color: red }")
    assert firstrun.collect_static() is True
    (sources / "panel.css").rename(sources / "other.css")
    assert firstrun.collect_static() is True
    assert [path.name for path in settings.STATIC_ROOT.iterdir()] == ["other.css"]


def test_a_collection_that_was_interrupted_is_repeated(
    sources: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    firstrun.collect_static()
    style = sources / "panel.css"
    before = style.stat()
    style.write_text("a { color: red }")

    def full(*args: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(firstrun, "call_command", full)
        with pytest.raises(CannotStart, match="No space left"):
            firstrun.collect_static()
    style.write_text("a {}")
    os.utime(style, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert firstrun.collect_static() is True  # what is there may be half of it


# --- the administrator ----------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_first_administrator_gets_a_random_password() -> None:
    made = firstrun.ensure_administrator()
    assert made is not None
    assert (made.name, made.weakness) == ("admin", "")
    user = User.objects.get()
    assert user.is_superuser
    assert user.is_staff
    assert user.check_password(made.password)
    assert firstrun._weakness(made.password, user) == ""
    assert made.password != firstrun.random_password()


@pytest.mark.django_db
def test_there_is_only_one_first_administrator() -> None:
    firstrun.ensure_administrator()
    assert firstrun.ensure_administrator() is None
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_a_given_name_and_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSADMIN_ADMIN_USER", "maria")
    monkeypatch.setenv("VSADMIN_ADMIN_PASSWORD", "correct horse battery staple")
    made = firstrun.ensure_administrator()
    assert made == firstrun.Administrator("maria", password="", weakness="")
    assert User.objects.get(username="maria").check_password("correct horse battery staple")
    assert firstrun.administrator_name() == "maria"


@pytest.mark.django_db
def test_a_weak_given_password_is_taken_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSADMIN_ADMIN_PASSWORD", "admin")
    made = firstrun.ensure_administrator()
    assert made is not None
    assert "too short" in made.weakness
    assert User.objects.get().check_password("admin")


@pytest.mark.django_db
def test_somebody_elses_account_is_not_taken_over() -> None:
    User.objects.create_user("admin", password="mine")
    with pytest.raises(CannotStart, match="the user admin exists but isn't one"):
        firstrun.ensure_administrator()
    assert not User.objects.get().is_superuser
