"""Plain zips are read quickly, and exactly as `zipfile` would: the quick way refuses what it isn't sure of."""

import io
import json
import zipfile
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mods import modinfo, plainzip

NAME = b"modinfo.json"
MANIFEST = json.dumps({"type": "content", "name": "Carry on", "modid": "carryon", "version": "1.2.0"}).encode()
NAMES = (
    "modinfo.json", "ModInfo.json", "/modinfo.json", "\\modinfo.json", "inner/modinfo.json", "assets/a.json",
    "modinfo.json/", "modinfo.jsonx", "é.txt", "",
)  # fmt: skip


def zip_of(entries: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b"") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name or "x"), content, method)
        archive.comment = comment
    return file.getvalue()


def quickly(data: bytes) -> plainzip.Found | None:
    return plainzip.read(data, NAME, limit=1000, most_entries=100)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_entry_and_what_all_would_take(method: int) -> None:
    data = zip_of([("assets/a.txt", b"x" * 300), ("modinfo.json", MANIFEST), ("deep/modinfo.json", b"{}")], method)
    assert quickly(data) == (MANIFEST, 300 + len(MANIFEST) + 2)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\5\6" + bytes(18), id="an empty zip"),
        pytest.param(zip_of([("a", b"")]), id="without it"),
        pytest.param(zip_of([("ModInfo.json", MANIFEST)]), id="by other case"),
        pytest.param(zip_of([("modinfo.json", MANIFEST), ("MODINFO.JSON", b"{}")]), id="twice"),
        pytest.param(zip_of([("modinfo.json", MANIFEST)], comment=b"hello"), id="with a comment"),
        pytest.param(b"#!/bin/sh\n" + zip_of([("modinfo.json", MANIFEST)]), id="with something before it"),
        pytest.param(zip_of([("modinfo.json", MANIFEST)]) + b"\n", id="with something behind it"),
        pytest.param(zip_of([("modinfo.json", b" " * 1001)]), id="too large"),
        pytest.param(zip_of([("modinfo.json", MANIFEST)], zipfile.ZIP_LZMA), id="otherwise compressed"),
        pytest.param(zip_of([("modinfo.json", MANIFEST), *((f"{n}", b"") for n in range(100))]), id="too many"),
    ],
)
def test_what_is_unusual_is_left_to_zipfile(data: bytes) -> None:
    assert quickly(data) is None


def test_one_that_claims_to_be_smaller_than_it_unpacks_to() -> None:
    data = bytearray(zip_of([("modinfo.json", b" " * 900_000)]))
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = (500).to_bytes(4, "little")
    assert quickly(bytes(data)) is None


def test_one_whose_content_was_damaged() -> None:
    data = zip_of([("modinfo.json", MANIFEST)], zipfile.ZIP_STORED)
    assert quickly(data.replace(b"1.2.0", b"1.3.0")) is None


NAMED = ("modinfo.json", MANIFEST)
others = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([MANIFEST, b"{}", b""])), max_size=4)
entries = st.sampled_from([[], [NAMED], [NAMED]]).flatmap(lambda first: others.map(lambda rest: [*first, *rest]))
flips = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=2)


@given(entries, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]), flips, st.sampled_from([b"", b"hi"]))
@example([("modinfo.json", MANIFEST)], zipfile.ZIP_DEFLATED, [], b"")
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_both_ways_say_the_same_of_any_zip(
    tmp_path: Path, chosen: list[tuple[str, bytes]], method: int, flipped: list[tuple[float, int]], comment: bytes
) -> None:
    data = bytearray(zip_of([("assets/a.txt", b"made up"), *chosen], method, comment))
    for where, value in flipped:
        data[int(where * len(data))] = value
    path = tmp_path / "mod.zip"
    path.write_bytes(data)
    quick = modinfo.read_file(path, "zip")
    with patch.object(plainzip, "read", return_value=None):
        assert modinfo.read_file(path, "zip") == quick
