"""What the mod database says, as dataclasses. All of it is hostile until it has been through here.

Texts have no control characters, NULs or lone surrogates and are capped; numbers fit 64 bits; addresses are
http(s); times are aware UTC. What is missing, null or of the wrong type becomes empty; an entry without its
own id is left out and never spoils the others. What is said to be HTML is as its authors wrote it: sanitise it
where it is shown.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import unescape
from typing import Any, TypeVar

import nh3

MAX_INT = 2**63 - 1
NAME_LENGTH = 100  # characters of a modid, version, author, tag or game version
LINE_LENGTH = 500  # characters of a name, summary or file name
URL_LENGTH = 2000
HTML_BYTES = 64 * 1024
MAX_RELEASES = 5000  # of one mod
MAX_MODS = 500_000
MAX_ITEMS = 2000  # tags or game versions of one thing

_SIDES = {"both": "both", "universal": "both", "client": "client", "server": "server"}
NO_GAME_VERSION = "0.0.0"  # how the mod database writes "no game versions given"

# install-information's errorCode
NOT_FOUND = 4041
RETRACTED = 4101
RETRACTED_BY_MODERATOR = frozenset({4032, 4102})

T = TypeVar("T")

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # would show a name in another order
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}")
_DOWNLOAD = re.compile(r"/download/([0-9]{1,18})(?:[/?]|$)")


class BadJson(ValueError):
    """An answer that isn't JSON; the message says what it is, in plain words."""


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


@dataclass(frozen=True, slots=True)
class ModDetails:
    """All that /api/mod says of a mod. `description` is HTML; `summary` is "": only /api/mods tells it.

    `releases` in the database's order, which is by date of creation; retracted ones are missing from it.
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


@dataclass(frozen=True, slots=True)
class InstallInfo:
    """What install-information says of one installed version.

    `recommended`: highest stable version listing exactly the game version asked for, when higher than the
    installed one; "" otherwise. With a mod of several modids it can be another one's version.
    `file_id`: of the version asked for, or of the recommended one where none was. `error_code`: the API's, 4041 = not
    found, None = fine.
    """

    modid: str
    recommended: str
    retraction_reason: str
    retracted: bool
    retracted_by_moderator: bool
    error_code: int | None
    file_id: int | None


def load_json(body: bytes) -> Any:
    """The JSON in a body, leniently: bad UTF-8 is replaced, absurd numbers are None. Raises BadJson."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    if not text:
        raise BadJson("an empty answer")
    try:
        return json.loads(text, parse_int=_json_int, parse_constant=lambda _name: None)
    except RecursionError as error:
        raise BadJson("an answer nested without end") from error
    except ValueError as error:
        if text.startswith("<"):
            raise BadJson("a web page instead of data") from error
        raise BadJson("data that is damaged or cut off") from error


def _json_int(digits: str) -> int | None:
    # Python itself refuses to read thousands of digits, which would spoil the whole answer
    return int(digits) if len(digits) <= 20 else None


def clean_line(value: object, limit: int = LINE_LENGTH) -> str:
    """A text for one line, at most `limit` characters; "" for anything but a text."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value.strip()[:limit]
    text = _BIDI.sub("", _CONTROL.sub("", _SURROGATE.sub("\ufffd", value[: limit * 10])))
    return " ".join(text.split())[:limit].rstrip()


def clean_html(value: object) -> str:
    """A text of many lines, at most HTML_BYTES in UTF-8; still as hostile as HTML from strangers is."""
    if not isinstance(value, str):
        return ""
    text = _CONTROL.sub("", _SURROGATE.sub("\ufffd", value[:HTML_BYTES]))
    return text.encode()[:HTML_BYTES].decode("utf-8", "ignore")


def _text(html: str) -> str:
    """The words of some HTML, on one line."""
    return clean_line(unescape(nh3.clean(html, tags=set())), HTML_BYTES)


def _exact(value: object) -> str:
    """A modid or version, or "" when it isn't fit to be one; never a changed one: it would name another."""
    text = clean_line(value, NAME_LENGTH)
    return text if text == value else ""


def _int(value: object) -> int | None:
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -MAX_INT <= value <= MAX_INT:
        return None
    return value


def _id(value: object) -> int | None:
    number = _int(value)
    return number if number is not None and number > 0 else None


def _count(value: object) -> int:
    return max(_int(value) or 0, 0)


def _date(value: object) -> datetime | None:
    """`YYYY-MM-DD HH:MM:SS`, which the mod database means as UTC."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        date = datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return None
    return date if 1970 <= date.year < 2200 else None


def _url(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > URL_LENGTH or not text.lower().startswith(("http://", "https://")):
        return ""
    return clean_line(text, URL_LENGTH)


def _side(value: object) -> str:
    return _SIDES.get(value.lower(), "") if isinstance(value, str) else ""


def _names(value: object, clean: Callable[[object], str]) -> tuple[str, ...]:
    """The texts of a list, each once, without the empty ones."""
    if not isinstance(value, list):
        return ()
    return tuple(dict.fromkeys(name for item in value[:MAX_ITEMS] if (name := clean(item))))


def _tag(value: object) -> str:
    return clean_line(value, NAME_LENGTH)


def _each(items: object, parse: Callable[[Any], T | None], number: Callable[[T], int], limit: int) -> list[T]:
    """What the items of a list are, those left out that are nothing; of two with one number the first."""
    found: dict[int, T] = {}
    for item in items[:limit] if isinstance(items, list) else ():
        parsed = parse(item)
        if parsed is not None:
            found.setdefault(number(parsed), parsed)
    return list(found.values())


def parse_release(data: object) -> ReleaseInfo | None:
    """One of releases[] or updates{}; None: no usable id or version."""
    if not isinstance(data, Mapping):
        return None
    release_id, version = _id(data.get("releaseid")), _exact(data.get("modversion"))
    modid = data.get("modidstr")
    if release_id is None or not version or (modid and not _exact(modid)):
        return None
    file_id = _id(data.get("fileid"))
    return ReleaseInfo(
        release_id=release_id,
        modid=_exact(modid),
        version=version,
        file_id=file_id,
        file_name=clean_line(data.get("filename")),
        file_url=_url(data.get("mainfile")) if file_id is not None else "",
        game_versions=tuple(v for v in _names(data.get("tags"), _exact) if v != NO_GAME_VERSION),
        created=_date(data.get("created")),
        changelog=clean_html(data.get("changelog")),
        downloads=_count(data.get("downloads")),
    )


def parse_details(data: object) -> ModDetails | None:
    """The `mod` of /api/mod; None: it isn't one."""
    if not isinstance(data, Mapping):
        return None
    mod_id = _id(data.get("modid"))
    if mod_id is None:
        return None
    releases = _each(data.get("releases"), parse_release, lambda release: release.release_id, MAX_RELEASES)
    return ModDetails(
        mod_id=mod_id,
        asset_id=_id(data.get("assetid")),
        name=clean_line(data.get("name")),
        author=clean_line(data.get("author"), NAME_LENGTH),
        summary=clean_line(data.get("summary")),
        description=clean_html(data.get("text")),
        side=_side(data.get("side")),
        type=clean_line(data.get("type"), NAME_LENGTH),
        alias=clean_line(data.get("urlalias"), NAME_LENGTH),
        logo_url=_url(data.get("logofile")) or _url(data.get("logofilename")),
        homepage_url=_url(data.get("homepageurl")),
        source_url=_url(data.get("sourcecodeurl")),
        issues_url=_url(data.get("issuetrackerurl")),
        wiki_url=_url(data.get("wikiurl")),
        video_url=_url(data.get("trailervideourl")),
        tags=_names(data.get("tags"), _tag),
        downloads=_count(data.get("downloads")),
        follows=_count(data.get("follows")),
        comments=_count(data.get("comments")),
        trending=_count(data.get("trendingpoints")),
        created=_date(data.get("created")),
        last_released=_date(data.get("lastreleased")),
        releases=tuple(releases),
    )


def parse_summary(data: object) -> ModSummary | None:
    """One of /api/mods; None: no usable id."""
    if not isinstance(data, Mapping):
        return None
    mod_id = _id(data.get("modid"))
    if mod_id is None:
        return None
    return ModSummary(
        mod_id=mod_id,
        asset_id=_id(data.get("assetid")),
        name=clean_line(data.get("name")),
        summary=clean_line(data.get("summary")),
        author=clean_line(data.get("author"), NAME_LENGTH),
        alias=clean_line(data.get("urlalias"), NAME_LENGTH),
        side=_side(data.get("side")),
        type=clean_line(data.get("type"), NAME_LENGTH),
        logo_url=_url(data.get("logo")),
        tags=_names(data.get("tags"), _tag),
        modids=_names(data.get("modidstrs"), _exact),
        downloads=_count(data.get("downloads")),
        follows=_count(data.get("follows")),
        comments=_count(data.get("comments")),
        trending=_count(data.get("trendingpoints")),
        last_released=_date(data.get("lastreleased")),
    )


def parse_summaries(items: object) -> list[ModSummary]:
    """All of /api/mods, each mod number once."""
    return _each(items, parse_summary, lambda mod: mod.mod_id, MAX_MODS)


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
        modid = release.modid or _exact(key)
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
    code = _int(item.get("errorCode"))
    reason = _text(clean_html(item.get("retractionReason")))
    url = item.get("fileUrl")
    path = _DOWNLOAD.search(url[:URL_LENGTH]) if isinstance(url, str) else None
    return InstallInfo(
        modid=clean_line(modid, NAME_LENGTH),
        recommended=_exact(item.get("recommendedUpgrade")),
        retraction_reason=reason,
        retracted=bool(reason) or code == RETRACTED or code in RETRACTED_BY_MODERATOR,
        retracted_by_moderator=code in RETRACTED_BY_MODERATOR,
        error_code=code,
        file_id=_id(path.group(1)) if path else None,
    )


def parse_game_versions(items: object) -> list[str]:
    """The names in /api/gameversions, in the database's ascending order."""
    if not isinstance(items, list):
        return []
    return list(_names([item.get("name") for item in items if isinstance(item, Mapping)], _exact))
