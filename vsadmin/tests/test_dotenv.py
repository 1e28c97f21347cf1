"""The file .env beside manage.py: read, or said to be unreadable."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the code that settings need, so that a `.env` can lie beside manage.py."""
    for name in ("vsadmin", "mods", "cache", "events"):
        shutil.copytree(
            settings.BASE_DIR / name, tmp_path / name, ignore=shutil.ignore_patterns("tests", "__pycache__")
        )
    shutil.copy(settings.BASE_DIR / "manage.py", tmp_path)
    for name in ("static", "templates"):
        (tmp_path / name).mkdir()
    return tmp_path


def check(checkout: Path) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VS", "DJANGO_", "DATABASE_"))}
    return subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=checkout, env=env, capture_output=True, text=True, timeout=60
    )


def test_it_is_read_and_its_mistakes_are_explained(checkout: Path) -> None:
    (checkout / ".env").write_text("VS_MOD_LIST_REFRESH_INTERVAL=-5\n")
    done = check(checkout)
    assert done.returncode == 1
    assert "VS_MOD_LIST_REFRESH_INTERVAL is '-5': it can't be negative." in done.stderr
    assert "or 0 to switch the refresh off" in done.stderr


def test_one_that_is_no_text_is_said_to_be(checkout: Path) -> None:
    (checkout / ".env").write_bytes(b"\xff\xfe")
    done = check(checkout)
    assert done.returncode == 1
    assert "vsadmin.E006" in done.stderr
    assert "Save it as UTF-8" in done.stderr
    assert "Traceback" not in done.stderr
