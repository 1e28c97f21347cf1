"""What servers have and what the mod database says of it. `inventory`, `refresh` and `status` are the only writers."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from mods.versions import Compatibility


class GameServer(models.Model):
    """One Vintage Story server: a name, its data folder, its game version."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    data_dir = models.CharField(
        _("data folder"),
        max_length=1000,
        unique=True,
        help_text=_("The folder the server is started with (--dataPath): it holds Mods and serverconfig.json."),
    )
    game_version_by_hand = models.CharField(
        _("game version"),
        max_length=50,
        blank=True,
        help_text=_("Leave empty to let vsadmin find it in the server's log."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    # Written by `inventory` at each scan.
    game_version = models.CharField(_("game version"), max_length=50, blank=True, editable=False)
    game_version_source = models.TextField(blank=True, editable=False)
    mod_folders = models.JSONField(default=list, editable=False)
    disabled_mods = models.JSONField(default=list, editable=False)
    notes = models.JSONField(default=list, editable=False)
    scanned_at = models.DateTimeField(_("last scan"), null=True, editable=False)
    unreachable_since = models.DateTimeField(_("unreachable since"), null=True, editable=False)
    unreachable_why = models.TextField(blank=True, editable=False)

    class Meta:
        verbose_name = _("server")
        verbose_name_plural = _("servers")
        ordering = ["name"]
        permissions = [("scan_gameserver", _("Can scan a server's mod folders"))]

    def __str__(self) -> str:
        return self.name


class Mod(models.Model):
    """What the mod database says of one mod, as of the last refresh. A failure never empties it."""

    mod_id = models.PositiveBigIntegerField(_("number in the mod database"), unique=True)
    asset_id = models.PositiveBigIntegerField(null=True)
    name = models.CharField(_("name"), max_length=500)
    author = models.CharField(_("author"), max_length=500, blank=True)
    summary = models.TextField(_("summary"), blank=True)
    description = models.TextField(_("description"), blank=True)
    side = models.CharField(_("side"), max_length=20, blank=True)
    type = models.CharField(_("type"), max_length=500, blank=True)
    alias = models.CharField(max_length=500, blank=True)
    tags = models.JSONField(_("tags"), default=list)
    logo_url = models.TextField(blank=True)
    homepage_url = models.TextField(blank=True)
    source_url = models.TextField(blank=True)
    issues_url = models.TextField(blank=True)
    wiki_url = models.TextField(blank=True)
    video_url = models.TextField(blank=True)
    downloads = models.PositiveBigIntegerField(_("downloads"), default=0)
    follows = models.PositiveBigIntegerField(_("follows"), default=0)
    comments = models.PositiveBigIntegerField(_("comments"), default=0)
    trending = models.PositiveBigIntegerField(_("trending points"), default=0)
    created = models.DateTimeField(_("created"), null=True)
    last_released = models.DateTimeField(_("last released"), null=True)
    fetched_at = models.DateTimeField(_("details fetched"), null=True)
    listed_at = models.DateTimeField(_("seen in the list"), null=True)

    class Meta:
        verbose_name = _("mod")
        verbose_name_plural = _("mods")
        ordering = ["name"]
        permissions = [("refresh_mod", _("Can ask the mod database for news"))]

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """One version of a mod. One that vanishes from the answers stays, marked retracted or gone."""

    mod = models.ForeignKey(Mod, on_delete=models.CASCADE, related_name="releases")
    release_id = models.PositiveBigIntegerField()
    modid = models.CharField(_("mod id"), max_length=200, blank=True)
    modid_key = models.CharField(max_length=200, blank=True, db_index=True)
    version = models.CharField(_("version"), max_length=100)
    game_versions = models.JSONField(_("game versions"), default=list)
    file_id = models.PositiveBigIntegerField(null=True)
    file_name = models.CharField(max_length=500, blank=True)
    file_url = models.TextField(blank=True)
    created = models.DateTimeField(_("released"), null=True)
    changelog = models.TextField(_("changelog"), blank=True)
    downloads = models.PositiveBigIntegerField(_("downloads"), default=0)
    retracted = models.BooleanField(_("retracted"), default=False)
    retraction_reason = models.TextField(_("reason"), blank=True)
    retracted_by_moderator = models.BooleanField(default=False)
    gone_since = models.DateTimeField(null=True)
    # Known once the file has been read.
    size = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    dependencies = models.JSONField(null=True)

    class Meta:
        verbose_name = _("release")
        verbose_name_plural = _("releases")
        ordering = ["-created", "-release_id"]
        constraints = [models.UniqueConstraint(fields=["mod", "release_id"], name="release_once_a_mod")]

    def __str__(self) -> str:
        return f"{self.modid} {self.version}"

    @property
    def withdrawn(self) -> bool:
        """No longer offered: retracted, or gone from the mod database."""
        return self.retracted or self.gone_since is not None


class ClaimedModId(models.Model):
    """A modid that a mod of the database claims. Two mods can claim one."""

    key = models.CharField(max_length=200, db_index=True)
    mod = models.ForeignKey(Mod, on_delete=models.CASCADE, related_name="claims")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mod", "key"], name="modid_claimed_once")]

    def __str__(self) -> str:
        return self.key


class Lookup(models.Model):
    """What the mod database answered when asked for one installed modid: found, not in it, or not asked yet."""

    class State(models.TextChoices):
        UNKNOWN = "unknown", _("not asked yet")
        FOUND = "found", _("in the mod database")
        ABSENT = "absent", _("not in the mod database")

    key = models.CharField(max_length=200, unique=True)
    modid = models.CharField(_("mod id"), max_length=200)
    state = models.CharField(max_length=10, choices=State, default=State.UNKNOWN)
    mod = models.ForeignKey(Mod, null=True, on_delete=models.SET_NULL, related_name="lookups")
    also_claimed_by = models.JSONField(default=list)
    newest_file = models.PositiveBigIntegerField(null=True)
    newest_version = models.CharField(max_length=100, blank=True)
    #: Of each game version: the version that the mod database recommends.
    recommendations = models.JSONField(default=dict)
    #: Of each installed version that was retracted: [reason, whether a moderator did it].
    retractions = models.JSONField(default=dict)
    fetched_at = models.DateTimeField(_("details fetched"), null=True)
    checked_at = models.DateTimeField(_("last checked"), null=True)
    tried_at = models.DateTimeField(_("last tried"), null=True)
    error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("look-up")
        verbose_name_plural = _("look-ups")

    def __str__(self) -> str:
        return self.modid


#: Whatever a person should look at.
NEEDS_ATTENTION = (
    Q(outdated=True) | Q(retracted=True) | Q(has_problems=True) | Q(compatibility=Compatibility.INCOMPATIBLE.value)
)


class InstalledModQuerySet(models.QuerySet["InstalledMod"]):
    def for_pages(self) -> "InstalledModQuerySet":
        """With everything a list or page of them shows, in one query."""
        return self.select_related("server", "lookup__mod", "recommended_release", "release")

    def outdated(self) -> "InstalledModQuerySet":
        """A newer release is recommended for the server's game version."""
        return self.filter(outdated=True)

    def incompatible(self) -> "InstalledModQuerySet":
        return self.filter(compatibility=Compatibility.INCOMPATIBLE)

    def retracted(self) -> "InstalledModQuerySet":
        return self.filter(retracted=True)

    def with_problems(self) -> "InstalledModQuerySet":
        return self.filter(has_problems=True)

    def needing_attention(self) -> "InstalledModQuerySet":
        return self.filter(NEEDS_ATTENTION)

    def disabled(self) -> "InstalledModQuerySet":
        return self.filter(Q(enabled=False) | Q(disabled_by_config=True))

    def failed_checks(self) -> "InstalledModQuerySet":
        return self.exclude(Q(lookup__isnull=True) | Q(lookup__error=""))


class InstalledMod(models.Model):
    """One file (or folder) among a server's mods."""

    class Kind(models.TextChoices):
        ZIP = "zip", _("zip")
        CS = "cs", _("C# source")
        DLL = "dll", _("dll")
        FOLDER = "folder", _("folder")

    COMPATIBILITIES = (
        (Compatibility.COMPATIBLE.value, _("compatible")),
        (Compatibility.NOT_VERIFIED.value, _("not verified")),
        (Compatibility.INCOMPATIBLE.value, _("incompatible")),
    )

    # Written by `inventory`: what is on disk.
    server = models.ForeignKey(
        GameServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="installed_mods"
    )
    folder = models.CharField(_("folder"), max_length=2000)
    #: Bytes that aren't UTF-8 are spelled out, so it can be longer than names on disk are.
    file_name = models.CharField(_("file"), max_length=1020)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    enabled = models.BooleanField(_("enabled"), default=True)
    disabled_by_config = models.BooleanField(_("disabled in serverconfig.json"), default=False)
    modid = models.CharField(_("mod id"), max_length=200, blank=True)
    modid_key = models.CharField(max_length=200, blank=True, db_index=True)
    name = models.CharField(_("name"), max_length=300)
    version = models.CharField(_("installed"), max_length=100, blank=True)
    side = models.CharField(_("side"), max_length=20, blank=True)
    type = models.CharField(_("type"), max_length=20, blank=True)
    authors = models.TextField(_("authors"), blank=True)
    description = models.TextField(_("description"), blank=True)
    website = models.TextField(_("website"), blank=True)
    dependencies = models.JSONField(_("dependencies"), default=dict)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    fingerprint = models.CharField(max_length=200, blank=True)
    file_problems = models.JSONField(default=list)
    problems = models.JSONField(_("problems"), default=list)
    has_problems = models.BooleanField(default=False)
    first_seen_at = models.DateTimeField(_("first seen"), default=timezone.now)
    read_at = models.DateTimeField(_("last read"), default=timezone.now)
    lookup = models.ForeignKey(Lookup, null=True, on_delete=models.SET_NULL, related_name="installed_mods")

    # Written by `status`: what follows from the mod database and the game version.
    release = models.ForeignKey(Release, null=True, on_delete=models.SET_NULL, related_name="+")
    latest = models.CharField(_("latest"), max_length=100, blank=True)
    recommended = models.CharField(_("recommended"), max_length=100, blank=True)
    recommended_release = models.ForeignKey(Release, null=True, on_delete=models.SET_NULL, related_name="+")
    recommended_verified = models.BooleanField(default=False)
    compatibility = models.CharField(
        _("compatibility"), max_length=12, choices=COMPATIBILITIES, default=Compatibility.NOT_VERIFIED.value
    )
    outdated = models.BooleanField(_("outdated"), default=False)
    retracted = models.BooleanField(_("retracted"), default=False)
    retraction_reason = models.TextField(blank=True)

    objects = InstalledModQuerySet.as_manager()

    class Meta:
        verbose_name = _("installed mod")
        verbose_name_plural = _("installed mods")
        ordering = ["name", "server", "file_name"]
        constraints = [models.UniqueConstraint(fields=["server", "folder", "file_name"], name="installed_file_once")]
        indexes = [models.Index(fields=["name", "server", "file_name"], name="installed_by_name")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()

    @property
    def checked_at(self) -> datetime | None:
        """When the mod database last answered about this mod; None where it never did."""
        return self.lookup.checked_at if self.lookup else None


class RefreshRun(models.Model):
    """One refresh: what was asked and what came of it."""

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        COMPLETED = "completed", _("completed")
        FAILED = "failed", _("failed")

    started_at = models.DateTimeField(_("started"), default=timezone.now, db_index=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RUNNING)
    forced = models.BooleanField(_("all details renewed"), default=False)
    asked = models.PositiveIntegerField(_("asked"), default=0)
    changed = models.PositiveIntegerField(_("changed"), default=0)
    unchanged = models.PositiveIntegerField(_("unchanged"), default=0)
    failed = models.PositiveIntegerField(_("failed"), default=0)
    failures = models.JSONField(_("failures"), default=dict)
    requests = models.PositiveIntegerField(_("requests"), default=0)
    bytes = models.PositiveBigIntegerField(_("bytes"), default=0)
    summary = models.TextField(_("result"), blank=True)

    class Meta:
        verbose_name = _("refresh")
        verbose_name_plural = _("refreshes")
        ordering = ["-started_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"
