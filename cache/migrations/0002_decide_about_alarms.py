from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("cache", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(
            name="knowndigest",
            options={
                "default_permissions": ("view",),
                "permissions": [("decide_knowndigest", "Can decide about changed files (alarms)")],
                "verbose_name": "known file",
                "verbose_name_plural": "known files",
            },
        ),
    ]
