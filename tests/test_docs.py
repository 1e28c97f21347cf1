"""What README.md and docs/ say is so: settings and their defaults, commands, links, and messages that are explained."""

import argparse
import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from demo.screenshots import SHOTS
from vsadmin import checks  # declares every setting, as each start does
from vsadmin.lib import conf

assert checks  # imported for what it declares
HOME = Path(__file__).resolve().parents[1]
README = HOME / "README.md"
TROUBLESHOOTING = HOME / "docs" / "troubleshooting.md"
PAGES = sorted([*HOME.glob("*.md"), *HOME.glob("docs/*.md")])
OURS = ("vsadmin", "mods", "cache", "events")
#: Read by settings.py itself, and what happens without them.
_NOT_DECLARED = {
    "DATABASE_URL": "SQLite in the data folder",
    "ALLOWED_HOSTS": "this machine",
    "CSRF_TRUSTED_ORIGINS": "none",
    "EMAIL_URL": "nothing is sent",
    "SECRET_KEY": "made at first start",
}
#: Where the default is no text that one would write down.
_IN_WORDS = {
    "VSADMIN_ADMIN_PASSWORD": "random",
    "VSADMIN_TRUSTED_PROXIES": "this machine",
    "DEFAULT_FROM_EMAIL": "the user of `EMAIL_URL`",
}


def rows(text: str) -> Iterator[list[str]]:
    """The cells of each table's rows."""
    for line in text.splitlines():
        if line.startswith("| ") and line.endswith("|"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


# --- settings


def default_in_words(setting: conf.Setting[object]) -> str:
    if setting.name in _IN_WORDS:
        return _IN_WORDS[setting.name]
    match setting.default:
        case bool(on):
            return "on" if on else "off"
        case None | "":
            return "unset"
        case tuple(several):
            return f"`{','.join(map(str, several))}`"
        case Path() as path:
            return f"`./{path.relative_to(settings.BASE_DIR)}`"
        case other:
            return f"`{other}`"


def test_the_table_of_settings_names_every_setting_with_its_default() -> None:
    written: dict[str, str] = {}
    for cells in rows(README.read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]):
        names = re.findall(r"`([A-Z_]+)`", cells[0])
        if not names:
            continue
        defaults = cells[1].split(", ") if len(names) > 1 else [cells[1]]
        written |= dict(zip(names, defaults, strict=True))
    declared = {name: default_in_words(setting) for name, setting in conf._declared.items()}
    assert written == declared | _NOT_DECLARED


def test_the_example_of_settings_has_every_setting() -> None:
    named = set(re.findall(r"^#([A-Z_]+)=", (HOME / ".env.example").read_text(), re.MULTILINE))
    assert named == conf._declared.keys() | _NOT_DECLARED.keys()


# --- commands


def own_commands() -> set[str]:
    """The commands that a person may want: `up`, `qcluster` and `service` are also started by other names."""
    return {name for name, app in get_commands().items() if str(app).startswith(OURS)}


def parser_of(name: str) -> argparse.ArgumentParser:
    app = get_commands()[name]
    command = app if isinstance(app, BaseCommand) else load_command_class(app, name)
    return command.create_parser("manage.py", name)


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(HOME)))
def test_commands_in_the_documents_exist(document: Path) -> None:
    text = document.read_text()
    for name in re.findall(r"run\.sh manage ([a-z_]+)", text):
        assert name == "help" or name in get_commands(), name
    offered = set(re.findall(r"^    ([a-z |-]+)\)", (HOME / "run.sh").read_text(), re.MULTILINE))
    verbs = {verb.strip() for line in offered for verb in line.split("|")}
    for verb in re.findall(r"\./run\.sh ([a-z]+)\b", text):
        assert verb in verbs, verb


def test_every_command_is_described_with_options_that_it_has() -> None:
    described: set[str] = set()
    for cells in rows((HOME / "docs" / "commands.md").read_text()):
        for usage in re.findall(r"`([a-z_]+[^`]*)`", cells[0]):
            name, *words = usage.split(" ")
            described.add(name)
            known = {option for action in parser_of(name)._actions for option in action.option_strings}
            for option in re.findall(r"--[a-z-]+", " ".join(words)):
                assert option in known, f"{name} {option}"
    assert own_commands() - described == {"up"}


# --- links


def anchors(page: Path) -> set[str]:
    """Of headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(HOME)))
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    text = document.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text):
        if target.startswith(("https://", "http://")):
            continue
        path, _, anchor = unquote(target).partition("#")
        found = (document.parent / path) if path else document
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target
    for path in re.findall(r"`((?:docs|tests|benchmarks|demo)/[\w./]+\.\w+)`", text):
        assert (HOME / path).exists(), path


def test_the_files_that_the_architecture_names_are_there() -> None:
    there = {path.name for name in (*OURS, "demo", "tests") for path in (HOME / name).rglob("*.*")}
    there |= {path.name for path in HOME.glob("*.*")}
    named = re.findall(r"`(?:\w+/)*(\w+\.(?:py|sh|txt))`", (HOME / "docs" / "architecture.md").read_text())
    assert len(named) > 100
    assert set(named) <= there


def test_the_pictures_are_those_of_the_script_all_shown_and_small() -> None:
    pictures = list(HOME.glob("docs/**/*.png"))
    assert {picture.relative_to(HOME / "docs").as_posix() for picture in pictures} == {
        f"screenshots/{shot.name}.png" for shot in SHOTS
    }
    shown = README.read_text()
    for picture in pictures:
        assert picture.relative_to(HOME).as_posix() in shown
        assert picture.stat().st_size < 300_000, picture.name


# --- messages

#: Stands for what a message is filled in with.
GAP = "\0"
_GAPS = re.compile("[\0…]+")
_CHECK = re.compile(r"vsadmin\.[EW]\d{3}")
_PLACEHOLDERS = re.compile(r"%\(\w+\)[-.\d]*[a-z]|%[-.\d]*[sdrf]|\{\w*\}|\{\{ .*? \}\}|\$\(.*?\)|\$\w+")


def python_texts(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
            yield _PLACEHOLDERS.sub(GAP, node.value)


@cache
def texts() -> tuple[str, ...]:
    """Every text of the code that could be shown to somebody."""
    found: list[str] = []
    for folder in OURS:
        for path in (HOME / folder).rglob("*.py"):
            if not {"tests", "migrations"} & set(path.relative_to(HOME).parts):
                found += python_texts(path)
    for path in (HOME / "templates").rglob("*.html"):
        found.append(_PLACEHOLDERS.sub(GAP, path.read_text()))
    # A line of run.sh that goes on in the next is one message in several texts.
    found += [
        _PLACEHOLDERS.sub(GAP, text) for text in re.findall(r'"((?:[^"\\]|\\.)+)"', (HOME / "run.sh").read_text())
    ]
    return tuple(_GAPS.sub(GAP, text) for text in found)


def explained() -> list[str]:
    cells = [row[0] for row in rows(TROUBLESHOOTING.read_text())]
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


def test_every_explained_message_is_one_of_the_code() -> None:
    messages = [message for message in explained() if not _CHECK.fullmatch(message)]
    assert len(messages) > 150
    stale = []
    for message in messages:
        wanted = _GAPS.sub(GAP, message).strip(GAP)  # at either end the words may go on
        if len(re.sub(r"\W", "", wanted)) < 5 or not any(wanted in text for text in texts()):
            stale.append(message)
    assert not stale


def test_every_check_is_explained() -> None:
    raised = {text for text in texts() if _CHECK.fullmatch(text)}
    assert raised
    assert raised == {message for message in explained() if _CHECK.fullmatch(message)}
