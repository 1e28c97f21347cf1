from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandError

from mods import history
from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ChangeCommand
from mods.management.choosing import installed_mods, targets
from mods.management.common import BAD_USAGE
from mods.models import GameServer, Operation, Release
from mods.plans import Plan
from mods.wishes import Wish
from vsadmin.lib.plaintext import from_html, one_line


class Command(ChangeCommand):
    goes_back = True
    help = (
        "Updates mods to the release recommended for the server's game version, never past it. Held mods are left "
        "alone; a mod whose release was retracted goes back to an older one only with --allow-downgrades. "
        f"--dry-run --changelogs shows what would change. {POLICY}{EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mods", nargs="*", metavar="MODID", help="mods to update")
        parser.add_argument("--all", action="store_true", help="update all that are outdated")
        parser.add_argument(
            "--changelogs", action="store_true", help="show the changelogs of all versions passed, as of the last check"
        )

    def wish(self, server: GameServer, options: dict[str, Any]) -> Wish:
        if options["mods"] and options["all"]:
            raise CommandError("Name mods or say --all, not both.", returncode=BAD_USAGE)
        if not (options["mods"] or options["all"] or options["dry_run"]):
            raise CommandError("Name the mods to update, or say --all.", returncode=BAD_USAGE)
        chosen = targets(installed_mods(server, options["mods"]))
        return Wish(Operation.Kind.UPDATE, chosen, go_on=options["go_on"])

    def show_more(self, plan: Plan, options: dict[str, Any]) -> dict[str, Any]:
        if not options["changelogs"]:
            return {}
        passed = list(_passed(plan))
        for name, release in passed:
            self.say()
            self.say(one_line(f"{name} {release.version}{_marks(release)}"))
            for line in (from_html(release.changelog) or "It has no changelog.").split("\n"):
                self.say(f"  {line}".rstrip())
        if passed:
            self.say()
        return {"changelogs": [_described(release) for _name, release in passed]}


def _passed(plan: Plan) -> Iterator[tuple[str, Release]]:
    """Of each mod that the plan brings or replaces its name and the releases passed, newest first."""
    ways = {
        history.Passage(step.modid.lower(), step.from_version, step.to_version): step.name
        for step in plan.steps
        if step.new is not None
    }
    found = history.changelogs_of(ways)
    for way, name in ways.items():
        yield from ((name, release) for release in found[way])


def _marks(release: Release) -> str:
    released = f", {release.created:%Y-%m-%d}" if release.created else ""
    if release.retracted:
        reason = f": {release.retraction_reason}" if release.retraction_reason else ""
        return f"{released} (retracted{reason})"
    return f"{released} (no longer offered)" if release.withdrawn else released


def _described(release: Release) -> dict[str, Any]:
    return {
        "modid": release.modid,
        "version": release.version,
        "released": release.created.isoformat() if release.created else None,
        "retracted": release.retracted,
        "offered": not release.withdrawn,
        "text": from_html(release.changelog),
    }
