"""What servers have, what the mod database says of it, and what was changed. Only services write these."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
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
    restart_note = models.TextField(
        _("how to restart it"),
        blank=True,
        help_text=_(
            "Shown beside “restart needed”, such as the command or whom to ask. vsadmin never restarts a server."
        ),
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
    #: What its log said of mods that it didn't load, until that is mended: `problems.note`. Null: never looked.
    refused = models.JSONField(null=True, editable=False)
    #: How far its crash log was read, written by `crashes`.
    crash_log = models.JSONField(default=dict, editable=False)

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
    #: Of its details, asked for because somebody opened its page; the error is that of the last time.
    details_tried_at = models.DateTimeField(null=True)
    details_error = models.TextField(blank=True)
    #: When an answer first lacked more than half of its releases; they are gone once a later answer says the same.
    doubted_at = models.DateTimeField(null=True)

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
    # Known once the file has been read: of the file with that number alone. The author may put another in its place.
    read_file_id = models.PositiveBigIntegerField(null=True)
    size = models.PositiveBigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    dependencies = models.JSONField(null=True)
    file_side = models.CharField(max_length=20, blank=True)

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

    @property
    def can_be_had(self) -> bool:
        """Offered, with a file."""
        return not self.withdrawn and self.file_id is not None


class ClaimedModId(models.Model):
    """A modid that a mod of the database claims. Two mods can claim one."""

    key = models.CharField(max_length=200, db_index=True)
    mod = models.ForeignKey(Mod, on_delete=models.CASCADE, related_name="claims")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["mod", "key"], name="modid_claimed_once")]

    def __str__(self) -> str:
        return self.key


class Pause(models.Model):
    """A web address (scheme, host, port) that asked to be left alone until then."""

    origin = models.CharField(max_length=300, unique=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.origin


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
    #: Since when the mod database denies it together with most others, which isn't believed for a day.
    doubted_since = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("look-up")
        verbose_name_plural = _("look-ups")

    def __str__(self) -> str:
        return self.modid


class NewerWhy(models.TextChoices):
    """Why a newer release isn't recommended for an installed mod."""

    HELD = "held", _("held")
    NO_GAME_VERSION = "no_game_version", _("the server's game version isn't known")
    RETRACTED = "retracted", _("retracted")
    NO_FILE = "no_file", _("without a file")
    PRERELEASE = "prerelease", _("prerelease")
    LISTS_NONE = "lists_none", _("lists no game version")
    NOT_LISTED = "not_listed", _("not listed for the server's game version")
    #: It fits as far as is known, but the mod database recommends another one.
    NOT_CHOSEN = "not_chosen", _("not the mod database's choice")


#: Whatever a person should look at.
NEEDS_ATTENTION = (
    Q(outdated=True)
    | Q(retracted=True)
    | Q(gone=True)
    | Q(has_problems=True)
    | Q(compatibility=Compatibility.INCOMPATIBLE.value)
)

#: What may be the matter with an installed mod: the tabs of the list, and what figures count.
STATES = {
    "attention": NEEDS_ATTENTION,
    "outdated": Q(outdated=True),
    "back": ~Q(back_to=""),
    "newer": ~Q(newer=""),
    "incompatible": Q(compatibility=Compatibility.INCOMPATIBLE.value),
    "retracted": Q(retracted=True),
    "gone": Q(gone=True),
    "problem": Q(has_problems=True),
    "disabled": Q(enabled=False) | Q(disabled_by_config=True),
    "absent": Q(lookup__state=Lookup.State.ABSENT.value),
    "failed": Q(lookup__isnull=False) & ~Q(lookup__error=""),
}


class InstalledModQuerySet(models.QuerySet["InstalledMod"]):
    def for_pages(self) -> "InstalledModQuerySet":
        """With everything a list or page of them shows, in one query."""
        return self.select_related("server", "lookup__mod", "recommended_release", "release", "successor")

    def outdated(self) -> "InstalledModQuerySet":
        """A newer release is recommended for the server's game version, and no hold forbids it: an update."""
        return self.filter(STATES["outdated"])

    def to_go_back(self) -> "InstalledModQuerySet":
        """Retracted, and only an older release is to be had: a person decides."""
        return self.filter(STATES["back"])

    def with_newer(self) -> "InstalledModQuerySet":
        """A newer release exists that isn't recommended; `newer_why` says why."""
        return self.filter(STATES["newer"])

    def incompatible(self) -> "InstalledModQuerySet":
        return self.filter(STATES["incompatible"])

    def retracted(self) -> "InstalledModQuerySet":
        return self.filter(STATES["retracted"])

    def gone(self) -> "InstalledModQuerySet":
        """The mod database had it and has it no more, without a word about a retraction."""
        return self.filter(STATES["gone"])

    def with_problems(self) -> "InstalledModQuerySet":
        return self.filter(STATES["problem"])

    def needing_attention(self) -> "InstalledModQuerySet":
        return self.filter(STATES["attention"])

    def failed_checks(self) -> "InstalledModQuerySet":
        return self.filter(STATES["failed"])


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
    required_on_client = models.BooleanField(default=True)
    size = models.PositiveBigIntegerField(_("size"), default=0)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True)
    fingerprint = models.CharField(max_length=200, blank=True)
    file_problems = models.JSONField(default=list)
    problems = models.JSONField(_("problems"), default=list)
    has_problems = models.BooleanField(default=False)
    #: Why the game doesn't load it, if neither another mod nor another game version would mend that.
    wont_load = models.TextField(blank=True)
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
    #: If it was retracted and nothing newer is recommended: the older release that a person may go back to.
    back_to = models.CharField(_("go back to"), max_length=100, blank=True)
    back_to_release = models.ForeignKey(Release, null=True, on_delete=models.SET_NULL, related_name="+")
    #: A release newer than both the installed and the recommended one, and why it isn't recommended.
    newer = models.CharField(_("newer, not recommended"), max_length=100, blank=True)
    newer_why = models.CharField(max_length=20, choices=NewerWhy, blank=True)
    #: The mod database had the mod or this release and has it no more. It said nothing of a retraction.
    gone = models.BooleanField(_("gone from the mod database"), default=False)
    #: A newer release of the same page of the mod database under another mod id.
    successor = models.ForeignKey(Release, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = InstalledModQuerySet.as_manager()

    class Meta:
        verbose_name = _("installed mod")
        verbose_name_plural = _("installed mods")
        ordering = ["name", "server", "file_name"]
        constraints = [models.UniqueConstraint(fields=["server", "folder", "file_name"], name="installed_file_once")]
        indexes = [models.Index(fields=["name", "server", "file_name"], name="installed_by_name")]
        permissions = [
            ("install_installedmod", _("Can install mods")),
            ("update_installedmod", _("Can update mods and roll them back")),
            ("remove_installedmod", _("Can remove mods")),
            ("toggle_installedmod", _("Can enable and disable mods")),
            ("hold_installedmod", _("Can hold mods at their version")),
        ]

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
        ordering = ["-pk"]  # not by their times: clocks jump

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class Hold(models.Model):
    """Leave this mod at this version on this server. It outlives the file."""

    server = models.ForeignKey(GameServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="holds")
    modid = models.CharField(_("mod id"), max_length=200)
    modid_key = models.CharField(max_length=200)
    version = models.CharField(_("version"), max_length=100, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    #: Stays when the account goes; of a command, the system's user.
    set_by_name = models.CharField(_("set by"), max_length=150, blank=True)
    since = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        verbose_name = _("hold")
        verbose_name_plural = _("holds")
        ordering = ["modid_key"]
        constraints = [models.UniqueConstraint(fields=["server", "modid_key"], name="held_once")]

    def __str__(self) -> str:
        return f"{self.modid} {self.version}".strip()


class OperationQuerySet(models.QuerySet["Operation"]):
    def unfinished(self) -> "OperationQuerySet":
        """Being planned, waiting for a person or the worker, or running."""
        return self.exclude(state__in=Operation.OVER)

    def under_way(self) -> "OperationQuerySet":
        return self.filter(state__in=(Operation.State.QUEUED, Operation.State.RUNNING))


class Operation(models.Model):
    """One change asked for by a person. Pages call it a change. `planning` and `operations` are its only writers."""

    class State(models.TextChoices):
        PLANNING = "planning", _("being planned")
        PLANNED = "planned", _("planned")
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")
        UNDONE = "undone", _("rolled back")

    class Kind(models.TextChoices):
        INSTALL = "install", _("install")
        UPDATE = "update", _("update")
        ROLL_BACK = "roll_back", _("roll back")
        REMOVE = "remove", _("remove")
        ENABLE = "enable", _("enable")
        DISABLE = "disable", _("disable")
        RESTORE = "restore", _("restore a kept copy")
        ALIGN = "align", _("bring in line with a list")
        UNDO = "undo", _("roll a change back")
        PUT_BACK = "put_back", _("put back what ran before")
        PREPARE = "prepare", _("get ready for a game version")

    OVER = (State.DONE, State.FAILED, State.CANCELLED, State.UNDONE)

    server = models.ForeignKey(
        GameServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="operations"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    title = models.CharField(_("what"), max_length=300)
    #: `wishes.Wish` and, once planned, `plans.Plan`, as JSON.
    wish = models.JSONField(default=dict)
    plan = models.JSONField(null=True)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.PLANNING)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    #: Stays when the account goes; of a command, the system's user.
    asked_by_name = models.CharField(_("asked for by"), max_length=150, blank=True)
    asked_at = models.DateTimeField(_("asked for"), default=timezone.now, db_index=True)
    planned_at = models.DateTimeField(_("planned"), null=True)
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    doing = models.CharField(max_length=200, blank=True)
    cancel_requested = models.BooleanField(default=False)
    message = models.TextField(_("result"), blank=True)
    undoes = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="undone_by")

    objects = OperationQuerySet.as_manager()

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ["-asked_at", "-pk"]
        indexes = [models.Index(fields=["server", "-asked_at"], name="operation_by_server")]

    def __str__(self) -> str:
        return self.title

    @property
    def is_over(self) -> bool:
        return self.state in self.OVER


class StepQuerySet(models.QuerySet["Step"]):
    def carried_out(self) -> "StepQuerySet":
        """What really changed a server: its history."""
        return self.filter(state__in=(Step.State.PLACED, Step.State.DONE))


class Step(models.Model):
    """One file's part of an operation: the journal while it runs, the history afterwards."""

    class Action(models.TextChoices):
        INSTALL = "install", _("install")
        REPLACE = "replace", _("replace")
        REMOVE = "remove", _("remove")
        ENABLE = "enable", _("enable")
        DISABLE = "disable", _("disable")

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        #: Its files are being moved: a crash now is undone by recovery.
        PLACING = "placing", _("in the middle")
        #: Committed; what it replaced still lies in staging.
        PLACED = "placed", _("done")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        SKIPPED = "skipped", _("not done")

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    server = models.ForeignKey(GameServer, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveIntegerField()
    #: Steps of one group are all carried out or none.
    group = models.PositiveIntegerField()
    action = models.CharField(_("what"), max_length=10, choices=Action)
    modid = models.CharField(_("mod id"), max_length=200, blank=True)
    modid_key = models.CharField(max_length=200, blank=True)
    name = models.CharField(_("mod"), max_length=300)
    from_version = models.CharField(_("from"), max_length=100, blank=True)
    to_version = models.CharField(_("to"), max_length=100, blank=True)
    why = models.TextField(_("why"), blank=True)
    #: `plans.PlannedStep` as JSON.
    planned = models.JSONField()
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    message = models.TextField(_("result"), blank=True)
    done_at = models.DateTimeField(_("when"), null=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["operation", "position"]
        constraints = [models.UniqueConstraint(fields=["operation", "position"], name="step_position_once")]
        indexes = [models.Index(fields=["server", "modid_key", "-done_at"], name="step_history")]

    def __str__(self) -> str:
        return f"{self.action} {self.name}"


class KeptCopy(models.Model):
    """A replaced or removed file that can't be fetched again byte for byte. Deleted only by hand."""

    server = models.ForeignKey(
        GameServer, verbose_name=_("server"), null=True, on_delete=models.SET_NULL, related_name="kept_copies"
    )
    server_name = models.CharField(_("server"), max_length=100)
    modid = models.CharField(_("mod id"), max_length=200, blank=True)
    modid_key = models.CharField(max_length=200, blank=True, db_index=True)
    name = models.CharField(_("mod"), max_length=300)
    version = models.CharField(_("version"), max_length=100, blank=True)
    #: As it was called among the server's mods, and as it is called in our folder of kept copies.
    file_name = models.CharField(_("file"), max_length=1020)
    stored_name = models.CharField(max_length=255, unique=True)
    size = models.PositiveBigIntegerField(_("size"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    why = models.TextField(_("why"))
    kept_at = models.DateTimeField(_("kept since"), default=timezone.now)
    operation = models.ForeignKey(
        Operation, verbose_name=_("change"), null=True, on_delete=models.SET_NULL, related_name="kept_copies"
    )

    class Meta:
        verbose_name = _("kept copy")
        verbose_name_plural = _("kept copies")
        ordering = ["-kept_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} {self.version}".strip()


class FolderState(models.Model):
    """The set of mods that a server's folders held from one scan on, written by `inventory` when it changes."""

    server = models.ForeignKey(GameServer, on_delete=models.CASCADE, related_name="folder_states")
    #: When a scan first saw it, and the scan before (null: the first of all): it changed somewhere between.
    seen_at = models.DateTimeField()
    seen_before_at = models.DateTimeField(null=True)
    #: Objects with modid, version, sha256, enabled, file_name, name.
    mods = models.JSONField(default=list)

    class Meta:
        ordering = ["-seen_at", "-pk"]
        indexes = [models.Index(fields=["server", "-seen_at"], name="folder_state_latest")]

    def __str__(self) -> str:
        return f"{self.server_id} {self.seen_at:%Y-%m-%d %H:%M}"


class ServerStart(models.Model):
    """One start of a server, as its log tells of it."""

    server = models.ForeignKey(GameServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="starts")
    started_at = models.DateTimeField(_("started"))
    game_version = models.CharField(_("game version"), max_length=50, blank=True)
    #: Ids that the log names as loaded; of each id, sentences on why it wasn't.
    loaded = models.JSONField(default=list)
    failures = models.JSONField(default=dict)
    #: The set of mods at that time, as in `FolderState`; null: nobody was watching.
    mods = models.JSONField(null=True)
    #: Whether it ran for ten minutes without a crash; null: not decided yet.
    good = models.BooleanField(null=True)

    class Meta:
        verbose_name = _("start of a server")
        verbose_name_plural = _("starts of servers")
        ordering = ["-started_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["server", "started_at"], name="server_start_once")]

    def __str__(self) -> str:
        return f"{self.started_at:%Y-%m-%d %H:%M}"


class CrashQuerySet(models.QuerySet["Crash"]):
    def open(self) -> "CrashQuerySet":
        """Neither dismissed nor followed by a good start: somebody should look."""
        later = ServerStart.objects.filter(server=OuterRef("server"), good=True, started_at__gt=OuterRef("happened_at"))
        return self.filter(~Exists(later), dismissed_at=None)


class Crash(models.Model):
    """One entry of a server's crash log. `crashes` alone writes these."""

    server = models.ForeignKey(GameServer, verbose_name=_("server"), on_delete=models.CASCADE, related_name="crashes")
    happened_at = models.DateTimeField(_("when"))
    seen_at = models.DateTimeField(default=timezone.now)
    game_version = models.CharField(_("game version"), max_length=50, blank=True)
    #: What the game names as the culprit, as it stands there; and what of it is an id and a version.
    blamed = models.CharField(_("named by the game"), max_length=300, blank=True)
    blamed_key = models.CharField(max_length=200, blank=True)
    blamed_version = models.CharField(max_length=100, blank=True)
    #: The error's first lines.
    error = models.TextField(_("error"), blank=True)
    #: Pairs of id and version; null where the entry names none.
    loaded = models.JSONField(null=True)
    #: Ids that occur in the stack or among the patches, the first first.
    involved = models.JSONField(default=list)
    start = models.ForeignKey(ServerStart, null=True, on_delete=models.SET_NULL, related_name="crashes")
    #: Of the entry's text: the same one is written once however often it is read.
    digest = models.CharField(max_length=64)
    #: Only the main log tells of it so far; the crash log's entry takes its place.
    from_main_log = models.BooleanField(default=False)
    #: Somebody said that it needs nothing; without a name: it was over when vsadmin first saw it.
    dismissed_at = models.DateTimeField(null=True)
    dismissed_by_name = models.CharField(max_length=150, blank=True)

    objects = CrashQuerySet.as_manager()

    class Meta:
        verbose_name = _("crash")
        verbose_name_plural = _("crashes")
        ordering = ["-happened_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["server", "digest"], name="crash_once")]
        indexes = [models.Index(fields=["server", "-happened_at"], name="crash_latest")]
        permissions = [("dismiss_crash", _("Can say that a crash needs nothing more"))]

    def __str__(self) -> str:
        return f"{self.happened_at:%Y-%m-%d %H:%M}"


class GameVersion(models.Model):
    """A version of the game that the mod database knows, learnt with each refresh."""

    version = models.CharField(_("game version"), max_length=50, unique=True)
    first_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("game version")
        verbose_name_plural = _("game versions")

    def __str__(self) -> str:
        return self.version


class CatalogueEntry(models.Model):
    """A mod of the whole list as the catalogue searches and sorts it: short rows, since all of them are read."""

    mod = models.OneToOneField(Mod, primary_key=True, on_delete=models.CASCADE, related_name="entry")
    #: Lower-case lines: name, ids, author, summary; with a line end on both sides of each.
    words = models.TextField()
    #: Lower-case, to sort by.
    name = models.CharField(max_length=500)
    #: The mod database numbers its mods in the order of their making.
    number = models.PositiveBigIntegerField()
    #: Of the last release, in seconds since 1970; 0 where there is none.
    released = models.PositiveBigIntegerField(default=0)
    downloads = models.PositiveBigIntegerField(default=0)
    trending = models.PositiveBigIntegerField(default=0)
    side = models.CharField(max_length=20, blank=True)
    type = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["name", "number"], name="catalogue_by_name"),
            models.Index(fields=["number"], name="catalogue_by_number"),
            models.Index(fields=["released", "number"], name="catalogue_by_release"),
            models.Index(fields=["downloads", "number"], name="catalogue_by_downloads"),
            models.Index(fields=["trending", "downloads", "number"], name="catalogue_by_trend"),
            models.Index(fields=["type"], name="catalogue_by_type"),
        ]

    def __str__(self) -> str:
        return self.name


class CatalogueTag(models.Model):
    """A tag of a mod in the catalogue."""

    entry = models.ForeignKey(CatalogueEntry, on_delete=models.CASCADE, related_name="tags")
    tag = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tag", "entry"], name="catalogue_tag_once")]

    def __str__(self) -> str:
        return self.tag


class GameVersionFit(models.Model):
    """A mod has a release for this game version: exact (1.21.5), any of a series (1.21), or "": one that names none.

    As the mod database's lists say it, and the releases themselves where they are known; the later word counts.
    """

    mod = models.ForeignKey(Mod, on_delete=models.CASCADE, related_name="fits")
    version = models.CharField(max_length=50)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "mod"], name="fits_game_version_once")]

    def __str__(self) -> str:
        return self.version


class ListAnswer(models.Model):
    """When the mod database last gave a list of mods: of all ("") or of those for a game version (1.21.5, 1.21)."""

    game_version = models.CharField(max_length=50, unique=True)
    answered_at = models.DateTimeField(null=True)
    tried_at = models.DateTimeField(null=True)
    #: Of the last time; "" where it went well.
    error = models.TextField(blank=True)
    #: Of the list of all: `tags`, pairs of a tag and how many mods have it, the commonest first; `types`.
    facts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.game_version or "all"
