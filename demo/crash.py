"""Lets a server of the running demo crash, as if the mod that was changed last were to blame:

    python -m demo.crash FOLDER

FOLDER is the server's data folder, which stands on its page in the panel. The server seems to have been started a few
seconds ago and to have crashed since, as its two logs tell; the next scan finds it ("Scan now"), and the overview leads
with it. To have something to put back, update a mod of the server first.
"""

import argparse
import json
import os
import sys
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

from demo import throwaway

_RAN = timedelta(seconds=2)
#: How long ago it crashed: vsadmin leaves the last entry of a log to rest for two seconds before it reads it.
_AGO = timedelta(seconds=3)


class NoDemo(Exception):
    """The folder isn't a server of a demo; the text says so."""


def crash(place: Path, now: datetime) -> str:
    """Write the logs of a start and a crash just before `now` (aware); returns the mod that is blamed, id@version.

    Raises NoDemo for any folder but that of a demo's server: nothing is written there. Raises OSError.
    """
    if not throwaway.is_demo(place.parent.parent) or not (place / "Mods").is_dir():
        raise NoDemo(f"{place} is no server of a running demo. Its data folder stands on its page in the panel.")
    mods = sorted((place / "Mods").glob("*.zip"), key=lambda path: path.stat().st_mtime_ns)
    named = [name for name in (_named(path) for path in mods) if name]
    if not named:
        raise NoDemo(f"{place} has no mods that could be to blame.")
    crashed = now.astimezone() - _AGO
    started = crashed - _RAN
    version = _game_version(place)
    (place / "Logs" / "server-main.log").write_text(
        f"{_stamp(started)} [Notification] Server logger started.\n"
        f"{_stamp(started)} [Notification] Game Version: v{version} (Stable)\n"
        f"{_stamp(crashed)} [Fatal] Critical error occurred in the following mod: {named[-1]}\n",
        encoding="utf-8",
    )
    namespace = named[-1].partition("@")[0].title()
    once = {name.partition("@")[0]: name for name in sorted(named)}  # of several versions the game loads the highest
    loaded = ", ".join((*once.values(), f"game@{version}", f"creative@{version}", f"survival@{version}"))
    path = place / "Logs" / "server-crash.log"
    with path.open("a", encoding="utf-8") as log:
        log.write(
            f"Running on 64 bit Linux 6.6.0 with 32000 MB RAM\nGame Version: v{version} (Stable)\n"
            f"{_stamp(crashed)}: Critical error occurred in the following mod: {named[-1]}\n"
            f"Loaded Mods: {loaded}\n"
            "System.NullReferenceException: Object reference not set to an instance of an object.\n"
            f"   at {namespace}.Server.NightWatch.OnServerTick(Single dt) in /srv/demo/{namespace}/Night.cs:line 88\n"
            "   at Vintagestory.Server.ServerMain.Process()\n"
        )
    os.utime(path, (crashed.timestamp(), crashed.timestamp()))
    return named[-1]


def _stamp(moment: datetime) -> str:
    return f"{moment:%-d.%-m.%Y %H:%M:%S}"


def _named(path: Path) -> str:
    """id@version of a mod file; "" where it can't be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            info = json.loads(archive.read("modinfo.json"))
        return f"{info['modid']}@{info['version']}"
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return ""


def _game_version(place: Path) -> str:
    text = (place / "Logs" / "server-main.log").read_text(encoding="utf-8", errors="replace")
    return text.partition("Game Version: v")[2].partition(" ")[0][:20] or "1.21.5"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m demo.crash", description="Lets a server of the demo crash.")
    parser.add_argument("folder", type=Path, help="its data folder, as its page in the panel names it")
    options = parser.parse_args()
    try:
        blamed = crash(options.folder.resolve(), datetime.now().astimezone())
    except (NoDemo, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"It crashed, and names {blamed}. Scan it in the panel.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
