from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from mods import holds
from mods.management.answering import EXIT_CODES, Answer, ServerCommand, actor
from mods.management.choosing import installed_mods
from mods.management.common import BAD_USAGE
from mods.models import GameServer


class Command(ServerCommand):
    help = (
        "Holds mods at the version that is installed: updates leave them alone until unhold_mod, even where their "
        f"files are replaced by hand. Changes no file, so it doesn't ask. {EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mods", nargs="+", metavar="MODID", help="mods to hold")
        parser.add_argument("--reason", default="", help="why, for those who come after you")

    def answer(self, server: GameServer, options: dict[str, Any]) -> Answer:
        rows = installed_mods(server, options["mods"])
        if nameless := [row.file_name for row in rows if not row.modid]:
            raise CommandError(f"{', '.join(nameless)}: without a mod id it can't be held.", returncode=BAD_USAGE)
        listed = ", ".join(str(row) for row in rows)
        if not options["dry_run"]:
            for row in rows:
                holds.hold(server, row.modid, version=row.version, reason=options["reason"], actor=actor())
        held = [{"modid": row.modid, "version": row.version, "reason": options["reason"]} for row in rows]
        message = f"{listed} would be held." if options["dry_run"] else f"Held: {listed}."
        return Answer({"server": server.name, "holds": held, "message": message}, message)
