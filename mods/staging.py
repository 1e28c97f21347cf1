"""Where a change keeps files for a while: a staging folder beside a mod folder, or in it if that is a mount. No ORM.

`Places` holds the mod folders of one change open, and the staging folders with them, until it is closed.
"""

import errno
import fcntl
import os
import re
from collections.abc import Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from django.utils.translation import gettext as _

from mods.placing import Refused
from mods.plans import STAGING
from vsadmin.lib import folders
from vsadmin.lib.folders import Folder, Name

_ASIDE = re.compile(r"old-(\d+)-(.+)", re.DOTALL)
_LEFT_OVER = re.compile(r"(?:new|put)-\d+")


class NotTheServers(Refused):
    """It is about a folder in which the server doesn't look for mods."""


@dataclass(frozen=True, slots=True)
class Staging:
    """An open staging folder, in `home`, which is `.vsadmin` in `base`."""

    base: Folder
    home: Folder
    folder: Folder

    def put_aside(self) -> list[tuple[Name, str]]:
        """The files that were put aside in it, with the names that they had. Raises OSError."""
        found = [(self.folder / name, _ASIDE.fullmatch(name)) for name in self.folder.names()]
        return [(name, match[2]) for name, match in found if match]

    def clear(self) -> None:
        """Remove our leftovers in it, and it, if nothing else is in it; what was put aside stays. Raises OSError."""
        for name in self.folder.names():
            if _LEFT_OVER.fullmatch(name):
                (self.folder / name).unlink()
        for folder in (self.home / self.folder.path.name, self.base / STAGING):
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
                raise

    def lock(self) -> bool:
        """Whether nobody else, of ours or of another vsadmin, works in it; until it is closed it is locked by us."""
        assert self.folder.descriptor is not None
        try:
            fcntl.flock(self.folder.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # NFS has no locks on folders; the lock of the change serves there
            return True
        return True


class Places:
    """The folders of a change, each opened at its first use; `name` is that of its staging folders.

    `allowed`: the folders in which the server looks for mods. `real`: of some, where they led when the change was
    planned; another real path now is refused. Not for several threads before all is open.
    """

    def __init__(self, allowed: Collection[Path], real: Mapping[str, str], name: str) -> None:
        self._allowed = {str(path) for path in allowed}
        self._real = real
        self._name = name
        self._folders: dict[str, Folder] = {}
        self._stagings: dict[str, list[Staging]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Places":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def folder(self, path: str) -> Folder:
        """The mod folder; without descriptor if there is none.

        Raises NotTheServers; Refused if it leads elsewhere than when the change was planned; OSError.
        """
        if path not in self._folders:
            self._folders[path] = self._open(path)
        return self._folders[path]

    def _open(self, path: str) -> Folder:
        if path not in self._allowed:
            raise NotTheServers(_("%s is no longer a folder in which the server looks for mods.") % path)
        whole = Path(path)
        real = Path(self._real.get(path) or Path(os.path.realpath(whole.parent), whole.name))
        try:
            if os.path.realpath(whole) != str(real):
                raise NotADirectoryError
            return self._kept_open(folders.opened(real))
        except FileNotFoundError:
            return Folder(whole, None)
        except NotADirectoryError:
            text = _("%s leads elsewhere than when the change was planned, or is no folder. Put it back as it was.")
            raise Refused(text % path) from None

    def stagings(self, path: str) -> list[Staging]:
        """The staging folders that there are for a mod folder: in it, beside it. Raises Refused, OSError."""
        if path not in self._stagings:
            found: list[Staging] = []
            refused: Refused | None = None
            for base in self._bases(path):
                try:
                    found.append(self._enter(base, self._name))
                except FileNotFoundError:
                    continue
                except Refused as error:
                    refused = error
            if refused is not None and not found:
                raise refused
            self._stagings[path] = found
        return self._stagings[path]

    def staging(self, path: str) -> Folder:
        """The staging folder that there is for a mod folder; without descriptor if none. Raises Refused, OSError."""
        for one in self.stagings(path):
            return one.folder
        return Folder(self.folder(path).path.parent / STAGING / self._name, None)

    def left_over(self, path: str, pattern: re.Pattern[str]) -> list[Staging]:
        """All staging folders for a mod folder whose names fit, of whichever change; closed ones are passed over."""
        found: list[Staging] = []
        bases: list[Folder] = []
        with suppress(OSError, Refused):
            bases = self._bases(path)
        for base in bases:
            with suppress(OSError, Refused):
                names = self._home(base).names()
                if not names:
                    (base / STAGING).rmdir()
                for name in filter(pattern.fullmatch, names):
                    with suppress(OSError, Refused):
                        found.append(self._enter(base, name))
        return found

    def make(self, path: str) -> None:
        """Make the staging folder for a mod folder, on the same mount, and lock it. It stays until it is cleared.

        Raises Refused, FileNotFoundError if the mod folder is gone, OSError.
        """
        bases = self._bases(path)
        if not bases:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        mount = _mount_of(bases[0])
        made = None
        for above in bases[1:]:
            if _mount_of(above) == mount:
                with suppress(OSError):  # it may be closed to us
                    made = self._enter(above, self._name, make=True)
                    if _mount_of(made.folder) != mount:
                        made.clear()
                        made = None
        made = made or self._enter(bases[0], self._name, make=True)
        made.lock()
        self._stagings[path] = [made]

    def _bases(self, path: str) -> list[Folder]:
        """Where staging can be: in the mod folder, and in the folder above it unless that is closed to us.

        Nowhere if there is no mod folder. Raises NotTheServers, Refused, OSError.
        """
        mods = self.folder(path)
        if mods.descriptor is None:
            return []
        try:
            above = self._kept_open((mods / "..").enter())
        except PermissionError:
            return [mods]
        return [mods, Folder(mods.path.parent, above.descriptor)]

    def _enter(self, base: Folder, name: str, *, make: bool = False) -> Staging:
        """A staging folder in `base`. Raises FileNotFoundError if there is none, Refused for a link, OSError."""
        home = self._home(base, make=make)
        try:
            return Staging(base, home, self._kept_open((home / name).enter(make=make)))
        except NotADirectoryError:
            raise _no_folder(home.path / name) from None

    def _home(self, base: Folder, *, make: bool = False) -> Folder:
        try:
            return self._kept_open((base / STAGING).enter(make=make))
        except NotADirectoryError:
            raise _no_folder(base.path / STAGING) from None

    def _kept_open(self, folder: Folder) -> Folder:
        self._stack.callback(folder.close)
        return folder


def _no_folder(path: Path) -> Refused:
    return Refused(_("%s is a link or a file where a folder of vsadmin's should be. Remove it.") % path)


def _mount_of(folder: Folder) -> tuple[int, str]:
    """Device and mount: two mounts of one device can't be linked or renamed between. Raises OSError."""
    assert folder.descriptor is not None
    told = ""
    with suppress(OSError):
        told = Path(f"/proc/self/fdinfo/{folder.descriptor}").read_text()
    mount = next((line for line in told.splitlines() if line.startswith("mnt_id:")), "")
    return os.fstat(folder.descriptor).st_dev, mount
