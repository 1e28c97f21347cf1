"""Fixtures for all tests: made-up server folders, mod files, the loopback mod database, captured log events."""

import io
import json
import logging
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Group
from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

from demo.moddb import ModDatabase
from vsadmin import roles
from vsadmin.lib import conf
from vsadmin.lib.stored import store

#: What migrations made and no test changes for good.
_KEPT_TABLES = {
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
}


def _empty_tables(self: TransactionTestCase) -> None:
    """Empty the tables after a transactional test, except for what migrations made.

    Django's own way fills them anew after each such test, which takes longer than most of the tests.
    """
    tables = [name for name in connection.introspection.django_table_names() if name not in _KEPT_TABLES]
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables))
    Group.objects.exclude(name__in=roles.TABLE).delete()


TransactionTestCase._fixture_teardown = _empty_tables  # type: ignore[attr-defined]  # Django's own hook


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: some tests mostly wait for a process or a browser."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those that wait for processes and browsers begin first, so that no long one is waited for alone at the end; and
    they have more time than pyproject.toml gives the others."""

    def waits(item: pytest.Item) -> bool:
        return any(item.get_closest_marker(name) for name in ("cluster", "browser"))

    items.sort(key=lambda item: not waits(item))
    for item in filter(waits, items):
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session", autouse=True)
def _nothing_stored() -> Iterator[None]:
    """Settings are the environment's and the defaults, without a query: what is stored is for `stored_settings`."""
    conf.use_store()
    yield
    conf.use_store(store.text)


@pytest.fixture
def stored_settings(_nothing_stored: None) -> Iterator[None]:
    """What is stored counts, as everywhere outside of tests; this process knows nothing of it yet."""
    store.clear()
    conf.use_store(store.text)
    yield
    conf.use_store()
    store.clear()


class ServerDir:
    """A made-up server's data folder in a temporary place."""

    def __init__(self, path: Path, game_version: str = "1.21.5") -> None:
        self.path = path
        self.mods = path / "Mods"
        self.mods.mkdir(parents=True)
        (path / "Logs").mkdir()
        (path / "serverconfig.json").write_text("{}")
        if game_version:
            self.log(f"1.2.2026 20:00:00 [Notification] Game Version: v{game_version} (Stable)\n")

    def log(self, text: str) -> None:
        (self.path / "Logs" / "server-main.log").write_text(text)

    def configure(self, **config: Any) -> None:
        (self.path / "serverconfig.json").write_text(json.dumps(config))

    def add_zip(self, file_name: str, /, *, folder: Path | None = None, **modinfo: Any) -> Path:
        """A zip with that modinfo.json; `type`, `name` and `version` have defaults."""
        path = (folder or self.mods) / file_name
        path.write_bytes(
            zip_of({"type": "content", "name": modinfo.get("modid", "Some mod"), "version": "1.0.0", **modinfo})
        )
        return path


def zip_of(modinfo: dict[str, Any]) -> bytes:
    """A mod's zip."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("modinfo.json", json.dumps(modinfo))
        archive.writestr("assets/readme.txt", "made up")
    return file.getvalue()


@pytest.fixture
def server_dir(tmp_path: Path) -> Callable[..., ServerDir]:
    """Makes server folders: `server_dir("public", game_version="1.21.5")`."""

    def make(name: str = "public", game_version: str = "1.21.5") -> ServerDir:
        return ServerDir(tmp_path / name / "data", game_version)

    return make


@pytest.fixture
def mod_database(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModDatabase]:
    """A mod database on loopback that the settings point at."""
    database = ModDatabase()
    with database.serve() as url:
        monkeypatch.setenv("VS_MODDB_URL", url)
        yield database


@pytest.fixture
def process_env(transactional_db: None, tmp_path: Path) -> dict[str, str]:
    """The environment with which a process of ours works on this test's database, in a data folder of its own."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        url = f"sqlite:///{database['NAME']}"
    else:
        user = (
            f"{database['USER']}:{quote(database['PASSWORD'], safe='')}" if database["PASSWORD"] else database["USER"]
        )
        url = f"postgres://{user}@{quote(database['HOST'], safe='')}:{database['PORT']}/{database['NAME']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
        "DATABASE_URL": url,
        "VSADMIN_DATA_DIR": str(tmp_path / "state"),
        "PYTHONUNBUFFERED": "1",
    }


def eventually(condition: Callable[[], Any], *, within: float = 60) -> Any:
    """Wait until `condition` gives something true, and return it; fail after `within` seconds."""
    deadline = time.monotonic() + within
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s: {condition}")
        time.sleep(0.05)
    return found


class Events(logging.Handler):
    """The log's events, as the dictionaries they were written from."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[dict[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, dict):
            self.all.append(record.msg)
        elif isinstance(record.msg, list):  # told together
            self.all += record.msg

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.all if event["event"] == name]


@pytest.fixture
def events() -> Iterator[Events]:
    handler = Events()
    logger = logging.getLogger("vsadmin.events")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
