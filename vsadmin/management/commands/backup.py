"""`backup`: everything that can't be downloaded again, as one file, while vsadmin runs."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from vsadmin import backup
from vsadmin.lib import sizes


class Command(BaseCommand):
    help = (
        "Writes the database, the kept copies and the secret key into one file (mode 0600), while vsadmin runs. "
        "The download cache isn't in it: it is downloaded again when needed. Keep the file safe: whoever has it can "
        "log in as anybody."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", nargs="?", type=Path, help="where to (default: backups/ in the data folder)")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = (options["file"] or backup.default_name()).absolute()
        try:
            made = backup.make(target)
        except backup.BackupError as error:
            raise CommandError(str(error)) from error
        size = sizes.in_words(target.stat().st_size)
        self.stdout.write(
            _("Backed up to %(file)s (%(size)s, %(kept)d kept copies).")
            % {"file": target, "size": size, "kept": made.kept_copies}
        )
