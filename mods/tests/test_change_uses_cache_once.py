"""One change uses each file of the cache once, however often it needs it."""

from pathlib import Path
from typing import Any

import pytest

from cache import counters
from mods import operations
from mods.models import Operation
from mods.tests.planned import Stage

pytestmark = pytest.mark.django_db(transaction=True)


def carry_out(stage: Stage, kind: str, *targets: str) -> None:
    operation = operations.plan(stage.ask(kind, *targets))
    operations.confirm(operation)
    assert operations.run(operation.pk).state == Operation.State.DONE


def test_new_mods_are_downloaded_and_a_reinstalled_one_is_not(settings: Any, stage: Stage, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "state"
    made = {name: stage.release(name, "1.0.0") for name in ("one", "two", "three", "four")}
    stage.ready(read=False)
    carry_out(stage, "install", *made)
    totals = counters.totals()
    assert (totals.hits, totals.misses, totals.saved_bytes) == (0, 4, 0)
    carry_out(stage, "remove", "one")
    carry_out(stage, "install", "one")
    totals = counters.totals()
    assert (totals.hits, totals.misses, totals.saved_bytes) == (1, 4, len(made["one"].content))
