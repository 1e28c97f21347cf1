from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from cache import verify
from cache.management.common import fail
from vsadmin.lib import files, locks


class Command(BaseCommand):
    help = (
        "Compares the download cache's records with its files, every byte of them, and says what differs. With "
        "--repair it drops records without a file and files whose content changed, adopts files of ours that have no "
        "record, and corrects the totals. A file that isn't ours is reported, never removed. "
        "Exit code 1 if anything is left amiss."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--repair", action="store_true", help="mend what differs")
        parser.add_argument("--quick", action="store_true", help="compare names and sizes only, read no file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = verify.verify(rehash=not options["quick"], repair=options["repair"])
        except locks.Busy:
            fail("Others kept changing the cache for two minutes. Try again.")
        except OSError as error:
            fail(files.in_words(error))
        line = verify.in_words(found)
        if not found.left:
            self.stdout.write(line)
        elif found.repaired:
            fail(line)
        else:
            fail(f"{line}. Run it again with --repair to mend what can be mended.")
