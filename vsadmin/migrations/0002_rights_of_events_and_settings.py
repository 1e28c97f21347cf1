from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from vsadmin.migrations import _rights

_SEES = ("mods.view_serverstart", "mods.view_crash", "events.view_event", "stored.view_storedsetting")
_OPERATES = (*_SEES, "mods.dismiss_crash")
_ADMINISTERS = (
    *_OPERATES,
    "stored.change_storedsetting",
    "events.view_target",
    "events.add_target",
    "events.change_target",
    "events.delete_target",
)


def give_rights(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for name, rights in (("Viewer", _SEES), ("Operator", _OPERATES), ("Administrator", _ADMINISTERS)):
        _rights.give(apps, schema_editor.connection.alias, name, rights)


class Migration(migrations.Migration):
    """The groups learn of crashes, starts, events, notifications and settings. Undoing it leaves them their rights."""

    dependencies = [
        ("vsadmin", "0001_roles"),
        ("events", "0001_initial"),
        ("mods", "0004_crashes_and_game_versions"),
        ("stored", "0001_initial"),
    ]

    operations = [migrations.RunPython(give_rights, migrations.RunPython.noop)]
