"""The database as one file: SQLite's by its own backup, PostgreSQL's by its client's programs; a dump's rows read."""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from django.db import connection
from django.utils.translation import gettext as _

#: Seconds that one of PostgreSQL's programs may take.
_PROGRAM_SECONDS = 600
#: Bytes of a list or an error that are read, and of a line of rows at once.
_MAX_LIST = 4 * 1024 * 1024
_PIECE = 1024 * 1024


class Failed(Exception):
    """A dump couldn't be read; the text says why."""


def copy_sqlite(target: Path) -> None:
    """A consistent copy, made while others read and write. Raises OSError, sqlite3.Error."""
    connection.ensure_connection()
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.connection.backup(copy)


def dump_postgresql(target: Path, *, only: Sequence[str] = ()) -> str:
    """Dump with the client's pg_dump, where tables are named those alone; returns why there is none, or ""."""
    chosen = [f"--table={table}" for table in only]
    program = shutil.which("pg_dump")
    if program is None:
        return _missing("pg_dump")
    arguments, environment = connection.client.settings_to_cmd_args_env(connection.settings_dict, [])
    options = ["--format=custom", f"--file={target}", *chosen, "--no-password"]
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program; the rest is the owner's own setting
            [program, *options, *arguments[1:]],
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
    return (done.stderr.strip().splitlines() or [f"pg_dump: {done.returncode}"])[-1]


def entries_of(dump: Path) -> list[str]:
    """What a dump says that it holds, a line for each thing. Runs nothing of it. Raises Failed, OSError."""
    with _reading(["--list", str(dump)], _MAX_LIST) as lines:
        said = [line.decode(errors="replace").strip() for line in lines]
    return [line for line in said if line and not line.startswith(";")]


@contextlib.contextmanager
def script_of(dump: Path, most: int, *, table: str = "") -> Iterator[Iterator[bytes]]:
    """The rows of a dump, of one table or of all, as lines of an SQL script (long ones in pieces), which nobody runs.

    Raises Failed, also once there are more than `most` bytes; OSError.
    """
    chosen = [f"--table={table}"] if table else []
    with _reading(["--data-only", "--file=-", *chosen, str(dump)], most) as lines:
        yield lines


@contextlib.contextmanager
def _reading(options: list[str], most: int) -> Iterator[Iterator[bytes]]:
    """What pg_restore prints, which is asked to connect to nothing."""
    program = shutil.which("pg_restore")
    if program is None:
        raise Failed(_missing("pg_restore"))
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603  # a fixed program
            [program, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said
        ) as process,
    ):
        assert process.stdout is not None
        try:
            yield _pieces(process.stdout, most)
            if process.stdout.read(1) or process.wait():
                said.seek(0)
                lines = said.read(_MAX_LIST).decode(errors="replace").strip().splitlines()
                raise Failed((lines or [f"pg_restore: {process.returncode}"])[-1])
        finally:
            process.kill()


def _pieces(stream: IO[bytes], most: int) -> Iterator[bytes]:
    read = 0
    while piece := stream.readline(_PIECE):
        read += len(piece)
        if read > most:
            raise Failed(_("it holds more than %d bytes") % most)
        yield piece


def _missing(name: str) -> str:
    return _("%s isn't installed (sudo apt install postgresql-client).") % name
