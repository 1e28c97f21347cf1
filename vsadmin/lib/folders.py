"""Folders held open, and the names in them, reached by descriptor.

Somebody else owns a server's folders. Whatever link is put in the place of one while we work in it leads us nowhere.
"""

import errno
import os
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from vsadmin.lib import files

#: What file systems say that can't sync a folder.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF}
_LOOKED_AT = getattr(os, "O_PATH", os.O_RDONLY) | os.O_NOFOLLOW | os.O_CLOEXEC
_OPENED = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Folder:
    """An open folder; close it after use. `path` is for words. `descriptor` None: there is no such folder."""

    path: Path
    descriptor: int | None

    def __truediv__(self, name: str) -> "Name":
        return Name(self, name)

    def names(self) -> list[str]:
        """What is in it, in order; nothing if it doesn't exist. Raises OSError."""
        if self.descriptor is None:
            return []
        # Threads that list one descriptor share where they are in it, and each misses some names.
        own = os.open(".", _OPENED, dir_fd=self.descriptor)
        try:
            return sorted(os.listdir(own))
        finally:
            os.close(own)

    def sync(self) -> None:
        """Return once its names are on the disk; a file system that can't is left to its own ways. Raises OSError."""
        if self.descriptor is None:
            return
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Name:
    """A name in an open folder: of a file, of a link (never followed), or of nothing."""

    folder: Folder
    name: str

    @property
    def path(self) -> Path:
        """For words."""
        return self.folder.path / self.name

    @property
    def _at(self) -> int:
        if self.folder.descriptor is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        return self.folder.descriptor

    def exists(self) -> bool:
        """Whether anything has this name. Raises OSError."""
        try:
            self.lstat()
        except FileNotFoundError:
            return False
        return True

    def lstat(self) -> os.stat_result:
        """Raises FileNotFoundError, OSError."""
        return os.stat(self.name, dir_fd=self._at, follow_symlinks=False)

    def is_same(self, other: "Name") -> bool:
        """Whether two names stand for one file; False if either is missing. Raises OSError."""
        try:
            first, second = self.lstat(), other.lstat()
        except FileNotFoundError:
            return False
        return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)

    def open(self) -> BufferedReader:
        """A regular file, to read. Raises files.NotRegular, OSError."""
        return files.open_regular(Path(self.name), dir_fd=self._at)

    def create(self) -> int:
        """A new file (0600), open for writing. Raises FileExistsError, OSError."""
        return os.open(self.name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=self._at)

    def link(self, other: "Name") -> None:
        """Give the file a second name, which must be free. Raises FileExistsError, OSError."""
        os.link(self.name, other.name, src_dir_fd=self._at, dst_dir_fd=other._at, follow_symlinks=False)

    def rename(self, other: "Name") -> None:
        """Look first whether the other name is free. Raises OSError."""
        os.rename(self.name, other.name, src_dir_fd=self._at, dst_dir_fd=other._at)

    def replace(self, other: "Name") -> None:
        """Rename it over whatever has the other name. Raises OSError."""
        os.replace(self.name, other.name, src_dir_fd=self._at, dst_dir_fd=other._at)

    def unlink(self) -> None:
        """Raises FileNotFoundError, OSError."""
        os.unlink(self.name, dir_fd=self._at)

    def rmdir(self) -> None:
        """Raises FileNotFoundError, OSError."""
        os.rmdir(self.name, dir_fd=self._at)

    def enter(self, *, make: bool = False) -> Folder:
        """The folder of this name, open; no link is followed. With `make` it is made (0700), durably, if missing.

        Raises FileNotFoundError, NotADirectoryError for a link or a file, OSError.
        """
        if make:
            try:
                os.mkdir(self.name, 0o700, dir_fd=self._at)
                self.folder.sync()
            except FileExistsError:
                pass
        try:
            return Folder(self.path, os.open(self.name, _OPENED, dir_fd=self._at))
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self.path)) from error
            raise


def opened(path: Path) -> Folder:
    """The folder at a path without any link, such as `realpath` gives; a link in it now is not followed.

    Raises FileNotFoundError, NotADirectoryError for a link or a file on the way, OSError.
    """
    at = os.open(path.anchor or ".", _LOOKED_AT)
    try:
        for part in path.parts[1 if path.anchor else 0 : -1]:
            inner = os.open(part, _LOOKED_AT, dir_fd=at)
            os.close(at)
            at = inner
            if not stat.S_ISDIR(os.fstat(at).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
        found = Name(Folder(path.parent, at), path.name or ".").enter()
        return Folder(path, found.descriptor)
    finally:
        os.close(at)
