from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from mods import conf
from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ChangeCommand
from mods.management.common import BAD_USAGE
from mods.models import GameServer, Operation
from mods.wishes import NotUnderstood, Wish, read_target


class Command(ChangeCommand):
    goes_back = True
    help = (
        "Installs mods and what they need, at the release recommended for the server's game version, or at the one "
        f"named. {POLICY}{EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "targets",
            nargs="+",
            metavar="TARGET",
            help="a mod id, id@version, a number or page address in the mod database, or a one-click install link",
        )

    def wish(self, server: GameServer, options: dict[str, Any]) -> Wish:
        try:
            targets = tuple(read_target(text, moddb_url=conf.MODDB_URL.get()) for text in options["targets"])
        except NotUnderstood as error:
            raise CommandError(str(error), returncode=BAD_USAGE) from None
        return Wish(Operation.Kind.INSTALL, targets, go_on=options["go_on"])
