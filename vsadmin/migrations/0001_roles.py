from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from vsadmin import roles


def make_groups(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    roles.make_groups(apps, schema_editor.connection.alias)


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
