"""A release's file, through the download cache: where it comes from, and whether it is what it should be."""

import threading
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone
from django.utils.translation import gettext as _

from cache import conf as cache_conf
from cache.sources import Arriving
from cache.store import FetchError, OnBytes, fetch
from mods import conf, modinfo, news, pauses, versions
from mods.models import Release
from vsadmin.lib.http import MAX_PAUSE, Client, HttpError, origin

#: Seconds for one download, from asking to the last byte.
DEADLINE = 900.0
CONNECTIONS = 4
KINDS = {".zip": "zip", ".cs": "cs", ".dll": "dll"}

_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")
_CHUNK = 256 * 1024


def client(stop: threading.Event | None = None) -> Client:
    """For several downloads in a row. Only the configured origins are asked, at every hop."""
    return Client(
        user_agent=f"vsadmin/{settings.VSADMIN_VERSION} (manages the mods of Vintage Story servers)",
        allowed_origins={conf.MODDB_URL.get(), *conf.MODDB_FILE_ORIGINS.get()},
        trusted_private_origins=conf.origins_written(),
        max_connections=CONNECTIONS,
        stop=stop,
    )


def cache_key(file_id: int) -> str:
    """The key of a mod database file in the cache."""
    return f"moddb:{file_id}"


def fetch_release(
    release: Release,
    *,
    client: Client | None = None,
    progress: OnBytes | None = None,
    stop: threading.Event | None = None,
    looking: bool = False,
) -> BinaryIO:
    """The release's file, open at its beginning, verified. Close it after use. Raises FetchError.

    `client`: one of `client()`, to share connections among several downloads. `stop`: set it to end soon.
    `looking`: for a plan, to see what it says; the change that follows is the one use of it.
    """
    ending = PurePosixPath(release.file_name).suffix.lower()
    if release.file_id is None:
        raise FetchError(_("The mod database has no file for %s.") % release, "source")
    if ending not in KINDS:
        raise FetchError(
            _("%s is no mod that a server can load: its file is neither .zip nor .cs nor .dll.") % release, "refused"
        )
    try:
        return fetch(
            cache_key(release.file_id),
            _Download(_address(release), client, stop),
            name=f"{release.modid or 'file'}_{release.version}{ending}",
            title=release.mod.name,
            version=release.version,
            check=_check_for(release, KINDS[ending]),
            progress=progress,
            stop=stop,
            looking=looking,
        )
    except FetchError as error:
        if error.kind == "alarm":
            with suppress(DatabaseError):  # the alarm itself stands on the Cache page
                news.of_other_bytes(release, cache_key(release.file_id))
        raise _in_our_words(error, release) from error


@dataclass(frozen=True)
class _Download:
    """A download from `description`, its address."""

    description: str
    client: Client | None
    stop: threading.Event | None

    @contextmanager
    def open(self) -> Iterator[Arriving]:
        until = pauses.until(self.description, *conf.MODDB_FILE_ORIGINS.get())
        if until is not None:
            text = _("The mod database wants to be left alone. Try again after %s UTC.") % f"{until:%H:%M}"
            raise HttpError(text, "paused", answered=True)
        with ExitStack() as stack:
            asking = self.client or stack.enter_context(client(self.stop))
            try:
                yield stack.enter_context(
                    asking.stream(self.description, deadline=DEADLINE, max_bytes=cache_conf.max_download_bytes())
                )
            except HttpError as error:
                if error.retry_after is not None and error.retry_after > MAX_PAUSE:
                    pauses.note(error.url, timezone.now() + timedelta(seconds=error.retry_after))
                raise


def _address(release: Release) -> str:
    """At the mod database, which counts the download and then sends us to the file host.

    It no longer gives out what was retracted. Whoever names such a release all the same gets it from the file host,
    which still has it.
    """
    if release.withdrawn and release.file_url:
        return release.file_url
    return f"{conf.MODDB_URL.get()}/download/{release.file_id}"


def _in_our_words(error: FetchError, release: Release) -> FetchError:
    if error.status is not None and (host := _file_host(error)):
        words = {"release": release, "host": host, "status": error.status}
        text = _("The file host %(host)s doesn't give out the file of %(release)s: it answered %(status)d.") % words
        return FetchError(f"{text} {_('Try again later, or choose another version.')}", "source", status=error.status)
    if error.status == 410:
        text = _("%s was retracted: the mod database no longer gives it out. Choose another version.") % release
        return FetchError(text, "source", status=410)
    if error.status == 404:
        text = _("The mod database no longer has the file of %s. Choose another version.") % release
        return FetchError(text, "source", status=404)
    return error


def _file_host(error: FetchError) -> str:
    """The host that gave the status, if it isn't the mod database; else ""."""
    failed = error.__cause__
    address = failed.url if isinstance(failed, HttpError) else ""
    if not address or origin(address) == origin(conf.MODDB_URL.get()):
        return ""
    return urlsplit(address).hostname or ""


def _check_for(release: Release, kind: str) -> Callable[[Path], None]:
    def check(path: Path) -> None:
        problem = _problem(path, kind, release)
        if problem:
            text = _("What came for %(release)s can't be used: %(problem)s")
            raise FetchError(text % {"release": release, "problem": problem}, "refused")

    return check


def _problem(path: Path, kind: str, release: Release) -> str:
    """Why this file isn't the release's; "" where it is."""
    with path.open("rb") as file:
        start = file.read(1024).lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_HTML):
        return _("it is a web page, not a mod. Try again later; the mod database may have trouble.")
    read = modinfo.read_file(path, kind)
    if read.info is None and (read.problems or kind == "zip") and kind != "cs":
        return " ".join(read.problems)
    if kind == "zip" and _is_damaged(path):
        return _("the zip is damaged. Try again later; if it stays so, tell the mod's author.")
    if read.info is not None and release.modid and read.info.modid.lower() != release.modid.lower():
        return _("it holds another mod, with the mod id %s.") % (read.info.modid or '""')
    return other_version(release, read.info.version) if read.info is not None and kind == "zip" else ""


def other_version(release: Release, said: str) -> str:
    """What is wrong with a file of `release` that calls itself version `said`; "" if nothing is.

    The game goes by what the file says, and so would every later look at it. A file that says nothing that has an order
    is taken, and one that adds to the release's numbers what kind of build it is (1.2.0-1.21.6).
    """
    there, wanted = versions.parse(said), versions.parse(release.version)
    if there is None or wanted is None or there == wanted:
        return ""
    if there.numbers == wanted.numbers and not (there.is_prerelease or wanted.is_prerelease):
        return ""
    text = _("it holds version %(there)s, not %(wanted)s. Tell the mod's author, or choose another version.")
    return text % {"there": said, "wanted": release.version}


def _is_damaged(path: Path) -> bool:
    """Whether an entry's bytes don't match their checksum; what can't be unpacked here isn't judged."""
    left = modinfo.MAX_UNPACKED
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                with archive.open(entry) as content:
                    while chunk := content.read(_CHUNK):
                        left -= len(chunk)
                        if left < 0:
                            return True
    except (NotImplementedError, RuntimeError):
        return False  # an unusual way of packing, or encrypted
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError):
        return True
    return False
