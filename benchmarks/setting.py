"""A throw-away vsadmin for benchmarks: a data folder and database of its own, migrated, no `.env`."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path


def set_up() -> Path:
    """Make it, in this process; returns its folder, which is deleted at exit."""
    folder = Path(tempfile.mkdtemp(prefix="vsadmin-benchmark-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in list(os.environ):
        if name.startswith(("VS_", "VSADMIN_")) or name == "DATABASE_URL":
            del os.environ[name]
    os.environ.update(
        DJANGO_SETTINGS_MODULE="vsadmin.settings",
        VSADMIN_IGNORE_DOTENV="1",
        VSADMIN_DATA_DIR=str(folder / "state"),
        VSADMIN_LOG_STREAM="stderr",
        VS_MODDB_URL="http://127.0.0.1:9",  # nothing answers there
        DEBUG="on",  # static files without collecting them first
    )
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    settings.DEBUG = False  # else each query is recorded
    call_command("migrate", verbosity=0)
    return folder
