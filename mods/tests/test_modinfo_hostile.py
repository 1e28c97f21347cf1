"""Whatever bytes a mod file holds, reading it ends with a `ModFile` that a database can store."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mods import manifest
from mods.modinfo import ModInfo, parse, read_file

KEYS = [
    "type",
    "name",
    "modid",
    "version",
    "side",
    "authors",
    "contributors",
    "description",
    "website",
    "dependencies",
    "requiredOnClient",
    "requiredOnServer",
    "textureSize",
    "networkVersion",
]
# Lone halves of characters too.
TEXT = st.text(alphabet=st.characters(), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["code", "both", "client", "0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.dictionaries(st.sampled_from(KEYS) | TEXT, JSON, max_size=10)
SCRAPS = st.text(alphabet="{}[]:,'\"/*\\ \n#at1.-truefalsnul+\ud800\x00", max_size=60)
SOURCE_PIECES = (
    '[assembly: |ModInfo|ModDependency|(|)|]|[|,|"x"|"|\'|\\|@|$|"""|\n|#if A|#else|#elif B|#endif|#define A'
    "|/*|*/|//|=|:|{|}|new|+|true| "
)
SOURCES = st.lists(st.sampled_from(SOURCE_PIECES.split("|")), max_size=40).map("".join)


def check(info: ModInfo | None, problems: tuple[str, ...]) -> None:
    assert info is not None or problems
    texts = [*problems]
    if info is not None:
        texts += [info.modid, info.name, info.version, info.description, info.website, *info.authors]
        texts += [*info.dependencies.keys(), *info.dependencies.values()]
        assert info.side in ("universal", "client", "server")
        assert info.type in ("", "code", "content", "theme")
        assert type(info.required_on_client) is type(info.required_on_server) is bool
    for text in texts:
        assert type(text) is str
        text.encode()  # a lone surrogate would raise
        assert "\x00" not in text


@given(st.binary(max_size=300))
@settings(deadline=None)  # a busy machine is no failure
def test_any_bytes_as_modinfo(data: bytes) -> None:
    check(*parse(data))


@given(MEMBERS)
@settings(deadline=None)  # a busy machine is no failure
def test_any_values(members: dict[str, object]) -> None:
    check(*parse(json.dumps(members).encode()))


@given(MEMBERS, st.data())
@settings(deadline=None)  # a busy machine is no failure
def test_broken_json(members: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(members, indent=1)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    broken = text[:start] + data.draw(SCRAPS) + text[end:]
    check(*parse(broken.encode("utf-8", "surrogatepass")))


@given(SCRAPS)
@settings(deadline=None)  # a busy machine is no failure
def test_scraps_of_json(text: str) -> None:
    check(*parse(text.encode("utf-8", "surrogatepass")))


@given(SOURCES)
@settings(deadline=None)  # a busy machine is no failure
def test_scraps_of_source(text: str) -> None:
    check(*manifest.parse_source(text.encode()))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile") / "file"


def whole_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("modinfo.json", json.dumps({"type": "code", "name": "N", "description": "d" * 300}))
        archive.writestr("assets/a.txt", "a")
    return buffer.getvalue()


ZIP = whole_zip()


@given(data=st.binary(max_size=200), kind=st.sampled_from(["zip", "cs", "dll"]))
@settings(deadline=None)  # a busy machine is no failure
def test_any_bytes_as_file(place: Path, data: bytes, kind: str) -> None:
    place.write_bytes(data)
    read = read_file(place, kind)
    assert read.info is not None or read.problems or kind == "dll"


@given(
    flips=st.lists(st.tuples(st.integers(0, len(ZIP) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.integers(1, len(ZIP)) | st.just(len(ZIP)),
)
@settings(deadline=None)  # a busy machine is no failure
def test_damaged_zip(place: Path, flips: list[tuple[int, int]], end: int) -> None:
    data = bytearray(ZIP)
    for at, value in flips:
        data[at] = value
    place.write_bytes(data[:end])
    read = read_file(place, "zip")
    check(read.info, read.problems)
    assert read.sha256
