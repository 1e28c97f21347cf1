from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class StoredConfig(AppConfig):
    name = "vsadmin.lib.stored"
    label = "stored"
    verbose_name = _("Settings")

    def ready(self) -> None:
        from vsadmin.lib import conf
        from vsadmin.lib.stored import store

        conf.use_store(store.text)
