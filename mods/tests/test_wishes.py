"""What a person types or pastes to name a mod."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mods import wishes
from mods.wishes import NotUnderstood, Target, Wish


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("carryon", Target(modid="carryon")),
        (" CarryOn@1.9.0 ", Target(modid="CarryOn", version="1.9.0")),
        ("carryon@v1.9.0-pre.1", Target(modid="carryon", version="1.9.0-pre.1")),
        ("carryon@*", Target(modid="carryon")),
        ("vintagestorymodinstall://carryon@1.9.0", Target(modid="carryon", version="1.9.0")),
        ("VintageStoryModInstall://carryon@1.9.0/", Target(modid="carryon", version="1.9.0")),
        ("<https://mods.vintagestory.at/show/mod/1234>", Target(number=1234)),
        ("https://mods.vintagestory.at/show/mod/1234#tab-files", Target(number=1234)),
        ("mods.vintagestory.at/carryon", Target(alias="carryon")),
        ("https://mods.vintagestory.at/carryon", Target(alias="carryon")),
        ("1234", Target(number=1234)),
        ("#1234", Target(number=1234)),
        ("1234@1.0.0", Target(number=1234, version="1.0.0")),
    ],
)
def test_what_is_understood(text: str, target: Target) -> None:
    assert wishes.read_target(text) == target


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Write a mod id"),
        ("carryon@", "names no mod"),
        ("carryon@soon", "has no version after the @"),
        ("carry/on", "names no mod"),
        ("https://example.com/show/mod/12", "isn't on the mod database"),
        ("https://mods.vintagestory.at/show/user/ab", "isn't a mod's page"),
        ("https://mods.vintagestory.at/", "isn't a mod's page"),
        ("https://[", "isn't on the mod database"),
    ],
)
def test_what_is_not_says_what_to_write(text: str, words: str) -> None:
    with pytest.raises(NotUnderstood, match=words):
        wishes.read_target(text)


@given(st.text(max_size=300))
def test_anything_ends_in_a_target_or_in_words(text: str) -> None:
    with suppress(NotUnderstood):
        target = wishes.read_target(text)
        assert target.modid or target.alias or target.number is not None


def test_a_wish_survives_json() -> None:
    wish = Wish("align", (Target(modid="a", version="1.0.0", enabled=False, held=True), Target(row=4)), go_on=True)
    assert wishes.from_json(wishes.to_json(wish)) == wish
