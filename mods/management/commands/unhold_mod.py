from argparse import ArgumentParser
from typing import Any

from mods import holds
from mods.management.answering import EXIT_CODES, Answer, ServerCommand, actor
from mods.management.choosing import installed_mods
from mods.models import GameServer


class Command(ServerCommand):
    help = (
        "Lets mods be updated again that hold_mod holds; it updates none of them. Changes no file, so it doesn't "
        f"ask. {EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mods", nargs="+", metavar="MODID", help="mods to let go, installed or not")

    def answer(self, server: GameServer, options: dict[str, Any]) -> Answer:
        held = holds.of(server)
        wanted = list(dict.fromkeys(modid.lower() for modid in options["mods"]))
        installed_mods(server, [key for key in wanted if key not in held])  # what is neither is a mistake
        going = [held[key] for key in wanted if key in held]
        if not options["dry_run"]:
            for hold in going:
                holds.unhold(server, hold.modid, actor=actor())
        message = _in_words([hold.modid for hold in going], is_dry=options["dry_run"])
        return Answer({"server": server.name, "released": [hold.modid for hold in going], "message": message}, message)


def _in_words(modids: list[str], *, is_dry: bool) -> str:
    if not modids:
        return "It isn't held: there is nothing to do."
    listed = ", ".join(modids)
    return f"{listed} would no longer be held." if is_dry else f"No longer held: {listed}."
