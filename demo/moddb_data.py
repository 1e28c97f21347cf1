"""The contents of the made-up mod database: mods, their releases, and how to find them."""

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property

from demo.modfiles import build_mod

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-(dev|pre|rc)\.(\d+))?", re.ASCII)
_KINDS = {"dev": 4, "pre": 8, "rc": 12}
STABLE = 0xFFFF
_FIRST_DAY = datetime(2025, 1, 1, 12, tzinfo=UTC)


def version_number(text: str) -> int | None:
    """A version as the 64-bit number by which the mod database sorts it; None: it can't be parsed.

    16 bits each for major, minor, patch and suffix; the suffix is 4 bits of kind and 12 of number, or STABLE.
    """
    match = _VERSION.fullmatch(text)
    if not match:
        return None
    major, minor, patch = (int(part) & 0xFFFF for part in match.group(1, 2, 3))
    suffix = _KINDS[match[4]] << 12 | int(match[5]) & 0x0FFF if match[4] else STABLE
    return major << 48 | minor << 32 | patch << 16 | suffix


@dataclass(eq=False)
class DemoMod:
    """A mod's page. `status`: "published", "draft" or "locked"; only the first is listed."""

    mod_id: int
    asset_id: int
    name: str
    modids: tuple[str, ...]
    author: str
    author_id: int
    summary: str
    text: str
    side: str | None
    type: str
    alias: str | None
    tags: tuple[str, ...]
    created: str
    status: str = "published"
    logo: str | None = None
    homepage_url: str = ""
    source_url: str = ""
    issues_url: str = ""
    wiki_url: str = ""
    video_url: str = ""
    downloads: int = 0
    follows: int = 0
    comments: int = 0
    trending: int = 0
    releases: list["DemoRelease"] = field(default_factory=list)

    def offered(self) -> list["DemoRelease"]:
        """The releases that aren't retracted, newest first by date of creation."""
        found = [release for release in self.releases if release.retraction is None]
        return sorted(found, key=lambda release: (release.created, release.release_id), reverse=True)


@dataclass(eq=False)
class DemoRelease:
    """One release. `modid` None: a tool's; `file_id` None: its file is missing; `retraction`: the reason (HTML)."""

    release_id: int
    mod: DemoMod
    modid: str | None
    version: str
    number: int
    game_versions: tuple[str, ...]
    changelog: str | None
    created: str
    file_id: int | None
    file_name: str
    path: str  # on the file host
    dependencies: dict[str, str]
    padding: int = 0
    given: bytes | None = None
    downloads: int = 0
    retraction: str | None = None
    by_moderator: bool = False

    @property
    def stable(self) -> bool:
        return self.number & STABLE == STABLE

    @property
    def modinfo(self) -> dict[str, object]:
        sides = {"client": "Client", "server": "Server"}
        return {
            "type": "content",
            "modid": self.modid or "",
            "name": self.mod.name,
            "version": self.version,
            "authors": [self.mod.author],
            "description": self.mod.summary,
            "side": sides.get(self.mod.side or "", "Universal"),
            "dependencies": self.dependencies,
        }

    @cached_property
    def content(self) -> bytes:
        """The file's bytes, made when first asked for and the same ever after."""
        return build_mod(self.modinfo, padding=self.padding) if self.given is None else self.given

    @property
    def other_content(self) -> bytes:
        """Other bytes that look as good: the same mod and version, changed inside."""
        return build_mod(self.modinfo, padding=self.padding, extra={"changed.txt": b"not what it was"})


class Store:
    """All mods and releases. Hold `lock` while reading or changing several things that belong together."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.mods: dict[int, DemoMod] = {}
        self.files: dict[int, DemoRelease] = {}
        self.paths: dict[str, DemoRelease] = {}
        self.authors: dict[str, int] = {}
        self.tags: dict[str, int] = {}
        self.counted: set[tuple[int, str]] = set()
        self.game_versions = {f"1.{minor}.{patch}" for minor in (19, 20, 21) for patch in range(8)}
        self._releases: dict[str, list[DemoRelease]] = {}
        self._last_id = 0

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def next_date(self) -> str:
        """A date of creation later than all before, in the database's form."""
        return (_FIRST_DAY + timedelta(hours=self._last_id)).strftime("%Y-%m-%d %H:%M:%S")

    def add_mod(self, mod: DemoMod) -> None:
        self.mods[mod.mod_id] = mod
        for tag in mod.tags:
            self.tags.setdefault(tag, len(self.tags) + 1)

    def add_release(self, release: DemoRelease) -> None:
        release.mod.releases.append(release)
        self._releases.setdefault((release.modid or "").lower(), []).append(release)
        self.game_versions.update(release.game_versions)
        if release.file_id is not None:
            self.files[release.file_id] = release
            self.paths[release.path] = release

    def remove_mod(self, mod: DemoMod) -> None:
        del self.mods[mod.mod_id]
        for release in mod.releases:
            self._releases[(release.modid or "").lower()].remove(release)
            if release.file_id is not None:
                del self.files[release.file_id]
                del self.paths[release.path]

    def releases_of(self, modid: str) -> list[DemoRelease]:
        """The releases of a modid in any letter case, in the order they were added; retracted ones too."""
        return list(self._releases.get(modid.lower(), ())) if modid else []

    def author_id(self, name: str) -> int:
        return self.authors.setdefault(name, len(self.authors) + 1)

    def sorted_game_versions(self) -> list[tuple[int, str]]:
        return sorted((number, name) for name, number in _numbered(self.game_versions))


def _numbered(versions: Iterable[str]) -> list[tuple[str, int]]:
    return [(name, number) for name in versions if (number := version_number(name)) is not None]
