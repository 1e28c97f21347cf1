import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from mods import exchange
from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ChangeCommand
from mods.management.common import BAD_USAGE
from mods.models import GameServer, Operation
from mods.wishes import Wish

#: Bytes that are read; `exchange` counts characters.
_LONGEST = 4 * exchange.MAX_LENGTH


class Command(ChangeCommand):
    goes_back = True
    help = (
        "Brings a server in line with a list: JSON from export_mods, or lines of id@version. Mods that the list "
        f"doesn't have stay, unless --remove-others. {POLICY}{EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE", help="the list, or - for standard input (then with --yes)")
        parser.add_argument("--remove-others", action="store_true", help="remove mods that the list doesn't have")

    def wish(self, server: GameServer, options: dict[str, Any]) -> Wish:
        if options["file"] == "-" and not (options["yes"] or options["dry_run"]):
            text = "The list comes from standard input, so nobody can be asked there: say --yes or --dry-run."
            raise CommandError(text, returncode=BAD_USAGE)
        try:
            targets = exchange.read(_text(options["file"]))
        except OSError as error:
            raise CommandError(f"{options['file']}: {error.strerror}.", returncode=BAD_USAGE) from None
        except UnicodeDecodeError:
            raise CommandError(f"{options['file']} is no text.", returncode=BAD_USAGE) from None
        except exchange.Unreadable as error:
            raise CommandError(str(error), returncode=BAD_USAGE) from None
        return Wish(Operation.Kind.ALIGN, targets, go_on=options["go_on"], remove_others=options["remove_others"])


def _text(name: str) -> str:
    """The list's text. Raises OSError and UnicodeDecodeError."""
    if name == "-":
        content = sys.stdin.buffer.read(_LONGEST + 1)
    else:
        with Path(name).open("rb") as file:
            content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise CommandError(f"{name} is too long for a list of mods.", returncode=BAD_USAGE)
    return content.decode("utf-8-sig")
