"""What happened, who is told of it, and who has seen it.

`record` writes events with their deliveries, `deliver` what becomes of those, `reading` what was seen, `keeping`
deletes what is old.
"""

import uuid

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from events.kinds import Kind


class Event(models.Model):
    """Something that happened. Written once, however often it is seen: its `key` says which it is."""

    #: The same for ever, also where a restored database gives its number again; receivers are told it.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("what"), max_length=40, choices=Kind)
    key = models.CharField(max_length=255, unique=True)
    at = models.DateTimeField(_("when"), default=timezone.now)
    recorded_at = models.DateTimeField(default=timezone.now)
    title = models.CharField(_("what happened"), max_length=300)
    text = models.TextField(_("more"), blank=True)
    #: Stands out: a moderator of the mod database forced it.
    forced = models.BooleanField(default=False)
    #: The server that it is about, by key and by the name it had; null: none, or several.
    server_key = models.PositiveBigIntegerField(null=True)
    server_name = models.CharField(_("server"), max_length=100, blank=True)
    #: What its page is about: a model's label such as "mods.crash", and a key; "" is none.
    about = models.CharField(max_length=60, blank=True)
    about_key = models.CharField(max_length=60, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-at", "-pk"]
        default_permissions = ("view",)
        indexes = [models.Index(fields=["-at", "-id"], name="event_latest")]

    def __str__(self) -> str:
        return self.title


class Target(models.Model):
    """Where chosen events are sent. A webhook's address is its secret, never shown again nor logged."""

    class Form(models.TextChoices):
        WEBHOOK = "webhook", _("Webhook (JSON)")
        DISCORD = "discord", _("Discord webhook")
        EMAIL = "email", _("E-mail")

    name = models.CharField(_("name"), max_length=100, unique=True)
    form = models.CharField(_("how"), max_length=10, choices=Form)
    #: The webhook's whole address (it is the secret), or an e-mail address.
    address = models.TextField(_("address"))
    #: Values of `Kind`.
    kinds = models.JSONField(_("events"), default=list)
    active = models.BooleanField(_("on"), default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("notification target")
        verbose_name_plural = _("notification targets")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One event (or a test: null) on its way to one target."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SENT = "sent", _("sent")
        FAILED = "failed", _("given up")

    #: Sent along, the same at each try, so that a receiver can tell a repeated one.
    delivery_id = models.UUIDField(default=uuid.uuid4, unique=True)
    event = models.ForeignKey(Event, null=True, on_delete=models.CASCADE, related_name="deliveries")
    target = models.ForeignKey(Target, on_delete=models.CASCADE, related_name="deliveries")
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try"), null=True, default=timezone.now)
    #: Whoever sends it has it until then; a process that died with it gives it back so.
    claimed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(_("ended"), null=True)
    #: What the last try came to, in plain words.
    result = models.TextField(_("result"), blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["-created_at", "-pk"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["event", "target"], name="told_once")]
        indexes = [
            models.Index(fields=["state", "next_try_at"], name="delivery_due"),
            models.Index(fields=["target", "-created_at"], name="delivery_latest"),
        ]

    def __str__(self) -> str:
        return str(self.delivery_id)


class Read(models.Model):
    """Up to which event, by its key, a person has seen them."""

    user_key = models.PositiveBigIntegerField(unique=True)
    seen_up_to = models.PositiveBigIntegerField(default=0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.user_key}: {self.seen_up_to}"
