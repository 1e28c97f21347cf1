import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from mods import exchange
from mods.management.answering import EXIT_CODES, Answer, ServerCommand
from mods.management.common import BAD_USAGE
from mods.models import GameServer


class Command(ServerCommand):
    help = (
        "Prints a server's list of mods as of the last scan, for import_mods: as JSON with exact files, or as plain "
        f"lines of id@version. Changes nothing and asks nothing. {EXIT_CODES}"
    )
    dry_run_help = "accepted for scripts; nothing is changed anyway"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--lines", action="store_true", help="plain lines of id@version instead of JSON")

    def answer(self, server: GameServer, options: dict[str, Any]) -> Answer:
        if not options["lines"]:
            document = exchange.export_json(server)
            return Answer(document, json.dumps(document, ensure_ascii=False, indent=2))
        if options["json"]:
            raise CommandError("Say --lines or --json, not both.", returncode=BAD_USAGE)
        return Answer({}, exchange.export_lines(server).rstrip("\n"))
