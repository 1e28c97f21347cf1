"""Arbitrary JSON in any answer: never an exception other than ModDBError, never a value that a database refuses."""

import dataclasses
import json
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from unittest.mock import patch

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mods.moddb import ModDB, ModDBError
from vsadmin.lib.http import Answer, Client

URL = "https://mods.example.com"
DB = ModDB(URL)
KEYS = [
    *("statuscode", "mod", "mods", "updates", "data", "gameversions", "releases", "modid", "assetid", "name", "text"),
    *("author", "side", "type", "tags", "created", "lastreleased", "releaseid", "mainfile", "filename", "fileid"),
    *("downloads", "modidstr", "modversion", "changelog", "modidstrs", "errorCode", "retractionReason", "fileUrl"),
    *("recommendedUpgrade", "abc", "ABC"),
]
EVIL = ["200", "abc", "", "\x00", "\ud800", "0000-00-00 00:00:00", "2025-01-01 00:00:00", "/download/5/x", "1.0.0"]
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.sampled_from([*EVIL, "x" * 70_000, 1, 2**63, 2**63 - 1])
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=20,
)
evil: st.SearchStrategy[Any] = st.sampled_from(
    [*EVIL, "a\ud800\x00b", 2**63, -(2**63), 10**25, "x" * 70_000, [None, "\x00"], None, 1.5, True, {}]
)
named = {"releaseid": st.just(5), "modid": st.just(5), "modidstr": st.just("abc"), "modversion": st.just("1.0.0")}
# an entry that passes for one, all its other fields as bad as can be
entry = st.fixed_dictionaries(named | {key: evil for key in KEYS if key not in named})
entries = st.lists(entry, min_size=1, max_size=3)
by_id = st.dictionaries(st.sampled_from(["abc", "ABC", ""]), entry, min_size=1)
shaped = st.fixed_dictionaries(
    {
        "statuscode": st.sampled_from(["200", 200]),
        "mod": st.tuples(entry, entries).map(lambda both: both[0] | {"releases": both[1]}),
        "mods": entries,
        "updates": by_id,
        "data": by_id,
        "gameversions": entries,
    }
)


def check_storable(value: Any) -> None:
    """As hostile as it came, what comes out fits columns: 64 bits, UTF-8, no NUL, aware times."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            check_storable(getattr(value, field.name))
    elif isinstance(value, dict):
        check_storable([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple | frozenset):
        for item in value:
            check_storable(item)
    elif isinstance(value, str):
        assert "\x00" not in value
        assert len(value.encode()) <= 64 * 1024
    elif isinstance(value, int):
        assert abs(value) < 2**63
    elif value is not None:
        assert isinstance(value, datetime)
        assert value.tzinfo is not None


def check_all(answer: Answer, *, refused: bool = False) -> None:
    """Every question, answered so: a storable result, or a ModDBError with a storable text; only that if `refused`."""
    asks: list[Callable[[], object]] = [
        partial(DB.mod, "abc"),
        lambda: list(DB.mods()),
        DB.game_versions,
        partial(DB.updates, ["abc"]),
        partial(DB.install_information, [("abc", "1.0.0")], "1.21.0"),
    ]
    with patch.object(Client, "get", return_value=answer):
        for ask in asks:
            try:
                found = ask()
                assert not refused
                check_storable(found)
            except ModDBError as error:
                check_storable(error.text)


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(shaped)
def test_evil_fields_in_the_right_places_come_out_harmless(data: Any) -> None:
    check_all(Answer(200, {}, json.dumps(data).encode(), URL))


@settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(anything, st.sampled_from([200, 200, 200, 400, 404, 410, 414, 418]))
def test_any_json_is_read_or_refused(data: Any, status: int) -> None:
    check_all(Answer(status, {}, json.dumps(data).encode(), URL))


@settings(max_examples=200, deadline=None, database=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_refused(body: bytes) -> None:
    check_all(Answer(200, {}, body, URL), refused=True)
