"""What the commands on one server's mods have in common: their options, one answer, exit codes 0, 1 and 2."""

import getpass
import json
import os
import sys
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from mods.management.choosing import the_server
from mods.management.common import FAILURE
from mods.models import GameServer
from vsadmin.lib.plaintext import one_line

EXIT_CODES = "Exit code 0: done, or nothing to do; 1: it failed, was refused or cancelled; 2: it can't be understood."


@dataclass(frozen=True)
class Answer:
    """What came of it: for scripts, and for people. A `code` other than 0 sends the text to standard error."""

    document: dict[str, Any]
    text: str = ""
    code: int = 0


class ServerCommand(BaseCommand):
    """A command on one server. `--json` prints exactly one document, even where the command is refused."""

    #: The document's fields that stay null or empty where the command is refused before it began.
    blank: ClassVar[dict[str, Any]] = {}
    dry_run_help = "only show what would be done"
    yes_help = "accepted for scripts; there is nothing to ask"

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", metavar="NAME", help="the server; may be left out where there is one only")
        parser.add_argument("--dry-run", action="store_true", help=self.dry_run_help)
        parser.add_argument("--yes", action="store_true", help=self.yes_help)
        parser.add_argument("--json", action="store_true", help="print one JSON document; all else goes to stderr")

    def server(self, options: dict[str, Any]) -> GameServer:
        return the_server(options["server"])

    def answer(self, server: GameServer, options: dict[str, Any]) -> Answer:
        """Do it. Raises CommandError, with its exit code, for what can't be done at all."""
        raise NotImplementedError

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            answer = self.answer(self.server(options), options)
        except CommandError as error:
            answer = Answer({**self.blank, "message": str(error)}, str(error), error.returncode)
        except KeyboardInterrupt:
            text = "Stopped. Nothing was changed."
            answer = Answer({**self.blank, "message": text}, text, FAILURE)
        if options["json"]:
            self.stdout.write(json.dumps(answer.document, ensure_ascii=False, indent=2))
        elif answer.text and not answer.code:
            self.stdout.write(_harmless(answer.text))
        if answer.code:
            raise CommandError(_harmless(answer.text), returncode=answer.code)


def can_ask() -> bool:
    """Whether somebody sits at standard input."""
    return sys.stdin is not None and sys.stdin.isatty()


def actor() -> str:
    """Who asks: the name of the system's user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container a user may have a number only
        return f"uid {os.getuid()}"


def _harmless(text: str) -> str:
    return "\n".join(one_line(line) for line in text.split("\n"))
