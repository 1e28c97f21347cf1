"""What is in the cache, what was ever seen under each key, and counters kept beside the rows."""

from django.db import models
from django.db.models import OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class CacheEntryQuerySet(models.QuerySet["CacheEntry"]):
    def least_recent_first(self) -> "CacheEntryQuerySet":
        """The order in which entries are evicted; an index has it ready."""
        return self.order_by("last_accessed_at", "pk")

    def with_alarm(self) -> "CacheEntryQuerySet":
        """With `alarm_at`: when other bytes were last offered under the entry's key; None: never."""
        alarm = KnownDigest.objects.filter(key=OuterRef("key")).values("refused_at")[:1]
        return self.annotate(alarm_at=Subquery(alarm))


class CacheEntry(models.Model):
    """One file kept on disk. `store`, `eviction` and `verify` alone write these rows."""

    key = models.CharField(_("key"), max_length=90)
    title = models.CharField(_("title"), max_length=300)
    version = models.CharField(_("version"), max_length=100, blank=True)
    file_name = models.CharField(_("file"), max_length=255)
    size = models.BigIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    source = models.TextField(_("source"), blank=True)
    stored_at = models.DateTimeField(_("stored"), default=timezone.now)
    last_accessed_at = models.DateTimeField(_("last accessed"), default=timezone.now)
    times_used = models.PositiveIntegerField(_("times used"), default=0)
    #: False: found on disk and adopted; its content is checked at its first use.
    checked = models.BooleanField(default=True, editable=False)

    objects = CacheEntryQuerySet.as_manager()

    class Meta:
        verbose_name = _("cached file")
        verbose_name_plural = _("cached files")
        ordering = ["-last_accessed_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["key"], name="cacheentry_key_once"),
            models.UniqueConstraint(fields=["file_name"], name="cacheentry_file_once"),
        ]
        indexes = [models.Index(fields=["last_accessed_at", "id"], name="cacheentry_by_access")]
        default_permissions = ("view",)
        permissions = [
            ("evict_cacheentry", _("Can evict files from the cache")),
            ("clear_cacheentry", _("Can clear the cache")),
        ]

    def __str__(self) -> str:
        return f"{self.title} {self.version}".strip()


class KnownDigestQuerySet(models.QuerySet["KnownDigest"]):
    def alarmed(self) -> "KnownDigestQuerySet":
        """Keys under which other bytes were offered since."""
        return self.filter(refused_at__isnull=False)


class KnownDigest(models.Model):
    """The SHA-256 first seen under a key. It outlives eviction and clearing: other bytes are refused, and an alarm.

    `alarms` alone, by a person's decision, ever makes other bytes the right ones.
    """

    key = models.CharField(_("key"), max_length=90, unique=True)
    title = models.CharField(_("title"), max_length=300, blank=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)
    refused_sha256 = models.CharField(_("SHA-256 refused"), max_length=64, blank=True)
    refused_at = models.DateTimeField(_("last refused"), null=True, blank=True)
    refusals = models.PositiveIntegerField(_("times refused"), default=0)

    objects = KnownDigestQuerySet.as_manager()

    class Meta:
        verbose_name = _("known file")
        verbose_name_plural = _("known files")
        default_permissions = ("view",)
        permissions = [("decide_knowndigest", _("Can decide about changed files (alarms)"))]

    def __str__(self) -> str:
        return self.key

    @property
    def name(self) -> str:
        """For people."""
        return self.title or self.key


class CacheTotals(models.Model):
    """The one row of kept counters. Signed: a count that is off must not make the next change fail; verify mends it."""

    files = models.BigIntegerField(default=0)
    bytes = models.BigIntegerField(default=0)
    hits = models.BigIntegerField(default=0)
    misses = models.BigIntegerField(default=0)
    saved_bytes = models.BigIntegerField(default=0)
    evicted_files = models.BigIntegerField(default=0)
    evicted_bytes = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.files} files, {self.bytes} bytes"


class CacheDay(models.Model):
    """One day's figures (UTC); `size_bytes` is what the cache held after that day's last change."""

    day = models.DateField(primary_key=True)
    size_bytes = models.BigIntegerField(default=0)
    hits = models.BigIntegerField(default=0)
    misses = models.BigIntegerField(default=0)
    saved_bytes = models.BigIntegerField(default=0)
    evicted_files = models.BigIntegerField(default=0)
    evicted_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["day"]
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.day)
