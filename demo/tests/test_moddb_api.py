"""The made-up mod database answers as the real one does, quirks included."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pytest
import requests

from demo.moddb import DemoMod, ModDatabase


@pytest.fixture
def db() -> Iterator[ModDatabase]:
    made = ModDatabase()
    with made.serve():
        yield made


def raw(db: ModDatabase, path: str, **options: Any) -> requests.Response:
    return requests.get(db.url + path, timeout=10, allow_redirects=False, **options)


def ask(db: ModDatabase, path: str) -> Any:
    return raw(db, path).json()


def core(db: ModDatabase) -> DemoMod:
    mod = db.add_mod(name="Core Library", modids=["CoreLib"], author="Someone", tags=["Library", "QoL"], alias="core")
    db.add_release(mod, "CoreLib", "1.0.0", game_versions=["1.20.4"])
    db.add_release(mod, "CoreLib", "2.0.0", game_versions=["1.20.4", "1.21.0"])
    db.add_release(mod, "CoreLib", "2.1.0-rc.1", game_versions=["1.21.0"], changelog="<p>Try</p>")
    return mod


# --- general


def test_answers_have_neither_length_nor_validators(db: ModDatabase) -> None:
    headers = raw(db, "/api/mods").headers
    assert headers["Content-Type"] == "application/json"
    assert not {"Content-Length", "ETag", "Last-Modified", "Content-Encoding"} & set(headers)


@pytest.mark.parametrize(
    ("accept", "trapped"),
    [
        ("*/*", False),
        ("application/json;q=0.9", False),
        ("text/html", False),
        (None, False),
        ("*/*;q=0.8", True),
        ("application/zip, */*", True),
        ("text/plain, */*", True),
    ],
)
def test_the_accept_trap(db: ModDatabase, accept: str | None, trapped: bool) -> None:
    core(db)
    answer = raw(db, "/api/mod/corelib", headers={"Accept": accept})
    assert (answer.content == b"not an image") is trapped
    assert answer.status_code == 200
    assert raw(db, "/download/4", headers={"Accept": accept}).status_code == (200 if trapped else 302)


def test_request_lines_over_8192_bytes_are_refused(db: ModDatabase) -> None:
    fits = "/api/updates?mods=" + "x" * (8192 - len("GET /api/updates?mods= HTTP/1.1\r\n"))
    assert raw(db, fits).json() == {"statuscode": "400"}
    assert raw(db, fits + "x").status_code == 414


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api", "404"), ("/api/", "404"), ("/api/nope", "400"), ("/api/Mods", "400"), ("/api/mod", "400")],
)
def test_v1_tells_its_status_inside(db: ModDatabase, path: str, status: str) -> None:
    answer = raw(db, path)
    assert (answer.status_code, answer.json()) == (200, {"statuscode": status})


@pytest.mark.parametrize(("path", "status"), [("/api/v2", 404), ("/api/v2/mods/32", 401), ("/elsewhere", 404)])
def test_v2_uses_http(db: ModDatabase, path: str, status: int) -> None:
    assert raw(db, path).status_code == status


def test_connections_are_kept_alive_and_head_and_post_are_understood(db: ModDatabase) -> None:
    with requests.Session() as session:
        assert session.head(db.url + "/api/mods").content == b""
        assert session.post(db.url + "/api/mods", data={"a": "b"}).json()["statuscode"] == "200"
        assert session.post(db.url + "/api/updates", data={"mods": "a@1.0.0"}).json() == {"statuscode": "400"}
        refused = session.post(db.url + "/api/v2/mods/install-information?ids=a")
        assert (refused.status_code, list(refused.json())) == (405, ["reason"])
    assert db.log[:2] == ["HEAD /api/mods", "POST /api/mods"]


# --- one mod


@pytest.mark.parametrize("key", ["corelib", "CoreLib", "1", "01", "1e0", "1/", "1/more"])
def test_a_mod_by_id_or_number(db: ModDatabase, key: str) -> None:
    core(db)
    assert ask(db, f"/api/mod/{key}")["mod"]["name"] == "Core Library"


@pytest.mark.parametrize("key", ["core", "nope", "99999", "-1", "2", "1.5", "nan", "inf", "1_0"])
def test_what_finds_no_mod(db: ModDatabase, key: str) -> None:
    core(db)
    assert ask(db, f"/api/mod/{key}") == {"statuscode": "404"}


def test_percent_encoding_is_not_decoded_in_paths(db: ModDatabase) -> None:
    core(db)
    connection = HTTPConnection(db.url.removeprefix("http://"))  # requests would decode it
    connection.request("GET", "/api/mod/%63orelib")
    assert connection.getresponse().read() == b'{"statuscode":"404"}'
    connection.close()


def test_a_modid_that_looks_like_a_number_is_a_number(db: ModDatabase) -> None:
    db.add_release(db.add_mod(name="Sixteen"), "16437", "1.0.0")
    assert ask(db, "/api/mod/16437") == {"statuscode": "404"}


def test_releases_come_by_date_and_without_retracted_ones(db: ModDatabase) -> None:
    mod = db.add_mod(name="Backport")
    db.add_release(mod, "backport", "2.0.0", created="2025-09-01 10:00:00")
    gone = db.add_release(mod, "backport", "1.9.9", created="2025-12-01 10:00:00")
    db.add_release(mod, "backport", "1.9.6", created="2025-10-01 10:00:00", changelog="<p>Fix</p>")
    db.retract(gone, "<p>Broken</p>")
    releases = ask(db, "/api/mod/backport")["mod"]["releases"]
    assert [(item["modversion"], item["tags"], item["changelog"]) for item in releases] == [
        ("1.9.6", ["0.0.0"], "<p>Fix</p>"),
        ("2.0.0", ["0.0.0"], None),
    ]


def test_a_mod_whose_releases_are_all_retracted(db: ModDatabase) -> None:
    mod = db.add_mod(name="Gone")
    db.retract(db.add_release(mod, "gone", "1.0.0", game_versions=["1.21.0"]), "<p>No</p>")
    assert ask(db, "/api/mod/gone") == {"statuscode": "404"}
    assert ask(db, f"/api/mod/{mod.mod_id}")["mod"]["releases"] == []
    assert ask(db, "/api/mods")["mods"] == []
    assert ask(db, "/api/updates?mods=gone@0.0.0")["updates"] == []


def test_a_removed_mod_is_gone_everywhere(db: ModDatabase) -> None:
    mod = core(db)
    file_id = mod.releases[0].file_id
    db.remove_mod(mod)
    assert ask(db, "/api/mod/corelib") == {"statuscode": "404"}
    assert ask(db, "/api/mods")["mods"] == []
    assert raw(db, f"/download/{file_id}").status_code == 404


def test_drafts_and_locked_mods_leak_in_updates_only(db: ModDatabase) -> None:
    for status in ("draft", "locked"):
        db.add_release(db.add_mod(name=status, status=status), status, "1.0.0", game_versions=["1.21.0"])
    assert ask(db, "/api/mod/draft") == ask(db, "/api/mod/locked") == {"statuscode": "404"}
    assert ask(db, "/api/mods")["mods"] == []
    assert set(ask(db, "/api/updates?mods=draft@0.0.0,locked@0.0.0")["updates"]) == {"draft", "locked"}


def test_a_tool_and_a_missing_file(db: ModDatabase) -> None:
    tool = db.add_mod(name="Model Tool", type="externaltool")
    db.add_release(tool, None, "1.1.0")
    assert ask(db, f"/api/mod/{tool.mod_id}")["mod"]["releases"][0]["modidstr"] is None
    db.add_release(db.add_mod(name="No file"), "nofile", "1.0.0", game_versions=["1.21.0"], missing_file=True)
    release = ask(db, "/api/mod/nofile")["mod"]["releases"][0]
    assert (release["mainfile"], release["filename"], release["fileid"]) == ("", "", None)
    assert ask(db, "/api/updates?mods=nofile@0.0.0")["updates"]["nofile"]["mainfile"].endswith("/?dl=")


# --- all mods


def listed(db: ModDatabase, query: str) -> list[str]:
    return [mod["name"] for mod in ask(db, f"/api/mods?{query}")["mods"]]


def test_the_list_of_mods_and_its_parameters(db: ModDatabase) -> None:
    core(db)
    many = db.add_mod(name="Many Ids", author="Other", tags=["QoL"], downloads=5)
    for modid in ("zeta", "alpha"):
        db.add_release(many, modid, "1.0.0", game_versions=["1.19.3"])
    db.add_mod(name="Work in progress")
    mods = {mod["name"]: mod for mod in ask(db, "/api/mods")["mods"]}
    assert list(mods) == ["Work in progress", "Many Ids", "Core Library"]
    assert mods["Many Ids"]["modidstrs"] == ["alpha", "zeta"]
    assert (mods["Work in progress"]["modidstrs"], mods["Work in progress"]["tags"]) == ([], [""])
    assert (mods["Work in progress"]["lastreleased"], mods["Work in progress"]["urlalias"]) == (None, None)
    assert listed(db, "text=many") == ["Many Ids"]
    assert listed(db, "text=zzz") == listed(db, "author=Other") == listed(db, "gameversion=1.20.4") == []
    assert listed(db, "author=2") == ["Many Ids"]
    assert listed(db, "gameversion=1.20") == listed(db, "gv=1.20.4") == ["Core Library"]
    assert listed(db, "gameversions[]=1.19.3&gameversions[]=1.21.0") == ["Many Ids", "Core Library"]
    assert listed(db, "tagids[]=2") == ["Many Ids", "Core Library"]
    assert listed(db, "tagids[]=2&tagids[]=1") == ["Core Library"]
    assert listed(db, "orderby=downloads")[0] == "Many Ids"
    assert listed(db, "orderby=nonsense&limit=1&page=2") == list(mods)
    assert listed(db, "orderby=lastreleased&orderdirection=asc")[0] == "Work in progress"


@pytest.mark.parametrize("query", ["gv=1.20", "gv=v1.20.4", "gameversions=1.20.4"])
def test_a_malformed_game_version_is_a_failure_of_its_own(db: ModDatabase, query: str) -> None:
    answer = raw(db, f"/api/mods?{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/json")
    assert b"<div" in answer.content


# --- updates


def test_updates_name_the_newest_in_the_true_letter_case(db: ModDatabase) -> None:
    core(db)
    found = ask(db, "/api/updates?mods=CoreLib@2.0.0,unknown@1.0.0")
    assert found["statuscode"] == "200"
    assert list(found["updates"]) == ["CoreLib"]
    assert found["updates"]["CoreLib"]["modversion"] == "2.1.0-rc.1"
    assert "changelog" not in found["updates"]["CoreLib"]
    assert ask(db, "/api/updates?mods=corelib@9.9.9")["updates"]["CoreLib"]["modversion"] == "2.1.0-rc.1"


@pytest.mark.parametrize("mods", ["CoreLib@2.1.0-rc.1", "CoreLib@2.1.0", "nope@1.0.0"])
def test_no_updates_are_an_empty_list(db: ModDatabase, mods: str) -> None:
    core(db)
    assert ask(db, f"/api/updates?mods={mods}") == {"statuscode": "200", "updates": []}


@pytest.mark.parametrize("version", ["latest", "2.1", "v9.0.0", ""])
def test_a_version_that_can_not_be_parsed_is_outdated(db: ModDatabase, version: str) -> None:
    core(db)
    assert list(ask(db, f"/api/updates?mods=CoreLib@{version}")["updates"]) == ["CoreLib"]


@pytest.mark.parametrize("mods", ["", "a", "0", "a@1.0.0,", "a@1.0.0,b", "a@1@2", ",a@1.0.0"])
def test_one_malformed_entry_fails_the_batch(db: ModDatabase, mods: str) -> None:
    assert ask(db, f"/api/updates?mods={mods}") == {"statuscode": "400"}


def test_a_release_without_game_versions_is_not_in_updates(db: ModDatabase) -> None:
    db.add_release(db.add_mod(name="Old"), "old", "1.0.0")
    assert ask(db, "/api/updates?mods=old@0.0.0")["updates"] == []
    assert ask(db, "/api/mod/old")["mod"]["releases"][0]["tags"] == ["0.0.0"]


# --- install-information


def info(db: ModDatabase, query: str) -> Any:
    return ask(db, f"/api/v2/mods/install-information?{query}")["data"]


def test_recommendations(db: ModDatabase) -> None:
    core(db)
    older = info(db, "ids=CoreLib@1.0.0&gv=1.21.0")["CoreLib"]
    assert older["recommendedUpgrade"] == "2.0.0"
    assert older["fileUrl"] == "/download/4/CoreLib_1.0.0.zip"
    assert "recommendedUpgrade" not in info(db, "ids=CoreLib@2.0.0&gv=1.21.0")["CoreLib"]
    assert "recommendedUpgrade" not in info(db, "ids=CoreLib@1.0.0")["CoreLib"]
    assert info(db, "ids=CoreLib&gv=1.20.4")["CoreLib"]["fileName"] == "CoreLib_2.0.0.zip"
    assert info(db, "ids=CoreLib&gv=1.19.0")["CoreLib"] == {"errorCode": 4041}


def test_error_codes(db: ModDatabase) -> None:
    core(db)
    found = info(db, "ids=CoreLib@9.9.9,nope@1.0.0,CoreLib2,bad@x")
    assert found == {
        "CoreLib": {"errorCode": 4041},
        "nope": {"errorCode": 4041},
        "CoreLib2": {"errorCode": 4002},
        "bad": {"errorCode": 4001},
    }
    assert info(db, "ids=CoreLib@1.0.0&hosted-mode=1") == {"CoreLib": {"errorCode": 4031}}


def test_ids_are_case_sensitive(db: ModDatabase) -> None:
    core(db)
    found = info(db, "ids=corelib@1.0.0")
    assert found["corelib"] == {"errorCode": 4041}
    assert found["CoreLib"]["fileName"] == "CoreLib_1.0.0.zip"


def test_retractions(db: ModDatabase) -> None:
    mod = core(db)
    db.retract(mod.releases[0], "<p>Corrupts saves</p>")
    db.retract(mod.releases[1], "<p>Malware</p>", by_moderator=True)
    first, second = "ids=CoreLib@1.0.0", "ids=CoreLib@2.0.0"
    assert info(db, first)["CoreLib"] == {"retractionReason": "<p>Corrupts saves</p>", "errorCode": 4101}
    assert info(db, second)["CoreLib"] == {"retractionReason": "<p>Malware</p>", "errorCode": 4102}
    assert "fileUrl" in info(db, first + "&ignore-retractions=1")["CoreLib"]
    assert info(db, second + "&ignore-retractions=1")["CoreLib"]["errorCode"] == 4032


def test_two_versions_of_one_id_are_merged(db: ModDatabase) -> None:
    mod = core(db)
    db.retract(mod.releases[1], "<p>No</p>")
    merged = info(db, "ids=CoreLib@1.0.0,CoreLib@2.0.0&gv=1.20.4")
    assert merged["CoreLib"]["fileName"] == "CoreLib_1.0.0.zip"
    assert merged["CoreLib"]["errorCode"] == 4101


def test_the_recommendation_is_of_the_whole_mod(db: ModDatabase) -> None:
    mod = db.add_mod(name="Pack")
    db.add_release(mod, "main", "1.0.0", game_versions=["1.20.4"])
    db.add_release(mod, "addon", "3.0.0", game_versions=["1.20.4"])
    assert info(db, "ids=main@1.0.0&gv=1.20.4")["main"]["recommendedUpgrade"] == "3.0.0"
    assert info(db, "ids=main&gv=1.20.4")["main"] == {"errorCode": 4041}


@pytest.mark.parametrize("query", ["", "ids=", "ids=a@1.0.0&gv=1.20", "ids=a@1.0.0&gv=", "ids=a,b", "ids=a@x"])
def test_bad_questions_are_http_400(db: ModDatabase, query: str) -> None:
    answer = raw(db, f"/api/v2/mods/install-information?{query}")
    assert answer.status_code == 400
    assert "reason" in answer.json()


# --- lists and files


def test_game_versions_tags_and_authors(db: ModDatabase) -> None:
    core(db)
    versions = ask(db, "/api/gameversions")["gameversions"]
    assert [item["tagid"] for item in versions] == sorted((item["tagid"] for item in versions), reverse=True)
    assert {"tagid": -281539401875455 + 2**32 * -6 + 5 * 2**16, "name": "1.21.4", "color": "#CCCCCC"} in versions
    assert [item["name"] for item in ask(db, "/api/tags")["tags"]] == ["Library", "QoL"]
    assert ask(db, "/api/authors?name=some")["authors"] == [{"userid": 1, "name": "Someone"}]


def test_a_download_redirects_to_the_file_host_and_counts_once(db: ModDatabase) -> None:
    release = core(db).releases[0]
    for path in (f"/download/{release.file_id}/any.exe", f"/download?fileid={release.file_id}"):
        answer = raw(db, path)
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"{db.url}/{release.path}?dl=CoreLib_1.0.0.zip"
    assert release.downloads == 1
    answer = raw(db, f"/{release.path}")
    assert (answer.content, answer.headers["Content-Length"]) == (release.content, str(len(release.content)))


def test_file_names_stand_in_the_address_as_they_are(db: ModDatabase) -> None:
    release = db.add_release(db.add_mod(name="Odd"), "odd", "1.0.0", file_name="日本 A&B #1.zip")
    location = raw(db, f"/download/{release.file_id}").headers["Location"]
    assert location.encode("latin-1").decode() == f"{db.url}/{release.path}?dl=日本 A&B #1.zip"
    assert info(db, "ids=odd@1.0.0")["odd"]["fileUrl"].endswith("/%E6%97%A5%E6%9C%AC+A%26B+%231.zip")


def test_a_retracted_file_is_gone_but_still_on_the_file_host(db: ModDatabase) -> None:
    release = core(db).releases[0]
    db.retract(release, "<p>No</p>")
    answer = raw(db, f"/download/{release.file_id}")
    assert (answer.status_code, b"<p>No</p>" in answer.content) == (410, True)
    assert raw(db, f"/{release.path}").content == release.content


@pytest.mark.parametrize(("path", "status"), [("/download", 400), ("/download/abc", 400), ("/download/99999", 404)])
def test_downloads_of_nothing(db: ModDatabase, path: str, status: int) -> None:
    answer = raw(db, path)
    assert (answer.status_code, answer.headers["Content-Type"].startswith("text/html")) == (status, True)


def test_the_file_host_may_be_another_origin() -> None:
    db = ModDatabase(separate_file_host=True)
    release = core(db).releases[0]
    with db.serve() as url:
        assert db.file_origin != url
        assert raw(db, f"/download/{release.file_id}").headers["Location"].startswith(db.file_origin + "/files/")
        followed = requests.get(f"{url}/download/{release.file_id}", timeout=10)
        assert followed.content == release.content


def test_what_php_would_write(db: ModDatabase) -> None:
    core(db)
    body = raw(db, "/api/mod/corelib").content
    assert b"\\/files\\/" in body
    assert body == body.decode("ascii").encode()
    assert json.loads(body)["mod"]["releases"][0]["mainfile"].startswith(db.url)


def test_a_mods_page_for_people(db: ModDatabase) -> None:
    mod = db.add_mod(name="<b>Bold</b>", modids=["bold"])
    page = raw(db, f"/show/mod/{mod.asset_id}")
    assert page.status_code == 200
    assert "<h1>&lt;b&gt;Bold&lt;/b&gt;</h1>" in page.text
    assert "made up" in page.text
    assert raw(db, "/show/mod/99999").status_code == 404
    assert raw(db, "/show/mod/").status_code == 404
