from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from mods import starts
from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ChangeCommand
from mods.management.common import BAD_USAGE, FAILURE
from mods.models import GameServer, Operation, ServerStart
from mods.wishes import Wish

#: Starts that are named where somebody asks for one that isn't there.
_NAMED = 8
_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")


class Command(ChangeCommand):
    help = (
        "Puts back the set of mods that the server had at a start: the very files, kept copies included; what was "
        "added since is removed, and each mod is enabled or disabled as it was. Holds stay: a held mod is put back "
        "only to the version that it is held at. The world and ModConfig aren't restored by it. "
        f"{POLICY}{EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--start", metavar="WHEN", help="the start: 2026-11-17 21:04, or 21:04 for the last one at that time"
        )
        parser.add_argument("--last-good", action="store_true", help="the last start after which it ran ten minutes")

    def wish(self, server: GameServer, options: dict[str, Any]) -> Wish:
        if (options["start"] is None) != options["last_good"]:
            text = "Say which start with --start, or --last-good."
            raise CommandError(f"{text} {_choice(server)}", returncode=BAD_USAGE)
        start = _last_good(server) if options["last_good"] else _named(server, options["start"])
        return Wish(Operation.Kind.PUT_BACK, start=start.pk, go_on=options["go_on"])


def _last_good(server: GameServer) -> ServerStart:
    start = starts.good_ones(server).first()
    if start is None:
        raise CommandError(f"No good start of {server} with known mods is recorded.", returncode=FAILURE)
    return start


def _named(server: GameServer, text: str) -> ServerStart:
    for start in _known(server):
        if _is_meant(start, text.strip()):
            return start
    words = f"No start of {server} with known mods is recorded for “{text[:60]}”."
    raise CommandError(f"{words} {_choice(server)}", returncode=BAD_USAGE)


def _is_meant(start: ServerStart, text: str) -> bool:
    local = timezone.localtime(start.started_at)
    if text in {f"{local:%H:%M}", f"{local:%H:%M:%S}"}:
        return True
    for form in _FORMS:
        try:
            wanted = datetime.strptime(text, form)  # noqa: DTZ007  # the machine's zone, as it is shown
        except ValueError:
            continue
        apart = local.replace(tzinfo=None) - wanted
        return timedelta(0) <= apart < timedelta(seconds=1 if "%S" in form else 60)
    return False


def _known(server: GameServer) -> list[ServerStart]:
    return list(ServerStart.objects.filter(server=server, mods__isnull=False).defer("mods", "loaded", "failures"))


def _choice(server: GameServer) -> str:
    known = [
        f"{timezone.localtime(start.started_at):%Y-%m-%d %H:%M}{' (good)' if start.good else ''}"
        for start in _known(server)[:_NAMED]
    ]
    return f"Starts with known mods: {', '.join(known)}." if known else "No start with known mods is recorded."
