"""What every role gets at every address, compared with `role_matrix.txt`.

After a change that is meant: `WRITE_ROLE_MATRIX=1 .venv/bin/pytest -q tests/test_role_matrix.py`, then read the diff of
that file: it is the change of rights.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.role_matrix import ROLES, World, ask, client_of
from vsadmin import roles

pytestmark = pytest.mark.django_db

STORED = Path(__file__).with_name("role_matrix.txt")
HEAD = f"# What {', '.join(ROLES)} get: see test_role_matrix.py. Written and in the admin log: +; not in it: *"


@pytest.fixture
def world(settings: Settings, tmp_path: Path) -> World:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    (tmp_path / "server" / "Mods").mkdir(parents=True)
    return World(tmp_path / "server")


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Hundreds of refusals are meant."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def stored() -> dict[str, list[str]]:
    """The answers of all roles by what is asked."""
    lines = STORED.read_text().splitlines()[1:] if STORED.exists() else []
    return {line: answers.split() for line, answers in (line.rsplit(" | ", 1) for line in lines)}


def store(role: str, found: dict[str, str]) -> None:
    """Write the role's column; lines that are no more go."""
    before = stored()
    rows = {line: before.get(line, ["?"] * len(ROLES)) for line in found}
    for line, answer in found.items():
        rows[line][ROLES.index(role)] = answer
    text = [line + " | " + " ".join(f"{one:6}" for one in answers).rstrip() for line, answers in rows.items()]
    STORED.write_text("\n".join([HEAD, *text]) + "\n")


@pytest.mark.parametrize("role", ROLES)
def test_every_role_gets_what_is_written(world: World, role: str) -> None:
    client = client_of(role)
    found = {one.line: ask(client, one) for one in world.requests()}
    if os.environ.get("WRITE_ROLE_MATRIX"):
        store(role, found)
    assert found == {line: answers[ROLES.index(role)] for line, answers in stored().items()}


def test_each_right_belongs_to_a_role() -> None:
    """A right that a page asks for and no role has would be a page for superusers alone."""
    from mods import rights

    asked = {value for name, value in vars(rights).items() if name.isupper() and isinstance(value, str)}
    assert asked <= roles.TABLE[roles.ADMINISTRATOR]
