"""What is made of the mod database's answers: its own quirks, and whatever else might be sent in its name."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from mods.moddb_answers import (
    MAX_RELEASES,
    ModDetails,
    ReleaseInfo,
    parse_details,
    parse_game_versions,
    parse_install_information,
    parse_release,
    parse_summaries,
    parse_updates,
)
from mods.moddb_fields import HTML_BYTES
from mods.moddb_json import BadJson, load


def release(**changes: Any) -> dict[str, Any]:
    return {
        "releaseid": 7,
        "mainfile": "https://files.example.com/a_1.zip?dl=a 1.zip",
        "filename": "a 1.zip",
        "fileid": 8,
        "downloads": 9,
        "tags": ["1.20.1", "1.21.0"],
        "modidstr": "a",
        "modversion": "1.0.0",
        "created": "2025-01-02 03:04:05",
        "changelog": "<p>New</p>",
    } | changes


def details(**changes: Any) -> dict[str, Any]:
    return {
        "modid": 1,
        "assetid": 2,
        "name": "A",
        "text": "",
        "author": "Ann",
        "urlalias": None,
        "logofilename": None,
        "logofile": None,
        "homepageurl": "",
        "sourcecodeurl": "",
        "trailervideourl": "",
        "issuetrackerurl": "",
        "wikiurl": "",
        "downloads": 1,
        "follows": 1,
        "comments": 1,
        "trendingpoints": 1,
        "side": "both",
        "type": "mod",
        "created": "2025-01-02 03:04:05",
        "lastreleased": None,
        "tags": [""],
        "releases": [release()],
    } | changes


def summary(**changes: Any) -> dict[str, Any]:
    left_out = ("text", "releases", "created", "logofile", "logofilename")
    common = {key: value for key, value in details().items() if key not in left_out and not key.endswith("url")}
    return common | {"summary": "", "modidstrs": ["a"], "urlalias": None, "logo": None} | changes


#: Of each field the name it is stored by, and a value of the wrong type.
RELEASE_FIELDS: dict[str, tuple[str, object]] = {
    "filename": ("file_name", 3), "mainfile": ("file_url", 3), "tags": ("game_versions", "1.21.0"),
    "modidstr": ("modid", None), "created": ("created", 1786317371), "changelog": ("changelog", ["<p>"]),
    "downloads": ("downloads", "many"),
}  # fmt: skip
MOD_FIELDS: dict[str, tuple[str, object]] = {
    "assetid": ("asset_id", "x"), "name": ("name", None), "text": ("description", None), "author": ("author", ""),
    "urlalias": ("alias", 3), "logofile": ("logo_url", 3), "homepageurl": ("homepage_url", None),
    "sourcecodeurl": ("source_url", []), "trailervideourl": ("video_url", 1), "issuetrackerurl": ("issues_url", {}),
    "wikiurl": ("wiki_url", False), "downloads": ("downloads", -1), "follows": ("follows", None),
    "comments": ("comments", 1.5), "trendingpoints": ("trending", True), "side": ("side", "evil"),
    "type": ("type", None), "created": ("created", None), "lastreleased": ("last_released", 5), "tags": ("tags", None),
}  # fmt: skip
LISTED_FIELDS = {key: both for key, both in MOD_FIELDS.items() if key in summary()} | {
    "summary": ("summary", None), "modidstrs": ("modids", None), "logo": ("logo_url", 3),
}  # fmt: skip


def read_release(data: dict[str, Any]) -> ReleaseInfo:
    found = parse_release(data)
    assert found is not None
    return found


def read_details(data: dict[str, Any]) -> ModDetails:
    found = parse_details(data)
    assert found is not None
    return found


def without(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in keys}


@pytest.mark.parametrize("key", RELEASE_FIELDS)
def test_what_an_answer_does_not_say_of_a_release_is_named(key: str) -> None:
    name, wrong = RELEASE_FIELDS[key]
    assert read_release(release()).unsaid == set()
    assert read_release(without(release(), key)).unsaid == {name}
    assert read_release(release(**{key: wrong})).unsaid == {name}


@pytest.mark.parametrize("key", MOD_FIELDS)
def test_what_an_answer_does_not_say_of_a_mod_is_named(key: str) -> None:
    name, wrong = MOD_FIELDS[key]
    assert read_details(details()).unsaid == set()
    assert read_details(without(details(), key, "logofilename")).unsaid - {"logo_url"} == {name} - {"logo_url"}
    assert name in read_details(without(details(), key, "logofilename")).unsaid
    assert read_details(details(**{key: wrong})).unsaid == {name}


@pytest.mark.parametrize("key", LISTED_FIELDS)
def test_what_the_list_does_not_say_of_a_mod_is_named(key: str) -> None:
    name, wrong = LISTED_FIELDS[key]
    assert next(parse_summaries([summary()])).unsaid == set()
    assert next(parse_summaries([without(summary(), key)])).unsaid == {name}
    assert next(parse_summaries([summary(**{key: wrong})])).unsaid == {name}


def test_none_and_empty_are_words_where_the_mod_database_uses_them() -> None:
    said = {"side": None, "urlalias": "", "logofile": None, "homepageurl": "no address", "text": "", "tags": [None]}
    assert read_details(details(**said)).unsaid == set()
    assert read_release(release(changelog=None, tags=["0.0.0"])).unsaid == set()


@pytest.mark.parametrize("tags", [["1.21.0", 3], [{}], ["1.21.0", "x\x00"], [["1.21.0"]]])
def test_a_list_with_an_item_of_the_wrong_type_says_nothing(tags: list[object]) -> None:
    assert read_release(release(tags=tags)).unsaid == {"game_versions"}
    assert read_release(release(tags=["1.21.0", None, ""])).unsaid == set()
    assert read_details(details(tags=["QoL", 5])).unsaid == {"tags"}


FILE = {"file_id", "file_name", "file_url"}


@pytest.mark.parametrize(
    ("changes", "unsaid"),
    [
        ({"fileid": None, "filename": "", "mainfile": ""}, set()),
        ({"fileid": None}, FILE),
        ({"fileid": "x"}, FILE),
        ({"fileid": "x", "filename": "", "mainfile": ""}, FILE),
        ({"fileid": 0, "filename": ""}, FILE),
    ],
)
def test_a_file_is_missing_only_where_all_that_names_it_says_so(changes: dict[str, Any], unsaid: set[str]) -> None:
    assert read_release(release(**changes)).unsaid == unsaid
    assert read_release(without(release(), "fileid")).unsaid == FILE


@pytest.mark.parametrize(
    ("releases", "unread", "is_complete"),
    [
        ([release()], set(), True),
        ([], set(), True),
        ([release(), release(releaseid=8, modversion=None)], {8}, True),
        ([release(), release(releaseid=None)], set(), False),
        ([release(), 5], set(), False),
        (None, set(), False),
        ({}, set(), False),
    ],
)
def test_whether_a_mods_releases_are_all_there(releases: object, unread: set[int], is_complete: bool) -> None:
    mod = read_details(details(releases=releases))
    assert (set(mod.unread), mod.is_complete) == (unread, is_complete)
    assert not read_details(without(details(), "releases")).is_complete


def test_more_releases_than_are_read_are_not_all_of_them() -> None:
    many = [release(releaseid=number) for number in range(1, MAX_RELEASES + 1)]
    assert read_details(details(releases=many)).is_complete
    assert not read_details(details(releases=[*many, release(releaseid=9999)])).is_complete


def test_a_release_is_read_whole() -> None:
    found = parse_release(release())
    assert found is not None
    assert (found.release_id, found.modid, found.version, found.file_id) == (7, "a", "1.0.0", 8)
    assert (found.file_name, found.file_url) == ("a 1.zip", "https://files.example.com/a_1.zip?dl=a 1.zip")
    assert (found.game_versions, found.downloads, found.changelog) == (("1.20.1", "1.21.0"), 9, "<p>New</p>")
    assert found.created == datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_no_game_versions_are_written_as_a_zero() -> None:
    found = parse_release(release(tags=["0.0.0"]))
    assert found is not None
    assert found.game_versions == ()


@pytest.mark.parametrize("address", ["", "https://files.example.com/?dl="])
def test_a_missing_file_has_no_address(address: str) -> None:
    found = parse_release(release(mainfile=address, filename="", fileid=None))
    assert found is not None
    assert (found.file_id, found.file_url, found.file_name) == (None, "", "")


def test_a_tool_has_no_modid_and_null_texts_are_empty() -> None:
    found = parse_release(release(modidstr=None, changelog=None))
    assert found is not None
    assert (found.modid, found.changelog) == ("", "")


@pytest.mark.parametrize(
    "changes",
    [
        {"releaseid": None},
        {"releaseid": 0},
        {"releaseid": -3},
        {"releaseid": 2**63},
        {"releaseid": True},
        {"releaseid": 1.5},
        {"releaseid": [1]},
        {"modversion": ""},
        {"modversion": None},
        {"modversion": 1},
        {"modversion": "1.0\x00"},
        {"modversion": "1" * 101},
        {"modidstr": "a" * 101},
        {"modidstr": "a\ud800"},
        {"modidstr": {"a": 1}},
    ],
)
def test_a_release_that_can_not_be_named_is_left_out_and_spoils_nothing(changes: dict[str, Any]) -> None:
    mod = parse_details(details(releases=[release(**changes), release(releaseid=99), None, 5, "x", []]))
    assert mod is not None
    assert [found.release_id for found in mod.releases] == [99]
    assert not mod.is_complete, "nobody can say what the others are"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"fileid": 2**63}, {"file_id": None, "file_url": ""}),
        ({"fileid": "113014"}, {"file_id": 113014}),
        ({"downloads": -5}, {"downloads": 0}),
        ({"downloads": 10**30}, {"downloads": 0}),
        ({"downloads": "many"}, {"downloads": 0}),
        ({"tags": None}, {"game_versions": ()}),
        ({"tags": "1.21.0"}, {"game_versions": ()}),
        ({"tags": ["1.21.0", None, 3, "", "1.21.0", "x\x00"]}, {"game_versions": ("1.21.0",)}),
        ({"created": "0000-00-00 00:00:00"}, {"created": None}),
        ({"created": "2025-02-30 00:00:00"}, {"created": None}),
        ({"created": 1786317371}, {"created": None}),
        ({"created": "0001-01-01 00:00:00"}, {"created": None}),
        ({"mainfile": "javascript:alert(1)"}, {"file_url": ""}),
        ({"mainfile": "https://x/" + "y" * 2000}, {"file_url": ""}),
        ({"filename": "a\x00b\u202egpj.exe\n"}, {"file_name": "abgpj.exe"}),
        ({"filename": "\ud800.zip"}, {"file_name": "\ufffd.zip"}),
        ({"filename": "x" * 10_000}, {"file_name": "x" * 500}),
        ({"changelog": "a\x00\ud800\nb"}, {"changelog": "a\ufffd\nb"}),
        ({"changelog": ["<p>"]}, {"changelog": ""}),
    ],
)
def test_hostile_fields_become_harmless(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    found = parse_release(release(**changes))
    assert found is not None
    assert {name: getattr(found, name) for name in expected} == expected


@pytest.mark.parametrize("filler", ["x", "é", "🌲"])
def test_html_is_capped_in_bytes_at_a_whole_character(filler: str) -> None:
    found = parse_release(release(changelog=filler * 100_000))
    assert found is not None
    assert HTML_BYTES - 4 < len(found.changelog.encode()) <= HTML_BYTES


def test_a_mods_details() -> None:
    mod = parse_details(
        details(
            text="<p>Long</p>",
            author="Someone",
            side="both",
            type="mod",
            urlalias=None,
            logofile="https://files.example.com/l.png",
            homepageurl="javascript:alert(1)",
            sourcecodeurl="https://example.com/source",
            tags=["", None, "QoL"],
            trendingpoints=3,
            created="2024-01-01 00:00:00",
            lastreleased=None,
        )
    )
    assert mod is not None
    assert (mod.mod_id, mod.asset_id, mod.name, mod.author, mod.description) == (1, 2, "A", "Someone", "<p>Long</p>")
    assert (mod.side, mod.type, mod.alias, mod.summary) == ("both", "mod", "", "")
    assert (mod.logo_url, mod.homepage_url) == ("https://files.example.com/l.png", "")
    assert (mod.source_url, mod.tags, mod.trending) == ("https://example.com/source", ("QoL",), 3)
    assert (mod.created, mod.last_released) == (datetime(2024, 1, 1, tzinfo=UTC), None)


def test_releases_keep_their_order_and_their_first_of_two_with_one_number() -> None:
    twice = [release(releaseid=3), release(releaseid=1), release(releaseid=3, modversion="9.9.9")]
    mod = parse_details(details(releases=twice))
    assert mod is not None
    assert [(found.release_id, found.version) for found in mod.releases] == [(3, "1.0.0"), (1, "1.0.0")]


@pytest.mark.parametrize(
    ("side", "read"), [("both", "both"), ("Universal", "both"), ("client", "client"), (None, ""), ("evil", ""), (3, "")]
)
def test_sides(side: object, read: str) -> None:
    mod = parse_details(details(side=side))
    assert mod is not None
    assert mod.side == read


@pytest.mark.parametrize("mod", [None, [], "x", {}, {"modid": "x"}, {"modid": 0}])
def test_what_is_no_mod(mod: object) -> None:
    assert parse_details(mod) is None


def test_the_list_of_mods() -> None:
    items = [
        {
            "modid": 5,
            "name": " Untrimmed\tname ",
            "modidstrs": ["b", "a", "b", None],
            "tags": [""],
            "lastreleased": None,
        },
        {"modid": 6, "modidstrs": [], "tags": [None], "urlalias": "", "logo": None, "side": None},
        {"modid": 5, "name": "again"},
        {"name": "no number"},
        None,
    ]
    five, six = parse_summaries(items)
    assert (five.mod_id, five.name, five.modids, five.tags) == (5, "Untrimmed name", ("b", "a"), ())
    assert (six.mod_id, six.modids, six.tags, six.alias, six.logo_url, six.side) == (6, (), (), "", "", "")


def test_updates_come_by_lower_case_id() -> None:
    found = parse_updates({"MixedCase": release(modidstr="MixedCase")}, ["mixedcase"])
    assert list(found) == ["mixedcase"]
    assert found["mixedcase"].modid == "MixedCase"


@pytest.mark.parametrize("empty", [[], {}, None, "x", 5])
def test_updates_may_be_empty(empty: object) -> None:
    assert parse_updates(empty, ["a"]) == {}


def test_updates_of_ids_that_were_not_asked_for_are_ignored() -> None:
    found = parse_updates({"a": release(), "b": release(modidstr="b"), "c": release(modidstr="a")}, ["a", "c"])
    assert list(found) == ["a"]


def test_updates_written_as_a_list_are_read_by_their_own_ids() -> None:
    assert list(parse_updates([release(modidstr="0"), release()], ["0", "a"])) == ["0", "a"]


def test_install_information_is_read() -> None:
    data = {
        "good": {"recommendedUpgrade": "1.2.0", "fileName": "x", "fileUrl": "/download/102250/x_0.9.zip"},
        "gone": {"errorCode": 4041},
        "bad": {"retractionReason": "<p>Corrupts &amp; <b>eats</b></p>", "errorCode": 4101},
        "worse": {"retractionReason": "<p>Malware</p>", "errorCode": 4102},
        "nofile": {"fileName": None, "fileUrl": "/download//"},
        "unasked": {"errorCode": 4041},
    }
    found = parse_install_information(data, ["good", "gone", "bad", "worse", "nofile"])
    assert "unasked" not in found
    assert (found["good"].recommended, found["good"].file_id, found["good"].error_code) == ("1.2.0", 102250, None)
    assert (found["gone"].error_code, found["gone"].retracted, found["gone"].file_id) == (4041, False, None)
    assert (found["bad"].retracted, found["bad"].retracted_by_moderator) == (True, False)
    assert found["bad"].retraction_reason == "Corrupts & eats", "words, not HTML"
    assert (found["worse"].retracted, found["worse"].retracted_by_moderator) == (True, True)
    assert (found["nofile"].file_id, found["nofile"].retracted) == (None, False)
    assert {key for key, info in found.items() if info.is_offered} == {"good", "nofile"}


@pytest.mark.parametrize("code", [4102, 4032])
def test_a_moderators_retraction_needs_no_reason(code: int) -> None:
    info = parse_install_information({"a": {"errorCode": code}}, ["a"])["a"]
    assert (info.retracted, info.retracted_by_moderator, info.retraction_reason) == (True, True, "")
    assert info.unsaid == {"retraction_reason"}
    author = parse_install_information({"a": {"errorCode": 4101, "retractionReason": ""}}, ["a"])["a"]
    assert (author.retracted, author.retracted_by_moderator, set(author.unsaid)) == (True, False, set())


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"fileUrl": None},
        {"fileUrl": "/download/5/x", "errorCode": "x"},
        {"fileUrl": "/download/5/x", "retractionReason": 5},
        {"errorCode": 4041},
        {"errorCode": 4001},
    ],
)
def test_what_says_nothing_of_a_version_is_no_word_that_it_is_offered(item: dict[str, Any]) -> None:
    info = parse_install_information({"a": item}, ["a"])["a"]
    assert (info.is_offered, info.retracted) == (False, False)


def test_a_recommendation_of_the_wrong_type_is_none_at_all() -> None:
    found = parse_install_information({"a": {"fileUrl": "/", "recommendedUpgrade": 2}, "b": {"fileUrl": "/"}}, "ab")
    assert (set(found["a"].unsaid), set(found["b"].unsaid)) == ({"recommended"}, set())


def test_asked_in_another_letter_case_the_true_entry_wins() -> None:
    true, asked = {"fileUrl": "/download/35/x.zip"}, {"errorCode": 4041}
    for data in ({"CoreLib": asked, "corelib": true}, {"corelib": true, "CoreLib": asked}):
        found = parse_install_information(data, ["CoreLib"])
        assert (found["corelib"].modid, found["corelib"].file_id) == ("corelib", 35)


@pytest.mark.parametrize("item", [None, [], 5, {"errorCode": "x"}, {"fileUrl": 5}, {"recommendedUpgrade": ["1"]}])
def test_strange_install_information_is_harmless(item: object) -> None:
    found = parse_install_information({"a": item}, ["a"])
    assert all((info.recommended, info.file_id, info.error_code) == ("", None, None) for info in found.values())


def test_game_versions_in_their_order() -> None:
    items = [{"tagid": -5, "name": "1.9.0"}, {"name": "1.10.0-rc.1"}, {"name": None}, "x", {"name": "1.10.0"}]
    assert parse_game_versions(items) == ["1.9.0", "1.10.0-rc.1", "1.10.0"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "an empty answer"),
        (b"  \n", "an empty answer"),
        (b"<!DOCTYPE html><p>down", "a web page instead of data"),
        (b'{"statuscode":"200","mods":[{"mod', "data that is damaged or cut off"),
        (b"not an image", "data that is damaged or cut off"),
        (b"[" * 100_000, "an answer nested without end"),
        (bytes(range(256)), "data that is damaged or cut off"),
    ],
)
def test_what_is_no_json_says_so(body: bytes, said: str) -> None:
    with pytest.raises(BadJson, match=said):
        load(body)


def test_one_absurd_value_does_not_spoil_an_answer() -> None:
    body = b'\xef\xbb\xbf{"a": ' + b"9" * 10_000 + b', "b": NaN, "c": -Infinity, "d": "\xff", "e": 1e999}'
    found = load(body)
    assert (found["a"], found["b"], found["c"], found["d"]) == (None, None, None, "\ufffd")
    assert json.dumps(found["a"]) == "null"
