from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from vsadmin.migrations import _rights

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
_TABLE = {
    "Viewer": _SEES,
    "Operator": _SEES | _OPERATES,
    "Administrator": _SEES | _OPERATES | _ADMINISTERS,
}


def make_groups(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    _rights.make_groups(apps, schema_editor.connection.alias, _TABLE)


class Migration(migrations.Migration):
    """The groups Viewer, Operator and Administrator. Undoing it leaves them: people may be in them."""

    dependencies = [
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("cache", "0002_decide_about_alarms"),
        ("jobs", "0001_initial"),
        ("mods", "0003_catalogue"),
    ]

    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
