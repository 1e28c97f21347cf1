"""Backup and restore: the database, the kept copies and the secret key as one file.

Left out: the download cache, which can be downloaded again, and django-q2's tables, whose waiting tasks would run
again. A backup is made while everything runs. What is restored may be anybody's file: all of it is looked through, and
what was under way in it is ended, before anything here is replaced.
"""

import contextlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import Error, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.translation import gettext as _

from cache import names
from cache.models import CacheEntry
from events.models import Delivery
from mods import keeping
from mods.models import KeptCopy, Operation, RefreshRun, Step
from vsadmin import backup_archive, backup_database, dbcopy
from vsadmin.backup_archive import DUMP, FORM, KEPT, KEY, MANIFEST, SQLITE, Archive, BackupError, Contents
from vsadmin.lib import files, sizes
from vsadmin.lib.jobs.models import JobRun, Worker

__all__ = ["BackupError", "Contents", "default_name", "is_anything_here", "look", "make", "restore"]


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
        copy = place / SQLITE
        dbcopy.copy_sqlite(copy)
        with contextlib.closing(sqlite3.connect(copy)) as database:
            held = backup_database.tables()
            found = database.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite#_%' ESCAPE '#'")
            for kind, name in found.fetchall():
                if kind in {"trigger", "view"} or (kind == "table" and name not in held):
                    quoted = connection.ops.quote_name(name)
                    database.execute(f"DROP {kind} IF EXISTS {quoted}")  # a trigger may have gone with its table
            database.commit()
            database.execute("VACUUM")
        return copy
    dump = place / DUMP
    if reason := dbcopy.dump_postgresql(dump, only=backup_database.tables()):
        raise BackupError(_("The backup couldn't be made: %s") % reason)
    return dump


def _write(file: IO[bytes], database: Path) -> Contents:
    kept = [keeping.path_of(name) for name in KeptCopy.objects.values_list("stored_name", flat=True)]
    there = [path for path in kept if path is not None and path.is_file()]
    contents = Contents(timezone.now(), settings.VSADMIN_VERSION, connection.vendor, len(there))
    with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
        manifest = {**contents.__dict__, "form": FORM, "made_at": contents.made_at.isoformat()}
        _add_bytes(archive, MANIFEST, json.dumps(manifest, indent=2).encode())
        archive.add(database, arcname=database.name, filter=_plain)
        key = settings.VSADMIN_DATA_DIR / KEY
        if key.is_file():
            archive.add(key, arcname=KEY, filter=_plain)
        for path in there:
            archive.add(path, arcname=KEPT + path.name, filter=_plain)
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


def is_anything_here() -> bool:
    """Whether there is a database that a restore would replace. Raises `django.db.Error`."""
    return MigrationRecorder(connection).has_table()


def look(source: Path) -> Contents:
    """What a backup holds, each member's name, kind and size checked. Raises BackupError."""
    with backup_archive.opened(source) as archive:
        return archive.contents


def restore(source: Path) -> Contents:
    """Put a backup in the place of what is here; call it while nothing else of vsadmin runs. Raises BackupError.

    First everything is checked, then everything is replaced. The database is replaced all or nothing; the kept copies
    are added to those that are here. What was under way when the backup was made is over, and everybody logs in again.
    """
    with backup_archive.opened(source) as archive:
        if archive.contents.vendor != connection.vendor:
            raise BackupError(
                _("The backup is of %(theirs)s, and this vsadmin uses %(ours)s. Set DATABASE_URL accordingly.")
                % {"theirs": archive.contents.vendor, "ours": connection.vendor}
            )
        try:
            with tempfile.TemporaryDirectory(prefix="restore-", dir=_working_folder()) as place:
                _take_in(archive, Path(place))
        except (OSError, sqlite3.Error, Error, EOFError, tarfile.TarError) as error:
            words = files.in_words(error) if isinstance(error, OSError) else str(error)
            raise BackupError(_("It couldn't be restored: %s") % words) from error
    return archive.contents


def _take_in(archive: Archive, place: Path) -> None:
    given = place / backup_archive.VENDORS[archive.contents.vendor]
    needed = archive.size + 2 * archive.members[given.name].size  # its rows, and the database that they replace
    if needed > (free := files.free_bytes(place)):
        words = _("It takes %(needed)s, and only %(free)s is free. Free some space, then try again.")
        raise BackupError(words % {"needed": sizes.in_words(needed), "free": sizes.in_words(free)})
    key = _key(archive)
    with archive.open(given.name) as content, given.open("xb") as file:
        shutil.copyfileobj(content, file)
    if connection.vendor == "sqlite":
        made = place / "made.sqlite3"
        backup_database.prepare_sqlite(given, made, _settle)
        _add_kept_copies(archive)
        _replace_sqlite(made)
    else:

        def settle() -> None:
            _settle()
            _add_kept_copies(archive)

        backup_database.replace_postgresql(given, settle)
    if key is not None:
        with files.staged(settings.VSADMIN_DATA_DIR) as staged:
            staged.file.write(key)
            staged.sync()
            staged.place(settings.VSADMIN_DATA_DIR / KEY)


def _key(archive: Archive) -> bytes | None:
    """The secret key, as one that vsadmin can start with. Raises BackupError."""
    if KEY not in archive.members:
        return None
    key = archive.open(KEY).read().strip()
    if not key or not key.isascii() or not key.decode().isprintable():
        raise backup_archive.not_ours(KEY)
    return key


def _add_kept_copies(archive: Archive) -> None:
    """Files before the rows that name them come to count; what is there already stays."""
    for name in archive.kept:
        target = keeping.folder() / name
        if os.path.lexists(target):
            continue
        with archive.open(KEPT + name) as content, files.staged(target.parent) as staged:
            shutil.copyfileobj(content, staged.file)
            staged.sync()
            staged.place(target)


def _settle() -> None:
    """Of the rows that were taken in: end what was under way, drop who was logged in, refuse names that aren't ours.

    Nothing that somebody else wrote down goes on by itself: whoever wants it asks again. Raises BackupError.
    """
    backup_database.check_values()
    now = timezone.now()
    over = {"ended_at": now}
    words = _("It was under way when the backup was made, and isn't gone on with. Look at the mods, then ask again.")
    Operation.objects.unfinished().update(state=Operation.State.FAILED, doing="", message=words, **over)
    steps, state = Step.objects.all(), Step.State
    steps.filter(state=state.PLACED).update(state=state.DONE)
    steps.exclude(state__in=(state.DONE, state.FAILED, state.SKIPPED)).update(state=state.FAILED, message=words)
    words = _("It was waiting or running when the backup was made.")
    runs = JobRun.objects.exclude(state__in=(JobRun.State.DONE, JobRun.State.FAILED))
    runs.update(state=JobRun.State.FAILED, doing="", message=words, **over)
    RefreshRun.objects.filter(state=RefreshRun.State.RUNNING).update(
        state=RefreshRun.State.FAILED, summary=words, **over
    )
    deliveries = Delivery.objects.exclude(state__in=(Delivery.State.SENT, Delivery.State.FAILED))
    deliveries.update(state=Delivery.State.FAILED, next_try_at=None, claimed_until=None, result=words, **over)
    Session.objects.all().delete()
    Worker.objects.all().delete()
    for name in KeptCopy.objects.values_list("stored_name", flat=True).iterator():
        if not keeping.is_stored_name(name):
            raise backup_archive.not_ours(name)
    for name in CacheEntry.objects.values_list("file_name", flat=True).iterator():
        if names.key_of(name) is None:
            raise backup_archive.not_ours(name)


def _replace_sqlite(made: Path) -> None:
    """Load it into the database file through SQLite itself: all or nothing, readers of it included."""
    with contextlib.closing(sqlite3.connect(made)) as copy:
        connection.ensure_connection()
        copy.backup(connection.connection)
    connection.close()
    Path(connection.settings_dict["NAME"]).chmod(0o600)


def default_name() -> Path:
    """Where a backup goes when nobody says: among ours, named by the time."""
    folder = settings.VSADMIN_DATA_DIR / "backups"
    files.private_folder(folder)
    return Path(folder) / f"vsadmin-backup-{timezone.localtime():%Y%m%d-%H%M%S}.tar.gz"
