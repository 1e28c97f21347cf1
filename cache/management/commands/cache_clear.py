from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from cache import eviction
from cache.management.common import BAD_USAGE, fail, files, removed, size
from vsadmin.lib import locks


class Command(BaseCommand):
    help = (
        "Removes every file from the download cache; each is downloaded again when needed. Asks first, unless --yes. "
        "Installed mods are not touched. Exit code 1 if a file couldn't be removed or the answer was no."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--yes", action="store_true", help="don't ask")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            self._ask()
        try:
            if gone := eviction.free_if_full():
                self.stdout.write(f"The disk was full: {files(gone)} removed before the database could be opened.")
            done = eviction.clear()
        except locks.Busy:
            fail("Others kept changing the cache for two minutes. Try again.")
        self.stdout.write(removed(done))

    def _ask(self) -> None:
        try:
            going = eviction.preview_clear()
        except DatabaseError:  # as on a full disk, which clearing mends
            self.stdout.write("How much is in it can't be read just now. It will be downloaded again when needed.")
        else:
            self.stdout.write(
                f"{files(going.files)} ({size(going.bytes)}) will be removed; they are downloaded again when needed."
            )
        try:
            answer = input("Clear the cache? [y/N] ")
        except EOFError:
            raise CommandError(
                "There is nobody to ask. Run it again with --yes to clear the cache without asking.",
                returncode=BAD_USAGE,
            ) from None
        if answer.strip().lower() not in {"y", "yes"}:
            fail("Nothing was removed.")
