"""Frames of a .NET stack, and which mods occur in it. Pure.

Of .NET and of Mono, and in whatever language the machine's framework says "at".
"""

import re
from collections.abc import Iterable, Sequence

# Of .NET: `   at A.B.C(args) in file:line 1`. Of Mono: `  at A.B.C (args) [0x00042] in <…>:0`. Of .NET Framework in
# Spanish: `   en A.B.C(args)`; in Korean: `   위치: A.B.C(args)`.
_FRAME = re.compile(r"\s*at (?=\S)|\s+[^\W\d_]{1,15}:? (?=(?:\(wrapper [\w\-]+\) )?[\w<>`+|,\[\]]+\.[^\s()]+ ?\()")
_WRAPPER = re.compile(r"\(wrapper [\w\-]+\)\s*")

#: Of the game and its libraries: every stack has them.
_EVERYWHERE = frozenset(
    {"system", "microsoft", "vintagestory", "vintagestoryapi", "vintagestorylib", "vintagestoryserver", "vsessentials",
     "vssurvivalmod", "vscreativemod", "harmonylib", "harmony", "opentk", "monomod", "protobuf", "newtonsoft", "cairo"}
)  # fmt: skip
_WORD = re.compile(r"[A-Za-z0-9_]+")
#: Shorter names occur by chance in longer ones.
_LONG_ENOUGH = 5


def is_frame(line: str) -> bool:
    return _FRAME.match(line) is not None


def involved(frames: Sequence[str], harmony: Sequence[str], names: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Which of these mods (pairs of id and name) occur in a stack or among its patches, as ids in lower case, that
    which occurs first first.

    A mod occurs where a part of a frame's namespace or type, or of a patch's name, is its id or its name. Of the first
    part, and of a patch, it is enough that one begins with the other, unless another mod fits better: a base mod's
    namespace says nothing of its add-ons, whose names begin with its own.
    """
    wanted: dict[str, set[str]] = {}
    for modid, name in names:
        for one in {_plain(modid), _plain(name)} - {""} - _EVERYWHERE:
            wanted.setdefault(one, set()).add(modid.lower())
    first: dict[str, tuple[int, int]] = {}
    found: dict[str, tuple[int, int]] = {}
    for place, frame in enumerate(frames):
        for number, word in enumerate(_path(frame)):
            if number:
                for modid in wanted.get(_plain(word), ()):
                    found.setdefault(modid, (place, number))
            else:
                first.setdefault(_plain(word), (place, 0))
    for place, patch in enumerate(harmony, start=len(frames)):
        for word in _WORD.findall(patch):
            first.setdefault(_plain(word), (place, 0))
    for part, at in first.items():
        if part and part not in _EVERYWHERE:
            for modid in _about(part, wanted):
                found[modid] = min(found.get(modid, at), at)
    return tuple(sorted(found, key=lambda modid: (found[modid], modid)))


def _path(frame: str) -> list[str]:
    """Namespaces and type of a frame's method."""
    method = _WRAPPER.sub("", frame.strip()).partition("(")[0].split()
    return _WORD.findall(method[-1])[:-1] if method else []  # the last one is the method


def _about(part: str, wanted: dict[str, set[str]]) -> set[str]:
    """The mods that the first part of a namespace stands for."""
    if part in wanted:
        return wanted[part]
    shorter = [one for one in wanted if len(one) >= _LONG_ENOUGH and part.startswith(one)]
    if shorter:
        return wanted[max(shorter, key=len)]
    longer = [wanted[one] for one in wanted if len(part) >= _LONG_ENOUGH and one.startswith(part)]
    return longer[0] if longer and all(one == longer[0] for one in longer) else set()


def _plain(name: str) -> str:
    return "".join(character for character in name[:200].lower() if character.isalnum())
