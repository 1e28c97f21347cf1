"""`restore`: a backup put in the place of what is here."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from events import addresses
from events.models import Target
from mods.models import GameServer
from vsadmin import backup, running


class Command(BaseCommand):
    help = (
        "Replaces the database and the secret key by those of a backup, and adds its kept copies. Stop vsadmin first. "
        "What is here is backed up before; asks unless --yes is given. Restore only what you made yourself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="a file that `backup` made")
        parser.add_argument("--yes", action="store_true", help="don't ask")

    def handle(self, *args: Any, **options: Any) -> None:
        source: Path = options["file"].absolute()
        try:
            held = backup.look(source)
            self.stdout.write(
                _("%(file)s: made %(when)s by vsadmin %(version)s (%(vendor)s), %(kept)d kept copies.")
                % {
                    "file": source, "when": f"{held.made_at:%Y-%m-%d %H:%M} UTC", "version": held.version,
                    "vendor": held.vendor, "kept": held.kept_copies,
                }
            )  # fmt: skip
            self.stdout.write(
                _(
                    "Nobody can tell who wrote a backup or altered it. Whoever did decides who may log in, which "
                    "folders vsadmin works in and where notifications go. Restore only what you made yourself."
                )
            )
            with running.stopped():
                if not options["yes"] and not self._agreed():
                    raise CommandError(_("Nothing was changed."))
                if backup.is_anything_here():
                    before = backup.default_name()
                    backup.make(before)
                    self.stdout.write(_("What was here is in %s.") % before)
                backup.restore(source)
        except (backup.BackupError, running.NotNow) as error:
            raise CommandError(str(error)) from error
        for line in _brought():
            self.stdout.write(line)
        self.stdout.write(_("Restored. If all of that is yours, start vsadmin again: ./run.sh"))

    def _agreed(self) -> bool:
        if not sys.stdin.isatty():
            raise CommandError(_("This replaces the database. Say --yes if that is meant."))
        return input(_("Replace what is here by it? [y/N] ")).strip().lower() in {"y", "yes"}


def _brought() -> Iterator[str]:
    """What has power over this machine now, for people to look at before they start it. A row may hold any text."""
    for server in GameServer.objects.all():
        yield _("Server: %(name)r in %(folder)r") % {"name": server.name, "folder": server.data_dir}
    for user in User.objects.filter(is_active=True, is_staff=True).order_by("username"):
        yield _("May log in: %r") % user.username
    for target in Target.objects.filter(active=True):
        yield _("Notifications go to: %(name)r, %(where)r") % {"name": target.name, "where": addresses.shown(target)}
