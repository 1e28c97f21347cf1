"""The order of versions, dependencies' minimums, compatibility, and which release is latest or recommended."""

import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mods.versions import (
    Compatibility,
    compatibility,
    latest,
    newer,
    parse,
    recommended,
    satisfies,
    sort_key,
    to_go_back_to,
)

# Texts near real versions, and any others.
VERSION_LIKE = st.text(alphabet="0123459.-+vrcpebdxBT* ", max_size=12)
TEXTS = st.one_of(VERSION_LIKE, st.text(max_size=20), st.from_regex(r"\d{1,3}(\.\d{1,3}){0,3}(-(dev|pre|rc)\.\d)?"))


@dataclass
class Release:
    version: str
    game_versions: tuple[str, ...] = ("1.21.5",)
    retracted: bool = False


ASCENDING = [
    "0.0.1-rc5",
    "0.0.1",
    "0.9.10",
    "1.0.0-alpha.1",
    "1.0.0-beta.3",
    "1.0.0-dev.1",
    "1.0.0-dev.2",
    "1.0.0-pre",
    "1.0.0-pre.1",
    "1.0.0-pre.10",
    "1.0.0-rc.1",
    "1.0.0-rc.2",
    "1.0.0-B",
    "1.0.0-1.21.6",
    "1.0.0",
    "v1.0.1",
    "1.0.1.1",
    "1.2",
    "1.13.4-0.2-B",
    "1.13.4-0.74",
    "1.13.4-0.75B",
    "1.13.4",
    "1.14.0-1.2-B",
    "1.14.0-1.2.1-B",
    "1.14.0-1.4.0-B",
    "10.0.0",
    "32767.65535.65535-rc.4095",
]


@pytest.mark.parametrize(("lower", "higher"), list(pairwise(ASCENDING)))
def test_order(lower: str, higher: str) -> None:
    assert newer(higher, lower)
    assert not newer(lower, higher)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.0", "1.0.0"),
        ("1.0.0.0", "1"),
        ("v1.2.3", " 1.2.3 "),
        ("1.0.0-rc1", "1.0.0-RC.1"),
        ("1.0+build.7", "1.0.0"),
        ("01.002", "1.2"),
        ("0.0.0", "0"),
    ],
)
def test_equal_in_order(one: str, other: str) -> None:
    assert parse(one) == parse(other)
    assert hash(parse(one)) == hash(parse(other))
    assert not newer(one, other)
    assert not newer(other, one)


@pytest.mark.parametrize(
    "text", ["", "vNext", "{version}", "%VERSION%", "*", "-1.0", "１.２.３", "²", "9" * 10_000, "1." * 5_000]
)
def test_without_order(text: str) -> None:
    assert parse(text) is None
    assert not newer(text, "1.0.0")
    assert not newer("1.0.0", text)
    assert sort_key(text) < sort_key("0")


def test_text_is_kept() -> None:
    version = parse("v1.0.0-RC.1")
    assert version is not None
    assert (version.text, version.is_prerelease, version.series) == ("v1.0.0-RC.1", True, (1, 0))


@pytest.mark.parametrize(
    ("text", "prerelease"),
    [("1.0.0", False), ("1.0.0-B", False), ("1.0.0-1.21.6", False), ("1.0.0T", False)]
    + [(f"1.0.0-{word}.1", True) for word in ("dev", "pre", "rc", "alpha", "beta", "preview")]
    + [("3.0-beta1", True), ("1.0rc1", True)],
)
def test_prereleases(text: str, prerelease: bool) -> None:
    version = parse(text)
    assert version is not None
    assert version.is_prerelease is prerelease


@given(TEXTS, TEXTS, TEXTS)
@settings(deadline=None)
def test_order_is_total(a: str, b: str, c: str) -> None:
    first, second, third = sorted((a, b, c), key=sort_key)
    assert not newer(first, second)
    assert not newer(second, third)
    assert not newer(first, third)
    assert not (newer(a, b) and newer(b, a))
    assert newer(a, b) == (parse(a) is not None and parse(b) is not None and sort_key(a) > sort_key(b))
    if parse(a) is not None and parse(b) is not None:
        assert newer(a, b) or newer(b, a) or parse(a) == parse(b)


@given(st.text())
@settings(deadline=None)
def test_nothing_raises(text: str) -> None:
    parse(text)
    satisfies(text, text)
    compatibility([text], text)
    recommended([Release(text, (text,))], text, installed=text, installed_retracted=True)
    assert latest([Release(text)]) is not None


@pytest.mark.parametrize(
    ("version", "minimum", "met"),
    [
        ("1.0.0", "", True),
        ("1.0.0", "*", True),
        ("vNext", "*", True),
        ("1.19.0", "1.19.0", True),
        ("1.18.9", "1.19.0", False),
        ("1.18.0", "1.18+", True),
        ("1.17.9", "1.18+", False),
        ("1.21.0", ">=1.21.0", True),
        ("1.20.9", ">= 1.21.0", False),
        ("1.19.4", "1.19.x", True),
        ("1.18.4", "1.19.x", False),
        ("1.20.0", "1.19.x", True),
        ("1.0.3", "1.0.*", True),
        ("0.9.0", "1.0.*", False),
        ("1.20.0", "1.20", True),
        ("1.20.0-rc.1", "1.20", False),
        ("1.18.0-pre.1", "1.18.0-pre", True),
        ("1.18.0-dev.1", "1.18.0-pre", False),
        ("1.19.0", "1.19.0-X", True),
        # As the game has it: nothing is asked of an empty version, and nothing by what is no version.
        ("", "1.19.0", True),
        ("1.0.0", "latest", True),
        ("vNext", "1.0.0", False),
    ],
)
def test_minimum_of_a_dependency(version: str, minimum: str, met: bool) -> None:
    assert satisfies(version, minimum) is met


@pytest.mark.parametrize(
    ("listed", "game_version", "result"),
    [
        (["1.21.4", "1.21.5"], "1.21.5", Compatibility.COMPATIBLE),
        (["1.21.5"], "v1.21.5", Compatibility.COMPATIBLE),
        (["1.21.4"], "1.21.5", Compatibility.NOT_VERIFIED),
        (["1.21.6"], "1.21.5", Compatibility.NOT_VERIFIED),
        (["1.22.0"], "1.22.0-rc.3", Compatibility.NOT_VERIFIED),
        (["1.20.5", "1.22.0"], "1.21.5", Compatibility.INCOMPATIBLE),
        (["2.21.5"], "1.21.5", Compatibility.INCOMPATIBLE),
        ([], "1.21.5", Compatibility.NOT_VERIFIED),
        (["0.0.0"], "1.21.5", Compatibility.NOT_VERIFIED),
        (["any"], "1.21.5", Compatibility.NOT_VERIFIED),
        (["1.20.0"], "", Compatibility.NOT_VERIFIED),
    ],
)
def test_compatibility(listed: list[str], game_version: str, result: Compatibility) -> None:
    assert compatibility(listed, game_version) is result


def test_compatibility_values_are_texts() -> None:
    assert [str(value) for value in Compatibility] == ["compatible", "not_verified", "incompatible"]


def test_latest_is_the_highest_whatever_the_order_given() -> None:
    releases = [Release("1.0.1"), Release("vNext"), Release("1.2.0-rc.1"), Release("2.0.0", retracted=True)]
    assert latest(releases) is releases[2]
    assert latest(releases[:2]) is releases[0]
    assert latest(releases[3:]) is None
    assert latest([]) is None


def test_latest_of_equal_ones_is_the_first() -> None:
    releases = [Release("1.0"), Release("1.0.0")]
    assert latest(releases) is releases[0]


def offer(
    *releases: Release, game: str = "1.21.5", installed: str = "1.0.0", installed_retracted: bool = False
) -> str | None:
    best = recommended(releases, game, installed=installed, installed_retracted=installed_retracted)
    return best.version if best else None


def older_offer(*releases: Release, installed: str) -> str | None:
    best = to_go_back_to(releases, "1.21.5", installed=installed)
    return best.version if best else None


EXACT, EARLIER, LATER, OTHER = ("1.21.5",), ("1.21.3",), ("1.21.6",), ("1.20.5",)


def test_recommended_is_the_highest_stable_release_for_exactly_that_game_version() -> None:
    assert offer(Release("1.1.0"), Release("1.3.0"), Release("1.2.0"), Release("1.4.0", EARLIER)) == "1.3.0"
    assert offer(Release("1.1.0"), Release("2.0.0", OTHER), Release("1.2.0-rc.1")) == "1.1.0"
    assert offer(Release("1.1.0"), Release("1.2.0", retracted=True)) == "1.1.0"


def test_else_the_highest_for_an_earlier_patch() -> None:
    assert offer(Release("1.1.0", EARLIER), Release("1.2.0", EARLIER), Release("1.3.0", LATER)) == "1.2.0"
    assert (
        offer(Release("1.3.0", LATER), Release("1.4.0", OTHER), Release("1.5.0", ("0.0.0",)), Release("1.6.0", ()))
        is None
    )


def test_earlier_than_a_prerelease_of_the_game() -> None:
    before, after = Release("1.1.0", ("1.22.0-rc.2",)), Release("1.2.0", ("1.22.0",))
    assert offer(before, after, game="1.22.0-rc.3") == "1.1.0"
    assert offer(after, game="1.22.0-rc.3") is None
    assert offer(before, after, game="1.22.1") == "1.2.0"


def test_never_older_than_installed() -> None:
    assert offer(Release("1.0.0"), Release("1.1.0"), installed="1.1.0") == "1.1.0"
    assert offer(Release("1.0.0"), installed="1.1.0") is None
    assert offer(Release("1.0.0"), Release("1.2.0", EARLIER), installed="1.1.0") == "1.2.0"


def test_of_a_retracted_one_newer_ones_are_recommended_and_older_ones_are_apart() -> None:
    gone = Release("1.1.0", retracted=True)
    older, newer = Release("1.0.0"), Release("1.2.0", EARLIER)
    # The list may not know of the retraction.
    for releases in ((older, gone), (older, Release("1.1.0"))):
        assert offer(*releases, installed="1.1.0", installed_retracted=True) is None
        assert older_offer(*releases, installed="1.1.0") == "1.0.0"
    assert offer(older, gone, newer, installed="1.1.0", installed_retracted=True) == "1.2.0"
    assert older_offer(Release("0.9.0"), Release("1.0.0", EARLIER), Release("1.0.0-rc.1"), installed="1.1.0") == "0.9.0"
    assert older_offer(Release("1.0.0", OTHER), gone, newer, installed="1.1.0") is None
    assert older_offer(older, installed="vNext") == "1.0.0"


def test_prereleases_for_those_who_run_one() -> None:
    releases = (Release("1.0.0"), Release("1.1.0-rc.1"), Release("1.1.0-rc.3"))
    assert offer(*releases, installed="1.0.0") == "1.0.0"
    assert offer(*releases, installed="1.1.0-rc.1") == "1.1.0-rc.3"
    assert offer(*releases, Release("1.1.0"), installed="1.1.0-rc.1") == "1.1.0"
    assert offer(*releases, installed="1.1.0-rc.2", installed_retracted=True) == "1.1.0-rc.3"
    assert older_offer(*releases[:2], installed="1.1.0-rc.2") == "1.0.0"


@pytest.mark.parametrize("installed", ["", "vNext"])
def test_nothing_known_of_the_installed_version(installed: str) -> None:
    assert offer(Release("1.1.0-rc.1"), Release("1.0.0"), installed=installed) == "1.0.0"


@pytest.mark.parametrize("game", ["", "unknown"])
def test_nothing_is_recommended_for_an_unknown_game_version(game: str) -> None:
    assert offer(Release("1.1.0"), game=game) is None


def test_reading_and_ordering_need_no_django() -> None:
    check = "import sys, mods.versions, mods.modinfo; sys.exit('django' in sys.modules)"
    subprocess.run([sys.executable, "-c", check], cwd=Path(__file__).parents[2], check=True)
