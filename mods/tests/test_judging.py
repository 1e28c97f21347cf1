"""How one mod stands to a game version: the table of cases, and what holds for any."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mods import judging, versions
from mods.judging import Case, Do, Judgement, Offer, Standing, Verdict

GAME = "1.22.0"
READY, UNSURE, BLOCKED = Verdict.READY, Verdict.NOT_VERIFIED, Verdict.BLOCKING


def offer(version: str, *listed: str, **more: Any) -> Offer:
    return Offer(version, listed, **more)


OLD = offer("1.0.0", "1.21.4", "1.21.5")
NEW = offer("2.0.0", "1.22.0")
NEAR = offer("1.5.0", "1.22.0-rc.1")


@pytest.mark.parametrize(
    ("case", "verdict", "do", "version"),
    [
        (Case("1.0.0", [offer("1.0.0", "1.21.5", "1.22.0")]), READY, Do.NOTHING, ""),
        (Case("1.0.0", [offer("1.0.0", "v1.22.0")]), READY, Do.NOTHING, ""),
        # a newer one is there too: not needed to get there
        (Case("1.0.0", [offer("1.0.0", "1.22.0"), NEW]), READY, Do.NOTHING, ""),
        (Case("1.0.0", [OLD, NEW]), READY, Do.UPDATE, "2.0.0"),
        (Case("1.0.0", [OLD, NEW, offer("2.1.0", "1.22.0"), offer("3.0.0", "1.22.1")]), READY, Do.UPDATE, "2.1.0"),
        (Case("1.0.0", [OLD, NEAR]), UNSURE, Do.UPDATE, "1.5.0"),
        # only a later patch of the series is named
        (Case("1.0.0", [OLD, offer("1.8.0", "1.22.3")]), UNSURE, Do.UPDATE, "1.8.0"),
        (Case("1.5.0", [NEAR]), UNSURE, Do.NOTHING, ""),
        (Case("1.0.0", [offer("1.0.0", "1.22.3")]), UNSURE, Do.NOTHING, ""),
        (Case("1.0.0", [offer("1.0.0")]), UNSURE, Do.NOTHING, ""),
        (Case("1.0.0", [offer("1.0.0", "0.0.0")]), UNSURE, Do.NOTHING, ""),
        (Case("1.0.0", [OLD]), BLOCKED, Do.REPLACE, ""),
        (Case("1.0.0", [OLD, offer("0.9.0", "1.22.0")]), BLOCKED, Do.REPLACE, ""),
        (Case("1.0.0", [OLD, offer("2.0.0", "1.22.0", retracted=True)]), BLOCKED, Do.REPLACE, ""),
        (Case("1.0.0", [OLD, offer("2.0.0-rc.1", "1.22.0")]), BLOCKED, Do.REPLACE, ""),
        (Case("1.0.0-rc.1", [offer("1.0.0-rc.1", "1.21.5"), offer("2.0.0-rc.1", "1.22.0")]),
         READY, Do.UPDATE, "2.0.0-rc.1"),
        # what is recommended now isn't for it
        (Case("1.0.0", [offer("1.0.0", "1.22.0"), offer("1.1.0", "1.21.5")], recommended="1.1.0"), READY, Do.HOLD, ""),
        (Case("1.0.0", [offer("1.0.0", "1.22.0"), NEW], recommended="2.0.0"), READY, Do.NOTHING, ""),
        # held
        (Case("1.0.0", [OLD, NEW], is_held=True), BLOCKED, Do.UNHOLD, ""),
        (Case("1.0.0", [offer("1.0.0"), NEW], is_held=True), UNSURE, Do.UNHOLD, ""),
        (Case("1.0.0", [offer("1.0.0", "1.22.0"), NEW], is_held=True), READY, Do.NOTHING, ""),
        (Case("1.0.0", [OLD], is_held=True), BLOCKED, Do.REPLACE, ""),
        # disabled: in nobody's way
        (Case("1.0.0", [OLD], is_loaded=False), READY, Do.NOTHING, ""),
        (Case("1.0.0", [OLD, NEW], is_loaded=False), READY, Do.UPDATE, "2.0.0"),
        (Case("1.0.0", [OLD, NEW], is_loaded=False, is_held=True), READY, Do.NOTHING, ""),
        # retracted
        (Case("1.0.0", [offer("1.0.0", "1.22.0", retracted=True)], retracted=True), BLOCKED, Do.REPLACE, ""),
        (Case("1.0.0", [offer("1.0.0", "1.22.0", retracted=True), NEW], retracted=True), READY, Do.UPDATE, "2.0.0"),
        (Case("2.0.0", [offer("2.0.0", "1.22.0", retracted=True), offer("1.9.0", "1.22.0")], retracted=True),
         BLOCKED, Do.GO_BACK, ""),
        (Case("2.0.0", [offer("2.0.0", "1.22.0", retracted=True), offer("1.9.0", "1.22.0")], retracted=True,
              is_held=True), BLOCKED, Do.REPLACE, ""),
        (Case("2.0.0", [offer("2.0.0", "1.22.0", retracted=True), offer("1.9.0", "1.22.0")], retracted=True,
              is_loaded=False), READY, Do.NOTHING, ""),
        # gone: it may run on, but nobody vouches for it
        (Case("1.0.0", [offer("1.0.0", "1.22.0", retracted=True)], is_gone=True), UNSURE, Do.NOTHING, ""),
        (Case("1.0.0", [offer("1.0.0", "1.21.5", retracted=True), NEW], is_gone=True), READY, Do.UPDATE, "2.0.0"),
        (Case("1.0.0", [offer("1.0.0", "1.21.5", retracted=True)], is_gone=True), BLOCKED, Do.REPLACE, ""),
        # unknown
        (Case("1.0.0", is_known=False), UNSURE, Do.NOTHING, ""),
        (Case("1.0.0", is_known=False, is_asked=False), UNSURE, Do.NOTHING, ""),
        (Case("", [NEW]), UNSURE, Do.NOTHING, ""),
        (Case("vNext", [NEW]), UNSURE, Do.NOTHING, ""),
        (Case("1.0.7", [OLD, NEW]), READY, Do.UPDATE, "2.0.0"),
        (Case("3.0.0", [OLD, NEW]), UNSURE, Do.NOTHING, ""),
        (Case("1.0.0", [offer("1.0.0", "1.21.5", retracted=True)], is_known=False), BLOCKED, Do.REMOVE, ""),
        # a file that asks for a later game
        (Case("1.0.0", [offer("1.0.0", "1.22.0")], needs={"game": "1.22.1"}), BLOCKED, Do.REPLACE, ""),
        (Case("1.0.0", [OLD, offer("2.0.0", "1.22.0", needs={"survival": "1.22.5"})]), BLOCKED, Do.REPLACE, ""),
        (Case("1.0.0", [offer("1.0.0", "1.22.0")], needs={"game": "1.21.0"}), READY, Do.NOTHING, ""),
        # a second file of the same mod
        (Case("0.5.0", [OLD], counts=False), READY, Do.REMOVE, ""),
    ],
)  # fmt: skip
def test_a_mod_by_itself(case: Case, verdict: Verdict, do: Do, version: str) -> None:
    found = judging.judge(case, GAME)
    assert (found.verdict, found.do, found.version) == (verdict, do, version), found.why
    assert found.why


def test_why_is_said_in_words() -> None:
    assert judging.judge(Case("1.0.0", [OLD, NEW]), GAME).why == (
        "2.0.0 names 1.22.0 exactly. 1.0.0 names 1.21.4–1.21.5 only, not the series of 1.22.0."
    )
    stuck = judging.judge(Case("1.0.0", [OLD], rival="Fork claims the same mod id."), GAME)
    assert stuck.why == (
        "1.0.0 names 1.21.4–1.21.5 only, not the series of 1.22.0. No other release is for 1.22.0 yet. "
        "Fork claims the same mod id."
    )
    gone = judging.judge(Case("1.0.0", retracted=True, retraction_reason="Eats chests."), GAME)
    assert gone.why.startswith("1.0.0 was retracted: Eats chests.")


def test_a_prerelease_is_named_and_not_taken() -> None:
    offers = [OLD, offer("2.0.0-rc.1", "1.22.0"), offer("2.0.0-rc.2", "1.22.0"), offer("2.0.0-rc.3", "1.21.5")]
    assert judging.judge(Case("1.0.0", offers), GAME).prerelease == "2.0.0-rc.2"


_VERSIONS = st.sampled_from(["", "vNext", "0.9.0", "1.0.0", "1.0", "1.1.0-rc.1", "1.1.0", "2.0.0", "2.1.0-pre.2", "9"])
_GAMES = st.sampled_from(["0.0.0", "nonsense", "1.20.1", "1.21.5", "1.22.0-rc.1", "1.22.0", "1.22.3", "1.23.0"])
_OFFERS = st.builds(
    Offer,
    _VERSIONS,
    st.lists(_GAMES, max_size=4).map(tuple),
    st.booleans(),
    st.none() | st.dictionaries(st.sampled_from(["game", "lib"]), _GAMES, max_size=2),
)
_CASES = st.builds(
    Case,
    _VERSIONS,
    st.lists(_OFFERS, max_size=6),
    retracted=st.booleans(),
    is_loaded=st.booleans(),
    is_held=st.booleans(),
    is_known=st.booleans(),
    counts=st.booleans(),
    recommended=_VERSIONS,
)


@given(_CASES, _GAMES)
def test_what_holds_for_any(case: Case, game_version: str) -> None:
    found = judging.judge(case, game_version)
    assert (found.do is Do.UPDATE) == (found.update is not None)
    if found.update is not None:
        assert not found.update.retracted
        assert versions.newer(found.version, case.version)
        assert not case.is_held
        fit = versions.compatibility(found.update.game_versions, game_version)
        assert fit is not versions.Compatibility.INCOMPATIBLE
        if not versions.is_prerelease(case.version):
            assert not versions.is_prerelease(found.version)
    if found.verdict is BLOCKED:
        assert case.is_loaded
        assert case.counts
        assert found.do in {Do.REPLACE, Do.REMOVE, Do.UNHOLD, Do.GO_BACK}
    assert found.do is not Do.GO_BACK or (found.back and case.retracted and not found.back.retracted)


def standing(key: str, verdict: Verdict = READY, version: str = "1.0.0", best: str = "", **needs: str) -> Standing:
    judgement = Judgement(verdict, Do.NOTHING, "", best=offer(best) if best else None)
    return Standing(key.title(), judgement, version, needs)


def unmet(*given: Standing, asleep: str = "") -> dict[str, str]:
    found = judging.unmet({one.name.lower(): one for one in given}, asleep.split())
    return {key: one.why for key, one in found.items()}


def test_who_needs_one_that_stands_in_the_way_stands_in_it_too() -> None:
    found = unmet(
        standing("lib", BLOCKED),
        standing("mid", lib=""),
        standing("top", UNSURE, mid="1.0.0", game="1.21.0"),
        standing("lone"),
    )
    assert found == {"mid": "It needs Lib, which is blocking.", "top": "It needs Mid, which is blocking."}


def test_a_minimum_that_nothing_meets() -> None:
    assert unmet(standing("lib"), standing("a", lib="2.0.0")) == {"a": "It needs Lib 2.0.0; there is 1.0.0 for it."}
    assert unmet(standing("lib", version="2.0.0"), standing("a", lib="2.0.0")) == {}
    held = replace(standing("lib", best="2.0.0"), is_held=True)
    assert unmet(held, standing("a", lib="2.0.0")) == {"a": "It needs Lib 2.0.0, and 1.0.0 is held."}


def needed_newer(*given: Standing) -> dict[str, str]:
    return judging.needed_newer({one.name.lower(): one for one in given})


def test_what_another_needs_newer_is_updated_for_it() -> None:
    lib, app = standing("lib", best="2.0.0"), standing("app", lib="2.0.0")
    assert needed_newer(lib, app) == {"lib": "App needs 2.0.0 of it."}
    assert needed_newer(lib, standing("app", lib="1.0.0")) == {}, "what is there will do"
    assert needed_newer(lib, standing("app", lib="2.0.1")) == {}, "not even the best will do"
    assert needed_newer(standing("lib"), app) == {}
    assert needed_newer(replace(lib, is_held=True), app) == {}
    assert needed_newer(lib, standing("app", BLOCKED, lib="2.0.0")) == {}, "it can't run anyway"
    best = replace(offer("2.0.0"), needs={"core": "3.0.0"})
    chained = replace(lib, judgement=replace(lib.judgement, best=best))
    assert set(needed_newer(chained, app, standing("core", best="3.0.0"))) == {"lib", "core"}


def test_what_is_needed_and_not_there() -> None:
    assert unmet(standing("a", lib="2.0.0")) == {"a": "It needs lib 2.0.0, which isn't installed. Install it."}
    assert unmet(standing("a", lib=""), asleep="lib") == {"a": "It needs lib, which is disabled. Enable it."}
    assert unmet(standing("a", survival="9.0.0", a="")) == {}, "the game's own is said elsewhere"
    assert judging.unmet({"a": standing("a", lib="")})["a"].missing == "lib"
    assert judging.unmet({"a": standing("a", lib="")}, {"lib"})["a"].missing == ""
    updated = Standing("A", Judgement(READY, Do.UPDATE, "", update=offer("2.0.0")), "2.0.0", {"lib": ""})
    assert unmet(updated) == {}, "a plan brings what an update needs"


def test_a_circle_ends() -> None:
    assert unmet(standing("a", b=""), standing("b", a="")) == {}
    found = unmet(standing("a", b="", c=""), standing("b", a=""), standing("c", BLOCKED, c=""))
    assert set(found) == {"a", "b"}
