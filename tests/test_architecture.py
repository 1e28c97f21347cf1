"""The house's arrows point down: who may import whom, and no circles between files."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("vsadmin", "mods", "cache", "events", "demo")


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name, tests and migrations aside."""
    found = {}
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            place = path.relative_to(ROOT)
            if "tests" in place.parts or "migrations" in place.parts:
                continue
            name = ".".join(place.with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports(name: str, path: Path, *, known: set[str]) -> Iterator[str]:
    """The modules of ours that a module imports when it is loaded or later."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                target = whole if whole in known else node.module
                if target in known and target != name:
                    yield target


def layer(name: str) -> str:
    return "vsadmin.lib" if name.startswith("vsadmin.lib") else name.split(".")[0]


def test_migrations_run_nothing_that_is_edited_later() -> None:
    """What was landed does the same for ever: of ours a migration imports what migrations alone have, and only that."""
    known = set(modules())
    for path in ROOT.glob("*/**/migrations/*.py"):
        if ".venv" not in path.parts:
            assert not set(imports("", path, known=known)), path


MAY_IMPORT = {
    "vsadmin.lib": {"vsadmin.lib"},
    "cache": {"cache", "vsadmin.lib"},
    "events": {"events", "vsadmin.lib"},
    "mods": {"mods", "cache", "events", "vsadmin.lib"},
    "vsadmin": {"vsadmin", "mods", "cache", "events", "vsadmin.lib"},
    "demo": {"demo"},
}


@cache
def graph() -> dict[str, set[str]]:
    found = modules()
    return {name: set(imports(name, path, known=set(found))) for name, path in found.items()}


@pytest.mark.parametrize("name", sorted(modules()))
def test_arrows_point_down(name: str) -> None:
    allowed = MAY_IMPORT[layer(name)]
    wrong = {target for target in graph()[name] if layer(target) not in allowed}
    assert not wrong, f"{name} imports {sorted(wrong)}"


def test_there_are_no_circles_between_files() -> None:
    arrows = graph()
    done: set[str] = set()

    def walk(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name in done:
            return
        for target in arrows[name]:
            walk(target, (*trail, name))
        done.add(name)

    for name in arrows:
        walk(name, ())
