"""django-q2's `qcluster`, with our schedules in its table and a stop that running jobs hear of."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.checks import run_checks
from django.db import InterfaceError, OperationalError, connections
from django.utils.translation import gettext as _
from django_q.management.commands import qcluster

from cache.tasks import VERIFY
from mods import operations
from mods.tasks import SCAN
from vsadmin import checks, cluster, login, running, schedules, waiting
from vsadmin.lib.jobs import heartbeat, runner

#: Exit code after Ctrl-C while the database is waited for, as shells know it.
_INTERRUPTED = 130


class Command(qcluster.Command):  # type: ignore[misc]  # django_q has no types
    help = "Runs the background worker: scheduled jobs and whatever the panel asks for."
    # `handle` runs them all, and tells of them as `up` does.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--no-warnings", action="store_true", help="don't print warnings, which `up` has told already"
        )
        parser.add_argument("--of-up", action="store_true", help="be the worker that `up` watches and restarts")

    def handle(self, *args: Any, **options: Any) -> None:
        self._check(warn=not options["no_warnings"])
        self._wait_for_database()
        try:
            # Both hold for the processes that it starts as well, which go on after the end of this block.
            with running.running(), cluster.own_name(of_up=options["of_up"]) as name:
                self._work(name, *args, **options)
        except running.NotNow as problem:
            self.stderr.write(str(problem))
            sys.exit(1)

    def _wait_for_database(self) -> None:
        """A database that is down for a while doesn't use up the restarts that `up` grants."""
        try:
            waiting.for_database()
        except (OperationalError, InterfaceError) as error:
            self.stderr.write(_("The worker can't start, since the database doesn't answer: %s") % error)
            sys.exit(1)
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)

    def _work(self, name: str, *args: Any, **options: Any) -> None:
        schedules.sync()
        login.mend_times()
        heartbeat.begin(name)
        runner.recover_interrupted()
        runner.deliver_again()
        operations.recover(at_start=True)
        # At once, rather than when the scheduler first looks, half a minute from now.
        runner.enqueue(SCAN)
        runner.enqueue(VERIFY, rehash=False)
        qcluster.Cluster = cluster.StoppingCluster
        connections.close_all()  # a connection that two processes have isn't one
        super().handle(*args, **options)

    def _check(self, *, warn: bool) -> None:
        found = run_checks()
        if errors := checks.errors_among(found):
            self.stderr.write(_("vsadmin can't start: its settings need a correction.") + f"\n{checks.explain(errors)}")
            sys.exit(1)
        if warn and (warnings := checks.warnings_among(found)):
            self.stderr.write(checks.explain(warnings))
