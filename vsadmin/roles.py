"""The three groups that a panel begins with, and the rights of each. What people make of them later is theirs."""

from collections.abc import Iterable
from typing import Any

from django.apps import apps as installed_apps
from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions

VIEWER, OPERATOR, ADMINISTRATOR = "Viewer", "Operator", "Administrator"

_SEES = frozenset(
    {
        "mods.view_gameserver",
        "mods.view_installedmod",
        "mods.view_mod",
        "mods.view_refreshrun",
        "mods.view_operation",
        "mods.view_keptcopy",
        "mods.view_serverstart",
        "mods.view_crash",
        "cache.view_cacheentry",
        "cache.view_knowndigest",
        "jobs.view_jobrun",
        "events.view_event",
        "stored.view_storedsetting",
    }
)
#: Everyday work. Updating is rolling back too.
_OPERATES = frozenset(
    {
        "mods.refresh_mod",
        "mods.scan_gameserver",
        "mods.install_installedmod",
        "mods.update_installedmod",
        "mods.toggle_installedmod",
        "mods.hold_installedmod",
        "mods.dismiss_crash",
        "cache.evict_cacheentry",
    }
)
#: What can't be taken back, and whoever may come in.
_ADMINISTERS = frozenset(
    {
        "mods.remove_installedmod",
        "mods.delete_keptcopy",
        "mods.add_gameserver",
        "mods.change_gameserver",
        "mods.delete_gameserver",
        "cache.clear_cacheentry",
        "cache.decide_knowndigest",
        "stored.change_storedsetting",
        "events.view_target",
        "events.add_target",
        "events.change_target",
        "events.delete_target",
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "auth.delete_user",
        "auth.view_group",
        "auth.add_group",
        "auth.change_group",
        "auth.delete_group",
    }
)

#: Every right that some page asks for, by the group that has it: each has those of the one before.
TABLE: dict[str, frozenset[str]] = {
    VIEWER: _SEES,
    OPERATOR: _SEES | _OPERATES,
    ADMINISTRATOR: _SEES | _OPERATES | _ADMINISTERS,
}


def make_groups(apps: Apps, alias: str) -> list[str]:
    """Make those that aren't there yet; returns their names.

    A group that has the name already is somebody's own and stays as it is. `apps` may be a migration's: of its rights
    those that it knows are given, so a migration that brings a new right gives it itself (`give`).
    """
    groups = apps.get_model("auth", "Group")._default_manager.using(alias)
    there = set(groups.filter(name__in=TABLE).values_list("name", flat=True))
    missing = [name for name in TABLE if name not in there]
    if missing:
        _make_rights(apps, alias)
    for name in missing:
        groups.create(name=name).permissions.set(_rights(apps, alias, TABLE[name]))
    return missing


def give(apps: Apps, alias: str, name: str, rights: Iterable[str]) -> None:
    """For migrations that bring new rights: give them to that group, where nobody renamed or deleted it."""
    _make_rights(apps, alias)
    for group in apps.get_model("auth", "Group")._default_manager.using(alias).filter(name=name):
        group.permissions.add(*_rights(apps, alias, rights))


def _make_rights(apps: Apps, alias: str) -> None:
    """Django makes them after all migrations, which is too late for a migration."""
    for label in sorted({right.partition(".")[0] for rights in TABLE.values() for right in rights}):
        create_permissions(installed_apps.get_app_config(label), verbosity=0, using=alias, apps=apps)


def _rights(apps: Apps, alias: str, wanted: Iterable[str]) -> list[Any]:
    known = apps.get_model("auth", "Permission")._default_manager.using(alias).select_related("content_type")
    names = set(wanted)
    return [one for one in known if f"{one.content_type.app_label}.{one.codename}" in names]
