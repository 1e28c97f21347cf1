"""Files among a server's mods: put there, taken away, renamed, and back again. No ORM.

Nothing is overwritten but the very file that a change names. What is replaced goes into a staging folder on the same
file system first, and the new file keeps its name there beside the one among the mods. So `undo` sees from the disk
alone how far a change came: it serves a step that failed and recovery after a crash alike, and where it is cut short
itself, it is called again.
"""

import errno
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from django.utils.translation import gettext as _

from vsadmin.lib import files
from vsadmin.lib.folders import Folder, Name

_CHUNK = 1024 * 1024
_LONGEST_NAME = 255
#: What systems say where there are no hard links, or none to other people's files (fs.protected_hardlinks).
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_ACL = "system.posix_acl_access"


class Refused(Exception):
    """The step can't be done; the text says why and what to do."""


class Stopped(Exception):
    """It was told to stop."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step's files. `old` is replaced by `new`, removed (`new` None) or renamed (`rename_to`).

    `number` is unique within the staging folders, which are those of the old and of the new file's folder.
    """

    number: int
    staging: Folder
    old_staging: Folder
    old: Name | None = None
    new: Name | None = None
    new_sha256: str = ""
    old_sha256: str = ""
    rename_to: Name | None = None
    is_folder: bool = False

    @property
    def staged(self) -> Name:
        """The new file, complete; it keeps this name until the change is recorded."""
        return self.staging / f"new-{self.number}"

    @property
    def second(self) -> Name:
        """Its second name, for a moment."""
        return self.staging / f"put-{self.number}"

    @property
    def aside(self) -> Name:
        """Where the old file goes."""
        name = os.fsencode(self.old.name if self.old else "")
        prefix = f"old-{self.number}-".encode()
        return self.old_staging / os.fsdecode(prefix + name[-(_LONGEST_NAME - len(prefix)) :])

    @property
    def keeps_name(self) -> bool:
        """Whether the new file takes the old one's name, letter case aside where the disk does so too."""
        if self.old is None or self.new is None:
            return False
        if self.old == self.new:
            return True
        return (
            self.old.folder == self.new.folder
            and self.old.name.casefold() == self.new.name.casefold()
            and self.old.is_same(self.new)
        )

    @property
    def folders(self) -> set[Folder]:
        """Whose names this change alters."""
        found = {name.folder for name in (self.old, self.new) if name is not None}
        if self.rename_to is None:
            found |= {self.staging} if self.new else set()
            found |= {self.old_staging} if self.old else set()
        return found


@dataclass(frozen=True, slots=True)
class Looks:
    """Owner, group and rights that a new file is to have."""

    mode: int
    owner: int
    group: int
    acl: bytes | None = None


# --- staging


def looks_for(folder: Folder, old: Name | None) -> Looks:
    """As the file that is replaced, else as a neighbour, else as the folder would have it. Raises OSError."""
    for name in [*([old] if old else []), *_neighbours(folder)]:
        with suppress(OSError), name.open() as file:
            found = os.fstat(file.fileno())
            return Looks(found.st_mode & 0o666 | 0o600, found.st_uid, found.st_gid, _acl_of(file))
    found = (folder / ".").lstat()
    return Looks(found.st_mode & 0o666 | 0o600, found.st_uid, found.st_gid)


def _neighbours(folder: Folder) -> Iterator[Name]:
    return (folder / name for name in folder.names() if not name.startswith("."))


def _acl_of(file: BinaryIO) -> bytes | None:
    try:
        return os.getxattr(file.fileno(), _ACL)
    except (OSError, AttributeError):  # none, or a system without
        return None


def stage(source: BinaryIO, change: Change, looks: Looks, stop: threading.Event | None = None) -> None:
    """Copy the new file into staging, durably, dressed as its neighbours. Raises OSError, Refused, Stopped."""
    digest = hashlib.sha256()
    with os.fdopen(change.staged.create(), "wb", buffering=0) as file:
        while chunk := source.read(_CHUNK):
            if stop is not None and stop.is_set():
                raise Stopped
            digest.update(chunk)
            _write(file.fileno(), chunk)
        if digest.hexdigest() != change.new_sha256:
            raise Refused(_("Its file isn't the one that was planned: the content differs. Plan it again."))
        _dress(file.fileno(), looks)
        os.fsync(file.fileno())


def _write(descriptor: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[os.write(descriptor, left) :]


def _dress(descriptor: int, looks: Looks) -> None:
    """Give the file its owner (only root can), group (only of those we are in) and rights."""
    with suppress(OSError):  # refused, or a file system without owners
        if os.geteuid() == 0:
            os.fchown(descriptor, looks.owner, -1)
        os.fchown(descriptor, -1, looks.group)
    made = os.fstat(descriptor)
    mode = looks.mode
    if (made.st_uid, made.st_gid) != (looks.owner, looks.group):
        mode |= 0o044  # whoever reads the neighbours must be able to read this one
    with suppress(OSError):  # a file system without rights
        if looks.acl is not None:
            os.setxattr(descriptor, _ACL, looks.acl)
        os.fchmod(descriptor, mode)


# --- looking


def look(name: Name, *, through_links: bool = False) -> tuple[os.stat_result, str]:
    """What a name stands for (its own `lstat`), and the SHA-256 of its bytes. Raises files.NotRegular, OSError."""
    seen = name.lstat()
    if through_links and stat.S_ISLNK(seen.st_mode):
        with files.open_regular(name.path, follow=True) as file:
            return seen, files.sha256_of(file)
    with name.open() as file:
        return os.fstat(file.fileno()), files.sha256_of(file)


def _check_unchanged(name: Name, seen: os.stat_result, *, is_folder: bool) -> None:
    """Raise Refused if the name no longer stands for what was looked at."""
    try:
        now = name.lstat()
    except FileNotFoundError:
        raise Refused(_("%s vanished at this very moment. Plan it again.") % name.name) from None
    same = (now.st_dev, now.st_ino) == (seen.st_dev, seen.st_ino)
    if same and not is_folder:
        same = (now.st_size, now.st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)
    if not same:
        raise Refused(_("%s was changed by somebody else at this very moment. Plan it again.") % name.name)


# --- doing


def place(change: Change, seen: os.stat_result | None) -> None:
    """Carry the change out; its new file is staged. `seen`: the old one, as `look` saw it.

    Raises OSError and Refused, perhaps half-way: call `undo` then. Once all is well, call `sync`.
    """
    old, new = change.old, change.new
    if old is not None:
        assert seen is not None
        _check_unchanged(old, seen, is_folder=change.is_folder)
    if change.rename_to is not None:
        assert old is not None
        _move(old, change.rename_to, is_folder=change.is_folder)
    elif old is None:
        _put(change)
    elif new is None:
        old.rename(change.aside)
    elif change.keeps_name:
        assert seen is not None
        _swap(change, old, new, seen)
    else:
        _put(change)
        old.rename(change.aside)


def _swap(change: Change, old: Name, new: Name, seen: os.stat_result) -> None:
    """The new file in the place of the old one, in one step where there are hard links."""
    if not _link(old, change.aside):
        old.rename(change.aside)
        _put(change)
        return
    if not _link(change.staged, change.second):
        old.unlink()
        _put(change)
        return
    _check_unchanged(old, seen, is_folder=False)
    change.second.replace(new)


def _put(change: Change) -> None:
    """Give the staged file its name among the mods."""
    assert change.new is not None
    if not _link(change.staged, change.new):
        _rename_to_free(change.staged, change.new)


def _move(source: Name, target: Name, *, is_folder: bool = False) -> None:
    """Rename, never over anything."""
    if is_folder or not _link(source, target):
        _rename_to_free(source, target)
    else:
        source.unlink()


def _link(source: Name, target: Name) -> bool:
    """Give a file a second name. False: there are no hard links here. Raises Refused where the name is taken."""
    try:
        source.link(target)
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _rename_to_free(source: Name, target: Name) -> None:
    """Where there are no hard links: the server's lock keeps ours away between look and rename."""
    if target.exists():
        raise _taken(target)
    source.rename(target)


def _taken(target: Name) -> Refused:
    return Refused(
        _("There is a file %s already, which isn't part of this. Move it away, then plan it again.") % target.path
    )


def sync(changes: "list[Change]") -> None:
    """Return once the names that these changes altered are on the disk. Raises OSError."""
    for folder in sorted({folder for change in changes for folder in change.folders}, key=lambda one: one.path):
        folder.sync()


# --- undoing


def undo(change: Change) -> None:
    """Put everything back as it was, however far `place` came, if at all. Raises OSError, Refused: call it again.

    What somebody else put there meanwhile stays. The staged file stays too: it tells our file from others.
    """
    if change.rename_to is not None:
        _undo_rename(change)
    else:
        _undo_placing(change)
    with suppress(FileNotFoundError):
        change.second.unlink()
    sync([change])


def _undo_rename(change: Change) -> None:
    old, renamed = change.old, change.rename_to
    assert old is not None
    assert renamed is not None
    if not renamed.exists():
        return
    if old.exists():
        if not change.is_folder and old.is_same(renamed):
            renamed.unlink()  # the second of two names, given a moment ago
        return
    if change.is_folder or look(renamed, through_links=True)[1] == change.old_sha256:
        _move(renamed, old, is_folder=change.is_folder)


def _undo_placing(change: Change) -> None:
    old, new = change.old, change.new
    if old is not None and change.aside.exists():
        if not old.exists():
            _move(change.aside, old)
        elif change.aside.is_same(old):
            change.aside.unlink()
        elif change.keeps_name and _is_ours(change):
            change.aside.replace(old)
    if new is None or not new.exists():
        return
    there_again = old is None or (old.exists() and not old.is_same(new))
    if there_again and _is_ours(change):
        if change.staged.exists() or change.staging.descriptor is None:  # somebody took the staging folder away
            new.unlink()
        else:
            new.rename(change.staged)


def _is_ours(change: Change) -> bool:
    """Whether what has the new file's name is what we put there."""
    assert change.new is not None
    if change.staged.exists():
        return change.new.is_same(change.staged)
    try:  # no hard links here: it was renamed from staging
        return look(change.new)[1] == change.new_sha256
    except OSError:
        return False
