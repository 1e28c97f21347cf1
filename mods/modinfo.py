"""A mod file → what it says of itself, or why it can't be read.

Knows neither database nor network, never unpacks, loads or runs anything, and takes every file for hostile.
"""

import errno
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, BinaryIO

from mods import plainzip
from mods.manifest import REJECTED, ModInfo, Reading, parse, parse_source, quoted
from vsadmin.lib import files

__all__ = ["ModFile", "ModInfo", "parse", "read_file", "read_open"]

MAX_FILE = 2 * 1024**3
MAX_MODINFO = 1024**2
MAX_SOURCE = 2 * 1024**2
MAX_ENTRIES = 20_000
MAX_UNPACKED = 1024**3
# A zip's directory is read into memory before its entries can be counted.
_MAX_DIRECTORY = 16 * 1024**2
# Nearly every mod is smaller: read once, both for its digest and for its content.
_MAX_IN_MEMORY = 16 * 1024**2
_MAX_FOLDER_NAMES = 1000


@dataclass(frozen=True, slots=True)
class ModFile:
    """What reading one mod file came to."""

    info: ModInfo | None
    """None for a dll, and where nothing could be read."""
    problems: tuple[str, ...]
    """Plain sentences: what is wrong and, where it helps, what to do."""
    sha256: str = ""
    """``""`` for folders and for what couldn't be read."""
    size: int = 0
    """Bytes; 0 for folders."""
    has_failed: bool = False
    """The system refused to read it, or couldn't; another time it may."""


class _Unreadable(Exception):
    """Why a file can't be read, as a sentence for people."""


def _read_checked(read: Callable[[int | None], bytes], size: int | None) -> bytes:
    """`zipfile` reads a zip's directory by one `read`: it stops here before it fills the memory."""
    if size is not None and size > _MAX_DIRECTORY:
        raise _Unreadable(f"The zip's directory is larger than {_MAX_DIRECTORY // 1024**2} MiB.")
    data = read(size)
    if data.count(b"PK\x01\x02") > MAX_ENTRIES:
        raise _Unreadable(f"The zip has more than {MAX_ENTRIES:,} entries; no mod needs that many.")
    return data


class _OpenFile(io.BufferedReader):
    """An open mod file."""

    def read(self, size: int | None = -1, /) -> bytes:
        return _read_checked(super().read, size)


class _Copy(io.BytesIO):
    """A mod file in memory."""

    def read(self, size: int | None = -1, /) -> bytes:
        return _read_checked(super().read, size)


_Source = _OpenFile | _Copy


def read_file(path: Path, kind: str) -> ModFile:
    """Read a mod of `kind` zip, cs, dll or folder. What is wrong with the file becomes a problem, never an exception.

    Links are followed, but only to regular files: a pipe or device is never opened.
    """
    if kind == "folder":
        return _guarded(lambda: ModFile(*_read_folder(path)))

    reader = _reader(kind)

    def read() -> ModFile:
        with _open(path) as file:
            return _read_file(file, reader)

    return _guarded(read)


def read_open(file: BinaryIO, kind: str) -> ModFile:
    """As `read_file`, of an open regular file (zip, cs or dll), from its beginning; it stays open."""
    reader = _reader(kind)

    def read() -> ModFile:
        with _OpenFile(io.FileIO(os.dup(file.fileno()))) as source:
            source.seek(0)
            return _read_file(source, reader)

    return _guarded(read)


def _reader(kind: str) -> Callable[[_Source], Reading]:
    return {"zip": _read_zip, "cs": _read_source, "dll": _read_library}[kind]


def _read_file(file: _OpenFile, read: Callable[[_Source], Reading]) -> ModFile:
    size = os.fstat(file.fileno()).st_size
    if size > MAX_FILE:
        return ModFile(None, (f"The file is larger than {MAX_FILE // 1024**3} GiB; no mod is.",), size=size)
    if size == 0:
        return ModFile(None, ("The file is empty. Copy or download it again.",))
    source, sha256 = _hashed(file, size)
    return _guarded(lambda: ModFile(*read(source), sha256, size), sha256, size)


def _hashed(file: _OpenFile, size: int) -> tuple[_Source, str]:
    """From where to read the file's content, and its SHA-256."""
    if size > _MAX_IN_MEMORY:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        return file, sha256
    data = io.BufferedReader.read(file, size)  # not `file.read`, which takes a lot of bytes for a zip's directory
    return _Copy(data), hashlib.sha256(data).hexdigest()


def _guarded(read: Callable[[], ModFile], sha256: str = "", size: int = 0) -> ModFile:
    """What reading comes to, whatever it raises; then with what was known of the file before."""
    try:
        return read()
    except _Unreadable as error:
        return ModFile(None, (str(error),), sha256, size)
    except OSError as error:
        return ModFile(None, (_os_problem(error),), sha256, size, has_failed=True)
    except Exception as error:  # noqa: BLE001 - one hostile file must not end the scan of all
        problem = f"It can't be read ({type(error).__name__}). Copy or download it again."
        return ModFile(None, (problem,), sha256, size)


def _open(path: Path) -> _OpenFile:
    """Raises OSError, and _Unreadable for what is no regular file."""
    try:
        return _OpenFile(files.open_regular(path, follow=True).detach())
    except files.NotRegular:
        raise _Unreadable("It isn't a regular file.") from None


def _os_problem(error: OSError) -> str:
    match error.errno:
        case errno.EACCES | errno.EPERM:
            return "Not allowed to read it. Give the user that runs vsadmin the right to."
        case errno.ENOENT:
            return "It is gone, or a link to something that is gone."
        case _:
            return f"Reading it failed: {error.strerror or type(error).__name__}."


def _read_source(file: _Source) -> Reading:
    return parse_source(_read_bounded(file, MAX_SOURCE, "The source"))


def _read_library(file: _Source) -> Reading:
    """Nothing can be said of a library without loading it."""
    if file.read(2) != b"MZ":
        raise _Unreadable("It isn't a library, although its name ends in .dll. Copy or download it again.")
    return None, ()


def _read_bounded(file: IO[bytes] | _Source, limit: int, what: str) -> bytes:
    data = file.read(limit + 1)
    if len(data) > limit:
        raise _Unreadable(f"{what} is larger than {limit // 1024**2} MiB; no mod's is.")
    return data


# --- Folders


def _read_folder(path: Path) -> Reading:
    try:
        with _open(path / "modinfo.json") as file:
            return parse(_read_bounded(file, MAX_MODINFO, "modinfo.json"))
    except FileNotFoundError:
        names = list(_folder_names(path))
    other_case = next((name for name in names if name.lower() == "modinfo.json"), None)
    if other_case is None:
        return None, (_no_modinfo(names, "folder"),)
    with _open(path / other_case) as file:
        info, problems = parse(_read_bounded(file, MAX_MODINFO, "modinfo.json"))
    advice = f"Rename {quoted(other_case)} to modinfo.json: a server on Linux doesn't find it as it is. {REJECTED}"
    return info, (*problems, advice)


def _folder_names(path: Path) -> Iterator[str]:
    """The files of a folder, and of its sub-folders those called modinfo.json."""
    with os.scandir(path) as entries:
        for entry in islice(entries, _MAX_FOLDER_NAMES):
            yield entry.name
            inner = Path(entry.path) / "modinfo.json"
            if entry.is_dir() and os.access(inner, os.R_OK):
                yield f"{entry.name}/modinfo.json"


def _no_modinfo(names: Iterable[str], container: str) -> str:
    """Why there is no modinfo.json at the top, as far as the `names` (with / between folders) tell."""
    all_names = list(names)
    deeper = [name for name in all_names if name.lower().endswith("/modinfo.json")]
    depth = min((name.count("/") for name in deeper), default=0)
    folders = [name.rpartition("/")[0] for name in deeper if name.count("/") == depth]
    if len(folders) == 1:
        return (
            f"modinfo.json is inside the folder {quoted(folders[0])}: the {container} was packed one level too deep. "
            f"Put modinfo.json at the top of the {container}."
        )
    if folders:
        shown = ", ".join(quoted(folder) for folder in folders[:3]) + (", …" if len(folders) > 3 else "")
        return f"The {container} holds several mods ({shown}). Put each of them into the Mods folder by itself."
    if any(name.lower().endswith(".zip") and "/" not in name for name in all_names):
        return f"The {container} holds other zips. If those are mods, put each of them into the Mods folder by itself."
    return f"There is no modinfo.json at the top of the {container}. {REJECTED}"


# --- Zips


def _read_zip(file: _Source) -> Reading:
    if isinstance(file, _Copy):
        plain = plainzip.read(file.getvalue(), b"modinfo.json", limit=MAX_MODINFO, most_entries=MAX_ENTRIES)
        if plain is not None:
            info, problems = parse(plain.content)
            return info, (*problems, *_too_much(plain.unpacked))
    try:
        with zipfile.ZipFile(file) as archive:
            return _read_archive(archive)
    except _Unreadable:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a seek that the zip's lies led to
            raise
        file.seek(0)
        raise _Unreadable(_damage(file.read(512))) from error


def _read_archive(archive: zipfile.ZipFile) -> Reading:
    entries = archive.infolist()
    found = [entry for entry in entries if entry.filename.lower() == "modinfo.json"] or [
        entry for entry in entries if _top_name(entry.filename) == "modinfo.json"
    ]
    if not found:
        return None, (_no_modinfo((entry.filename for entry in entries), "zip"),)
    info, problems = parse(_entry_bytes(archive, found[0]))
    if len(found) > 1:
        problems += ("The zip holds modinfo.json more than once; the game reads the first.",)
    return info, (*problems, *_too_much(sum(entry.file_size for entry in entries)))


def _too_much(unpacked: int) -> tuple[str, ...]:
    if unpacked <= MAX_UNPACKED:
        return ()
    return (f"Unpacked, the zip would take more than {MAX_UNPACKED // 1024**3} GiB; no mod does.",)


def _top_name(name: str) -> str:
    """Of a name with backslashes or a slash in front, as the game's zip library takes it."""
    return name.replace("\\", "/").lstrip("/").lower()


def _entry_bytes(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.flag_bits & 1:
        raise _Unreadable("The zip is encrypted. The game can't read it: pack it again without a password.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Python unpacks the other methods without any bound.
        raise _Unreadable("The zip is compressed in an unusual way. Pack it again by the method “deflate”.")
    with archive.open(entry) as file:
        return _read_bounded(file, MAX_MODINFO, "modinfo.json")


def _damage(head: bytes) -> str:
    if head.startswith(b"PK"):
        return "The zip file is damaged or was cut short. Copy or download it again."
    if head.lstrip().startswith(b"<"):
        return "Not a zip file: it is a web page, probably a site's error message. Download it again."
    return "Not a zip file, although its name ends in .zip. Copy or download it again."
