"""The database as the doctor looks at it: past the ORM, by a connection of its own that is given up in time."""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from vsadmin.findings import Finding, not_ok, ok, warning
from vsadmin.lib import sizes

#: Seconds to wait for others that write.
WRITE_WAIT = 1.0
#: Instructions of SQLite's machine between two looks at the clock.
_STEPS = 20_000
#: Beyond it something keeps the log of changes from being brought into the database.
_LARGE_WAL = 256 * 1024 * 1024


@dataclass(frozen=True)
class Looked:
    """`answers`: it can be read, so it is worth asking."""

    answers: bool
    findings: list[Finding]


def look(patience: float) -> Callable[[], Looked]:
    """A function that looks at it, for about `patience` seconds at most, without the ORM."""
    if connection.vendor == "sqlite":
        path = Path(str(connection.settings_dict["NAME"]))
        return lambda: look_at_sqlite(path, patience)
    parameters = connection.get_connection_params()
    return lambda: look_at_postgresql(parameters, patience)


def look_at_sqlite(path: Path, patience: float) -> Looked:
    """Whether it opens, is whole (`quick_check`, as far as the time allows), keeps a log ahead and can be written."""
    until = time.monotonic() + patience * 0.6
    if not path.exists():
        told = _("There is no database %s.") % path
        return Looked(False, [not_ok(told, _("Start vsadmin, which makes it:"), "./run.sh")])
    try:
        with contextlib.closing(_opened(path)) as database:
            whole = _quick_check(database, path, until)
            mode = str(database.execute("PRAGMA journal_mode").fetchone()[0]).lower()
            return Looked(True, [whole, _log_ahead(path, mode), _writable(database, path)])
    except sqlite3.DatabaseError as error:
        return Looked(False, [_refused(path, error)])


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=WRITE_WAIT, isolation_level=None)


def _quick_check(database: sqlite3.Connection, path: Path, until: float) -> Finding:
    begun = time.monotonic()
    database.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    size = sizes.in_words(path.stat().st_size)
    try:
        lines = [str(row[0]) for row in database.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        words = _(
            "SQLite answers (%(size)s). In %(seconds).1f s no damage was found; looking at all of it takes longer."
        )
        return ok(words % {"size": size, "seconds": time.monotonic() - begun})
    finally:
        database.set_progress_handler(None, 0)
    if lines != ["ok"]:
        return _damaged(path, lines[0])
    return ok(_("SQLite answers and is undamaged (%s).") % size)


def _damaged(path: Path, words: str) -> Finding:
    return not_ok(
        _("The database %(path)s is damaged: %(words)s") % {"path": path, "words": words[:200]},
        _("Stop vsadmin and put a backup in its place; those made before updates are in %s.")
        % (path.parent / "backups"),
        "./run.sh manage restore BACKUP-FILE",
    )


def _refused(path: Path, error: sqlite3.DatabaseError) -> Finding:
    if isinstance(error, sqlite3.OperationalError):
        if "locked" in str(error):
            return warning(_("The database was locked by others for %d s.") % WRITE_WAIT, _("Look again in a minute."))
        return not_ok(
            _("The database %(path)s can't be used: %(why)s.") % {"path": path, "why": error},
            _("Make the file and its folder readable and writable by the user running vsadmin:"),
            f'sudo chown "$(id -un)" {_quoted(path)} {_quoted(path.parent)}',
        )
    return _damaged(path, str(error))


def _log_ahead(path: Path, mode: str) -> Finding:
    if mode != "wal":
        return warning(
            _("The database doesn't write ahead (its journal mode is %s), so pages and tasks wait for each other.")
            % mode,
            _("Keep it on a disk of this machine: network drives can't do that."),
        )
    size = 0
    with contextlib.suppress(OSError):
        size = path.with_name(path.name + "-wal").stat().st_size
    if size > _LARGE_WAL:
        words = _("The log of changes beside the database has grown to %s.") % sizes.in_words(size)
        return warning(words, _("Restart vsadmin, which brings it into the database."))
    return ok(_("Changes are written ahead (WAL), so nobody waits for readers."))


def _writable(database: sqlite3.Connection, path: Path) -> Finding:
    try:
        database.execute("BEGIN IMMEDIATE")
        database.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return _refused(path, error)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return _refused(path, sqlite3.OperationalError("its folder can't be written"))
    return ok(_("It can be written."))


def look_at_postgresql(parameters: dict[str, Any], patience: float) -> Looked:
    """Whether it answers in time, and may be written."""
    import psycopg  # every process would take a tenth longer to start, and most have SQLite

    wanted = {**parameters, "connect_timeout": max(2, int(patience * 0.6))}
    try:
        with psycopg.connect(**wanted, autocommit=True) as database:
            database.execute(f"SET statement_timeout = {int(patience * 300)}")
            row = database.execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')").fetchone()
    except psycopg.Error as error:
        words = (str(error).strip().splitlines() or [type(error).__name__])[0]
        told = _("PostgreSQL doesn't answer: %s") % words[:300]
        remedy = _("Check that it runs, and DATABASE_URL.")
        return Looked(False, [not_ok(told, remedy, "systemctl status postgresql")])
    if row is not None and (row[0] or row[1] == "on"):
        told = _("PostgreSQL answers, but may not be written: it is a copy or switched to read only.")
        return Looked(True, [not_ok(told, _("Point DATABASE_URL to the one that may be written."))])
    return Looked(True, [ok(_("PostgreSQL answers and can be written."))])


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"
