"""A game server's data folder, read from disk: where its mods are, its game version, what its configuration disables.

How servers lay out their folders is in `docs/architecture.md`, "What servers look like".
"""

import os
import pwd
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypeGuard

from django.utils.translation import gettext as _

from mods import lenient_json, manifest, modset, serverlog, versions
from vsadmin.lib import files

_MAX_CONFIG = 4 * 1024 * 1024
_MAX_COUNTED = 20_000
_MAX_PATH = 900  # characters of an entry of ModPaths
#: Where in a server's folder its data folder may be.
_DATA_FOLDERS = ("", "data", "VintagestoryData")
_VERSION_FILE = re.compile(r"^version-v?(\d{1,4}\.\d{1,4}\.\d{1,4}(?:-[0-9A-Za-z.\-]{1,30})?)\.txt$")
_MOD_ENDINGS = (".zip", ".cs", ".dll")


class Remedy(NamedTuple):
    """What mends something: a sentence that says it, or that introduces the command that does."""

    words: str
    command: str = ""


class Unusable(Exception):
    """The folder can't serve as a server's data folder: `text` says why, `remedy` and `command` what mends it.

    As one text, the command stands at the end on a line of its own.
    """

    def __init__(self, text: str, remedy: str | Remedy = "") -> None:
        super().__init__(text)
        self.text = text
        self.remedy, self.command = remedy if isinstance(remedy, Remedy) else Remedy(remedy)

    def __str__(self) -> str:
        return "\n".join(filter(None, (f"{self.text} {self.remedy}".strip(), self.command)))


@dataclass(frozen=True)
class ServerFolder:
    """What the data folder says of its server."""

    path: Path
    #: The folders in which the server looks for mods, `Mods` first.
    mod_folders: tuple[Path, ...]
    #: Detected game version, "" where nothing tells, and the file it was read from.
    game_version: str
    game_version_source: str
    #: Entries of `WorldConfig.DisabledMods`: `id@version` or bare `id`.
    disabled_mods: tuple[str, ...]
    #: What else a person should know, such as a `ModPaths` entry that isn't a folder. Of `mod_folders` that can't be
    #: listed nothing is said here.
    notes: tuple[str, ...] = field(default=())


def check(path: Path) -> None:
    """Raise `Unusable` unless `path` is a folder that can be read and looks like a server's data folder."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISDIR(mode):
            raise Unusable(
                _("%s is a file, not a folder.") % path,
                _perhaps_its_parent(path) or _("Give the data folder that holds the server's Mods folder."),
            )
        names = {entry.name for entry in os.scandir(path)}
    except FileNotFoundError:
        raise Unusable(
            _("There is no folder %s.") % path,
            _("Check the path; the data folder is what the server is started with as --dataPath."),
        ) from None
    except PermissionError:
        raise Unusable(_("%s can't be read: permission denied.") % path, remedy(path)) from None
    except (OSError, ValueError) as error:
        raise Unusable(
            _("%(path)s can't be read: %(why)s.") % {"path": path, "why": getattr(error, "strerror", None) or error}
        ) from None
    if "Mods" not in names and "serverconfig.json" not in names:
        inside = [name for name in _DATA_FOLDERS[1:] if name in names]
        hint = (
            _("Perhaps it is %s?") % (path / inside[0])
            if inside
            else _perhaps_its_parent(path) or _("Start the server once, so that it makes them.")
        )
        raise Unusable(
            _("%s has neither a Mods folder nor a serverconfig.json: it isn't a server's data folder.") % path,
            hint,
        )


def _perhaps_its_parent(path: Path) -> str:
    """A question for whoever named what a data folder holds instead of the folder; "" if it isn't that."""
    holds = {"mods", "modsbyserver", "modconfig", "logs", "saves", "serverconfig.json"}
    if path.name.lower() not in holds or not (path.parent / "Mods").is_dir():
        return ""
    return _("Perhaps it is %s?") % path.parent


def read(path: Path) -> ServerFolder:
    """Read the data folder. Raises `Unusable` where it isn't one or can't be read."""
    check(path)
    notes: list[str] = []
    config = _config(path, notes)
    game_version, source = _game_version(path)
    return ServerFolder(
        path=path,
        mod_folders=_mod_folders(path, config, notes),
        game_version=game_version,
        game_version_source=source,
        disabled_mods=_disabled_mods(config),
        notes=tuple(notes),
    )


def count_mods(folder: ServerFolder) -> int:
    """How many files and folders in the mod folders look like mods, without opening any.

    Of each folder so many entries are looked at: somebody types its path, and waits.
    """
    found = 0
    for place in folder.mod_folders:
        try:
            with os.scandir(place) as entries:
                looked_at = islice(entries, _MAX_COUNTED)
                found += sum(1 for entry in looked_at if kind_of(entry, is_dir=entry.is_dir()))
        except OSError:
            continue
    return found


def kind_of(entry: os.DirEntry[str], *, is_dir: bool) -> str:
    """The kind of mod that an entry of a mod folder stands for ("zip", "cs", "dll", "folder"), "" for none.

    `.disabled` at the end of a file's name is looked through. The game reads hidden files as well, and every folder;
    hidden folders are other tools' and our own, unless one has a modinfo.json.
    """
    if is_dir:
        is_hidden = entry.name.startswith(".")
        return "folder" if not is_hidden or Path(entry.path, "modinfo.json").is_file() else ""
    ending = os.path.splitext(f"_{modset.bare_name(entry.name)}")[1].lower()
    return ending[1:] if ending in _MOD_ENDINGS else ""


def remedy(path: Path) -> Remedy:
    """How the user running vsadmin is let into a folder that is closed to it."""
    blocked = path
    for parent in reversed(path.parents):
        if parent.is_dir() and not os.access(parent, os.X_OK):
            blocked = parent
            break
    return Remedy(_("Let vsadmin's user in:"), letting_in(blocked, "rX"))


def letting_in(path: Path, rights: str) -> str:
    """The command that gives these rights in a folder to the user running vsadmin, whoever types it."""
    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in a container a user may have a number only
        user = str(os.geteuid())
    return f'sudo setfacl -R -m "u:{user}:{rights}" {_quoted(path)}'


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "'\\''") + "'"


def _config(path: Path, notes: list[str]) -> dict[str, object]:
    """serverconfig.json with lower-case keys at its top, {} where there is none; a note where it can't be read."""
    place = path / "serverconfig.json"
    try:
        raw = files.read_regular(place, _MAX_CONFIG, follow=True)
        if len(raw) > _MAX_CONFIG:
            raise ValueError("too large")
        found = lenient_json.loads(raw.decode("utf-8-sig", "replace"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        notes.append(_("serverconfig.json can't be read, so its ModPaths and DisabledMods aren't known."))
        return {}
    return {str(key).lower(): value for key, value in found.items()} if isinstance(found, dict) else {}


def _mod_folders(path: Path, config: dict[str, object], notes: list[str]) -> tuple[Path, ...]:
    """`Mods` and each of `ModPaths` less the game's own, each once.

    A relative entry is looked up from the data folder; the bare entry `Mods` stands for the game's own folder beside
    the program (docs/architecture.md), which holds the base game alone.
    """
    folders = [path / "Mods"]
    seen = {os.path.realpath(folders[0])}
    given = config.get("modpaths")
    for entry in given if isinstance(given, list) else []:
        if not _is_text(entry) or entry.strip() == "Mods":
            continue
        place = path / manifest.clean(entry.strip(), _MAX_PATH)
        real = os.path.realpath(place)
        try:
            if real in seen or _is_the_games_own(place):
                continue
            if not stat.S_ISDIR(place.stat().st_mode):
                raise NotADirectoryError
        except (FileNotFoundError, PermissionError):
            pass  # perhaps for a while only: it stays among the folders, and who lists them tells of it
        except NotADirectoryError:
            notes.append(_("ModPaths of serverconfig.json names %s, which isn't a folder.") % place)
            continue
        except OSError as error:  # a name that no disk takes
            words = {"folder": place, "why": error.strerror}
            notes.append(_("ModPaths of serverconfig.json names %(folder)s, which can't be read: %(why)s.") % words)
            continue
        seen.add(real)
        folders.append(place)
    return tuple(folders)


def _is_text(entry: object) -> TypeGuard[str]:
    return isinstance(entry, str) and not isinstance(entry, lenient_json.Number) and bool(entry.strip())


def _is_the_games_own(place: Path) -> bool:
    return any((place / name).exists() for name in ("VSEssentials.dll", "VSSurvivalMod.dll", "VSCreativeMod.dll"))


def _disabled_mods(config: dict[str, object]) -> tuple[str, ...]:
    """`WorldConfig.DisabledMods`, also where it stands at the top; null by default."""
    world = config.get("worldconfig")
    places = [config]
    if isinstance(world, dict):
        places.insert(0, {str(key).lower(): value for key, value in world.items()})
    for place in places:
        found = place.get("disabledmods")
        if isinstance(found, list):
            return tuple(manifest.clean(entry, 300) for entry in found if _is_text(entry))
    return ()


def _game_version(path: Path) -> tuple[str, str]:
    """From the server's log, which each start begins anew; else from the version file of the program's folder."""
    log = serverlog.find(path / "Logs")
    if log is not None:
        with suppress(OSError):
            if version := serverlog.game_version(log):
                return version, str(log)
    for place in (path / "assets", path.parent / "assets", *_programs_beside(path)):
        found = _version_files(place)
        if found:
            return max(found, key=lambda one: versions.sort_key(one[0]))
    return "", ""


def _version_files(assets: Path) -> list[tuple[str, str]]:
    """The versions that files in an `assets` folder are named for, each with its path: an update leaves the old one."""
    try:
        names = [name for name in os.listdir(assets) if _VERSION_FILE.match(name)]
    except OSError:
        return []
    return [(match[1], str(assets / name)) for name in names if (match := _VERSION_FILE.match(name))]


def _programs_beside(path: Path) -> list[Path]:
    """The `assets` of the program's folder beside the data folder, if there is no doubt whose it is: there is one such
    folder and no other server. What is closed to us is passed over."""
    found = []
    with suppress(OSError):
        for entry in sorted(path.parent.iterdir()):
            with suppress(OSError):
                if entry == path:
                    continue
                if any((entry / place / "serverconfig.json").exists() for place in _DATA_FOLDERS):
                    return []
                if _version_files(entry / "assets"):
                    found.append(entry / "assets")
    return found if len(found) == 1 else []
