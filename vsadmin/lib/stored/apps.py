from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StoredConfig(AppConfig):
    name = "vsadmin.lib.stored"
    label = "stored"
    verbose_name = _("Settings")
