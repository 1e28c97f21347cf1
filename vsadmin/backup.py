"""Backup and restore: the database, the kept copies and the secret key as one file.

Left out: the download cache, which can be downloaded again, and django-q2's tables, whose waiting tasks would run
again. A backup is made while everything runs. What is restored is looked at first, member by member: it may be
anybody's file.
"""

import contextlib
import io
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management import call_command
from django.db import Error, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import keeping
from mods.models import KeptCopy
from vsadmin import dbcopy
from vsadmin.lib import files

#: Of the archive's form, raised when an older vsadmin couldn't read it.
FORM = 1
_QUEUE_TABLES = "django_q_*"
_MANIFEST, _SQLITE, _DUMP, _KEY, _KEPT = "manifest.json", "database.sqlite3", "database.dump", "secret_key", "kept/"
_MAX_MANIFEST = 64 * 1024
_MAX_MEMBERS = 100_000


class BackupError(Exception):
    """It couldn't be made or restored; the text says why and what to do."""


@dataclass(frozen=True)
class Contents:
    """What a backup holds."""

    made_at: datetime
    version: str
    #: "sqlite" or "postgresql": it can only go back into the same kind.
    vendor: str
    kept_copies: int


# --- making one


def make(target: Path) -> Contents:
    """Write a backup to `target`, mode 0600, whole or not at all. Raises BackupError."""
    if target.exists():
        raise BackupError(_("%s is there already. Give another name.") % target)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="backup-", dir=_working_folder()) as place,
            files.staged(target.parent) as staged,
        ):
            database = _copy_database(Path(place))
            contents = _write(staged.file, database)
            staged.sync()
            staged.place(target)
    except (OSError, sqlite3.Error, Error) as error:
        words = files.in_words(error) if isinstance(error, OSError) else str(error)
        raise BackupError(_("The backup couldn't be made: %s") % words) from error
    return contents


def _working_folder() -> Path:
    folder = settings.VSADMIN_DATA_DIR / "tmp"
    files.private_folder(folder)
    return Path(folder)


def _copy_database(place: Path) -> Path:
    if connection.vendor == "sqlite":
        copy = place / _SQLITE
        dbcopy.copy_sqlite(copy)
        with contextlib.closing(sqlite3.connect(copy)) as database:
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name GLOB ?", [_QUEUE_TABLES]
            )
            for (name,) in tables.fetchall():
                database.execute(f'DROP TABLE "{name}"')
            database.commit()
            database.execute("VACUUM")
        return copy
    dump = place / _DUMP
    if reason := dbcopy.dump_postgresql(dump, without=[_QUEUE_TABLES]):
        raise BackupError(_("The backup couldn't be made: %s") % reason)
    return dump


def _write(file: IO[bytes], database: Path) -> Contents:
    kept = [keeping.folder() / name for name in KeptCopy.objects.values_list("stored_name", flat=True)]
    there = [path for path in kept if path.is_file()]
    contents = Contents(timezone.now(), settings.VSADMIN_VERSION, connection.vendor, len(there))
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
        manifest = {**contents.__dict__, "form": FORM, "made_at": contents.made_at.isoformat()}
        _add_bytes(archive, _MANIFEST, json.dumps(manifest, indent=2).encode())
        archive.add(database, arcname=database.name, filter=_plain)
        key = settings.VSADMIN_DATA_DIR / _KEY
        if key.is_file():
            archive.add(key, arcname=_KEY, filter=_plain)
        for path in there:
            archive.add(path, arcname=_KEPT + path.name, filter=_plain)
    return contents


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the names and numbers of this machine's users."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o600
    return member


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o600
    archive.addfile(member, io.BytesIO(data))


# --- restoring one


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(source, mode="r:gz") as archive:
            yield archive
    except (tarfile.TarError, EOFError, OSError) as error:
        words = files.in_words(error) if isinstance(error, PermissionError | FileNotFoundError) else str(error)
        raise BackupError(_("%(file)s can't be read as a backup: %(why)s") % {"file": source, "why": words}) from error


def look(source: Path) -> Contents:
    """What a backup holds, each member's name and kind checked. Raises BackupError."""
    with _opened(source) as archive:
        members = _checked(archive)
        return _contents(archive, members)


def _checked(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """The members by name: only those that a backup has, each a plain file, each once."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in archive:
        name = member.name
        kept = name.removeprefix(_KEPT) if name.startswith(_KEPT) else ""
        known = name in {_MANIFEST, _SQLITE, _DUMP, _KEY} or (kept and keeping.is_stored_name(kept))
        if not known or not member.isreg() or name in members or len(members) > _MAX_MEMBERS:
            raise BackupError(_("It isn't a backup of vsadmin: it holds %r.") % name[:200])
        members[name] = member
    return members


def _contents(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Contents:
    try:
        manifest = _json(archive, members[_MANIFEST])
        if manifest["form"] > FORM:
            raise BackupError(_("It was made by a newer vsadmin (%s). Upgrade first.") % manifest["version"])
        contents = Contents(
            datetime.fromisoformat(manifest["made_at"]),
            str(manifest["version"]),
            str(manifest["vendor"]),
            sum(name.startswith(_KEPT) for name in members),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BackupError(_("It isn't a backup of vsadmin: its manifest is missing or damaged.")) from error
    wanted = _SQLITE if contents.vendor == "sqlite" else _DUMP
    if wanted not in members:
        raise BackupError(_("It isn't a backup of vsadmin: it holds no database."))
    return contents


def _json(archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    file = archive.extractfile(member)
    if file is None or member.size > _MAX_MANIFEST:
        raise ValueError(member.name)
    found = json.load(file)
    if not isinstance(found, dict):
        raise TypeError(type(found))
    return found


def restore(source: Path) -> Contents:
    """Put a backup in the place of what is here; call it while nothing else of vsadmin runs. Raises BackupError.

    The database is replaced all or nothing; the kept copies are added to those that are here.
    """
    with _opened(source) as archive:
        members = _checked(archive)
        contents = _contents(archive, members)
        if contents.vendor != connection.vendor:
            raise BackupError(
                _("The backup is of %(theirs)s, and this vsadmin uses %(ours)s. Set DATABASE_URL accordingly.")
                % {"theirs": contents.vendor, "ours": connection.vendor}
            )
        try:
            with tempfile.TemporaryDirectory(prefix="restore-", dir=_working_folder()) as place:
                _take_in(archive, members, Path(place))
        except (OSError, sqlite3.Error, Error) as error:
            words = files.in_words(error) if isinstance(error, OSError) else str(error)
            raise BackupError(_("It couldn't be restored: %s") % words) from error
    return contents


def _take_in(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], place: Path) -> None:
    for name in [name for name in members if name.startswith(_KEPT)]:
        _extract(archive, members[name], keeping.folder() / name.removeprefix(_KEPT))
    if _KEY in members:
        _extract(archive, members[_KEY], settings.VSADMIN_DATA_DIR / _KEY, replace=True)
    if connection.vendor == "sqlite":
        database = place / _SQLITE
        _extract(archive, members[_SQLITE], database)
        _replace_sqlite(database)
    else:
        dump = place / _DUMP
        _extract(archive, members[_DUMP], dump)
        if reason := dbcopy.load_postgresql(dump):
            raise BackupError(_("It couldn't be restored: %s") % reason)
    with connection.cursor() as cursor:  # so that migrating makes the queue's tables anew
        for name in connection.introspection.table_names(cursor):
            if name.startswith(_QUEUE_TABLES.removesuffix("*")):  # those from before, which no dump replaces
                cursor.execute(f"DROP TABLE {connection.ops.quote_name(name)}")
        cursor.execute("DELETE FROM django_migrations WHERE app = 'django_q'")
    call_command("migrate", interactive=False, verbosity=0)


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path, *, replace: bool = False) -> None:
    """Write a member's bytes to a name of ours; where that is there already, it stays unless told otherwise."""
    if target.exists() and not replace:
        return
    content = archive.extractfile(member)
    if content is None:
        raise BackupError(_("It isn't a backup of vsadmin: it holds %r.") % member.name)
    with files.staged(target.parent) as staged:
        shutil.copyfileobj(content, staged.file)
        staged.sync()
        staged.place(target)


def _replace_sqlite(database: Path) -> None:
    """Load the copy into the database file through SQLite itself: all or nothing, readers of it included."""
    with contextlib.closing(sqlite3.connect(database)) as copy:
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise BackupError(_("The backup's database is damaged: %s") % found)
        connection.ensure_connection()
        copy.backup(connection.connection)
    connection.close()
    Path(connection.settings_dict["NAME"]).chmod(0o600)


def default_name() -> Path:
    """Where a backup goes when nobody says: among ours, named by the time."""
    folder = settings.VSADMIN_DATA_DIR / "backups"
    files.private_folder(folder)
    return Path(folder) / f"vsadmin-backup-{timezone.localtime():%Y%m%d-%H%M%S}.tar.gz"
