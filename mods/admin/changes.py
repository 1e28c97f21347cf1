"""What changed between two versions of a mod, as pages show it: the changelogs of the releases passed."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from mods import history, versions
from mods.history import Passage
from mods.models import Release
from vsadmin.lib import html

#: Characters of changelogs that one page shows, strangers' HTML being slow to clean.
_MOST = 256 * 1024


@dataclass(frozen=True)
class Change:
    """One release that was passed."""

    release: Release
    changelog: SafeString | str
    #: Left out because the page would get too long.
    is_cut: bool


@dataclass(frozen=True)
class Changes:
    """The releases passed, newest first. `is_back`: they are those that are given up."""

    passed: tuple[Change, ...] = ()
    is_back: bool = False


def read(passages: Sequence[tuple[str, str, str]]) -> dict[int, Changes]:
    """By the place of each (modid in lower case, from, to): what it changes. Two queries.

    Only a way between two versions says what changed: a first installation has nothing before it.
    """
    wanted = {
        place: Passage(*passage) for place, passage in enumerate(passages) if all(passage) and passage[1] != passage[2]
    }
    if not wanted:
        return {}
    found = history.changelogs_of(set(wanted.values()))
    left = _MOST
    shown: dict[int, Changes] = {}
    for place, passage in wanted.items():
        passed = []
        for release in found[passage]:
            cost = min(len(release.changelog), html.MAX_LENGTH)
            is_cut = cost > left
            left -= 0 if is_cut else cost
            passed.append(Change(release, "" if is_cut else html.sanitised(release.changelog), is_cut))
        shown[place] = Changes(tuple(passed), versions.newer(passage.from_version, passage.to_version))
    return shown
