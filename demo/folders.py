"""The made-up servers' data folders on disk, with what goes wrong in real ones. Pure: it only writes files."""

import json
import os
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from demo.modfiles import build_mod, build_zip
from demo.world import DemoServer, World

_WEB_PAGE = b"""<!DOCTYPE html>
<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>
"""

_QUIZ = """using Vintagestory.API.Common;
using Vintagestory.API.Server;

[assembly: ModInfo("Arrival Quiz", "arrivalquiz",
    Version = "0.2.0",
    Authors = new[] { "jonna" },
    Description = "Asks newcomers three questions about our rules.",
    Side = "Server")]

public class ArrivalQuiz : ModSystem
{
    public override void StartServerSide(ICoreServerAPI api)
    {
        api.Event.PlayerJoin += player => player.SendMessage(0, "Have you read the rules?", EnumChatType.Notification);
    }
}
"""

#: Not in the mod database, and taken away again in the demo's past.
REMOVED_LATER = "welcomebook"

_PLAYERS = ("Odalys", "Brannoc", "Mirelle", "tinderfoot", "Hesper", "Quillan")


def write(world: World, server: DemoServer, place: Path) -> None:
    """Make the server's data folder at `place`, without a log."""
    mods = place / "Mods"
    for folder in (mods, place / "ModConfig", place / "Logs", place / "Saves"):
        folder.mkdir(parents=True)
    for release in server.releases:
        ending = ".disabled" if release.modid in server.disabled else ""
        (mods / f"{release.file_name}{ending}").write_bytes(release.content)
        if release.mod.side != "client":
            _write_config(place / "ModConfig" / f"{release.modid}.json", str(release.modid))
    _write_serverconfig(server, place)
    if server is world.servers[0]:
        _write_oddities(world, mods)


def write_log(server: DemoServer, place: Path, *, started_at: datetime, last_line_at: datetime) -> None:
    """The main log of a start at `started_at`, begun anew; the server is running still. Times are aware."""
    lines = _Lines(started_at.astimezone())
    off = {entry.partition("@")[0] for entry in server.config_disabled}
    off |= {path.name.partition("_")[0] for path in (place / "Mods").glob("*.disabled")}
    loaded = sorted(str(one.modid) for one in server.releases if str(one.modid) not in off)
    lines.add("Notification", "Server logger started.")
    lines.add("Notification", f"Game Version: v{server.game_version} (Stable)")
    lines.add("Notification", f"Loaded Serverconfig file {place / 'serverconfig.json'}", 1)
    lines.add("Notification", f"Will search the following paths for mods: {place / 'Mods'}")
    lines.add("Notification", f"Found {len(server.releases)} mods ({len(server.disabled)} disabled)", 1)
    if "carvedlintels" in loaded:
        loaded.remove("carvedlintels")
        lines.add("Error", "[carvedlintels] Could not resolve some dependencies:")
        lines.add("Error", "[carvedlintels]    chiselcore@1.0.0 - Missing")
    if "oldroads" in loaded:
        files = "'oldroads_1.1.0.zip', 'oldroads_1.2.0.zip'"
        text = f"Multiple mods share the mod ID 'oldroads' ({files}). Will only load the highest version one - v1.2.0"
        lines.add("Warning", text)
    lines.add("Notification", f"Mods, sorted by dependency: {', '.join(['game', 'creative', 'survival', *loaded])}", 1)
    if "kilnstack" in loaded:
        lines.add("Error", "[kilnstack] An exception was thrown when trying to start the mod:", 2)
        text = "Exception: Method not found: 'Void Vintagestory.API.Common.Block.OnKilnTick(Single)'."
        lines.add("Error", f"[kilnstack] {text}")
    lines.add("Notification", "Dedicated Server now running on Port 42420 and all ips!", 6)
    lines.play(last_line_at.astimezone(), random.Random(server.name))
    log = place / "Logs" / "server-main.log"
    log.write_text("\n".join(lines.written) + "\n", encoding="utf-8")
    os.utime(log, (last_line_at.timestamp(), last_line_at.timestamp()))


class _Lines:
    """A log in the making: each line a little later than the one before."""

    def __init__(self, begin: datetime) -> None:
        self.now = begin
        self.written: list[str] = []

    def add(self, level: str, text: str, seconds: int = 0) -> None:
        self.now += timedelta(seconds=seconds)
        self.written.append(f"{self.now:%-d.%-m.%Y %H:%M:%S} [{level}] {text}")

    def play(self, until: datetime, dice: random.Random) -> None:
        """People come and go, up to a line at exactly `until`."""
        here: list[str] = []
        while (later := self.now + timedelta(minutes=dice.randint(4, 40))) < until:
            self.now = later
            if here and dice.random() < 0.45:
                self.add("Event", f"Player {here.pop(dice.randrange(len(here)))} left.")
            elif away := sorted(set(_PLAYERS) - set(here)):
                here.append(dice.choice(away))
                self.add(
                    "Event", f"{here[-1]} [::ffff:203.0.113.{dice.randint(2, 250)}]:{dice.randint(2**15, 2**16)} joins."
                )
        self.now = until
        self.add("Notification", "Autosave finished.")


def _write_serverconfig(server: DemoServer, place: Path) -> None:
    config = {
        "FileEditWarning": "",
        "ConfigVersion": "1.7",
        "ServerName": f"The Valley ({server.name})",
        "WelcomeMessage": "Welcome, {0}. Mind the fens.",
        "Port": 42420 if server.name == "Public" else 42421,
        "MaxClients": 24,
        "Password": None,
        "AdvertiseServer": False,
        "WorldConfig": {
            "Seed": "1821",
            "SaveFileLocation": str(place / "Saves" / "valley.vcdbs"),
            "WorldName": "The Valley",
            "PlayStyle": "surviveandbuild" if server.name == "Public" else "creativebuilding",
            "DisabledMods": list(server.config_disabled) or None,
        },
        "ModPaths": ["Mods", str(place / "Mods")],
    }
    (place / "serverconfig.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def _write_config(path: Path, modid: str) -> None:
    dice = random.Random(modid)
    config = {"Enabled": True, "Amount": dice.randint(1, 9) / 4, "ShowInHandbook": dice.random() < 0.8}
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _write_oddities(world: World, mods: Path) -> None:
    """Files that aren't as they should be, and mods that no database knows."""
    (mods / "lanternfish_0.3.1.zip").write_bytes(_WEB_PAGE)
    whole = world.release("cobbletracks", "1.1.0").content
    (mods / "cobbletracks_1.1.0.zip").write_bytes(whole[: len(whole) * 2 // 3])
    (mods / "autumn textures (old).zip").write_bytes(build_zip({"textures/leaves.txt": b"to be sorted"}))
    (mods / "oldroads_1.1.0.zip").write_bytes(world.release("oldroads", "1.1.0").content)
    (mods / "ArrivalQuiz.cs").write_text(_QUIZ, encoding="utf-8")
    own = _own(
        "valleyrules", "Valley Rules", "1.3.0", "Our server's own rules for claims, markets and the night watch."
    )
    (mods / "valleyrules_1.3.0.zip").write_bytes(build_mod(own, padding=30_000))
    own = _own(REMOVED_LATER, "Welcome Book", "1.0.0", "The book that newcomers found in their bags last year.")
    (mods / f"{REMOVED_LATER}_1.0.0.zip").write_bytes(build_mod(own, padding=50_000))
    festival = mods / "harvest-festival"
    festival.mkdir()
    own = _own("harvestfestival", "Harvest Festival", "2026.9.1", "Stalls, ribbons and lanterns for the festival.")
    (festival / "modinfo.json").write_text(json.dumps(own, indent=2), encoding="utf-8")


def _own(
    modid: str, name: str, version: str, description: str, authors: Sequence[str] = ("jonna",)
) -> dict[str, object]:
    return {
        "type": "content",
        "modid": modid,
        "name": name,
        "version": version,
        "authors": list(authors),
        "description": description,
        "side": "Server",
        "dependencies": {"game": "1.21.0"},
    }
