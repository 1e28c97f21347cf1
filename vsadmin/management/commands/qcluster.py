"""django-q2's `qcluster`, with our schedules in its table and a stop that running jobs hear of."""

import sys
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.checks import run_checks
from django.utils import timezone
from django.utils.translation import gettext as _
from django_q.cluster import Cluster
from django_q.management.commands import qcluster

from cache.tasks import VERIFY
from mods import operations
from mods.tasks import SCAN
from vsadmin import checks, schedules
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import Worker


class StoppingCluster(Cluster):  # type: ignore[misc]  # django_q has no types
    """On SIGTERM and SIGINT, running jobs are asked to stop at their next safe point."""

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        runner.stop_all()
        super().sig_handler(signum, frame)


class Command(qcluster.Command):  # type: ignore[misc]  # django_q has no types
    help = "Runs the background worker: scheduled jobs and whatever the panel asks for."
    # `handle` runs them all, and tells of them as `up` does.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--no-warnings", action="store_true", help="don't print warnings, which `up` has told already"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._check(warn=not options["no_warnings"])
        schedules.sync()
        Worker.write(beat_at=timezone.now())
        runner.recover_interrupted()
        runner.deliver_again()
        operations.recover(at_start=True)
        # At once, rather than when the scheduler first looks, half a minute from now.
        runner.enqueue(SCAN)
        runner.enqueue(VERIFY, rehash=False)
        qcluster.Cluster = StoppingCluster
        super().handle(*args, **options)

    def _check(self, *, warn: bool) -> None:
        found = run_checks()
        if errors := checks.errors_among(found):
            self.stderr.write(_("vsadmin can't start: its settings need a correction.") + f"\n{checks.explain(errors)}")
            sys.exit(1)
        if warn and (warnings := checks.warnings_among(found)):
            self.stderr.write(checks.explain(warnings))
