from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mods import inventory, serverdir
from mods.management.common import fail, servers_named


class Command(BaseCommand):
    help = (
        "Looks through every server's mod folders and brings the list in line with them. Files that didn't change "
        "aren't opened again; nothing on disk is changed. A server from VS_SERVER_DATA_DIR is added at its first scan. "
        "Exit code 1 if a server can't be scanned."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", metavar="NAME", help="scan this server only")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            inventory.ensure_first_server()
        except serverdir.Unusable as error:
            self.stderr.write(f"VS_SERVER_DATA_DIR: {error}")
        results = inventory.scan_all(servers_named(options["server"]))
        if not results:
            fail("No server is known yet. Add one in the panel, or set VS_SERVER_DATA_DIR.")
        for result in results:
            if result.unreachable:
                self.stderr.write(f"{result.server}: not scanned: {result.unreachable}")
            else:
                self.stdout.write(
                    f"{result.server}: {result.found} mods, {result.read} read, {result.added} new, "
                    f"{result.removed} gone, {result.with_problems} with a problem"
                )
        if any(result.unreachable for result in results):
            fail()
