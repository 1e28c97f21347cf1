"""Files written so that neither a crash nor a power cut leaves half of one: staged, made durable, put in place.

A staged file is locked (flock) by whoever writes it. The system frees the lock when that process dies, so `sweep` tells
a leftover from work under way without asking for ages or process numbers.
"""

import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO


class NotRegular(OSError):
    """The name is a link, a folder or a device, where a file should be."""


@dataclass(slots=True)
class Staged:
    """A new file being written. `file` is open for reading and writing; `path` is where it is for now."""

    file: BinaryIO
    path: Path
    placed: bool = False

    def sync(self) -> None:
        """Return once every byte is on the disk. Raises OSError."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def place(self, target: Path) -> None:
        """Move the file to `target` (same file system; what is there is replaced) for good. Raises OSError.

        Call `sync` first. Where only the last step fails, the file stands at `target` but a power cut may undo it.
        """
        self.path.replace(target)
        self.placed = True
        sync_folder(target.parent)


@dataclass(frozen=True)
class Leftovers:
    """Staged files that nobody works on any more: how many there were, and what of them couldn't be removed."""

    files: int = 0
    bytes: int = 0
    left_bytes: int = 0


@contextmanager
def staged(folder: Path) -> Iterator[Staged]:
    """A new file in `folder` (made if missing), mode 0600; gone when the block ends, unless it was placed.

    Whoever opened it meanwhile can go on reading. Raises OSError.
    """
    private_folder(folder)
    descriptor, path = _create_locked(folder)
    with os.fdopen(descriptor, "w+b") as file:
        made = Staged(file, path)
        try:
            yield made
        finally:
            if not made.placed:
                with suppress(OSError):  # swept later
                    path.unlink(missing_ok=True)


def _create_locked(folder: Path) -> tuple[int, Path]:
    while True:
        path = folder / f"{secrets.token_hex(8)}.part"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with suppress(OSError):  # a sweeper holds it just now and removes it: the link count says so
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(descriptor).st_nlink:
                return descriptor, path
        os.close(descriptor)


def leftovers(folder: Path, *, remove: bool = False) -> Leftovers:
    """What killed processes left in a staging folder; with `remove`, it is swept. A missing folder has none.

    `left_bytes` is what takes up space afterwards.
    """
    files = size = left = 0
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            bytes_, removed = _look_at(entry.path, remove)
            if bytes_ is not None:
                files, size = files + 1, size + bytes_
                left += 0 if removed else bytes_
    return Leftovers(files, size, left)


def _look_at(path: str, remove: bool) -> tuple[int | None, bool]:
    """The size of a leftover (None: it is none) and whether it was removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None, False
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or not found.st_nlink:
            return None, False
        fcntl.flock(descriptor, (fcntl.LOCK_EX if remove else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        if remove:
            Path(path).unlink()
        return found.st_size, remove
    except BlockingIOError:
        return None, False
    except OSError:
        return found.st_size, False
    finally:
        os.close(descriptor)


def private_folder(folder: Path) -> None:
    """Make the folder, and those missing above it, for their owner alone (0700). Raises OSError."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Return once the folder's names are on the disk. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_regular(path: Path, *, follow: bool = False, dir_fd: int | None = None) -> BufferedReader:
    """Open a file of somebody else's folder for reading. It never waits for a pipe's writer and never takes a terminal.

    `follow`: a link counts as the regular file it leads to. `dir_fd`: the open folder that a relative `path` is in.
    Raises NotRegular if the name is a folder, a pipe, a device or (without `follow`) a link; else OSError.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.ENXIO or (error.errno == errno.ELOOP and not follow):  # a socket; a link
            raise NotRegular(*error.args, str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, limit: int, *, follow: bool = False) -> bytes:
    """The first `limit` bytes of such a file, and one more if there are more. Raises as `open_regular` does."""
    with open_regular(path, follow=follow) as file:
        return file.read(limit + 1)


def sha256_of(file: BufferedReader) -> str:
    """The SHA-256, in hex, of an open file from where it stands. Raises OSError."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(folder: Path) -> int:
    """Free space for us on the disk that the folder is on, or will be. Raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def in_words(error: OSError) -> str:
    """What the system refused, for people: one sentence with what to do."""
    from django.utils.translation import gettext as _  # `mods.modinfo` reads files without Django

    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return _("The disk is full. Free some space, then try again.")
        case errno.EROFS:
            return _("The disk is read-only. Make it writable again, then try again.")
        case errno.EACCES | errno.EPERM:
            return _("Access was refused to %s. Make it readable and writable by the user running vsadmin.") % (
                error.filename or _("a file")
            )
        case errno.EISDIR | errno.ENOTEMPTY:
            return _("%s is a folder where a file should be. Remove it, then try again.") % (error.filename or "")
        case errno.EMFILE | errno.ENFILE:
            return _("Too many files are open. Try again in a moment.")
    reason = error.strerror or type(error).__name__
    return _("The disk reported an error (%s). Check the disk and the system's log.") % reason
