from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mods import tasks
from mods.management.common import fail
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun


class Command(BaseCommand):
    help = (
        "Asks the mod database about every installed mod and stores the answers. Mods with news, and the oldest ones, "
        "get their full details; what fails keeps what was known. Exit code 1 if nothing could be learnt."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--force", action="store_true", help="renew all details, whatever changed")

    def handle(self, *args: Any, **options: Any) -> None:
        run = runner.run_now(tasks.REFRESH, force=options["force"])
        if run.state == JobRun.State.FAILED:
            fail(run.message)
        self.stdout.write(run.message)
