"""Fixtures for the tests of changes."""

from collections.abc import Callable

import pytest

from conftest import ServerDir
from demo.moddb import ModDatabase
from mods.tests.crashing import Crashing
from mods.tests.planned import Stage


@pytest.fixture
def stage(server_dir: Callable[..., ServerDir], mod_database: ModDatabase) -> Stage:
    """A server of game version 1.21.5 and a mod database, to make plans in."""
    return Stage(server_dir(game_version="1.21.5"), mod_database)


@pytest.fixture
def crashing(server_dir: Callable[..., ServerDir], monkeypatch: pytest.MonkeyPatch) -> Crashing:
    """A server with deepmining and other, looked at as time goes by."""
    return Crashing(server_dir(), monkeypatch)
