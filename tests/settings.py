"""Settings of the test suite: a data folder of its own for each process, no `.env`, no real mod database."""

import atexit
import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

_folder = Path(tempfile.mkdtemp(prefix="vsadmin-tests-"))
_owner = os.getpid()


def _sweep() -> None:
    if os.getpid() == _owner:  # not in processes forked by a test
        shutil.rmtree(_folder, ignore_errors=True)


atexit.register(_sweep)

for _name in list(os.environ):
    if _name.startswith(("VS_", "VSADMIN_")) and _name != "VSADMIN_BROWSER_TESTS":
        del os.environ[_name]
os.environ["VSADMIN_IGNORE_DOTENV"] = "1"
os.environ["VSADMIN_DATA_DIR"] = str(_folder)
os.environ["VS_MODDB_URL"] = "http://127.0.0.1:9"  # nothing answers there

from vsadmin.settings import *  # noqa: E402, F403  # only now that the environment is the tests' own
from vsadmin.settings import DATABASES, STATICFILES_DIRS  # noqa: E402

(_folder / "tmp" / "static").mkdir(parents=True)
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(_folder / "test.sqlite3")}
    # No test cuts the power: waiting for the disk at each commit would only make the suite slow.
    DATABASES["default"]["OPTIONS"]["init_command"] += " PRAGMA synchronous=OFF;"

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
# For the browser tests: axe from the panel's own address, which is the only one that its pages may load from.
if _axe := importlib.util.find_spec("axe_playwright_python"):
    STATICFILES_DIRS.append(("axe", str(Path(str(_axe.origin)).parent)))  # type: ignore[arg-type]  # a prefix is allowed
