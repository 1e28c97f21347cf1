"""Files among a server's mods: put there, taken away, renamed, and back again. No ORM.

Nothing is overwritten but the very file that a change names. What is replaced goes into a staging folder on the same
file system first, and the new file keeps its name there beside the one among the mods. So `undo` sees from the disk
alone how far a change came: it serves a step that failed and recovery after a crash alike, and where it is cut short
itself, it is called again.
"""

import errno
import fcntl
import hashlib
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext as _

from vsadmin.lib import files

#: Beside a mod folder, or in it where that is a file system of its own. Hidden names are no mods.
STAGING = ".vsadmin"
_CHUNK = 1024 * 1024
_LONGEST_NAME = 255
#: What systems say where there are no hard links, or none to other people's files (fs.protected_hardlinks).
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
#: What file systems say that can't sync a folder.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF}
_ASIDE = re.compile(r"old-(\d+)-(.+)", re.DOTALL)
_LEFT_OVER = re.compile(r"(?:new|put)-\d+")
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
    staging: Path
    old_staging: Path
    old: Path | None = None
    new: Path | None = None
    new_sha256: str = ""
    old_sha256: str = ""
    rename_to: Path | None = None
    is_folder: bool = False

    @property
    def staged(self) -> Path:
        """The new file, complete; it keeps this name until the change is recorded."""
        return self.staging / f"new-{self.number}"

    @property
    def second(self) -> Path:
        """Its second name, for a moment."""
        return self.staging / f"put-{self.number}"

    @property
    def aside(self) -> Path:
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
            self.old.parent == self.new.parent
            and self.old.name.casefold() == self.new.name.casefold()
            and _is_same(self.old, self.new)
        )

    @property
    def folders(self) -> set[Path]:
        """Whose names this change alters."""
        found = {path.parent for path in (self.old, self.new) if path is not None}
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


def staging_places(folder: Path, name: str) -> tuple[Path, Path]:
    """Where the staging folder `name` of a mod folder can be: beside it, and in it."""
    return folder.parent / STAGING / name, folder / STAGING / name


def find_staging(folder: Path, name: str) -> Path:
    """The staging folder that there is; where there is none, the path of one that isn't."""
    beside, inside = staging_places(folder, name)
    return inside if inside.is_dir() else beside


@contextmanager
def staging(folder: Path, name: str) -> Iterator[Path]:
    """Make the staging folder for a mod folder, on the same file system, locked for the block. Raises OSError.

    It stays: `clear` removes it once it is empty.
    """
    place = _make_staging(folder, name)
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # NFS has no locks on folders; the lock of the change serves there
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield place
    finally:
        os.close(descriptor)


def in_use(place: Path) -> bool:
    """Whether some process, ours or another vsadmin's, works in this staging folder."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _make_staging(folder: Path, name: str) -> Path:
    mount = _mount_of(folder)
    beside, inside = staging_places(folder, name)
    with suppress(OSError):
        if _mount_of(folder.parent) == mount:
            files.private_folder(beside)
            if _mount_of(beside) == mount:
                return beside
            clear(beside)
    files.private_folder(inside)
    return inside


def _mount_of(folder: Path) -> tuple[int, str]:
    """Device and mount: two mounts of one device can't be linked or renamed between. Raises OSError."""
    descriptor = os.open(folder, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY)
    try:
        told = ""
        with suppress(OSError):
            told = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
        mount = next((line for line in told.splitlines() if line.startswith("mnt_id:")), "")
        return os.fstat(descriptor).st_dev, mount
    finally:
        os.close(descriptor)


def clear(place: Path) -> bool:
    """Remove our leftovers in a staging folder, and it, if nothing else is in it. Raises OSError.

    Files that were put aside stay. Whether the folder is gone.
    """
    with suppress(FileNotFoundError):
        for name in os.listdir(place):
            if _LEFT_OVER.fullmatch(name):
                (place / name).unlink()
    for folder in (place, place.parent):
        try:
            folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return folder != place
    return True


def put_aside(place: Path) -> list[tuple[Path, str]]:
    """The files that were put aside in a staging folder, with the names that they had. Raises OSError."""
    found = []
    with suppress(FileNotFoundError):
        for name in sorted(os.listdir(place)):
            if match := _ASIDE.fullmatch(name):
                found.append((place / name, match[2]))
    return found


def looks_for(folder: Path, old: Path | None) -> Looks:
    """As the file that is replaced, else as a neighbour, else as the folder would have it. Raises OSError."""
    for path in [*([old] if old else []), *_neighbours(folder)]:
        with suppress(OSError):
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                return Looks(found.st_mode & 0o666 | 0o600, found.st_uid, found.st_gid, _acl_of(path))
    found = folder.stat()
    return Looks(found.st_mode & 0o666 | 0o600, found.st_uid, found.st_gid)


def _neighbours(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                yield Path(entry.path)


def _acl_of(path: Path) -> bytes | None:
    try:
        return os.getxattr(path, _ACL, follow_symlinks=False)
    except (OSError, AttributeError):  # none, or a system without
        return None


def stage(source: BinaryIO, change: Change, looks: Looks, stop: threading.Event | None = None) -> None:
    """Copy the new file into staging, durably, dressed as its neighbours. Raises OSError, Refused, Stopped."""
    digest = hashlib.sha256()
    descriptor = os.open(change.staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb", buffering=0) as file:
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


def look(path: Path, *, through_links: bool = False) -> tuple[os.stat_result, str]:
    """What a name stands for (its own `lstat`), and the SHA-256 of its bytes. Raises files.NotRegular, OSError."""
    seen = path.lstat()
    if through_links and stat.S_ISLNK(seen.st_mode):
        with files.open_regular(Path(os.path.realpath(path))) as file:
            return seen, files.sha256_of(file)
    with files.open_regular(path) as file:
        return os.fstat(file.fileno()), files.sha256_of(file)


def _check_unchanged(path: Path, seen: os.stat_result, *, is_folder: bool) -> None:
    """Raise Refused where the name no longer stands for what was looked at."""
    try:
        now = path.lstat()
    except FileNotFoundError:
        raise Refused(_("%s vanished at this very moment. Plan it again.") % path.name) from None
    same = (now.st_dev, now.st_ino) == (seen.st_dev, seen.st_ino)
    if same and not is_folder:
        same = (now.st_size, now.st_mtime_ns) == (seen.st_size, seen.st_mtime_ns)
    if not same:
        raise Refused(_("%s was changed by somebody else at this very moment. Plan it again.") % path.name)


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names stand for one file; False where either is missing."""
    try:
        first, second = one.lstat(), other.lstat()
    except FileNotFoundError:
        return False
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


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


def _swap(change: Change, old: Path, new: Path, seen: os.stat_result) -> None:
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


def _move(source: Path, target: Path, *, is_folder: bool = False) -> None:
    """Rename, never over anything."""
    if is_folder or not _link(source, target):
        _rename_to_free(source, target)
    else:
        source.unlink()


def _link(source: Path, target: Path) -> bool:
    """Give a file a second name. False: there are no hard links here. Raises Refused where the name is taken."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise _taken(target) from None
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    return True


def _rename_to_free(source: Path, target: Path) -> None:
    """Where there are no hard links: the server's lock keeps ours away between look and rename."""
    if os.path.lexists(target):
        raise _taken(target)
    source.rename(target)


def _taken(target: Path) -> Refused:
    return Refused(
        _("There is a file %s already, which isn't part of this. Move it away, then plan it again.") % target
    )


def sync(changes: "list[Change]") -> None:
    """Return once the names that these changes altered are on the disk. Raises OSError."""
    for folder in sorted({folder for change in changes for folder in change.folders}):
        sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """As `files.sync_folder`; a file system that can't is left to its own ways."""
    try:
        files.sync_folder(folder)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


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
    for folder in change.folders:
        with suppress(FileNotFoundError):
            sync_folder(folder)


def _undo_rename(change: Change) -> None:
    old, renamed = change.old, change.rename_to
    assert old is not None
    assert renamed is not None
    if not os.path.lexists(renamed):
        return
    if os.path.lexists(old):
        if not change.is_folder and _is_same(old, renamed):
            renamed.unlink()  # the second of two names, given a moment ago
        return
    if change.is_folder or look(renamed, through_links=True)[1] == change.old_sha256:
        _move(renamed, old, is_folder=change.is_folder)


def _undo_placing(change: Change) -> None:
    old, new = change.old, change.new
    if old is not None and os.path.lexists(change.aside):
        if not os.path.lexists(old):
            _move(change.aside, old)
        elif _is_same(change.aside, old):
            change.aside.unlink()
        elif change.keeps_name and _is_ours(change):
            change.aside.replace(old)
    if new is None or not os.path.lexists(new):
        return
    there_again = old is None or (os.path.lexists(old) and not _is_same(old, new))
    if there_again and _is_ours(change):
        if os.path.lexists(change.staged):
            new.unlink()
        else:
            new.rename(change.staged)


def _is_ours(change: Change) -> bool:
    """Whether what has the new file's name is what we put there."""
    assert change.new is not None
    if os.path.lexists(change.staged):
        return _is_same(change.new, change.staged)
    try:  # no hard links here: it was renamed from staging
        return look(change.new)[1] == change.new_sha256
    except OSError:
        return False
