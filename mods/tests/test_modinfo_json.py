"""A modinfo.json is read as the game reads it; what the game rejects comes with a problem."""

from pathlib import Path
from typing import Any

import pytest

from mods.modinfo import ModInfo, parse
from mods.tests.shared_data import FIXTURES, SHARED, needs_shared, rows

OWN = FIXTURES / "modinfo"
REAL = SHARED / "modinfo"
PROBES = SHARED / "modinfo-probes"


def read(folder: Path, row: dict[str, Any]) -> tuple[ModInfo | None, tuple[str, ...]]:
    return parse((folder / row["file"]).read_bytes())


def of(folder: Path, *, ok: bool) -> list[Any]:
    return [pytest.param(row, id=row["file"]) for row in rows(folder) if row["ok"] is ok]


def accepted(info: ModInfo | None) -> dict[str, Any]:
    """In the form of EXPECTED.jsonl."""
    assert info is not None
    return {
        "modid": info.modid,
        "name": info.name,
        "version": info.version,
        "type": info.type,
        "side": info.side,
        "authors": list(info.authors),
        "deps": info.dependencies,
        "roc": info.required_on_client,
        "ros": info.required_on_server,
    }


def expected(row: dict[str, Any]) -> dict[str, Any]:
    told = {key: row[key] for key in ("modid", "name", "version", "deps", "roc", "ros")}
    return told | {"type": row["type"].lower(), "side": row["side"].lower(), "authors": row["authors"] or []}


@pytest.mark.parametrize("row", of(OWN, ok=True))
def test_own_fixture_is_read(row: dict[str, Any]) -> None:
    info, problems = read(OWN, row)
    assert accepted(info) == expected(row)
    assert bool(problems) is not row["valid"]


@pytest.mark.parametrize("row", of(OWN, ok=False))
def test_own_fixture_that_the_game_rejects_has_a_problem_and_keeps_its_names(row: dict[str, Any]) -> None:
    info, problems = read(OWN, row)
    assert row["problem"] in " ".join(problems)
    known = {key: row[key] for key in ("name", "modid", "version") if key in row}
    assert ({key: getattr(info, key) for key in known} if info else {}) == known


@needs_shared
@pytest.mark.parametrize("row", of(REAL, ok=True) + of(PROBES, ok=True))
def test_real_file_is_read(row: dict[str, Any]) -> None:
    folder = REAL if (REAL / row["file"]).exists() else PROBES
    info, problems = read(folder, row)
    assert accepted(info) == expected(row)
    assert bool(problems) is not row["valid"]


@needs_shared
@pytest.mark.parametrize("row", of(REAL, ok=False) + of(PROBES, ok=False))
def test_real_file_that_the_game_rejects_has_a_problem(row: dict[str, Any]) -> None:
    folder = REAL if (REAL / row["file"]).exists() else PROBES
    assert read(folder, row)[1]


@needs_shared
def test_all_real_files_are_there() -> None:
    assert (len(rows(REAL)), len(rows(PROBES))) == (391, 39)


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "modinfo-other-games").glob("*.json")), ids=lambda path: path.name)
def test_file_of_another_game_is_refused(path: Path) -> None:
    info, problems = parse(path.read_bytes())
    assert info is None
    assert "isn't one of Vintage Story" in problems[0]


def test_ids_of_dependencies_are_lower_case_and_their_versions_as_written() -> None:
    info, _ = parse(b'{"type": "code", "name": "N", "dependencies": {"My-Lib": "1.18+", "game": null, "lib": 1.10}}')
    assert info is not None
    assert info.dependencies == {"my-lib": "1.18+", "game": "", "lib": "1.10"}


def test_number_keeps_its_text() -> None:
    info, problems = parse(b'{"type": "code", "name": "N", "version": 1.10}')
    assert info is not None
    assert (info.version, type(info.version), problems) == ("1.10", str, ())


@pytest.mark.parametrize("digits", ["9" * 5000, "1e999999", "-0.0"])
def test_huge_numbers_do_no_harm(digits: str) -> None:
    info, _ = parse(f'{{"type": "code", "name": "N", "version": {digits}, "requiredOnClient": {digits}}}'.encode())
    assert info is not None
    assert info.version == digits[:100]


def test_controls_directions_and_half_characters_are_replaced_and_lines_kept_where_they_belong() -> None:
    info, _ = parse(
        rb'{"type": "code", "name": "a\u0000b\u202ec\ud83d\nd", "modid": "ab\u0007c", "description": "one\ntwo\u0000"}'
    )
    assert info is not None
    assert info.name == "a\ufffdb\ufffdc\ufffd d"
    assert info.modid == "ab\ufffdc"
    assert info.description == "one\ntwo\ufffd"


def test_pairs_of_halves_are_whole_characters() -> None:
    info, _ = parse(rb'{"type": "code", "name": "\ud83d\ude00"}')
    assert info is not None
    assert info.name == "\U0001f600"


def test_everything_is_bounded() -> None:
    long = '"' + "x" * 20_000 + '"'
    authors = ",".join([long] * 150)
    dependencies = ",".join(f'"d{number}": {long}' for number in range(600))
    info, _ = parse(
        f'{{"type": "code", "name": {long}, "modid": {long}, "version": {long}, "description": {long}, '
        f'"website": {long}, "authors": [{authors}], "dependencies": {{{dependencies}}}}}'.encode()
    )
    assert info is not None
    assert [len(text) for text in (info.modid, info.name, info.version, info.description, info.website)] == [
        200,
        300,
        100,
        10_000,
        500,
    ]
    assert (len(info.authors), {len(author) for author in info.authors}) == (100, {200})
    assert (len(info.dependencies), {len(minimum) for minimum in info.dependencies.values()}) == (500, {100})


def test_problems_show_no_more_than_a_line_of_what_they_quote() -> None:
    _, problems = parse(b'{"type": "code", "name": "N", "side": "' + b"x\\n" * 50_000 + b'"}')
    assert len(problems[0]) < 200
    assert "\n" not in problems[0]


def test_deep_nesting_is_a_problem() -> None:
    for opening in (b"[", b'{"a":', b"/**/[", b"{a:"):
        info, problems = parse(opening * 100_000)
        assert info is None
        assert len(problems) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "code", "name": "N", /* never ends',
        "{'type': 'code', 'name': 'N\"}",
        '{"type": "code",, "name": "N"}',
        '{"type": "code", "authors": [,], "name": "N"}',
        '{my-type: "code", "name": "N"}',
        '{"type": "code", "name": N}',
    ],
)
def test_what_the_games_reader_rejects_is_rejected(text: str) -> None:
    assert parse(text.encode())[1]
