"""The project's neighbour folder of real inputs, where there is one."""

import json
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FIXTURES = Path(__file__).parent / "fixtures"

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the real inputs of ../shared/data aren't here")


def rows(folder: Path) -> list[dict[str, Any]]:
    """What is expected of each file; none where the folder is missing."""
    path = folder / "EXPECTED.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
