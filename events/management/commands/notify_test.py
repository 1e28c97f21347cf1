from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events import deliver
from events.models import Delivery, Target
from events.sending import Outcome
from vsadmin.lib.plaintext import one_line

BAD_USAGE = 2


class Command(BaseCommand):
    help = (
        "Sends a test to a notification target, here and now, and says what came of it. "
        "Exit code 0: it was received; 1: it wasn't; 2: there is no such target."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the target's name, as in the panel")

    def handle(self, *args: Any, **options: Any) -> None:
        target = Target.objects.filter(name=options["name"]).first()
        if target is None:
            known = ", ".join(Target.objects.values_list("name", flat=True)) or "none yet"
            raise CommandError(f"There is no target named {options['name']!r}. Known: {known}.", returncode=BAD_USAGE)
        result = deliver.attempt(Delivery.objects.create(target=target).pk)
        if result is None:
            self.stdout.write("The background worker is sending it.")
        elif result.outcome == Outcome.SENT:
            self.stdout.write(one_line(result.text))
        else:
            raise CommandError(one_line(result.text), returncode=1)
