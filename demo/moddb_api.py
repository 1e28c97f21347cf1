"""What the mod database answers: each question to a reply, quirks included, without any network."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from urllib.parse import parse_qsl, quote_plus

from demo.moddb_data import DemoMod, DemoRelease, Store, version_number

JSON = "application/json"
HTML = "text/html; charset=utf-8"
Query = dict[str, list[str]]

PARSE_FAILED, NO_VERSION, HOSTED = 4001, 4002, 4031
CANNOT_IGNORE, NOT_FOUND, RETRACTED, RETRACTED_FORCED = 4032, 4041, 4101, 4102


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. `location`: where a redirect leads, sent as it is, in UTF-8. `sized`: with Content-Length."""

    status: int
    kind: str
    body: bytes = b""
    location: str = ""
    sized: bool = False
    disposition: str = ""


def json_reply(data: object, status: int = 200) -> Reply:
    """JSON as PHP writes it."""
    return Reply(status, JSON, json.dumps(data, separators=(",", ":")).replace("/", "\\/").encode())


def html_reply(status: int, text: str) -> Reply:
    page = f'<!DOCTYPE html>\r\n<html lang="en"><head><title>Demo mod database</title></head><body>{text}</body></html>'
    return Reply(status, HTML, page.encode())


def php_error() -> Reply:
    """The database's own failure: HTML that still calls itself JSON."""
    return Reply(500, JSON, b'\t\t<div style="color: #600">\n\t\t<b>An Error has occured</b><br>\n\t\t</div>\n')


def v1_status(status: str) -> Reply:
    return json_reply({"statuscode": status})


def acceptable(accept: str | None) -> bool:
    """False: the trap. Such a request gets the 12 bytes `not an image`, whatever it asked for."""
    return not accept or accept == "*/*" or "text/html" in accept or JSON in accept


@dataclass(frozen=True)
class Question:
    method: str
    target: str  # path and query as sent; percent-encoding stays in the path
    accept: str | None
    client: str
    files_at: str  # the file host's address, without a slash at the end


def answer(store: Store, question: Question) -> Reply:
    """The reply of the database itself (not its file host)."""
    if not acceptable(question.accept):
        return Reply(200, "text/html; charset=UTF-8", b"not an image")
    path, _, query_string = question.target.partition("?")
    query: Query = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True, errors="replace"):
        query.setdefault(name, []).append(value)
    parts = path.strip("/").split("/")
    with store.lock:
        if parts[0] == "download":
            return _download(store, parts[1:], query, question)
        if parts[:2] == ["api", "v2"]:
            return _v2(store, parts[2:], query, question.method)
        if parts[0] == "api":
            return _v1(store, parts[1:], query, question)
        if parts[:2] == ["show", "mod"]:
            return _page(store, "".join(parts[2:]))
    return html_reply(404, "Not found.")


def _page(store: Store, number: str) -> Reply:
    """A mod's page for people, by its asset's number."""
    mod = next((mod for mod in store.mods.values() if str(mod.asset_id) == number), None)
    if mod is None:
        return html_reply(404, "Not found.")
    note = "<p><em>This mod database and its mods are made up. There is no more to this page.</em></p>"
    return html_reply(200, f"<h1>{escape(mod.name)}</h1><p>by {escape(mod.author)}</p>{mod.text}{note}")


def file_reply(store: Store, path: str) -> Reply:
    """The reply of the file host, which knows nothing of retractions."""
    with store.lock:
        release = store.paths.get(path)
    if release is None:
        return html_reply(404, "404 Not Found")
    return Reply(200, "application/zip", release.content, sized=True, disposition="attachment; filename=x.zip")


def _v1(store: Store, parts: list[str], query: Query, question: Question) -> Reply:
    if not parts:
        return v1_status("404")
    match parts[0]:
        case "mods":
            return _mods(store, query)
        case "mod":
            return _mod(store, parts[1] if len(parts) > 1 else "", question.files_at)
        case "updates":
            return _updates(store, query, question)
        case "gameversions":
            versions = store.sorted_game_versions()
            items = [{"tagid": -number, "name": name, "color": "#CCCCCC"} for number, name in versions]
            return json_reply({"statuscode": "200", "gameversions": items})
        case "tags":
            tags = [
                {"tagid": number, "name": name, "color": "#CCCCCCFF"} for name, number in sorted(store.tags.items())
            ]
            return json_reply({"statuscode": "200", "tags": tags})
        case "authors":
            part = _last(query, "name").lower()[:20]
            authors = [{"userid": i, "name": n} for n, i in store.authors.items() if part in n.lower()]
            return json_reply({"statuscode": "200", "authors": authors})
        case "comments":
            return json_reply({"statuscode": "200", "comments": []})
    return v1_status("400")


def _last(query: Query, name: str) -> str:
    return query.get(name, [""])[-1]


def _release(release: DemoRelease, files_at: str) -> dict[str, object]:
    missing = release.file_id is None
    return {
        "releaseid": release.release_id,
        "mainfile": f"{files_at}/{'' if missing else release.path}?dl={release.file_name}",
        "filename": release.file_name,
        "fileid": release.file_id,
        "downloads": release.downloads,
        "tags": list(release.game_versions) or ["0.0.0"],
        "modidstr": release.modid,
        "modversion": release.version,
        "created": release.created,
    }


def _mod(store: Store, key: str, files_at: str) -> Reply:
    if key in ("", "0"):
        return v1_status("400")
    if (number := _php_number(key)) is not None:
        mod = store.mods.get(number)
    else:
        offered = [release for release in store.releases_of(key) if release.retraction is None]
        mod = offered[0].mod if offered else None
    if mod is None or mod.status != "published":
        return v1_status("404")
    releases = []
    for release in mod.offered():
        item = _release(release, files_at)
        if release.file_id is None:
            item["mainfile"] = ""
        releases.append(item | {"changelog": release.changelog})
    return json_reply({"mod": _details(mod) | {"releases": releases, "screenshots": []}, "statuscode": "200"})


def _php_number(text: str) -> int | None:
    """The whole number that PHP sees in a text that looks like one (032, 3.2e1, -1); None: it sees a text."""
    try:
        number = float(text) if text.isascii() and not text.lower().strip("+-").startswith(("i", "n")) else None
    except ValueError:
        return None
    return int(number) if number is not None and "_" not in text and number == number // 1 else None


def _details(mod: DemoMod) -> dict[str, object]:
    released = [release.created for release in mod.releases]
    return {
        "modid": mod.mod_id,
        "assetid": mod.asset_id,
        "name": mod.name,
        "text": mod.text,
        "author": mod.author,
        "urlalias": mod.alias,
        "logofilename": mod.logo,
        "logofile": mod.logo,
        "logofiledb": mod.logo,
        "homepageurl": mod.homepage_url,
        "sourcecodeurl": mod.source_url,
        "trailervideourl": mod.video_url,
        "issuetrackerurl": mod.issues_url,
        "wikiurl": mod.wiki_url,
        "downloads": mod.downloads,
        "follows": mod.follows,
        "trendingpoints": mod.trending,
        "comments": mod.comments,
        "side": mod.side,
        "type": mod.type,
        "created": mod.created,
        "lastreleased": max(released, default=None),
        "lastmodified": max(released, default=mod.created),
        "tags": list(mod.tags) or [""],
    }


def _summary(mod: DemoMod) -> dict[str, object]:
    names = {release.modid for release in mod.releases if release.modid and release.retraction is None}
    details = _details(mod)
    first = ("modid", "assetid", "downloads", "follows", "trendingpoints", "comments", "name")
    return {name: details[name] for name in first} | {
        "summary": mod.summary,
        "modidstrs": sorted(names),
        "author": mod.author,
        "urlalias": mod.alias,
        "side": mod.side,
        "type": mod.type,
        "logo": mod.logo,
        "tags": details["tags"],
        "lastreleased": details["lastreleased"],
    }


def _mods(store: Store, query: Query) -> Reply:
    exact = [gv for gv in query.get("gv", [])[-1:] if gv] or query.get("gameversions[]", [])
    if "gameversions" in query or any(version_number(gv) is None for gv in exact):
        return php_error()
    wanted = {version_number(gv) for gv in exact}
    text, author, major = _last(query, "text").lower(), _last(query, "author"), _last(query, "gameversion")
    tags = set(query.get("tagids[]", []))

    def matches(mod: DemoMod) -> bool:
        numbers = {version_number(gv) for release in mod.offered() for gv in release.game_versions}
        majors = {f"{number >> 48}.{number >> 32 & 0xFFFF}" for number in numbers if number is not None}
        return (
            mod.status == "published"
            and (not mod.releases or bool(mod.offered()))  # with all releases retracted it isn't listed
            and (not text or text in mod.name.lower() or text in mod.text.lower())
            and (not author or author == str(mod.author_id))
            and (not major or major in majors)
            and (not wanted or bool(wanted & numbers))
            and tags <= {str(store.tags[tag]) for tag in mod.tags}
        )

    mods = [mod for mod in store.mods.values() if matches(mod)]
    order = _last(query, "orderby")
    fields: dict[str, Callable[[DemoMod], object]] = {
        "lastreleased": lambda mod: max((release.created for release in mod.releases), default=""),
        "downloads": lambda mod: mod.downloads,
        "follows": lambda mod: mod.follows,
        "comments": lambda mod: mod.comments,
        "trendingpoints": lambda mod: mod.trending,
    }
    by = fields.get(order, lambda mod: mod.created)
    mods.sort(key=by, reverse=_last(query, "orderdirection") != "asc")
    return json_reply({"statuscode": "200", "mods": [_summary(mod) for mod in mods]})


def _updates(store: Store, query: Query, question: Question) -> Reply:
    if "mods[]" in query:
        return php_error()
    if question.method == "POST" or not _last(query, "mods"):
        return v1_status("400")
    asked: dict[str, int | None] = {}
    for entry in _last(query, "mods").split(","):
        modid, at, version = entry.partition("@")
        if not at or "@" in version:
            return v1_status("400")
        asked[modid] = version_number(version)
    found: dict[str, object] = {}
    for modid in asked:
        # drafts and locked mods leak; releases without game versions don't appear
        offered = [r for r in store.releases_of(modid) if r.retraction is None and r.game_versions]
        newest = max(offered, key=lambda release: release.number, default=None)
        if newest is None or newest.modid is None:
            continue
        # asked in another letter case the version goes unread: always outdated
        installed = asked.get(newest.modid)
        if installed is None or installed < newest.number:
            found[newest.modid] = _release(newest, question.files_at)
    return json_reply({"statuscode": "200", "updates": found or []})


def _v2(store: Store, parts: list[str], query: Query, method: str) -> Reply:
    if parts[:2] != ["mods", "install-information"]:
        return json_reply({}, 401 if parts else 404)
    if method == "POST":
        reason = "This endpoint does not support POST requests. Try again using GET."
        return json_reply({"reason": reason}, 405)
    game_version = None
    if "gv" in query:
        game_version = version_number(_last(query, "gv"))
        if game_version is None:
            return json_reply({"reason": "Invalid game version."}, 400)
    if not _last(query, "ids"):
        return json_reply({"reason": "Missing ids."}, 400)
    hosted = _last(query, "hosted-mode") not in ("", "0")
    ignore = _last(query, "ignore-retractions") not in ("", "0")
    return _install_information(store, _last(query, "ids").split(","), game_version, hosted=hosted, ignore=ignore)


def _install_information(
    store: Store, specs: Iterable[str], game_version: int | None, *, hosted: bool, ignore: bool
) -> Reply:
    result: dict[str, dict[str, object]] = {}
    known: list[tuple[str, int]] = []
    unknown: list[str] = []
    for spec in specs:
        modid, _, version = spec.partition("@")
        number = version_number(version) if version else None
        result[modid] = {}
        if version and number is None:
            result[modid] = {"errorCode": PARSE_FAILED}
        elif number is not None:
            known.append((modid, number))
        elif game_version is not None:
            unknown.append(modid)
        else:
            result[modid] = {"errorCode": NO_VERSION}
    if hosted:
        return json_reply({"data": {modid: item or {"errorCode": HOSTED} for modid, item in result.items()}})
    if not known and not unknown:
        return json_reply({"reason": "All requested ids are malformed.", "data": result}, 400)
    for modid, number in known:
        for release in store.releases_of(modid):
            if release.number == number and release.modid is not None:
                _of_installed(result.setdefault(release.modid, {}), release, game_version, ignore=ignore)
    for modid in unknown:
        for release in store.releases_of(modid):
            if game_version is not None and release is _best(release.mod, game_version) and release.modid:
                result.setdefault(release.modid, {}).update(_file(release) | {"recommendedUpgrade": release.version})
    return json_reply({"data": {modid: item or {"errorCode": NOT_FOUND} for modid, item in result.items()}})


def _of_installed(item: dict[str, object], release: DemoRelease, game_version: int | None, *, ignore: bool) -> None:
    best = _best(release.mod, game_version) if game_version is not None else None
    if best is not None and best.number > release.number:
        item["recommendedUpgrade"] = best.version
    if release.retraction is not None:
        item["retractionReason"] = release.retraction
        if not ignore or release.by_moderator:
            forced = CANNOT_IGNORE if ignore else RETRACTED_FORCED
            item["errorCode"] = forced if release.by_moderator else RETRACTED
            return
    item.update(_file(release))


def _file(release: DemoRelease) -> dict[str, object]:
    if release.file_id is None:
        return {"fileName": None, "fileUrl": "/download//"}
    url = f"/download/{release.file_id}/{quote_plus(release.file_name)}"
    return {"fileName": release.file_name, "fileUrl": url}


def _best(mod: DemoMod, game_version: int) -> DemoRelease | None:
    """The highest stable release of the whole mod, whatever its modid, that lists exactly this game version."""
    fit = [r for r in mod.offered() if r.stable and game_version in map(version_number, r.game_versions)]
    return max(fit, key=lambda release: release.number, default=None)


def _download(store: Store, parts: list[str], query: Query, question: Question) -> Reply:
    text = _last(query, "fileid") or (parts[0] if parts else "")
    file_id = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
    if not file_id:
        return html_reply(400, "Missing fileid.")
    release = store.files.get(file_id)
    if release is None:
        return html_reply(404, "File not found.")
    if release.retraction is not None:
        return html_reply(410, f"<h4>This release has been retracted. Reason:</h4>{release.retraction}")
    if (file_id, question.client) not in store.counted:
        store.counted.add((file_id, question.client))
        release.downloads += 1
        release.mod.downloads += 1
    return Reply(302, HTML, location=f"{question.files_at}/{release.path}?dl={release.file_name}")
