"""A server's list goes out, and comes in again, as JSON of ours or plain lines."""

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from mods import exchange
from mods.exchange import Unreadable
from mods.models import GameServer, Hold
from mods.tests.rows import install, make_mod, make_release, make_server
from mods.wishes import Target


@pytest.fixture
def server(db: None) -> GameServer:
    server = make_server()
    release = make_release(make_mod("Carry"), "1.2.0", file_id=77)
    install(server, "Carry", "1.2.0", sha256="a" * 64, release=release, file_name="carry.zip")
    install(server, "lib", "0.1.0-rc.1", sha256="b" * 64, enabled=False, side="server")
    install(server, "twice", "1.0.0")
    install(server, "Twice", "2.0.0")
    install(server, "", "", file_name="native.dll", name="native.dll")
    Hold.objects.create(server=server, modid="CARRY", modid_key="carry", version="1.2.0")
    return server


def test_json_says_all_of_each_mod(server: GameServer) -> None:
    with CaptureQueriesContext(connection) as queries:
        data = exchange.export_json(server)
    assert len(queries) == 2
    assert (data["format"], data["version"], data["server"], data["game_version"]) == (
        "vsadmin-mods",
        1,
        "Public",
        "1.21.5",
    )
    assert data["exported_at"].endswith("+00:00")
    assert data["mods"][0] == {
        "modid": "Carry",
        "version": "1.2.0",
        "file_id": 77,
        "sha256": "a" * 64,
        "enabled": True,
        "held": True,
        "name": "Carry",
        "file_name": "carry.zip",
        "side": "universal",
    }
    assert [one["modid"] for one in data["mods"]] == ["Carry", "lib", "", "Twice"]


def test_json_comes_in_as_it_went_out(server: GameServer) -> None:
    text = json.dumps(exchange.export_json(server))
    assert exchange.read(text) == (
        Target(modid="Carry", version="1.2.0", file_id=77, sha256="a" * 64, enabled=True, held=True),
        Target(modid="lib", version="0.1.0-rc.1", sha256="b" * 64, enabled=False, held=False),
        Target(modid="Twice", version="2.0.0", enabled=True, held=False),
    )


def test_lines_name_what_runs_and_comment_the_rest(server: GameServer) -> None:
    install(server, "odd", "vNext")
    install(server, "bare", "")
    with CaptureQueriesContext(connection) as queries:
        text = exchange.export_lines(server)
    assert len(queries) == 1
    assert text == (
        "# Public, Vintage Story 1.21.5\nbare\nCarry@1.2.0\n# lib@0.1.0-rc.1 (disabled)\n"
        "# native.dll: no mod id\n# odd@vNext\nTwice@2.0.0\n"
    )
    assert exchange.read(text) == (
        Target(modid="bare"),
        Target(modid="Carry", version="1.2.0"),
        Target(modid="Twice", version="2.0.0"),
    )


def test_lines_may_have_comments_blanks_and_links() -> None:
    text = "\ufeff# ours\r\n\r\n  carry@1.2.0   # for boxes\n\tlib\nvintagestorymodinstall://map@3.0.0\ncarry@1.2.0\n"
    assert exchange.read(text) == (
        Target(modid="carry", version="1.2.0"),
        Target(modid="lib"),
        Target(modid="map", version="3.0.0"),
    )


def test_a_page_of_the_mod_database_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MODDB_URL", "https://mods.example.com")
    assert exchange.read("https://mods.example.com/show/mod/123#tab-files") == (Target(number=123),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no mods in it"),
        ("# nothing\n", "no mods in it"),
        ("carry@1.0.0\n\nwhat is this?", "Line 3: “what is this?” names no mod"),
        ("carry@new", "Line 1: “carry@new” has no version after the @"),
        ("lib\nCarry@1.0.0\ncarry@1.1.0", "Line 3 names “carry” (“Carry”), which Line 2 names already"),
        ("carry@1.0.0\ncarry@1.1.0", "Line 2 names “carry”, which Line 1 names already"),
        ('{\n "format": "vsadmin-mods",\n "mods": [,]\n}', "Line 3: this isn't JSON"),
        ("[]", "isn't a list that vsadmin exported"),
        ('{"mods": []}', "isn't a list that vsadmin exported"),
        ("[" * 100_000, "isn't JSON"),
        ("[" + "1" * 100_000 + "]", "isn't JSON"),
        ('{"format": "vsadmin-mods", "version": 2, "mods": []}', "A newer vsadmin"),
        ('{"format": "vsadmin-mods", "version": 1, "mods": {}}', "no “mods”"),
        ('{"format": "vsadmin-mods", "version": 1, "mods": []}', "no mods in it"),
        ("a\n" * 2**20 + "b", "too long for a list"),
        ("\n".join(f"mod{number}" for number in range(5001)), "5000 mods are allowed"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    with pytest.raises(Unreadable) as told:
        exchange.read(text)
    assert said in str(told.value)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (3, "“mods”"),
        ({"modid": 3}, "“modid”"),
        ({"modid": "a\0b"}, "“modid”"),
        ({"modid": "\ud800"}, "“modid”"),
        ({"modid": "a" * 201}, "“modid”"),
        ({"modid": "a", "version": []}, "“version”"),
        ({"modid": "a", "sha256": "A" * 64}, "“sha256”"),
        ({"modid": "a", "file_id": True}, "“file_id”"),
        ({"modid": "a", "file_id": 2**63}, "“file_id”"),
        ({"modid": "a", "file_id": 1.5}, "“file_id”"),
        ({"modid": "a", "enabled": "yes"}, "“enabled”"),
        ({"modid": "FIRST"}, "names “FIRST” (“first”), which Mod number 1 of the list names already"),
    ],
)
def test_a_bad_entry_is_named_by_its_number(entry: Any, said: str) -> None:
    data = {"format": "vsadmin-mods", "version": 1, "mods": [{"modid": "first", "version": "1.0.0"}, entry]}
    with pytest.raises(Unreadable, match="Mod number 2") as told:
        exchange.read(json.dumps(data))
    assert said in str(told.value)


_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["modid", "version"]), inner),
    max_leaves=5,
)
_FIELDS = st.sampled_from(["modid", "version", "file_id", "sha256", "enabled", "held", "other"])


@given(st.lists(st.dictionaries(_FIELDS, _VALUES) | _VALUES, max_size=4) | _VALUES)
@settings(max_examples=200, deadline=None)
def test_any_entries_are_read_or_refused(mods: Any) -> None:
    check(json.dumps({"format": "vsadmin-mods", "version": 1, "mods": mods}))


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


def check(text: str) -> None:
    try:
        targets = exchange.read(text)
    except Unreadable:
        return
    json.dumps([str(target) for target in targets]).encode()
    assert targets
