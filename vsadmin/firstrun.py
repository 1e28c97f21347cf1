"""What must be there before the panel runs: a migrated database, static files, an administrator."""

import contextlib
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import django
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from vsadmin import dbcopy
from vsadmin.lib import conf, files, locks

Say = Callable[[str], None]


def _user_name(text: str) -> str:
    """A name that Django's own user form would take."""
    from django.contrib.auth.validators import UnicodeUsernameValidator
    from django.core.exceptions import ValidationError

    try:
        UnicodeUsernameValidator()(text)
    except ValidationError:
        raise conf.Malformed("a user name has letters, digits and @ . + - _ only.") from None
    if len(text) > 150:
        raise conf.Malformed("a user name has 150 characters at most.")
    return text


ADMIN_USER = conf.declare(
    "VSADMIN_ADMIN_USER", "admin", _user_name, "Write the first administrator's user name, such as admin."
)
ADMIN_PASSWORD = conf.declare(
    "VSADMIN_ADMIN_PASSWORD", "", str, "Write the first administrator's password, or leave it out for a random one."
)

#: Copies of the database that are kept.
KEPT_COPIES = 3
# Without those that look alike.
_PASSWORD_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # noqa: S105  # an alphabet, no password


class CannotStart(Exception):
    """vsadmin can't go on; `text` says why, `remedy` what to do."""

    def __init__(self, text: str, remedy: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.text}\n{self.remedy}".strip()


#: Seconds that one start waits for another that is preparing the same things.
PATIENCE = 600.0


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """For the block, no other start prepares anything: two at once would make the same tables. Raises `CannotStart`."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.wait_for("preparing", PATIENCE))
        except locks.Busy:
            raise CannotStart(
                _("Another start of vsadmin has been preparing the database for ten minutes."),
                _("See what it says, or stop it; then start again."),
            ) from None
        except Error as error:
            raise _unusable(error) from error
        yield


# --- database -------------------------------------------------------------------------------------


def pending_migrations() -> list[str]:
    """The migrations that are still to be applied. Raises `django.db.Error` where the database doesn't answer."""
    return _plan()[0]


def prepare_database(say: Say) -> None:
    """Copy the database aside and migrate it, where it is behind. Raises `CannotStart`."""
    _close_to_others()
    try:
        pending, is_new = _plan()
    except Error as error:
        raise _unusable(error) from error
    if not pending:
        return
    if not is_new:
        say(_copy_aside())
    say(_("Preparing the database …") if is_new else _("Updating the database …"))
    try:
        call_command("migrate", interactive=False, verbosity=0)
    except (Error, CommandError) as error:
        raise CannotStart(
            _("Updating the database failed: %s") % _first_line(error),
            _("Nothing was lost: the copy from before is in %s.") % copies_folder() if not is_new else "",
        ) from error
    _close_to_others()


def free_full_disk(say: Say) -> None:
    """On a full disk no database can be opened: the download cache gives way. Raises `CannotStart`."""
    from cache import eviction

    try:
        removed = eviction.free_if_full()
    except OSError as error:
        raise CannotStart(_("The download cache can't be made smaller."), files.in_words(error)) from error
    if removed:
        say(
            ngettext(
                "The disk is full: %d file of the download cache was removed. Free some more space.",
                "The disk is full: %d files of the download cache were removed. Free some more space.",
                removed,
            )
            % removed
        )


def _unusable(error: Error) -> CannotStart:
    return CannotStart(
        _("The database can't be used: %s") % _first_line(error),
        _("Check DATABASE_URL and that the database runs.")
        if settings_name_a_database()
        else _("Check that %s and its folder can be read and written, and that the disk isn't full.")
        % connection.settings_dict["NAME"],
    )


def settings_name_a_database() -> bool:
    return bool(os.environ.get("DATABASE_URL", "").strip())


def copies_folder() -> Path:
    """Where the database is copied to before it is migrated."""
    return settings.VSADMIN_DATA_DIR / "backups"


def _plan() -> tuple[list[str], bool]:
    """The migrations to apply, and whether none has been so far."""
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [str(migration) for migration, _backwards in plan], not executor.loader.applied_migrations


def _close_to_others() -> None:
    """SQLite's file: for this user alone. The files beside it take over its mode."""
    if connection.vendor == "sqlite":
        with contextlib.suppress(OSError):  # not there yet, or in memory
            Path(connection.settings_dict["NAME"]).chmod(0o600)


def _copy_aside() -> str:
    """Copy the database; returns what to tell of it. Raises `CannotStart` where an SQLite copy fails."""
    folder = copies_folder()
    ending = "sqlite3" if connection.vendor == "sqlite" else "dump"
    target = folder / f"vsadmin-{timezone.now():%Y%m%d-%H%M%S}.{ending}"
    draft = folder / f".{target.name}.part"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        if connection.vendor == "sqlite":
            dbcopy.copy_sqlite(draft)
        elif reason := dbcopy.dump_postgresql(draft):
            draft.unlink()
            return _("No copy of the database was made: %s") % reason
        _sync(draft)
        draft.replace(target)
        _sync(folder)
        _drop_old_copies(folder, target)
    except (OSError, sqlite3.Error, Error) as error:
        draft.unlink(missing_ok=True)
        raise CannotStart(
            _("The database couldn't be copied aside before its update: %s") % _first_line(error),
            _("Nothing was changed. Check that %s can be written and the disk isn't full.") % folder,
        ) from error
    return _("Copied the database to %s.") % target


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _drop_old_copies(folder: Path, newest: Path) -> None:
    """Keep `newest`, and of the others those with the latest times in their names: a clock may have been set back."""
    copies = sorted(path for path in folder.glob("vsadmin-*.*") if path.suffix in {".sqlite3", ".dump"})
    copies.remove(newest)
    for path in copies[: -(KEPT_COPIES - 1)]:
        path.unlink()


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


# --- static files ---------------------------------------------------------------------------------


def collect_static() -> bool:
    """Bring the static files together where their sources changed; returns whether they had. Raises `CannotStart`."""
    root = Path(settings.STATIC_ROOT)
    note = root.with_name(f"{root.name}.fingerprint")
    fingerprint = static_fingerprint()
    try:
        if root.is_dir() and note.is_file() and note.read_text() == fingerprint:
            return False
        root.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        note.unlink(missing_ok=True)
        call_command("collectstatic", interactive=False, clear=root.is_dir(), verbosity=0)
        note.write_text(fingerprint)
    except (OSError, ValueError, CommandError) as error:
        raise CannotStart(
            _("The static files couldn't be brought together: %s") % _first_line(error),
            _("Check that %s can be written and the disk isn't full.") % root.parent,
        ) from error
    return True


def static_fingerprint() -> str:
    """Changes with any static file's name, size or time, and with how they are stored."""
    from django.contrib.staticfiles.finders import get_finders

    digest = hashlib.sha256(repr((django.VERSION, settings.STORAGES["staticfiles"])).encode())
    for finder in get_finders():
        for name, storage in sorted(finder.list(["CVS", ".*", "*~"]), key=lambda found: found[0]):
            facts = Path(storage.path(name)).stat()
            digest.update(repr((name, facts.st_size, facts.st_mtime_ns)).encode())
    return digest.hexdigest()


# --- administrator --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Administrator:
    """The one just made. `password` is told only where it was made up here."""

    name: str
    password: str
    #: What is weak about a given password, "" where nothing is.
    weakness: str


def ensure_administrator() -> Administrator | None:
    """Make the first administrator where there is none; None where there is one. Raises `CannotStart`."""
    from django.contrib.auth import get_user_model

    users = get_user_model()._default_manager
    name, given = ADMIN_USER.get(), ADMIN_PASSWORD.get()
    if users.filter(is_superuser=True).exists():
        return None
    if users.filter(username=name).exists():
        raise CannotStart(
            _("There is no administrator, and the user %s exists but isn't one.") % name,
            _("Make one under another name: ./run.sh manage createsuperuser"),
        )
    password = given or random_password()
    with transaction.atomic():
        user = users.model(username=name, is_staff=True, is_superuser=True)
        user.set_password(password)
        user.save()
    return Administrator(name, "" if given else password, _weakness(given, user) if given else "")


def administrator_name() -> str:
    """Whose password to reset: the first administrator's."""
    from django.contrib.auth import get_user_model

    first = get_user_model()._default_manager.filter(is_superuser=True).order_by("pk").first()
    return first.get_username() if first else ADMIN_USER.get()


def random_password() -> str:
    """Four groups of four letters and digits: 79 bits, and quick to type."""
    return "-".join("".join(secrets.choice(_PASSWORD_LETTERS) for _letter in range(4)) for _group in range(4))


def _weakness(password: str, user: object) -> str:
    from django.contrib.auth.password_validation import validate_password
    from django.core.exceptions import ValidationError

    try:
        validate_password(password, user)  # type: ignore[arg-type]  # the model is looked up at run time
    except ValidationError as error:
        return " ".join(error.messages)
    return ""
