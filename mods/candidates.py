"""The releases that a plan may choose from, and what their files say.

What is stored is used; the mod database is asked only about what isn't known well enough, and only files that were
never read are fetched, through the cache. What can't be had is said by name and never raised.
"""

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from datetime import timedelta
from pathlib import PurePosixPath

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from cache.store import FetchError
from mods import downloads, modinfo, refresh, release_rows, versions
from mods.models import Lookup, Release
from vsadmin.lib.http import Client

Report = Callable[[int, int, str], None]

#: Answers younger than this needn't be asked for again to make a plan.
FRESH = timedelta(hours=2)
_PARALLEL = 4


class Candidates:
    """What one plan knows of releases. `report` hears how far it is; `stop` ends waits."""

    def __init__(self, report: Report | None = None, stop: threading.Event | None = None) -> None:
        self._report = report or (lambda *_: None)
        self._stop = stop or threading.Event()
        self._releases: dict[str, list[Release]] = {}
        self._trouble: dict[str, str] = {}

    def load(self, keys: Iterable[str]) -> None:
        """Know all releases of these modids (lower case). A fixed number of queries; asks about those not known."""
        wanted = set(keys) - self._releases.keys()
        if not wanted:
            return
        lookups = _lookups(wanted)
        now = timezone.now()
        due = [one for one in lookups if one.checked_at is None or abs(now - one.checked_at) > FRESH]
        if due:
            self._report(0, len(due), _("asking the mod database"))
            self._trouble |= refresh.look_up(due, stop=self._stop)
        by_key: dict[str, list[Release]] = defaultdict(list)
        chosen = {one.mod_id for one in lookups if one.mod_id}
        for release in releases().filter(modid_key__in=wanted, mod__in=chosen):
            by_key[release.modid_key].append(release)
        self._releases |= {key: by_key.get(key, []) for key in wanted}

    def offered(self, key: str) -> Sequence[Release]:
        """All releases of a loaded modid, withdrawn ones included."""
        return self._releases.get(key, ())

    def trouble(self, key: str) -> str:
        """Why the mod database couldn't be asked about this modid; "" where it could, or needn't be."""
        return self._trouble.get(key, "")

    def recommended(self, key: str, game_version: str, *, installed: str = "") -> Release | None:
        """For a server with `installed` of it ("": without it), never older. If the server's game version isn't known:
        the highest stable release."""
        offers = [_Offer(release) for release in self.offered(key)]
        if not game_version:
            best = versions.latest([offer for offer in offers if not versions.is_prerelease(offer.version)])
        else:
            best = versions.recommended(offers, game_version, installed=installed, installed_retracted=False)
        return best.release if best else None

    def named(self, key: str, version: str) -> Release | None:
        """The release of exactly that version; one still offered comes before one withdrawn."""
        wanted = versions.parse(version)
        same = [one for one in self.offered(key) if one.version == version or versions.parse(one.version) == wanted]
        return min(same, key=lambda one: one.withdrawn, default=None)

    def read(self, wanted: Collection[Release]) -> dict[int, str]:
        """Make sure that each release's SHA-256, size, side and dependencies are known (and stored).

        Returns, by primary key, why a release's file can't be had, in plain words.
        """
        unread = [release for release in wanted if not release.sha256 or release.dependencies is None]
        if not unread:
            return {}
        troubles: dict[int, str] = {}
        with downloads.client(self._stop) as client, ThreadPoolExecutor(_PARALLEL) as pool:
            asked = {pool.submit(_in_thread, release, client, self._stop): release for release in unread}
            for number, future in enumerate(as_completed(asked), start=1):
                release = asked[future]
                if text := future.result():
                    troubles[release.pk] = text
                self._report(number, len(asked), _("fetching %s") % release)
        return troubles


class _Offer:
    """A release as `versions` wants it."""

    def __init__(self, release: Release) -> None:
        self.release = release
        self.version = release.version
        self.game_versions: list[str] = release.game_versions
        self.retracted = not release.can_be_had


#: What a plan needs of a release: all but the long texts.
PLANNED_FIELDS = (
    "release_id", "modid", "modid_key", "version", "game_versions", "file_id", "file_name", "file_url", "created",
    "retracted", "retraction_reason", "gone_since", "size", "sha256", "dependencies", "file_side", "mod__name",
    "mod__author", "mod__mod_id", "mod__asset_id",
)  # fmt: skip


def releases() -> QuerySet[Release]:
    return Release.objects.select_related("mod").only(*PLANNED_FIELDS)


def _lookups(keys: Collection[str]) -> list[Lookup]:
    """One for each modid; what was never asked about gets one."""
    known = list(Lookup.objects.filter(key__in=keys))
    missing = set(keys) - {one.key for one in known}
    if missing:
        Lookup.objects.bulk_create([Lookup(key=key, modid=key) for key in missing], ignore_conflicts=True)
        known += Lookup.objects.filter(key__in=missing)
    return known


def _in_thread(release: Release, client: Client, stop: threading.Event) -> str:
    """In a thread of the pool, whose database connection nobody else closes."""
    try:
        return read_file(release, client=client, stop=stop)
    finally:
        connection.close()


def read_file(release: Release, *, client: Client | None = None, stop: threading.Event | None = None) -> str:
    """Fetch the release's file through the cache and store what it says; returns why not, "" where that went well."""
    try:
        with closing(downloads.fetch_release(release, client=client, stop=stop, looking=True)) as file:
            kind = downloads.KINDS[PurePosixPath(release.file_name).suffix.lower()]
            content = modinfo.read_open(file, kind)
    except FetchError as error:
        return error.text
    info = content.info
    if info is not None and kind == "zip" and (problem := downloads.other_version(release, info.version)):
        return _("What is cached for %(release)s can't be used: %(problem)s") % {"release": release, "problem": problem}
    release.sha256, release.size = content.sha256, content.size
    release.dependencies = dict(info.dependencies) if info else {}
    release.file_side = info.side if info else ""
    if not release_rows.keep_read(release):
        return _("The author has just put another file in its place. Try again.")
    return ""
