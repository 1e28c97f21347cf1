"""The whole database as one file, and back: SQLite by its own backup, PostgreSQL by its client's programs."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path

from django.db import connection
from django.utils.translation import gettext as _

#: Seconds that one of PostgreSQL's programs may take.
_PROGRAM_SECONDS = 600


def copy_sqlite(target: Path) -> None:
    """A consistent copy, made while others read and write. Raises OSError, sqlite3.Error."""
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.connection.backup(copy)


def dump_postgresql(target: Path, *, without: Sequence[str] = ()) -> str:
    """Dump with the client's pg_dump, less the tables named (`*` allowed); returns why there is none, or ""."""
    left_out = [f"--exclude-table={table}" for table in without]
    return _run("pg_dump", ["--format=custom", f"--file={target}", *left_out])


def load_postgresql(source: Path) -> str:
    """Replace the database's contents by a dump's, all or nothing; returns why that failed, or ""."""
    options = ["--clean", "--if-exists", "--no-owner", "--single-transaction", str(source)]
    return _run("pg_restore", options, database_named=True)


def _run(name: str, options: list[str], *, database_named: bool = False) -> str:
    program = shutil.which(name)
    if program is None:
        return _("%s isn't installed (sudo apt install postgresql-client).") % name
    arguments, environment = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    # What Django makes for psql: options, and the database's name as the last.
    where = [*arguments[1:-1], f"--dbname={arguments[-1]}"] if database_named else arguments[1:]
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program; the rest is the owner's own setting
            [program, *options, "--no-password", *where],
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROGRAM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"{name}: {done.returncode}"])[-1]
