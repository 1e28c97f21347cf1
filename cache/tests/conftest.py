from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_django import Settings

SetLimit = Callable[[int | str], None]


@pytest.fixture(autouse=True)
def data_dir(settings: Settings, tmp_path: Path) -> Path:
    """The tests' own data folder; not made yet."""
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    return tmp_path / "data"


@pytest.fixture
def set_limit(monkeypatch: pytest.MonkeyPatch) -> SetLimit:
    """Sets the limit, in MiB."""
    return lambda mib: monkeypatch.setenv("VS_MOD_CACHE_MAX_SIZE_MB", str(mib))
