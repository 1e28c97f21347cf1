"""django-q2's `qcluster`, with our schedules in its table and a stop that running jobs hear of."""

from types import FrameType
from typing import Any

from django.utils import timezone
from django_q.cluster import Cluster
from django_q.management.commands import qcluster

from cache.tasks import VERIFY
from mods.tasks import SCAN
from vsadmin import schedules
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import Worker


class StoppingCluster(Cluster):  # type: ignore[misc]  # django_q has no types
    """On SIGTERM and SIGINT, running jobs are asked to stop at their next safe point."""

    def sig_handler(self, signum: int, frame: FrameType | None) -> None:
        runner.stop_all()
        super().sig_handler(signum, frame)


class Command(qcluster.Command):  # type: ignore[misc]  # django_q has no types
    help = "Runs the background worker: scheduled jobs and whatever the panel asks for."
    requires_system_checks = "__all__"

    def handle(self, *args: Any, **options: Any) -> None:
        schedules.sync()
        Worker.write(beat_at=timezone.now())
        runner.recover_interrupted()
        runner.deliver_again()
        # At once, rather than when the scheduler first looks, half a minute from now.
        runner.enqueue(SCAN)
        runner.enqueue(VERIFY, rehash=False)
        qcluster.Cluster = StoppingCluster
        super().handle(*args, **options)
