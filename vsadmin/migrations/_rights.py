"""What migrations of rights call. Landed ones depend on it: like them it isn't edited any more."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions

_APPS = ("auth", "cache", "events", "jobs", "mods", "stored")


def make_groups(apps: Apps, alias: str, table: Mapping[str, Iterable[str]]) -> None:
    """Make the groups of `table` that aren't there yet, each with those of its rights that `apps` know.

    A group that has the name already is somebody's own and stays as it is.
    """
    groups = apps.get_model("auth", "Group")._default_manager.using(alias)
    there = set(groups.filter(name__in=table).values_list("name", flat=True))
    missing = [name for name in table if name not in there]
    if missing:
        _make_rights(apps, alias)
    for name in missing:
        groups.create(name=name).permissions.set(_rights(apps, alias, table[name]))


def give(apps: Apps, alias: str, name: str, rights: Iterable[str]) -> None:
    """Give rights to that group, unless somebody renamed or deleted it."""
    _make_rights(apps, alias)
    for group in apps.get_model("auth", "Group")._default_manager.using(alias).filter(name=name):
        group.permissions.add(*_rights(apps, alias, rights))


def _make_rights(apps: Apps, alias: str) -> None:
    """Django makes them after all migrations, which is too late for a migration."""
    for label in _APPS:
        create_permissions(installed_apps.get_app_config(label), verbosity=0, using=alias, apps=apps)


def _rights(apps: Apps, alias: str, wanted: Iterable[str]) -> list[Any]:
    known = apps.get_model("auth", "Permission")._default_manager.using(alias).select_related("content_type")
    names = set(wanted)
    return [one for one in known if f"{one.content_type.app_label}.{one.codename}" in names]
