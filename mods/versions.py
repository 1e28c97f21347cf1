"""The order of versions, and whether a release fits a game version.

Installed files carry anything as their version (``1.0``, ``v1.2.3``, ``1.0.0.0``, ``1.13.4-0.2-B``, ``vNext``,
nothing), so reading is lenient; the mod database takes only ``1.2.3`` with or without ``-dev.N``, ``-pre.N`` or
``-rc.N``.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Protocol, TypeVar

# Longer texts are no versions; the bound also keeps int() far from its limit on hostile digits.
_MAX_LENGTH = 200
_CORE = re.compile(r"[vV]?([0-9]+(?:\.[0-9]+)*)")
_SUFFIX_PART = re.compile(r"[0-9]+|[a-z]+")
_PRERELEASE_WORDS = frozenset(
    {"alpha", "beta", "dev", "nightly", "pre", "preview", "prerelease", "rc", "snapshot", "test"}
)

# (is a number, the number, the word): words sort before numbers, so that 1.2-B comes before 1.2.1-B.
_Part = tuple[bool, int, str]
SortKey = tuple[tuple[int, ...], int, tuple[_Part, ...]]
_NO_ORDER: SortKey = ((), -1, ())


class Stage(IntEnum):
    """Where a version stands among those with the same numbers."""

    PRERELEASE = 0
    """``-dev.1``, ``-pre.2``, ``-rc.3``, and other words that say so."""
    VARIANT = 1
    """Any other suffix (``-B``, ``-1.21.6``): below the bare version, as the game orders it, but no prerelease."""
    RELEASE = 2


@dataclass(frozen=True, order=True, slots=True)
class Version:
    """A version that has an order; made by `parse`. Equal means equal in order: 1.0 == 1.0.0."""

    numbers: tuple[int, ...]
    """Without trailing zeros."""
    stage: Stage
    suffix: tuple[_Part, ...]
    text: str = field(compare=False)

    @property
    def is_prerelease(self) -> bool:
        return self.stage is Stage.PRERELEASE

    @property
    def series(self) -> tuple[int, int]:
        """Major and minor."""
        major, minor, *_ = (*self.numbers, 0, 0)
        return major, minor


@lru_cache(maxsize=4096)
def parse(text: str) -> Version | None:
    """Read a version leniently; None for what has no order (``vNext``, ``""``, over 200 characters).

    Order: numbers first (missing ones are 0), then dev < pre < rc < other suffixes < release; ``+build`` doesn't
    count.
    """
    if len(text) > _MAX_LENGTH:
        return None
    match = _CORE.match(text.strip())
    if match is None:
        return None
    numbers = [int(number) for number in match[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    rest = match.string[match.end() :].partition("+")[0].lower()
    words = _SUFFIX_PART.findall(rest)
    suffix = tuple((True, int(word), "") if word.isdigit() else (False, 0, word) for word in words)
    return Version(tuple(numbers), _stage(words), suffix, text)


def _stage(words: list[str]) -> Stage:
    if not words:
        return Stage.RELEASE
    return Stage.VARIANT if _PRERELEASE_WORDS.isdisjoint(words) else Stage.PRERELEASE


def sort_key(text: str) -> SortKey:
    """A key that sorts any texts; those without an order come lowest, all equal."""
    version = parse(text)
    return _NO_ORDER if version is None else (version.numbers, version.stage, version.suffix)


def newer(a: str, b: str) -> bool:
    """Whether `a` is strictly newer than `b`; False when either has no order."""
    first, second = parse(a), parse(b)
    return first is not None and second is not None and first > second


def same(a: str, b: str) -> bool:
    """Whether both are one version: written alike, or equal in order."""
    parsed = parse(a)
    return a == b or (parsed is not None and parsed == parse(b))


def is_prerelease(text: str) -> bool:
    version = parse(text)
    return version is not None and version.is_prerelease


def satisfies(version: str, minimum: str) -> bool:
    """Whether `version` meets a dependency's minimum, in any of the ways people write it.

    ``""``, ``*``, ``1.20``, ``1.18+``, ``>=1.21.0``, ``1.19.x`` and ``1.0.*`` are all minimums. As in the game, an
    empty version meets every minimum, and a minimum without an order is met by every version.
    """
    least = parse(minimum.strip().lstrip(">=^~ ").rstrip(".xX*+ "))
    if least is None or not version.strip():
        return True
    actual = parse(version)
    return actual is not None and actual >= least


class Compatibility(StrEnum):
    """Of a release with a game version. Not verified is normal after each game patch."""

    COMPATIBLE = "compatible"
    NOT_VERIFIED = "not_verified"
    INCOMPATIBLE = "incompatible"


def compatibility(game_versions: Sequence[str], game_version: str) -> Compatibility:
    """Compatible when listed exactly; not verified when its major.minor is listed or nothing is known.

    Nothing is known of a release that lists no versions (the mod database then says ``["0.0.0"]``), and for a
    server whose `game_version` is unknown (``""``).
    """
    wanted = parse(game_version)
    listed = _known(game_versions)
    if wanted is None or not listed:
        return Compatibility.NOT_VERIFIED
    if wanted in listed:
        return Compatibility.COMPATIBLE
    if any(version.series == wanted.series for version in listed):
        return Compatibility.NOT_VERIFIED
    return Compatibility.INCOMPATIBLE


def lists_any(game_versions: Iterable[str]) -> bool:
    """Whether a release says for which game versions it is."""
    return bool(_known(game_versions))


def _known(game_versions: Iterable[str]) -> list[Version]:
    """Those that say something: 0.0.0, which has no numbers left, is the mod database's "none"."""
    parsed = (parse(text) for text in game_versions)
    return [version for version in parsed if version is not None and version.numbers]


class ReleaseLike(Protocol):
    """What of a release decides whether it is the latest or the recommended one."""

    @property
    def version(self) -> str: ...

    @property
    def game_versions(self) -> Sequence[str]: ...

    @property
    def retracted(self) -> bool: ...


R = TypeVar("R", bound=ReleaseLike)


def latest(releases: Sequence[R]) -> R | None:
    """The highest version that isn't retracted; of equal ones the first given."""
    offered = (release for release in releases if not release.retracted)
    return max(offered, key=lambda release: sort_key(release.version), default=None)


def recommended(releases: Sequence[R], game_version: str, *, installed: str, installed_retracted: bool) -> R | None:
    """The release to run on a server of `game_version`, which may be the installed one; None when nothing fits.

    That is the highest stable, non-retracted release listing exactly that game version; if none, the highest one
    listing an earlier patch (or prerelease) of the same major.minor. If a prerelease is `installed`, newer
    prereleases count as well. Never older than `installed` (``""``: nothing); if that was retracted, newer.
    """
    current = parse(installed)

    def may_follow(version: Version) -> bool:
        if current is None:
            return not version.is_prerelease
        if version.is_prerelease and not current.is_prerelease:
            return False
        return version > current if installed_retracted else version >= current

    return _best(releases, game_version, may_follow)


def to_go_back_to(releases: Sequence[R], game_version: str, *, installed: str) -> R | None:
    """The best stable release older than `installed`, chosen as `recommended` does: for a person to decide about.

    If `installed` has no order, nothing is known to be older, so that any other release counts.
    """
    current = parse(installed)
    return _best(
        releases, game_version, lambda version: not version.is_prerelease and (current is None or version < current)
    )


def _best(releases: Sequence[R], game_version: str, may_be: Callable[[Version], bool]) -> R | None:
    wanted = parse(game_version)
    if wanted is None:
        return None
    candidates = [
        (version, release)
        for release in releases
        if not release.retracted and (version := parse(release.version)) is not None and may_be(version)
    ]
    fitting = [pair for pair in candidates if wanted in _known(pair[1].game_versions)] or [
        pair for pair in candidates if _lists_earlier_patch(pair[1].game_versions, wanted)
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def _lists_earlier_patch(game_versions: Iterable[str], wanted: Version) -> bool:
    return any(listed.series == wanted.series and listed < wanted for listed in _known(game_versions))
