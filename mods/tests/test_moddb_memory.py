"""However an answer is made up, reading it takes a bounded amount of memory."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from mods import moddb, moddb_json
from mods.moddb_answers import MAX_MODS

MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]
#: Asks for details, read as batches are, four at once, and for the list, answered as badly as their caps allow;
#: prints how far memory grew, in MiB.
SCRIPT = r"""
import resource, sys
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import patch
from mods import moddb
from vsadmin.lib.http import Answer, Client

FILLERS = {
    "containers": (b'{"statuscode":"200","x":[', b"{},", b"{}]}"),
    "nested": (b"", b"[", b""),
    "texts": (b'{"statuscode":"200","x":[', b'"ab",', b'""]}'),
    "one text": ('{"x":"\U0001f332'.encode(), b"x", b'"}'),
    "mods": (b'{"statuscode":"200","mods":[', b'{"modid":1},', b"{}]}"),
    "one mod": (b'{"statuscode":"200","mods":[[', b"{},", b"{}]]}"),
}
db = moddb.ModDB("https://mods.example.com")
asks = [(4, lambda: db.mod("abc")), (1, lambda: sum(1 for _ in db.mods()))]  # nobody asks for two lists at once

def answer(self, url, *, deadline, max_bytes):
    start, filler, end = FILLERS[kind]
    return Answer(200, {}, start + filler * ((max_bytes - len(start + end)) // len(filler)) + end, url)

def ask(question):
    try:
        question()
    except moddb.ModDBError:
        pass

before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with patch.object(Client, "get", answer), ThreadPoolExecutor(4) as pool:
    for kind in FILLERS:
        for count, question in asks:
            list(pool.map(ask, [question] * count))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_no_answer_takes_more_than_200_mb() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) <= 200


def test_an_answer_of_more_objects_than_belong_into_it_is_not_even_read() -> None:
    most = moddb_json.MAX_CONTAINERS
    assert len(moddb_json.load(b"[" + b"{}," * (most - 2) + b"{}]")) == most - 1
    with pytest.raises(moddb_json.BadJson, match="far more data"):
        moddb_json.load(b"[" + b"{}," * (most - 1) + b"{}]")


@pytest.mark.parametrize(("size", "is_alone"), [(100, False), (300 * 1024, True)])
@responses.activate
def test_large_answers_are_read_one_at_a_time(size: int, is_alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = []
    monkeypatch.setattr(moddb, "parse_details", lambda data: locked.append(moddb_json._one_large.locked()))
    responses.get("https://mods.example.com/api/mod/abc", json={"statuscode": "200", "mod": "x" * size})
    with pytest.raises(moddb.BadAnswer):
        moddb.ModDB("https://mods.example.com").mod("abc")
    assert locked == [is_alone]
    assert not moddb_json._one_large.locked()


def of_list(entries: Iterator[Any] | list[Any]) -> dict[str, Any]:
    return moddb_json.top_level(json.dumps({"mods": list(entries)}).encode(), "mods", most=10)


@pytest.mark.parametrize(
    ("entry", "most"),
    [
        (lambda size: {"a": "x" * (size - 1)}, moddb_json.MAX_CHARACTERS),
        (lambda size: [1] * (size - 1), moddb_json.MAX_VALUES),
    ],
)
def test_one_entry_of_a_list_has_its_own_bounds(entry: Callable[[int], Any], most: int) -> None:
    assert of_list([entry(most), entry(most)]) == {"mods": list}, "each by itself, not all together"
    with pytest.raises(moddb_json.BadJson, match="far more data"):
        of_list([entry(most + 1)])


def test_a_list_has_at_most_so_many_entries() -> None:
    assert of_list([{}] * 10) == {"mods": list}
    with pytest.raises(moddb_json.BadJson, match="far more data"):
        of_list([{}] * 11)
    assert MAX_MODS > 10 * 8000, "there were eight thousand mods in 2026"


def test_a_text_that_does_not_end_is_not_waited_for() -> None:
    with pytest.raises(moddb_json.BadJson, match="without end"):
        moddb_json.top_level(b'{"a":"' + b"x" * (2 * MIB), "mods", most=10)


def test_what_stands_beside_the_list_is_known_wherever_it_stands() -> None:
    for body in (b'{"statuscode":"200","mods":[{}]}', b'\xef\xbb\xbf{"mods":[{}],"statuscode":"200"}'):
        assert moddb_json.top_level(body, "mods", most=10) == {"statuscode": "200", "mods": list}
        assert list(moddb_json.items(body, "mods")) == [{}]
    assert moddb_json.top_level(b'{"mods":{"a":[]}}', "mods", most=10) == {"mods": dict}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "an empty answer"),
        (b"<!DOCTYPE html><p>down", "a web page instead of data"),
        (b'{"statuscode":"200","mods":[{"mod', "data that is damaged or cut off"),
        (b'{"mods":[' + b"9" * 10_000 + b"]}", "data that is damaged or cut off"),
        (b'{"mods":["\xff"]}', "data that is damaged or cut off"),
        (b"[]", "data of an unknown form"),
        (b"[" * 100_000, "far more data than belongs into such an answer"),
    ],
)
def test_a_list_that_is_none_says_what_it_is(body: bytes, said: str) -> None:
    with pytest.raises(moddb_json.BadJson, match=said):
        moddb_json.top_level(body, "mods", most=10)
