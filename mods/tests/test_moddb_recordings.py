"""Recorded exchanges with the mod database's own software, and one real list of all mods. Data stay outside."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import responses

from mods import moddb_json
from mods.moddb import BadAnswer, BadRequest, ModDB, ModDBError, NotFound
from mods.moddb_answers import parse_details, parse_summaries, parse_updates

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "moddb"
URL = "http://moddb.test"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the recordings in ../shared/data aren't here")


def recording(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "recordings" / f"{name}.json").read_text(encoding="utf-8"))
    return found


def replay(mock: responses.RequestsMock, name: str) -> ModDB:
    """A client for which every address answers as recorded."""
    found = recording(name)
    headers = {name: value for name, value in found["headers"].items() if name == "Location"}
    body = found["body"].encode()
    kind = found["headers"]["Content-Type"]
    mock.get(re.compile(".*"), body=body, status=found["status"], headers=headers, content_type=kind)
    return ModDB(URL, retries=0)


def names() -> list[str]:
    return sorted(path.stem for path in (DATA / "recordings").glob("*.json"))


def test_all_recordings_go_through_every_reader_without_a_crash() -> None:
    assert len(names()) == 184
    for name in names():
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            db = replay(mock, name)
            asks: list[Callable[[], object]] = [
                partial(db.mod, "carrycapacity"),
                db.mods,
                partial(db.updates, ["carrycapacity", "corelib"]),
                partial(db.install_information, [("corelib", "1.0.0")], "1.20.4"),
                db.game_versions,
            ]
            for ask in asks:
                with suppress(ModDBError):
                    ask()


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("mod-")] if DATA.is_dir() else [])
def test_every_recorded_mod_is_read_whole_or_refused_for_what_it_is(name: str) -> None:
    found = recording(name)
    with responses.RequestsMock() as mock:
        db = replay(mock, name)
        try:
            raw = json.loads(found["body"])
        except ValueError:
            with pytest.raises(BadAnswer):
                db.mod("x")
            return
        if raw["statuscode"] != "200":
            with pytest.raises({"404": NotFound, "400": BadRequest}[raw["statuscode"]]):
                db.mod("x")
            return
        mod = db.mod("x")
    assert (mod.mod_id, mod.author) == (raw["mod"]["modid"], raw["mod"]["author"])
    assert [release.release_id for release in mod.releases] == [item["releaseid"] for item in raw["mod"]["releases"]]
    assert [release.version for release in mod.releases] == [item["modversion"] for item in raw["mod"]["releases"]]
    assert [release.modid or None for release in mod.releases] == [item["modidstr"] for item in raw["mod"]["releases"]]


@pytest.mark.parametrize(
    ("name", "ids", "versions"),
    [
        ("updates-basic", ["carrycapacity", "corelib", "preview"], ["0.7.1", "2.1.0", "1.1.0-rc.1"]),
        ("updates-case", ["CARRYCAPACITY"], ["0.7.1"]),
        ("updates-case2", ["mixedcasemod"], ["1.0.2"]),
        ("updates-uptodate", ["corelib"], []),
        ("updates-missingfile", ["missingfile"], ["1.1.0"]),
        ("updates-bigversions", ["bigversions"], ["32767.65535.65535-rc.4095"]),
    ],
)
def test_recorded_updates(name: str, ids: list[str], versions: list[str]) -> None:
    with responses.RequestsMock() as mock:
        found = replay(mock, name).updates(ids)
    assert sorted(found) == sorted(modid.lower() for modid in ids[: len(versions)])
    assert sorted(release.version for release in found.values()) == sorted(versions)


@pytest.mark.parametrize("name", ["updates-one-malformed", "updates-trailing-comma", "updates-n350"])
def test_recorded_refusals_of_a_batch(name: str) -> None:
    with responses.RequestsMock() as mock, pytest.raises(BadRequest):
        replay(mock, name).updates(["corelib"])


def test_recorded_install_information() -> None:
    def read(name: str, *ids: str) -> dict[str, Any]:
        with responses.RequestsMock() as mock:
            return dict(replay(mock, name).install_information([(modid, "1.0.0") for modid in ids], "1.20.4"))

    basic = read("v2-ii-gv", "carrycapacity", "corelib", "preview")
    assert {key: (info.recommended, info.file_id) for key, info in basic.items()} == {
        "carrycapacity": ("0.5.3", 8),
        "corelib": ("1.2.0", 36),
        "preview": ("1.0.0", 62),
    }
    retracted = read("v2-ii-retracted", "retractedone", "adminretracted", "allretracted")
    assert all(info.retracted and not info.retracted_by_moderator for info in retracted.values())
    assert read("v2-ii-retracted-mod", "retractedone")["retractedone"].retracted_by_moderator
    assert read("v2-ii-missingfile", "missingfile")["missingfile"].file_id is None
    assert read("v2-ii-case", "CoreLib")["corelib"].file_id == 35
    with pytest.raises(BadRequest):
        read("v2-ii-badgv", "corelib")


def test_recorded_game_versions() -> None:
    with responses.RequestsMock() as mock:
        versions = replay(mock, "gameversions").game_versions()
    raw = json.loads(recording("gameversions")["body"])["gameversions"]
    assert versions == [item["name"] for item in raw]


def test_the_real_list_of_4852_mods_is_read_whole() -> None:
    body = (DATA / "api-mods-2025-12-29.json").read_bytes()
    raw = json.loads(body)["mods"]
    assert moddb_json.top_level(body, "mods", most=4852) == {"statuscode": "200", "mods": list}
    found = list(parse_summaries(moddb_json.items(body, "mods")))
    assert len(found) == len(raw) == 4852
    assert [mod.mod_id for mod in found] == [item["modid"] for item in raw]
    assert [mod.modids for mod in found] == [tuple(filter(None, item["modidstrs"])) for item in raw]
    assert [mod.downloads for mod in found] == [item["downloads"] for item in raw]
    assert all(
        mod.name and (mod.last_released or not item["lastreleased"]) for mod, item in zip(found, raw, strict=True)
    )


def test_samples_seen_in_public() -> None:
    release = json.loads((DATA / "sample-release_carryon.json").read_bytes())
    found = parse_updates({"carryon": release}, ["carryon"])["carryon"]
    assert (found.version, found.file_id, found.game_versions) == ("1.14.3", 113014, ("1.22.0", "1.22.1"))
    summary = json.loads((DATA / "sample-summary_untrimmed_name_empty_tag.json").read_bytes())
    assert next(parse_summaries([summary])).name == "Hardcore Water Forked Forked"
    assert parse_details(None) is None
