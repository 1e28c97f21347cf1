"""Kept copies: replaced or removed files that can't be fetched again byte for byte. Deleted only by hand.

In: the file first, then its row. Out: the file first, then its row. `tend` adopts what a crash left without a row.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Sum
from django.utils.translation import gettext as _

from cache import eviction
from cache.store import FetchError
from mods import modinfo, modset
from mods.models import GameServer, KeptCopy, Operation
from mods.plans import OldFile
from vsadmin.lib import adminlog, files, locks, logs

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Seconds to wait for another process that keeps, deletes or tends.
_WAIT = 60.0
_CHUNK = 1024 * 1024
#: Free bytes that the cache sees to beyond a copy's own, for its row.
_SPARE = 1024 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9.+-]+")
_OURS = re.compile(r"([A-Za-z0-9][A-Za-z0-9.+_-]{0,149})~([0-9a-f]{12})(?:-\d{1,6})?\.(zip|cs|dll)")
_NAMED = 5
_LONGEST = 70  # characters of the modid, and of the version, in a name


def folder() -> Path:
    return Path(settings.VSADMIN_DATA_DIR) / "kept"


def _place() -> Path:
    """The folder, made if missing. Raises OSError."""
    files.private_folder(folder())
    return folder()


def is_stored_name(name: str) -> bool:
    """Whether a file's name is one that `keep` gives."""
    return bool(_OURS.fullmatch(name))


def path_of(stored_name: str) -> Path | None:
    """Where the copy of this name is; None if `keep` gives no such name: the row is somebody else's."""
    return folder() / stored_name if is_stored_name(stored_name) else None


def _staging() -> Path:
    return folder() / ".staging"


@contextmanager
def _alone() -> Iterator[None]:
    """Only one holder at a time. Raises locks.Busy."""
    with locks.hold("kept", timeout=_WAIT):
        yield


def keep(source: BinaryIO, *, server: GameServer, old: OldFile, why: str, operation: Operation | None) -> KeptCopy:
    """Make a durable copy of an open file, which stays. The same file kept before of this server is enough.

    Raises OSError, `locks.Busy`, DatabaseError.
    """
    eviction.give_way(_place(), os.fstat(source.fileno()).st_size + _SPARE)
    with _alone(), files.staged(_staging()) as staged:
        digest = hashlib.sha256()
        source.seek(0)
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            staged.file.write(chunk)
        sha256 = digest.hexdigest()
        if before := _kept_before(server, old, sha256):
            return before
        copy = KeptCopy(
            server=server,
            server_name=server.name[:100],
            modid=old.modid[:200],
            modid_key=old.modid.lower()[:200],
            name=(old.name or old.modid or old.file_name)[:300],
            version=old.version[:100],
            file_name=old.file_name[:1020],
            stored_name="",
            size=staged.file.tell(),
            sha256=sha256,
            why=why,
            operation=operation,
        )
        _store(staged, copy)
    logs.event("mod_kept", server=server.name, modid=copy.modid, version=copy.version, file=copy.stored_name)
    return copy


def _kept_before(server: GameServer, old: OldFile, sha256: str) -> KeptCopy | None:
    for copy in KeptCopy.objects.filter(server=server, sha256=sha256, file_name=old.file_name[:1020]):
        path = path_of(copy.stored_name)
        try:
            if path is not None and path.lstat().st_size == copy.size:
                return copy
        except FileNotFoundError:
            continue
    return None


def _store(staged: files.Staged, copy: KeptCopy) -> None:
    """Give the staged file a name and the copy its row; a file that a crash left without a row serves as well."""
    for name in _names(copy):
        if KeptCopy.objects.filter(stored_name=name).exists():
            continue
        there = os.path.lexists(folder() / name)
        if there and _digest(folder() / name) != copy.sha256:
            continue
        copy.stored_name = name
        if not there:
            staged.sync()
            staged.place(folder() / name)
        copy.save(force_insert=True)
        return


def _names(copy: KeptCopy) -> Iterator[str]:
    """`carryon_1.0.0~0123456789ab.zip`, made of harmless characters; then numbered ones."""
    bare = modset.bare_name(copy.file_name)
    stem = _safe(copy.modid or Path(bare).stem)
    if copy.version:
        stem += f"_{_safe(copy.version)}"
    ending = Path(bare).suffix.lower()
    ending = ending if ending in {".zip", ".cs", ".dll"} else ".zip"
    yield f"{stem}~{copy.sha256[:12]}{ending}"
    for number in count(2):
        yield f"{stem}~{copy.sha256[:12]}-{number}{ending}"


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text).strip("._+-")[:_LONGEST] or "file"


def open(kept: KeptCopy) -> BinaryIO:
    """The kept file, open at its beginning, every byte verified. Close it after use. Raises FetchError."""
    path = path_of(kept.stored_name)
    try:
        if path is None:
            raise FileNotFoundError
        file = files.open_regular(path)
    except FileNotFoundError:
        text = _("The kept copy of %(mod)s is gone from %(folder)s. Somebody moved or deleted it by hand.")
        raise FetchError(text % {"mod": kept, "folder": folder()}, "disk") from None
    except OSError as error:
        raise FetchError(files.in_words(error), "disk") from error
    try:
        if files.sha256_of(file) != kept.sha256:
            text = _("The kept copy of %s was altered on disk, so it can't be used. Restore it from a backup.")
            raise FetchError(text % kept, "refused")
        file.seek(0)
    except OSError as error:
        file.close()
        raise FetchError(files.in_words(error), "disk") from error
    except BaseException:
        file.close()
        raise
    return file


def delete(kept: KeptCopy, user: "User | None") -> None:
    """Delete the file, then its row; it is recorded who did it. Raises OSError, `locks.Busy`, DatabaseError."""
    with _alone():
        _delete(kept, user)


@dataclass(frozen=True)
class Deleted:
    """What became of copies that were to be deleted. `why`: what kept the first of the `failed` ones."""

    files: int = 0
    bytes: int = 0
    failed: int = 0
    why: OSError | None = None


def delete_all(copies: Iterable[KeptCopy], user: "User | None") -> Deleted:
    """As `delete`, for several: what can't be deleted stays, the others go. Raises `locks.Busy`, DatabaseError."""
    done = Deleted()
    with _alone():
        for kept in copies:
            try:
                _delete(kept, user)
            except OSError as error:
                done = replace(done, failed=done.failed + 1, why=done.why or error)
            else:
                done = replace(done, files=done.files + 1, bytes=done.bytes + kept.size)
    return done


def _delete(kept: KeptCopy, user: "User | None") -> None:
    if path := path_of(kept.stored_name):
        path.unlink(missing_ok=True)
    with transaction.atomic():
        if user is not None:
            text = _("Deleted the kept copy %(file)s of %(server)s")
            words = {"file": kept.stored_name, "server": kept.server_name}
            adminlog.record(user, kept, adminlog.DELETION, text % words)
        KeptCopy.objects.filter(pk=kept.pk).delete()
    logs.event("kept_copy_deleted", file=kept.stored_name, modid=kept.modid, version=kept.version)


def total() -> tuple[int, int]:
    """How many there are, and their bytes."""
    found = KeptCopy.objects.aggregate(count=Count("pk"), bytes=Sum("size", default=0))
    return found["count"], found["bytes"]


# --- after a crash


def tend() -> int:
    """Adopt files of ours without a row, and sweep staging; returns how many were adopted.

    A row whose file is missing stays, and is reported: its disk may not be mounted. Other files are reported and never
    touched. Raises OSError, `locks.Busy`, DatabaseError.
    """
    try:
        names = {name for name in os.listdir(folder()) if not name.startswith(".")}
    except FileNotFoundError:
        names = set()
    rows = set(KeptCopy.objects.values_list("stored_name", flat=True))
    if missing := sorted(rows - names):
        logs.event("kept_copies_missing", level=logging.WARNING, count=len(missing), files=missing[:_NAMED])
    if files.leftovers(_staging()).files == 0 and names <= rows:
        return 0
    with _alone():
        files.leftovers(_staging(), remove=True)
        return sum(map(_adopt, sorted(names - rows)))


def _adopt(name: str) -> bool:
    """Make a row of a file without one, if it is ours."""
    path = folder() / name
    match = _OURS.fullmatch(name)
    try:
        sha256 = _digest(path) if match else ""
    except OSError:
        sha256 = ""
    if match is None or not sha256.startswith(match[2]) or not sha256:
        logs.event("kept_foreign_file", level=logging.WARNING, file=name)
        return False
    if KeptCopy.objects.filter(stored_name=name).exists():
        return False
    with files.open_regular(path) as file:
        old = described(file, f"{match[1]}.{match[3]}")
    KeptCopy.objects.create(
        modid=old.modid,
        modid_key=old.modid.lower(),
        name=old.name,
        version=old.version,
        file_name=old.file_name,
        stored_name=name,
        size=path.stat().st_size,
        sha256=sha256,
        why=_("It was found among the kept copies without a record."),
    )
    logs.event("kept_copy_adopted", file=name)
    return True


def described(file: BinaryIO, file_name: str) -> OldFile:
    """What an open file says of itself; `file_name` is what it was called. Its SHA-256 is left out."""
    file_name = os.fsencode(file_name).decode("utf-8", "backslashreplace")  # as scans write odd bytes
    bare = modset.bare_name(file_name)
    ending = Path(bare).suffix.lower().removeprefix(".")
    kind = ending if ending in {"zip", "cs", "dll"} else "zip"
    info = modinfo.read_open(file, kind).info
    modid, version, name = (info.modid, info.version, info.name) if info else ("", "", "")
    return OldFile(
        folder="",
        file_name=file_name,
        sha256="",
        size=0,
        modid=modid[:200],
        version=version[:100],
        name=(name or modid or Path(bare).stem)[:300],
        kind=kind,
        enabled=bare == file_name,
    )


def _digest(path: Path) -> str:
    with files.open_regular(path) as file:
        return files.sha256_of(file)
