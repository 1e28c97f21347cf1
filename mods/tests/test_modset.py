"""Two sets of mods against each other: what is equal in both is left out first, and that changes no answer."""

from hypothesis import given
from hypothesis import strategies as st

from mods import modset
from mods.modset import Entry

_entries = st.builds(
    Entry,
    modid=st.sampled_from(("", "carry", "Carry", "lib")),
    version=st.sampled_from(("1.0.0", "1.1.0")),
    sha256=st.sampled_from(("", "a", "b")),
    enabled=st.booleans(),
    file_name=st.sampled_from(("one.zip", "two.zip", "two.zip.disabled")),
)
_sets = st.lists(_entries, max_size=5)


def _deeds(then: list[Entry], now: list[Entry]) -> set[str]:
    """As `modset.deeds` says it, of the whole sets."""
    wanted, spare = set(), modset.spares(then)
    for old, new in modset.pairs(then, now):
        if old is None or new is None:
            wanted |= set() if old is not None and id(old) in spare else {"remove" if old is None else "install"}
        elif not modset.is_same_file(old, new):
            wanted.add("remove" if id(old) in spare else "update")
        elif old.enabled != new.enabled:
            wanted.add("toggle")
    return wanted


@given(common=_sets, then=_sets, now=_sets)
def test_what_is_equal_in_both_sets_changes_no_answer(common: list[Entry], then: list[Entry], now: list[Entry]) -> None:
    then, now = [*common, *then], [*now, *common]
    assert modset.deeds(then, now) == _deeds(then, now)
    essence = [sorted((modset.key(e.modid, e.file_name), *e[1:4]) for e in one) for one in (then, now)]
    assert modset.same(then, now) == (essence[0] == essence[1])
    left, right = modset.differing(then, now)
    whole = [modset.by_mod(one) for one in (then, now)]
    few = [modset.by_mod(one) for one in (left, right)]
    for key in {*whole[0], *whole[1]}:
        loaded = [one[key][0] if key in one else None for one in whole]
        assert [one[key][0] if key in one else None for one in few] in (loaded, [None, None])
        if key not in few[0] and key not in few[1]:
            assert loaded[0] is not None
            assert loaded[1] is not None
            # Of files that are equal in this either may come first.
            assert (loaded[0].enabled, loaded[0].version) == (loaded[1].enabled, loaded[1].version)


def test_of_two_sets_that_differ_in_one_mod_that_one_is_left() -> None:
    many = [Entry(f"mod{n}", "1.0.0", "a", file_name=f"{n}.zip") for n in range(50)]
    after = [*many[:7], many[7]._replace(version="1.1.0"), *many[8:]]
    assert modset.differing(many, after) == ([many[7]], [after[7]])
    assert modset.differing(many, many[::-1]) == ((), ())


def test_the_same_file_in_two_folders_counts_twice() -> None:
    one, again = (Entry("carry", "1.0.0", "a", file_name="carry.zip") for _ in range(2))
    assert modset.deeds([one, again], [one]) == set(), "a spare isn't brought back"
    assert modset.deeds([one, again._replace(enabled=False)], [one]) == {"install"}
    assert modset.deeds([one], [one, again]) == {"remove"}


def test_what_another_version_wrote_besides_is_passed_over() -> None:
    assert modset.from_json([{"modid": "carry", "colour": "red"}]) == (Entry("carry"),)
    assert modset.from_json(modset.to_json([Entry("lib", "1.0.0", side="client")])) == (
        Entry("lib", "1.0.0", side="client"),
    )
