"""A backup's archive: its form, and somebody's file looked through before anything of it is used.

It may be anybody's: nothing of it is extracted by its own name, and what it takes in memory and on disk is bounded
before `tarfile`, which believes any header, sees it.
"""

import contextlib
import gzip
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.utils.translation import gettext as _

from mods import keeping
from vsadmin.lib import files, sizes

#: Of the archive's form, raised when an older vsadmin couldn't read it.
FORM = 1
MANIFEST, SQLITE, DUMP, KEY, KEPT = "manifest.json", "database.sqlite3", "database.dump", "secret_key", "kept/"
VENDORS = {"sqlite": SQLITE, "postgresql": DUMP}
#: Bytes at most, of those whose honest size is known.
_MOST = {MANIFEST: 64 * 1024, KEY: 4096}
_MAX_MEMBERS = 100_000
#: Databases shrink to a tenth, mods hardly at all. More than this is made to fill a disk.
_MAX_GROWTH = 50
_ALWAYS_FINE = 64 * 1024 * 1024
#: Of a header that says more of the next member (a long name); `tarfile` takes it into memory.
_MAX_HEADER = 16 * 1024
_BLOCK = 512
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE)
_HEADERS = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME)
_VERSION = re.compile(r"[0-9A-Za-z.+-]{1,50}")


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


@dataclass(frozen=True)
class Archive:
    """An open backup whose members are plain files, each known by name, each once, of a bearable size."""

    file: tarfile.TarFile
    members: dict[str, tarfile.TarInfo]
    contents: Contents

    @property
    def kept(self) -> list[str]:
        """The names of the kept copies, without the folder."""
        return [name.removeprefix(KEPT) for name in self.members if name.startswith(KEPT)]

    @property
    def size(self) -> int:
        """What all of it takes on a disk."""
        return sum(member.size for member in self.members.values())

    def open(self, name: str) -> IO[bytes]:
        """A member, to be read. Raises BackupError."""
        found = self.file.extractfile(self.members[name])
        if found is None:
            raise not_ours(name)
        return found


def growth_limit(size: int) -> int:
    """The bytes that so many packed ones may become."""
    return max(_ALWAYS_FINE, size * _MAX_GROWTH)


def not_ours(name: str) -> BackupError:
    return BackupError(_("It isn't a backup of vsadmin: it holds %r.") % name[:200])


@contextlib.contextmanager
def opened(source: Path) -> Iterator[Archive]:
    """A backup, looked through. Raises BackupError, also for what reading it raises inside."""
    try:
        with source.open("rb") as raw:
            _survey(raw, source)
            raw.seek(0)
            with tarfile.open(fileobj=raw, mode="r:gz") as file:
                members = _members(file)
                yield Archive(file, members, _contents(file, members))
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        words = files.in_words(error) if isinstance(error, PermissionError | FileNotFoundError) else str(error)
        raise BackupError(_("%(file)s can't be read as a backup: %(why)s") % {"file": source, "why": words}) from error


def _survey(raw: IO[bytes], source: Path) -> None:
    """Read the whole of it once, header by header: no member of another kind, nothing that grows beyond measure."""
    small = source.stat().st_size
    most = growth_limit(small)
    read = 0
    with gzip.open(raw) as stream:
        while (block := stream.read(_BLOCK)).strip(b"\0"):
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
            if header.type not in _FILES + _HEADERS or header.size < 0:
                raise not_ours(header.name)
            read += header.size + _BLOCK
            if read > most:
                words = _("It isn't a backup of vsadmin: %(file)s would grow from %(small)s to more than %(large)s.")
                values = {"file": source.name, "small": sizes.in_words(small)}
                raise BackupError(words % {**values, "large": sizes.in_words(most)})
            padded = -(-header.size // _BLOCK) * _BLOCK
            if header.type in _HEADERS:
                _check_header(header, stream.read(padded) if header.size <= _MAX_HEADER else None)
            else:
                _skip(stream, padded)
        while rest := len(stream.read(1024 * 1024)):  # to the end, so that the checksum is compared
            read += rest
            if read > most:
                raise not_ours(source.name)


def _check_header(header: tarfile.TarInfo, content: bytes | None) -> None:
    """Refuse one that is too long (None), or that tells `tarfile` another size than the member's own header."""
    if content is None or b"size=" in content or b"GNU.sparse" in content:
        raise not_ours(header.name)


def _skip(stream: gzip.GzipFile, count: int) -> None:
    while count:
        passed = len(stream.read(min(count, 1024 * 1024)))
        if not passed:
            raise EOFError(_("it is cut short"))
        count -= passed


def _members(file: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """The members by name: only those that a backup has, each a plain file, each once."""
    members: dict[str, tarfile.TarInfo] = {}
    for member in file:
        name = member.name
        kept = name.removeprefix(KEPT) if name.startswith(KEPT) else ""
        known = name in {MANIFEST, SQLITE, DUMP, KEY} or (kept and keeping.is_stored_name(kept))
        fits = member.size <= _MOST.get(name, member.size) and len(members) < _MAX_MEMBERS
        if not known or member.type not in _FILES or name in members or not fits:
            raise not_ours(name)
        members[name] = member
    return members


def _contents(file: tarfile.TarFile, members: dict[str, tarfile.TarInfo]) -> Contents:
    try:
        manifest = _json(file, members[MANIFEST])
        version, vendor = str(manifest["version"]), str(manifest["vendor"]) if "vendor" in manifest else ""
        if not _VERSION.fullmatch(version):
            raise ValueError(version)
        if manifest["form"] > FORM:
            raise BackupError(_("It was made by a newer vsadmin (%s). Upgrade first.") % version)
        made_at = datetime.fromisoformat(manifest["made_at"])
        if vendor not in VENDORS:
            raise ValueError(vendor)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise BackupError(_("It isn't a backup of vsadmin: its manifest is missing or damaged.")) from error
    databases = {name for name in VENDORS.values() if name in members}
    if databases != {VENDORS[vendor]}:
        raise BackupError(_("It isn't a backup of vsadmin: it holds no database."))
    made_at = made_at if made_at.tzinfo else made_at.replace(tzinfo=UTC)
    return Contents(made_at, version, vendor, sum(name.startswith(KEPT) for name in members))


def _json(file: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    content = file.extractfile(member)
    found = json.load(content) if content is not None else None
    if not isinstance(found, dict):
        raise TypeError(type(found))
    return found
