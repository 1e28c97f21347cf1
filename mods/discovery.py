"""Finds servers' data folders on this machine: those that running servers use, and those in the usual places."""

import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import serverdir

#: Where guides, packages, container images and hosting panels put the data folder; `~` is each user's home.
USUAL_PLACES = (
    "~/.config/VintagestoryData",
    "~/VintagestoryData",
    "~/vintagestory/data",
    "~/vintagestory/VintagestoryData",
    "~/server/data",
    "~/serverfiles/data",
    "/var/vintagestory/data",
    "/var/lib/vintagestory*",
    "/var/lib/vintagestory*/data",
    "/var/games/vintagestory*",
    "/srv/gameserver/data/vs",
    "/srv/vintagestory*",
    "/srv/vintagestory*/data",
    "/opt/vintagestory*/data",
    "/opt/vintagestory*/VintagestoryData",
    "/home/vintagestory/data",
    "/gamedata/vs",
    "/data/vintagestory*",
    "/vintagestory/data",
    "/var/lib/pterodactyl/volumes/*/data",
    "/var/lib/pelican/volumes/*/data",
    "/var/lib/docker/volumes/*/_data",
)

_SERVER_PROGRAM = "vintagestoryserver"
_DATA_PATH = "--datapath"
# A machine may have many of each; looking must stay quick.
_MAX_PER_PLACE = 50
_MAX_CMDLINE = 64 * 1024


@dataclass(frozen=True)
class Found:
    """A data folder: what is in it, or why it can't be read and the step, perhaps a command, that mends it."""

    path: Path
    running: bool = False
    game_version: str = ""
    mods: int = 0
    problem: str = ""
    remedy: str = ""
    command: str = ""

    def __str__(self) -> str:
        if self.problem:
            return " ".join(filter(None, (f"{self.path}:", self.problem, self.remedy, self.command)))
        game = _("game %s") % self.game_version if self.game_version else _("game version unknown")
        count = ngettext("%d mod", "%d mods", self.mods) % self.mods
        state = " · " + _("running now") if self.running else ""
        return f"{self.path}: {game} · {count}{state}"


def find(root: Path = Path("/")) -> list[Found]:
    """The data folders found below `root`, running servers' first, each once. Never raises."""
    return _each_once(_candidates(root))


def among(places: Iterable[Path]) -> list[Found]:
    """Those of these folders that are data folders. Never raises."""
    return _each_once((place, False) for place in places)


def _each_once(candidates: Iterable[tuple[Path, bool]]) -> list[Found]:
    found: list[Found] = []
    seen: set[str] = set()
    for path, running in candidates:
        try:
            real = os.path.realpath(path)
            if real in seen:
                continue
            seen.add(real)
            if (one := _look(path, running=running)) is not None:
                found.append(one)
        except Exception:  # noqa: BLE001, S112  # whatever lies there: it is a suggestion less
            continue
    return found


def _candidates(root: Path) -> Iterator[tuple[Path, bool]]:
    for path in _running(root / "proc"):
        yield path, True
    homes = [Path(os.path.expanduser("~")), root / "root"] if root == Path("/") else []  # noqa: PTH111  # it may not raise
    homes += _matching(root, "home/*")
    for place in USUAL_PLACES:
        if place.startswith("~/"):
            for home in homes:
                yield home / place[2:], False
        else:
            for path in _matching(root, place.lstrip("/")):
                yield path, False


def _matching(root: Path, pattern: str) -> list[Path]:
    try:
        return list(islice(root.glob(pattern), _MAX_PER_PLACE))
    except OSError:
        return []


def _look(path: Path, *, running: bool) -> Found | None:
    """What the folder is; None where it is nothing to a person who looks for servers."""
    try:
        folder = serverdir.read(path)
    except serverdir.Unusable as unusable:
        if running or _is_closed_server(path):
            return Found(path, running, problem=unusable.text, remedy=unusable.remedy, command=unusable.command)
        return None
    return Found(path, running, folder.game_version, serverdir.count_mods(folder))


def _is_closed_server(path: Path) -> bool:
    """Whether the folder is there but may not be read, and is named as a server's."""
    return "vintagestory" in str(path).lower() and path.is_dir() and not os.access(path, os.R_OK | os.X_OK)


# --- running servers ------------------------------------------------------------------------------


def _running(proc: Path) -> Iterator[Path]:
    """The data folders of running servers, as far as their command lines may be read."""
    try:
        processes = [entry for entry in proc.iterdir() if entry.name.isdigit()]
    except OSError:
        return
    for process in processes:
        try:
            with (process / "cmdline").open("rb") as file:
                arguments = os.fsdecode(file.read(_MAX_CMDLINE)).split("\0")
            path = _data_path(arguments, process)
            # A path that isn't there is one of a container.
            if path is not None and _may_exist(path):
                yield path
        except (OSError, ValueError, KeyError):
            continue


def _data_path(arguments: list[str], process: Path) -> Path | None:
    """The data folder of a server's command line, None where it isn't a server's."""
    if not any(_is_server(argument) for argument in arguments):
        return None
    for position, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name.lower() != _DATA_PATH:
            continue
        if not equals:
            value = arguments[position + 1] if position + 1 < len(arguments) else ""
        if value:
            path = Path(value.strip('"'))
            return path if path.is_absolute() else Path((process / "cwd").readlink(), path)
    if any(_is_server(argument) for argument in arguments[:2]):
        home = pwd.getpwuid(process.stat().st_uid).pw_dir
        return Path(home, ".config", "VintagestoryData")
    return None


def _is_server(argument: str) -> bool:
    name = argument.replace("\\", "/").rpartition("/")[2].lower()
    return name in {_SERVER_PROGRAM, f"{_SERVER_PROGRAM}.dll", f"{_SERVER_PROGRAM}.exe"}


def _may_exist(path: Path) -> bool:
    try:
        path.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return True
