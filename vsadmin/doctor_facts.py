"""What the database knows of vsadmin's own condition, read at once."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max
from django_q.models import Schedule

from cache import counters
from cache.models import CacheTotals, KnownDigest
from mods.models import GameServer, InstalledMod, KeptCopy, Mod, RefreshRun, Release
from vsadmin import firstrun, schedules
from vsadmin.lib.jobs.models import JobRun, Worker
from vsadmin.lib.stored.models import StoredSetting


@dataclass(frozen=True)
class Facts:
    """All that the parts need; what they look at besides is on disk."""

    pending_migrations: list[str]
    worker: Worker
    #: Of the worker that `up` watches, in the last ten minutes.
    restarts: int
    #: (name, next run, minutes between)
    schedules: list[tuple[str, datetime | None, int | None]]
    last_refresh: RefreshRun | None
    refresh_completed_at: datetime | None
    has_mods: bool
    servers: list[GameServer]
    cache: CacheTotals
    alarms: int
    #: Bytes by the names in our folder.
    kept: dict[str, int]
    #: Texts by the settings that were changed in the panel.
    stored: dict[str, str]
    #: When the mod database's newest release was made.
    newest_release: datetime | None
    #: The latest moment that is recorded as past.
    latest_record: datetime | None


def read() -> Facts:
    """A number of queries that nothing changes. Raises `django.db.Error`."""
    pending = firstrun.pending_migrations()
    worker = Worker.load()
    rows = Schedule.objects.filter(name__in=[one.name for one in schedules.SCHEDULED])
    last = RefreshRun.objects.first()
    completed = RefreshRun.objects.filter(state=RefreshRun.State.COMPLETED).first()
    released = Release.objects.aggregate(Max("created"))["created__max"]
    listed = Mod.objects.aggregate(Max("last_released"))["last_released__max"]
    job = JobRun.objects.aggregate(Max("queued_at"))["queued_at__max"]
    return Facts(
        pending_migrations=pending,
        worker=worker,
        restarts=Worker.objects.filter(name="").values_list("restarts", flat=True).first() or 0,
        schedules=list(rows.order_by("pk").values_list("name", "next_run", "minutes")),
        last_refresh=last,
        refresh_completed_at=completed.started_at if completed else None,
        has_mods=InstalledMod.objects.exists(),
        servers=list(GameServer.objects.all()),
        cache=counters.totals(),
        alarms=KnownDigest.objects.alarmed().count(),
        kept=dict(KeptCopy.objects.values_list("stored_name", "size")),
        stored=dict(StoredSetting.objects.values_list("name", "text")),
        newest_release=max(filter(None, (released, listed)), default=None),
        latest_record=max(filter(None, (job, worker.beat_at, last and last.started_at)), default=None),
    )
