from argparse import ArgumentParser
from dataclasses import replace
from typing import Any

from django.core.management.base import CommandError

from mods import history, operations, versions
from mods.history import HadVersion
from mods.management.answering import EXIT_CODES
from mods.management.changing import POLICY, ChangeCommand
from mods.management.common import BAD_USAGE, FAILURE
from mods.models import GameServer, InstalledMod, Operation
from mods.wishes import Target, Wish


class Command(ChangeCommand):
    help = (
        "Puts a mod back to a version that the server had before: the one named, else the one before the present. "
        "--operation rolls a whole change back. Kept copies are used where there are any. The world and ModConfig "
        f"aren't restored by it. {POLICY}{EXIT_CODES}"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mod", nargs="?", metavar="MODID", help="the mod, installed or removed by now")
        parser.add_argument("version", nargs="?", metavar="VERSION", help="a version that was there before")
        parser.add_argument("--operation", type=int, metavar="N", help="the number of a change to roll back instead")

    def server(self, options: dict[str, Any]) -> GameServer:
        if options["operation"] is None or options["server"] is not None:
            return super().server(options)
        return _operation(options["operation"]).server

    def wish(self, server: GameServer, options: dict[str, Any]) -> Wish:
        if (options["mod"] is None) == (options["operation"] is None):
            raise CommandError("Name a mod, or a change with --operation.", returncode=BAD_USAGE)
        if options["mod"] is not None:
            target = _target(server, options["mod"], options["version"])
            return Wish(Operation.Kind.ROLL_BACK, (target,), go_on=options["go_on"])
        operation = _operation(options["operation"])
        if operation.server != server:
            raise CommandError(f"Change {operation.pk} was made on {operation.server}.", returncode=BAD_USAGE)
        return replace(operations.undo_wish(operation), go_on=options["go_on"])


def _operation(number: int) -> Operation:
    found = Operation.objects.select_related("server").filter(pk=number).first()
    if found is None:
        raise CommandError(f"There is no change {number}.", returncode=BAD_USAGE)
    return found


def _target(server: GameServer, modid: str, version: str | None) -> Target:
    key = modid.lower()
    here = InstalledMod.objects.filter(server=server, modid_key=key).order_by("-enabled", "file_name").first()
    had = history.versions_had(server, key)
    if here is None and not had:
        raise CommandError(
            f"{modid} isn't installed on {server} and never was, as far as is known.", returncode=BAD_USAGE
        )
    if version is not None:
        return _named(modid, version, had)
    before = history.version_before(server, key, here.version if here else "")
    if before is None:
        raise CommandError(f"There is no version of {modid} to go back to. {_choice(had)}", returncode=FAILURE)
    return Target(modid=modid, version=before.version)


def _named(modid: str, version: str, had: tuple[HadVersion, ...]) -> Target:
    wanted = versions.parse(version)
    for one in had:
        if one.version == version or (wanted is not None and versions.parse(one.version) == wanted):
            return Target(modid=modid, version=one.version)
    text = f"{modid} {version} wasn't there before. {_choice(had)} install_mod {modid}@{version} gets any version."
    raise CommandError(text, returncode=BAD_USAGE)


def _choice(had: tuple[HadVersion, ...]) -> str:
    if not had:
        return "No other version was there, as far as is known."
    listed = (one.version if one.can_be_had else f"{one.version} (can't be had any more)" for one in had)
    return f"Versions that were there: {', '.join(listed)}."
