"""Which mods occur in a stack, and what is a frame of one."""

import pytest

from mods import stack


def involved(frame: str, *ids: str) -> tuple[str, ...]:
    return stack.involved((frame,), (), [(one, one.title()) for one in ids])


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        ("   at Tallow.CandleSet.Load() in C:\\src\\CandleSet.cs:line 4", ("tallow",)),
        ("at Tallow.CandleSet.Load()", ("tallow",)),
        ("  at Tallow.CandleSet.Load (System.Single dt) [0x00042] in <8f2a>:0 ", ("tallow",)),
        ("  at (wrapper dynamic-method) Tallow.CandleSet.Load_Patch1 (Tallow.CandleSet)", ("tallow",)),
        ("   at Tallow.CandleSet.<Load>d__5.MoveNext()", ("tallow",)),
        ("   at Tallow.CandleSet`1.Load[T](T one)", ("tallow",)),
        ("   en Tallow.CandleSet.Load(JsonObject json, String key)", ("tallow",)),
        ("   bei Tallow.CandleSet.Load()", ("tallow",)),
        ("   à Tallow.CandleSet.Load()", ("tallow",)),
        ("   в Tallow.CandleSet.Load()", ("tallow",)),
        ("   위치: Tallow.CandleSet.Load()", ("tallow",)),
        ("   在 Tallow.CandleSet.Load() 位置 C:\\CandleSet.cs:行号 4", ("tallow",)),
        ("   場所 Tallow.CandleSet.Load()", ("tallow",)),
        ("System.Exception: Tallow.CandleSet (broken)", None),
        ("something went wrong. Then (again)", None),
        ("   --- End of inner exception stack trace ---", None),
    ],
)
def test_frames_of_every_framework(line: str, ids: tuple[str, ...] | None) -> None:
    assert stack.is_frame(line) == (ids is not None)
    if ids is not None:
        assert involved(line.strip(), "tallow") == ids


@pytest.mark.parametrize(
    ("frame", "ids", "found"),
    [
        ("at Tallow.CandleSet.Load()", ("tallow", "tallowgilded"), ("tallow",)),
        ("at TallowGilded.CandleSet.Load()", ("tallow", "tallowgilded"), ("tallowgilded",)),
        ("at TallowGildedCore.CandleSet.Load()", ("tallow", "tallowgilded"), ("tallowgilded",)),
        ("at TallowCore.CandleSet.Load()", ("tallow", "tallowgilded"), ("tallow",)),
        ("at Tallow.CandleSet.Load()", ("tallowmod",), ("tallowmod",)),
        ("at Tallow.CandleSet.Load()", ("tallowgilded", "tallowsilver"), ()),  # an add-on of a mod that isn't known
        ("at Tall.CandleSet.Load()", ("tallow",), ()),  # too short to be more than chance
        ("at Vintagestory.Tallow.Load()", ("tallow", "tallowgilded"), ("tallow",)),
        ("at Vintagestory.TallowCore.Load()", ("tallow",), ()),
        ("at System.Load()", ("system",), ()),
    ],
)
def test_the_mod_that_fits_best_is_meant(frame: str, ids: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert involved(frame, *ids) == found
    assert stack.involved((), (f"com.ann.{frame[3:].partition('.')[0]}",), [(one, "") for one in ids]) == (
        found if "Vintagestory" not in frame else ()
    )


def test_one_name_of_two_mods_is_both_and_the_first_frame_comes_first() -> None:
    names = [("second", "Lamp"), ("first", "lamp"), ("third", "Brook")]
    frames = ("at Brook.Main.Run()", "at Lamp.Main.Run()")
    assert stack.involved(frames, (), names) == ("third", "first", "second")
