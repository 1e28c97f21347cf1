"""What the tests of events and notifications share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from events import record as recording
from events.kinds import Kind
from events.models import Target

MakeTarget = Callable[..., Target]


@pytest.fixture(autouse=True)
def _own_locks(settings: Settings, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the worker was asked for."""
    paths: list[str] = []
    monkeypatch.setattr(recording, "async_task", lambda path, **_options: paths.append(path))
    return paths


@pytest.fixture
def target(asked: list[str], monkeypatch: pytest.MonkeyPatch) -> MakeTarget:
    """Makes targets that want every event; private addresses are allowed, and the worker is asked for nothing."""
    monkeypatch.setenv("VSADMIN_ALLOW_PRIVATE_WEBHOOKS", "on")

    def make(address: str, form: str = "webhook", **fields: Any) -> Target:
        wanted = {"name": f"Target {Target.objects.count() + 1}", "kinds": list(Kind.values), **fields}
        return Target.objects.create(address=address, form=form, **wanted)

    return make
