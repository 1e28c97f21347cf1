import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mods import wording
from mods.management.common import servers_named
from mods.models import InstalledMod


class Command(BaseCommand):
    help = (
        "Lists the installed mods as of the last scan and refresh; asks nobody. --outdated and --incompatible narrow "
        "the list (both: either). --json prints one list of objects, in which what isn't known is null."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", metavar="NAME", help="this server only")
        parser.add_argument("--outdated", action="store_true", help="only mods with a newer recommended release")
        parser.add_argument("--incompatible", action="store_true", help="only mods that don't fit the game version")
        parser.add_argument("--json", action="store_true", help="machine-readable")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = InstalledMod.objects.filter(server__in=servers_named(options["server"]))
        narrowed = InstalledMod.objects.none()
        if options["outdated"]:
            narrowed |= wanted.outdated()
        if options["incompatible"]:
            narrowed |= wanted.incompatible()
        if options["outdated"] or options["incompatible"]:
            wanted = narrowed
        mods = [describe(mod) for mod in wanted.for_pages().order_by("server__name", "name", "file_name")]
        if options["json"]:
            self.stdout.write(json.dumps(mods, ensure_ascii=False, indent=2))
        else:
            self._print_table(mods)

    def _print_table(self, mods: list[dict[str, Any]]) -> None:
        columns = ("server", "modid", "version", "recommended", "compatibility", "state", "file")
        shown = [mod | {"state": "" if mod["enabled"] else "disabled"} for mod in mods]
        rows = [[_plain(mod[name]) for name in columns] for mod in shown]
        widths = [max(len(row[i]) for row in [list(columns), *rows]) for i in range(len(columns))]
        for row in [[name.upper() for name in columns], *rows]:
            self.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for mod in mods:
            for problem in mod["problems"]:
                self.stdout.write(f"! {_plain(mod['server'])}: {_plain(mod['file'])}: {_plain(problem)}")
        for mod in mods:
            name = f"{_plain(mod['server'])}: {_plain(mod['modid'] or mod['file'])}"
            if mod["standing"]:
                self.stdout.write(f"< {name}: {_plain(mod['standing'])}")
            if mod["back_to"]:
                self.stdout.write(f"  It can go back to {_plain(mod['back_to'])}: update_mods --allow-downgrades")
            if mod["newer_why"]:
                self.stdout.write(f"> {name}: {_plain(mod['newer_why'])}")
        self.stdout.write(f"{len(mods)} mods")


def describe(mod: InstalledMod) -> dict[str, Any]:
    """One installed mod as the JSON that scripts read; unknown is null."""
    return {
        "server": mod.server.name,
        "file": mod.file_name,
        "folder": mod.folder,
        "kind": mod.kind,
        "modid": mod.modid or None,
        "name": mod.name,
        "version": mod.version or None,
        "enabled": mod.enabled and not mod.disabled_by_config,
        "side": mod.side or None,
        "latest": mod.latest or None,
        "recommended": mod.recommended or None,
        "outdated": mod.outdated,
        "compatibility": mod.compatibility,
        "game_version": mod.server.game_version or None,
        "retracted": mod.retracted,
        "retraction_reason": mod.retraction_reason or None,
        "gone": mod.gone,
        "standing": wording.standing(mod) or None,
        "successor": f"{mod.successor.modid}@{mod.successor.version}" if mod.successor else None,
        "back_to": mod.back_to or None,
        "newer": mod.newer or None,
        "newer_why": wording.newer_reason(mod) or None,
        "checked_at": mod.checked_at.isoformat() if mod.checked_at else None,
        "problems": mod.problems,
    }


def _plain(value: object) -> str:
    """For a terminal: control characters of hostile names are shown, not obeyed."""
    text = "" if value is None else str(value)
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
