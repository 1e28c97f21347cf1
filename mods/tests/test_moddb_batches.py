"""Batches to the mod database: as few as fit, an id once in each, nothing in them that could spoil the others."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mods.moddb_batches import INSTALL_INFORMATION, UPDATES, batch_ids, batch_pairs, can_ask_alone, install_entry

SPOILING = [
    "",
    "a,b",
    "a@b",
    "a b",
    "a\tb",
    "a%41",
    "a&b",
    "a#b",
    "a+b",
    "a?b",
    "a/b",
    "a\\b",
    "a\x00b",
    "a\nb",
    "mód",
    "x" * 101,
]
NUMBERS = ["123", "0", "007", "-1", "+5", "1.5", ".5", "5.", "1e3", "1E-3"]


def updates_line(batch: list[str], base: str = "") -> int:
    return len(f"GET {base}{UPDATES}{','.join(modid + '@0.0.0' for modid in batch)} HTTP/1.1")


def install_line(batch: list[tuple[str, str]], game_version: str) -> int:
    entries = ",".join(install_entry(*pair) for pair in batch)
    return len(f"GET {INSTALL_INFORMATION}{entries}&gv={game_version} HTTP/1.1")


@pytest.mark.parametrize(
    ("number", "batches"), [(0, 0), (1, 1), (299, 1), (300, 1), (301, 2), (600, 2), (601, 3), (5000, 17)]
)
def test_as_few_batches_as_the_count_allows(number: int, batches: int) -> None:
    ids = [f"mod{index}" for index in range(number)]
    found, alone = batch_ids(ids)
    assert (len(found), alone) == (batches, [])
    assert sorted(modid for batch in found for modid in batch) == sorted(ids)
    assert all(len(batch) <= 300 for batch in found)


def test_long_ids_are_bound_by_the_request_line() -> None:
    ids = [f"{index:0100d}x"[1:] for index in range(300)]
    found, alone = batch_ids(ids)
    assert alone == []
    assert len(found) == -(-300 * 107 // 7960)
    assert all(updates_line(batch) <= 8000 for batch in found)


def test_a_base_address_with_a_path_counts_too() -> None:
    ids = [f"a{index:04d}{'x' * 20}" for index in range(900)]
    base = "/" + "p" * 500
    found, _alone = batch_ids(ids, base_url="https://example.com" + base)
    assert all(updates_line(batch, base) <= 8000 for batch in found)


def test_an_id_is_asked_for_once_whatever_its_case() -> None:
    assert batch_ids(["CarryOn", "carryon", "other", "CARRYON"]) == ([["CarryOn", "other"]], [])


@pytest.mark.parametrize("modid", SPOILING + NUMBERS)
def test_an_id_that_could_spoil_a_batch_goes_alone(modid: str) -> None:
    assert batch_ids(["good", modid, "fine"]) == ([["good", "fine"]], [modid])
    assert batch_pairs([("good", "1.0.0"), (modid, "1.0.0")]) == ([[("good", "1.0.0")]], [(modid, "1.0.0")])
    assert not can_ask_alone(modid)


@pytest.mark.parametrize("modid", ["carryon", "CarryOn", "123numeric", "a", "a-b_c.d", "1.2.3", "e5", "x" * 100])
def test_ordinary_ids_are_carried_and_can_be_asked_alone(modid: str) -> None:
    assert batch_ids([modid]) == ([[modid]], [])
    assert can_ask_alone(modid)


@pytest.mark.parametrize("key", [".", "..", "..."])
def test_dots_alone_are_a_path_of_their_own(key: str) -> None:
    assert not can_ask_alone(key)


def test_versions_of_one_id_part_into_further_batches() -> None:
    pairs = [("a", "1.0.0"), ("a", "2.0.0"), ("A", "3.0.0"), ("b", "1.0.0"), ("b", "1.0.0"), ("c", "1.0.0")]
    found, alone = batch_pairs(pairs, "1.21.0")
    assert (len(found), alone) == (3, [])
    assert sorted(pair for batch in found for pair in batch) == sorted(set(pairs))
    assert all(len({modid.lower() for modid, _ in batch}) == len(batch) for batch in found)


def test_parting_versions_costs_no_batch_more_than_it_must() -> None:
    pairs = [(f"mod{index}", version) for index in range(300) for version in ("1.0.0", "2.0.0")]
    assert len(batch_pairs(pairs)[0]) == 2


@pytest.mark.parametrize(
    "version", ["1.0,x@1", "1 0", "1@0", "1&gv=2", "1%2C", "1+b", "1#", "\x00", "ü", "9" * 101, ""]
)
def test_a_version_that_would_break_the_batch_is_left_out(version: str) -> None:
    assert batch_pairs([("a", version), ("b", "1.0.0")]) == ([[("a", ""), ("b", "1.0.0")]], [])
    assert install_entry("a", version) == "a"


@pytest.mark.parametrize("version", ["1.0", "v1.2.3", "1.0.0.0", "1.13.4-0.2-B", "vNext", "1.2.3-rc.1"])
def test_a_version_that_only_cant_be_parsed_is_sent(version: str) -> None:
    assert batch_pairs([("a", version)]) == ([[("a", version)]], [])
    assert install_entry("a", version) == f"a@{version}"


@settings(max_examples=60, deadline=None, database=None)
@given(st.lists(st.tuples(st.text(max_size=110), st.text(max_size=110)), max_size=400), st.just("1.21.10"))
def test_any_pairs_are_all_there_and_within_limits(pairs: list[tuple[str, str]], game_version: str) -> None:
    found, alone = batch_pairs(pairs, game_version)
    assert {modid for batch in [*found, alone] for modid, _ in batch} == {modid for modid, _ in pairs}
    for batch in found:
        assert len(batch) <= 300
        assert install_line(batch, game_version) <= 8000
        assert len({modid.lower() for modid, _ in batch}) == len(batch)


@pytest.mark.parametrize(("number", "batches"), [(295, 1), (296, 2), (300, 2)])
def test_what_separates_the_entries_counts_too(number: int, batches: int) -> None:
    """295 × (20 + 6) bytes and 294 commas are 7,964 of the 7,969 that a line has for them; without commas 300 fit."""
    ids = [f"m{index:019d}" for index in range(number)]
    found, _alone = batch_ids(ids)
    assert len(found) == batches
    assert all(updates_line(batch) <= 8000 for batch in found)
    pairs = [(f"m{index:018d}", "1.0.0") for index in range(number)]
    for batch in batch_pairs(pairs, "1.21.0")[0]:
        assert install_line(batch, "1.21.0") <= 8000


def test_a_batch_that_is_dealt_the_long_ones_keeps_to_the_limit_with_its_commas() -> None:
    """147 × (48 + 6) bytes fit into a line; their 146 commas don't, though both batches together would be short."""
    ids = [modid for index in range(147) for modid in (f"m{index:047d}", f"s{index:03d}")]
    found, _alone = batch_ids(ids)
    assert len(found) == 3
    assert all(updates_line(batch) <= 8000 for batch in found)
