"""What differs between a server's mods and the set that one of its starts had, and what of it is to be put back.

Added mods go, missing ones come back, others get the very bytes they had, and each is enabled or disabled as it was. A
held mod is put back where that brings it to the version it is held at; otherwise it stays, and that is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from mods import modset, versions
from mods.models import Hold, InstalledMod, ServerStart
from mods.modset import Entry
from mods.resolving import World, loaded
from vsadmin.lib import times


@dataclass(frozen=True, slots=True)
class Difference:
    """One file. `then`: as it was, None where it wasn't there; `row`: as it is, None where it is gone."""

    then: Entry | None
    row: InstalledMod | None

    @property
    def is_file_the_same(self) -> bool:
        """Whether only that it is enabled, or disabled, differs."""
        return self.then is not None and self.row is not None and modset.is_same_file(self.then, _entry(self.row))

    @property
    def key(self) -> str:
        """The modid in lower case; "" where it has none."""
        return (self.then.modid if self.then is not None else self.row.modid if self.row is not None else "").lower()


class PuttingBack:
    """What it takes to have on this server the mods that it had at `start`."""

    def __init__(self, world: World, start: ServerStart) -> None:
        self._world = world
        self._start = start
        self.when = times.weekday_in_words(start.started_at)
        entries = [(_entry(row), row) for row in world.rows]
        # By what they are, not by what they say: two folders may hold equal files.
        rows = {id(entry): row for entry, row in entries}
        then = modset.from_json(start.mods or ())
        pairs = modset.pairs(then, [entry for entry, _row in entries])
        self._spare = modset.spares(then)
        found = [Difference(was, rows[id(now)] if now is not None else None) for was, now in pairs]
        self._differing = [one for one in found if not _is_as_it_was(one)]

    def differing(self) -> Sequence[Difference]:
        """What is to be put back, held mods that stay left out."""
        return [one for one in self._differing if not self._stays(one)]

    def is_spare(self, then: Entry) -> bool:
        """Whether it was a second enabled file of its mod, which the game didn't load."""
        return id(then) in self._spare

    def left_alone(self) -> Iterator[str]:
        """One sentence for each that stays as it is though it differs."""
        for one in self._differing:
            if self._stays(one):
                yield _held_in_words(one, self._world.holds[one.key])
            elif one.then is not None and one.then.enabled and one.row is not None and one.row.disabled_by_config:
                yield _("%s is disabled in serverconfig.json now: take it out of DisabledMods there.") % one.row

    def warnings(self) -> Iterator[str]:
        then, now = self._start.game_version, self._world.game_version
        if then and now and then != now:
            words = {"then": then, "now": now, "when": self.when}
            yield _("The game was %(then)s at %(when)s and is %(now)s now: mods from then may not fit.") % words

    def _stays(self, one: Difference) -> bool:
        hold = self._world.holds.get(one.key) if one.key else None
        if hold is None or one.is_file_the_same:
            return False
        return one.then is None or not hold.version or not versions.same(one.then.version, hold.version)


def _is_as_it_was(one: Difference) -> bool:
    return one.is_file_the_same and one.then is not None and one.row is not None and one.then.enabled == loaded(one.row)


def _entry(row: InstalledMod) -> Entry:
    return Entry(row.modid, row.version, row.sha256, loaded(row), row.file_name, row.name)


def _held_in_words(one: Difference, hold: Hold) -> str:
    words = {
        "mod": one.row or (one.then.name if one.then else hold.modid),
        "held": hold.version or "?",
        "who": hold.set_by_name or _("somebody"),
        "why": f": {hold.reason.rstrip('.')}" if hold.reason else "",
        "then": one.then.version if one.then else "",
    }
    if one.then is None:
        return _("%(mod)s wasn't there, but is held (by %(who)s%(why)s), so it stays. Let it go first.") % words
    text = _("%(mod)s was %(then)s, but is held at %(held)s (by %(who)s%(why)s), so it stays. Let it go first.")
    return text % words
