from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import Q


def forget(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """The next scan opens them again: some were read by rules that were wrong, some couldn't be read for a moment."""
    rows = apps.get_model("mods", "InstalledMod").objects.using(schema_editor.connection.alias)
    rows.filter(~Q(file_problems=[]) | Q(kind="folder", file_name__iendswith=".disabled")).update(fingerprint="")


class Migration(migrations.Migration):
    dependencies = [("mods", "0009_order_of_runs")]

    operations = [migrations.RunPython(forget, migrations.RunPython.noop)]
