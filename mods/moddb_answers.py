"""What the mod database says, as dataclasses. What the fields are made of, `moddb_fields` says.

A field that is missing or of the wrong type is empty and named in `unsaid`: what was known of it stays. An entry
without its own id is left out and never spoils the others. What is said to be HTML is as its authors wrote it: sanitise
it where it is shown.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from mods import versions
from mods.moddb_fields import NAME_LENGTH, URL_LENGTH, Fields, clean_id, clean_int, clean_line, exact, tag, words_of

MAX_RELEASES = 5000  # of one mod
MAX_MODS = 100_000
MAX_GAME_VERSIONS = 5000

NO_GAME_VERSION = "0.0.0"  # how the mod database writes "no game versions given"

# install-information's errorCode
NOT_FOUND = 4041
RETRACTED = 4101
RETRACTED_BY_MODERATOR = frozenset({4032, 4102})

_NOTHING: frozenset[str] = frozenset()
_DOWNLOAD = re.compile(r"/download/([0-9]{1,18})(?:[/?]|$)")


@dataclass(frozen=True, slots=True)
class ReleaseInfo:
    """One release. `modid` is "" for tools; `file_id` None: its file is missing; `changelog` is HTML.

    `game_versions`: the exact ones it is listed for; empty: none given.
    """

    release_id: int
    modid: str
    version: str
    file_id: int | None
    file_name: str
    file_url: str
    game_versions: tuple[str, ...]
    created: datetime | None
    changelog: str
    downloads: int
    unsaid: frozenset[str] = _NOTHING


@dataclass(frozen=True, slots=True)
class ModDetails:
    """All that /api/mod says of a mod. `description` is HTML; `summary` is "": only /api/mods tells it.

    `releases` in the database's order, which is by date of creation; retracted ones are missing from it. `unread`:
    numbers of further ones in it that can't be understood. `is_complete`: these are all that there are.
    """

    mod_id: int
    asset_id: int | None
    name: str
    author: str
    summary: str
    description: str
    side: str  # "both", "client", "server" or "": not said
    type: str
    alias: str
    logo_url: str
    homepage_url: str
    source_url: str
    issues_url: str
    wiki_url: str
    video_url: str
    tags: tuple[str, ...]
    downloads: int
    follows: int
    comments: int
    trending: int
    created: datetime | None
    last_released: datetime | None
    releases: tuple[ReleaseInfo, ...]
    unread: frozenset[int] = frozenset()
    is_complete: bool = True
    unsaid: frozenset[str] = _NOTHING

    @property
    def listed(self) -> set[int]:
        """The numbers of all releases that the answer has, understood or not."""
        return {release.release_id for release in self.releases} | self.unread


@dataclass(frozen=True, slots=True)
class ModSummary:
    """One mod in the list of all. `modids` is in alphabetical order and may be empty."""

    mod_id: int
    asset_id: int | None
    name: str
    summary: str
    author: str
    alias: str
    side: str
    type: str
    logo_url: str
    tags: tuple[str, ...]
    modids: tuple[str, ...]
    downloads: int
    follows: int
    comments: int
    trending: int
    last_released: datetime | None
    unsaid: frozenset[str] = _NOTHING


@dataclass(frozen=True, slots=True)
class InstallInfo:
    """What install-information says of one installed version.

    `recommended`: highest stable version listing exactly the game version asked for, when higher than the
    installed one; "" otherwise. With a mod of several modids it can be another one's version.
    `file_id`: of the version asked for, or of the recommended one where none was. `error_code`: the API's, 4041 = not
    found, None = fine. `is_offered`: the database gives out its file, so it isn't retracted; where it is neither
    offered nor retracted, nothing is said of it.
    """

    modid: str
    recommended: str
    retraction_reason: str
    retracted: bool
    retracted_by_moderator: bool
    error_code: int | None
    file_id: int | None
    is_offered: bool = False
    unsaid: frozenset[str] = _NOTHING


def parse_release(data: object) -> ReleaseInfo | None:
    """One of releases[] or updates{}; None: no usable id or version."""
    if not isinstance(data, Mapping):
        return None
    release_id, version = clean_id(data.get("releaseid")), exact(data.get("modversion"))
    modid = data.get("modidstr")
    if release_id is None or not version or (modid and not exact(modid)):
        return None
    fields = Fields(data)
    if not modid:  # tools have none; a release that has one doesn't lose it
        fields.unsaid.add("modid")
    file_id, file_name, file_url = _file(fields)
    game_versions = fields.names("game_versions", "tags", exact)
    if not any(map(versions.parse, game_versions)):  # for "none" it writes 0.0.0, never an empty list
        fields.unsaid.add("game_versions")
    return ReleaseInfo(
        release_id=release_id,
        modid=exact(modid),
        version=version,
        file_id=file_id,
        file_name=file_name,
        file_url=file_url,
        game_versions=tuple(version for version in game_versions if version != NO_GAME_VERSION),
        created=fields.date("created", "created"),
        changelog=fields.html("changelog", "changelog", null=True),
        downloads=fields.count("downloads", "downloads"),
        unsaid=frozenset(fields.unsaid),
    )


def _file(fields: Fields) -> tuple[int | None, str, str]:
    """The number, name and address of a release's file. A missing file is said by all three together."""
    file_id = fields.id("file_id", "fileid")
    name, url = fields.line("file_name", "filename"), fields.url("file_url", "mainfile")
    if file_id is not None:
        if not url:
            fields.unsaid.add("file_url")
        return file_id, name, url
    names = {"file_id", "file_name", "file_url"}
    if "fileid" in fields.data and fields.data["fileid"] is None and fields.data.get("filename") == "":
        fields.unsaid -= names
    else:
        fields.unsaid |= names
    return None, name, ""


def parse_details(data: object) -> ModDetails | None:
    """The `mod` of /api/mod; None: it isn't one."""
    if not isinstance(data, Mapping):
        return None
    mod_id = clean_id(data.get("modid"))
    if mod_id is None:
        return None
    fields = Fields(data)
    logo = "logofile" if data.get("logofile") or "logofilename" not in data else "logofilename"
    releases, unread, is_complete = _releases(data.get("releases"))
    return ModDetails(
        mod_id=mod_id,
        asset_id=fields.id("asset_id", "assetid"),
        name=fields.line("name", "name"),
        author=fields.line("author", "author", NAME_LENGTH),
        summary=clean_line(data.get("summary")),
        description=fields.html("description", "text"),
        side=fields.side("side", "side"),
        type=fields.line("type", "type", NAME_LENGTH),
        alias=fields.line("alias", "urlalias", NAME_LENGTH, empty=True, null=True),
        logo_url=fields.url("logo_url", logo, null=True),
        homepage_url=fields.url("homepage_url", "homepageurl"),
        source_url=fields.url("source_url", "sourcecodeurl"),
        issues_url=fields.url("issues_url", "issuetrackerurl"),
        wiki_url=fields.url("wiki_url", "wikiurl"),
        video_url=fields.url("video_url", "trailervideourl"),
        tags=fields.names("tags", "tags", tag),
        downloads=fields.count("downloads", "downloads"),
        follows=fields.count("follows", "follows"),
        comments=fields.count("comments", "comments"),
        trending=fields.count("trending", "trendingpoints"),
        created=fields.date("created", "created"),
        last_released=fields.date("last_released", "lastreleased", null=True),
        releases=releases,
        unread=unread,
        is_complete=is_complete,
        unsaid=frozenset(fields.unsaid),
    )


def _releases(items: object) -> tuple[tuple[ReleaseInfo, ...], frozenset[int], bool]:
    """What is understood, the numbers of the others, and whether these are all; of two with one number the first."""
    if not isinstance(items, list):
        return (), frozenset(), False
    found: dict[int, ReleaseInfo] = {}
    unread: set[int] = set()
    is_complete = len(items) <= MAX_RELEASES
    for item in items[:MAX_RELEASES]:
        release = parse_release(item)
        if release is not None:
            found.setdefault(release.release_id, release)
            continue
        number = clean_id(item.get("releaseid")) if isinstance(item, Mapping) else None
        if number is None:
            is_complete = False
        else:
            unread.add(number)
    return tuple(found.values()), frozenset(unread - found.keys()), is_complete


def parse_summary(data: object) -> ModSummary | None:
    """One of /api/mods; None: no usable id."""
    if not isinstance(data, Mapping):
        return None
    mod_id = clean_id(data.get("modid"))
    if mod_id is None:
        return None
    fields = Fields(data)
    return ModSummary(
        mod_id=mod_id,
        asset_id=fields.id("asset_id", "assetid"),
        name=fields.line("name", "name"),
        summary=fields.line("summary", "summary", empty=True),
        author=fields.line("author", "author", NAME_LENGTH),
        alias=fields.line("alias", "urlalias", NAME_LENGTH, empty=True, null=True),
        side=fields.side("side", "side"),
        type=fields.line("type", "type", NAME_LENGTH),
        logo_url=fields.url("logo_url", "logo", null=True),
        tags=fields.names("tags", "tags", tag),
        modids=fields.names("modids", "modidstrs", exact),
        downloads=fields.count("downloads", "downloads"),
        follows=fields.count("follows", "follows"),
        comments=fields.count("comments", "comments"),
        trending=fields.count("trending", "trendingpoints"),
        last_released=fields.date("last_released", "lastreleased", null=True),
        unsaid=frozenset(fields.unsaid),
    )


def parse_summaries(items: Iterable[object]) -> Iterator[ModSummary]:
    """All of /api/mods, one at a time, each mod number once."""
    seen: set[int] = set()
    for item in items:
        found = parse_summary(item)
        if found is not None and found.mod_id not in seen:
            seen.add(found.mod_id)
            yield found


def parse_updates(updates: object, asked: Iterable[str]) -> dict[str, ReleaseInfo]:
    """The `updates` of /api/updates by modid in lower case: only ids asked for, only releases of that id."""
    wanted = {modid.lower() for modid in asked}
    entries: list[tuple[object, object]] = []
    if isinstance(updates, Mapping):
        entries = list(updates.items())
    elif isinstance(updates, list):  # PHP writes a map whose keys are 0, 1, 2 … as a list
        entries = [(None, item) for item in updates]
    found: dict[str, ReleaseInfo] = {}
    for key, item in entries:
        release = parse_release(item)
        if release is None:
            continue
        modid = release.modid or exact(key)
        if modid.lower() in wanted and (not isinstance(key, str) or key.lower() == modid.lower()):
            found.setdefault(modid.lower(), replace(release, modid=modid))
    return found


def parse_install_information(data: object, asked: Iterable[str]) -> dict[str, InstallInfo]:
    """The `data` of install-information by modid in lower case; only the ids asked for."""
    wanted = {modid.lower() for modid in asked}
    found: dict[str, InstallInfo] = {}
    if not isinstance(data, Mapping):
        return found
    for modid, item in data.items():
        key = modid.lower()
        if key not in wanted or not isinstance(item, Mapping):
            continue
        info = _install_info(modid, item)
        # asked in another letter case: an empty "not found" as asked, and the answer under the true id
        if key not in found or found[key].error_code == NOT_FOUND:
            found[key] = info
    return found


def _install_info(modid: str, item: Mapping[str, object]) -> InstallInfo:
    code = clean_int(item.get("errorCode"))
    reason = words_of(item.get("retractionReason"))
    url, recommended = item.get("fileUrl"), item.get("recommendedUpgrade")
    path = _DOWNLOAD.search(url[:URL_LENGTH]) if isinstance(url, str) else None
    is_plain = item.get("errorCode") is None and item.get("retractionReason") in (None, "")
    by_moderator = code in RETRACTED_BY_MODERATOR
    retracted = bool(reason) or code == RETRACTED or by_moderator
    unsaid = set()
    if recommended is not None and not exact(recommended):
        unsaid.add("recommended")
    if retracted and not isinstance(item.get("retractionReason"), str):
        unsaid.add("retraction_reason")
    return InstallInfo(
        modid=clean_line(modid, NAME_LENGTH),
        recommended=exact(recommended),
        retraction_reason=reason,
        retracted=retracted,
        retracted_by_moderator=by_moderator,
        error_code=code,
        file_id=clean_id(path.group(1)) if path else None,
        is_offered=isinstance(url, str) and is_plain,
        unsaid=frozenset(unsaid),
    )


def parse_game_versions(items: list[Any]) -> list[str]:
    """The names in /api/gameversions, in the database's ascending order."""
    named = (exact(item.get("name")) for item in items[:MAX_GAME_VERSIONS] if isinstance(item, Mapping))
    return [name for name in dict.fromkeys(named) if name]
