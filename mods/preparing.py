"""A server's mods as they would be judged under another game version, for the plan that gets them ready for it."""

from collections.abc import Iterator

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import readiness, versions
from mods.candidates import releases
from mods.judging import Do, Verdict
from mods.models import InstalledMod
from mods.readiness import Finding
from mods.resolving import World
from mods.wishes import Target, Wish

#: Mods that a sentence names.
_NAMED = 10


class Preparation:
    """What is to be done for the wish's game version.

    From here on the world's rows (never saved) carry what is recommended for it, so that what a plan brings besides is
    judged by it too. Two queries more than `readiness.of`.
    """

    def __init__(self, world: World, wish: Wish) -> None:
        self._world = world
        self._game_version = wish.game_version
        self._rows = {row.pk: row for row in world.rows}
        self._chosen = {target.row: target for target in wish.targets if target.row is not None}
        (self._report,) = readiness.of([world.server], wish.game_version)
        judged = {one.row.pk: one.judgement for one in self._report.findings}
        best = {pk: one.best.release for pk, one in judged.items() if one.best}
        back = {pk: one.back.release for pk, one in judged.items() if one.back}
        found = releases().in_bulk({*best.values(), *back.values()})
        for one in self._report.findings:
            row = self._rows.get(one.row.pk)
            if row is not None:
                row.recommended_release = found.get(best.get(row.pk, 0))
                row.back_to_release = found.get(back.get(row.pk, 0))
                row.recommended = row.recommended_release.version if row.recommended_release else ""
                row.outdated = versions.newer(row.recommended, row.version)
                row.compatibility = one.judgement.compatibility.value

    def rows(self) -> Iterator[tuple[InstalledMod, Finding, Target | None]]:
        """Each installed file, how it stands, and what somebody chose for it."""
        for one in self._report.findings:
            row = self._rows.get(one.row.pk)
            if row is not None:
                yield row, one, self._chosen.get(row.pk)

    def named(self) -> set[str]:
        """The modids (lower case) of which somebody chose a version."""
        return {row.modid_key for row, _one, chosen in self.rows() if chosen is not None and chosen.version}

    def warnings(self) -> list[str]:
        """For which game version it is made, where the server runs another one."""
        server = self._world.server
        words = {"game": self._game_version, "server": server.name, "now": server.game_version}
        if self._report.is_there:
            return []
        if not server.game_version:
            return [_("Made for %(game)s: carry it out when %(server)s is updated to it.") % words]
        text = _("Made for %(game)s; %(server)s runs %(now)s: carry it out when the server is updated.")
        return [text % words]

    def left_alone(self) -> list[str]:
        """What stays as it is, though it isn't ready."""
        said = []
        unverified = []
        for row, one, chosen in self.rows():
            if chosen is not None:
                continue
            words = {"mod": row, "why": one.judgement.why}
            if one.do is Do.GO_BACK:
                continue  # it is offered
            if one.verdict is Verdict.BLOCKING:
                said.append(_("%(mod)s stays, and stands in the way. %(why)s") % words)
            elif one.do is Do.UNHOLD:
                said.append(_("%(mod)s stays. %(why)s") % words)
            elif one.verdict is Verdict.NOT_VERIFIED and one.do is Do.NOTHING:
                unverified.append(str(row))
        if unverified:
            names = ", ".join(unverified[:_NAMED]) + (", …" if len(unverified) > _NAMED else "")
            text = ngettext(
                "%(count)d mod stays and isn't verified for %(game)s: %(names)s.",
                "%(count)d mods stay and aren't verified for %(game)s: %(names)s.",
                len(unverified),
            )
            said.append(text % {"count": len(unverified), "game": self._game_version, "names": names})
        return said
