"""A folder that a person names as a server's: what it holds, or why it can't serve and what mends that.

Only who may add servers is told, and nothing is told that adding would not tell.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import discovery, serverdir
from mods.models import GameServer
from vsadmin.lib import demo


@dataclass(frozen=True)
class Look:
    """What is said of a folder. `problem`: why it can't serve; else `found`, and `known`: the server that has it."""

    found: str = ""
    known: GameServer | None = None
    problem: serverdir.Unusable | None = None


def look(text: str, *, but: int = 0) -> Look | None:
    """What is at the path that was typed; None where nothing was. `but`: the key of the server whose page asks."""
    if not text.strip():
        return None
    try:
        place = usable_path(text)
        found = in_words(read(place))
    except serverdir.Unusable as error:
        return Look(problem=error)
    return Look(found, GameServer.objects.exclude(pk=but).filter(data_dir=str(place)).first())


def usable_path(text: str) -> Path:
    """The folder that a person typed, `~` resolved. Raises `serverdir.Unusable` where it isn't a whole path."""
    try:
        place = Path(os.path.normpath(Path(text.strip()).expanduser()))
        usable = place.is_absolute() and "\0" not in text
    except (RuntimeError, ValueError):
        usable = False
    if not usable:
        raise serverdir.Unusable(_("Write the whole path, beginning with / (or ~ for your home folder)."))
    return place


def read(place: Path) -> serverdir.ServerFolder:
    """What the data folder holds. Raises `serverdir.Unusable`."""
    own = demo.folder()
    if own is not None and not Path(os.path.realpath(place)).is_relative_to(own):
        raise serverdir.Unusable(
            _("A demo looks at nothing of this machine but its own made-up servers."),
            _("They are below %s. In your own vsadmin this is where you name your server's data folder.")
            % (own / "servers"),
        )
    return serverdir.read(place)


def in_words(folder: serverdir.ServerFolder) -> str:
    """What a data folder holds, in one sentence."""
    count = serverdir.count_mods(folder)
    mods = ngettext("%d mod", "%d mods", count) % count
    if folder.game_version:
        return _("game version %(version)s, %(mods)s") % {"version": folder.game_version, "mods": mods}
    return _("game version unknown yet, %s") % mods


def suggestions() -> list[discovery.Found]:
    """Data folders found on this machine; in a demo its own."""
    own = demo.folder()
    return discovery.find() if own is None else discovery.among(sorted((own / "servers").glob("*")))
