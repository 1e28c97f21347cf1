"""What is known of background work: each run of a job, and whether the worker is alive."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

#: A worker that hasn't stamped its heartbeat for this long is silent.
SILENT_AFTER = timedelta(minutes=3)


class JobRunQuerySet(models.QuerySet["JobRun"]):
    def unfinished(self) -> "JobRunQuerySet":
        return self.filter(state__in=(JobRun.State.QUEUED, JobRun.State.RUNNING))


class JobRun(models.Model):
    """One run of a job, from being asked for to its result; the source of every progress bar."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    job = models.CharField(_("job"), max_length=100)
    arguments = models.JSONField(default=dict, editable=False)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.QUEUED)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("asked for by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    queued_at = models.DateTimeField(_("asked for"), default=timezone.now, db_index=True)
    started_at = models.DateTimeField(_("started"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    doing = models.CharField(_("doing"), max_length=200, blank=True)
    message = models.TextField(_("result"), blank=True)

    objects = JobRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("run of a job")
        verbose_name_plural = _("runs of jobs")
        ordering = ["-pk"]  # not by their times: clocks jump
        indexes = [models.Index(fields=["job", "-queued_at"], name="jobrun_job_queued")]

    def __str__(self) -> str:
        return f"{self.job} #{self.pk}"

    @property
    def is_over(self) -> bool:
        return self.state in (self.State.DONE, self.State.FAILED)


class Worker(models.Model):
    """A background worker: its heartbeat, and how often `up` restarted its own, which has no name."""

    #: Others are called after their machine.
    name = models.CharField(_("name"), max_length=100, unique=True, default="")
    beat_at = models.DateTimeField(_("last heartbeat"), null=True)
    restarts = models.PositiveSmallIntegerField(_("restarts in the last ten minutes"), default=0)
    restarted_at = models.DateTimeField(_("last restart"), null=True)

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")

    def __str__(self) -> str:
        return self.name or "worker"

    @classmethod
    def load(cls) -> "Worker":
        """The worker that gave no sign of life for the longest time, so that no other hides its silence; unsaved where
        there is none."""
        return max(cls.objects.all(), key=lambda worker: worker.silence, default=cls())

    @classmethod
    def is_any_alive(cls) -> bool:
        """Whether one is there that does what waits."""
        return any(not worker.is_silent for worker in cls.objects.all())

    @classmethod
    def write(cls, name: str = "", /, **fields: object) -> None:
        cls.objects.update_or_create(name=name, defaults=fields)

    @property
    def silence(self) -> timedelta:
        """How far away its last heartbeat is, also where the clock was set back since and it lies in the future."""
        return timedelta.max if self.beat_at is None else abs(timezone.now() - self.beat_at)

    @property
    def is_silent(self) -> bool:
        """No heartbeat for three minutes."""
        return self.silence > SILENT_AFTER
