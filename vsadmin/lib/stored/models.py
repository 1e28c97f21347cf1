"""Settings that were changed in the panel."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class StoredSetting(models.Model):
    """The text of one setting, as somebody would write it into the environment, which wins over it."""

    name = models.CharField(_("setting"), max_length=100, unique=True)
    text = models.CharField(_("value"), max_length=1000)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now)
    changed_by_name = models.CharField(_("changed by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("setting")
        verbose_name_plural = _("settings")
        ordering = ["name"]
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.name
