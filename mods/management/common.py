"""What this app's commands share: choosing servers, and how they end."""

from typing import NoReturn

from django.core.management.base import CommandError

from mods.models import GameServer

FAILURE = 1
BAD_USAGE = 2


def servers_named(name: str | None) -> list[GameServer]:
    """The server of that name, or all where none is named. An unknown name ends the command with exit code 2."""
    if name is None:
        return list(GameServer.objects.all())
    found = list(GameServer.objects.filter(name=name))
    if not found:
        known = ", ".join(GameServer.objects.values_list("name", flat=True)) or "none yet"
        raise CommandError(f"There is no server named {name!r}. Known: {known}.", returncode=BAD_USAGE)
    return found


def fail(text: str = "") -> NoReturn:
    """End the command with exit code 1, and what happened where it hasn't been said."""
    if text:
        raise CommandError(text, returncode=FAILURE)
    raise SystemExit(FAILURE)
