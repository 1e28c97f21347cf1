"""What Django loads of the project itself: its commands and checks, and its admin site."""

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class VsadminConfig(AppConfig):
    name = "vsadmin"

    def ready(self) -> None:
        from vsadmin import checks  # noqa: F401  # registers the system checks


class PanelConfig(AdminConfig):
    default_site = "vsadmin.admin.PanelSite"
