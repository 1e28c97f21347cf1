"""The demo's mod database as a process of its own, in which something new happens now and then.

It ends with its standard input, so with whoever started it, however that one ends.
"""

import argparse
import html
import random
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import FrameType

from demo import world
from demo.moddb_data import DemoMod, DemoRelease
from demo.world import Table, World

#: Seconds until the first happening, and between two.
FIRST_AFTER = 40.0
EVERY = 70.0

_ENDLESS = (
    "Small corrections.",
    "Translations, thanks to all who sent some.",
    "A little faster.",
    "Fixed what was reported in the comments.",
)


def happenings(of: World) -> Iterator[str]:
    """Each step makes the next thing happen and says what: first what mods.toml tells, then releases without end."""
    for table in of.happenings:
        if "new" in table:
            yield _new_mod(of)
        elif "retract" in table:
            yield _retract(of, table)
        else:
            mod = of.mods[table["mod"]]
            yield _release(of, mod, table["version"], world.game_versions(table["game"]), table["changes"])
    dice = random.Random(1822)
    installed = sorted({str(one.modid) for server in of.servers for one in server.releases})
    while True:
        if dice.random() < 0.25:
            yield _new_mod(of)
            continue
        mod = of.mods[dice.choice(installed)]
        last = mod.releases[-1]
        listed = tuple(dict.fromkeys((*last.game_versions, *(server.game_version for server in of.servers))))
        yield _release(of, mod, _next_patch(last), listed, [dice.choice(_ENDLESS)])


def _release(of: World, mod: DemoMod, version: str, listed: tuple[str, ...], changes: list[str]) -> str:
    before = mod.releases[-1]
    of.database.add_release(
        mod,
        before.modid,
        version,
        game_versions=listed,
        changelog=world.changelog(changes),
        dependencies={modid: least for modid, least in before.dependencies.items() if modid != "game"},
        created=_now(),
        padding=before.padding + 1000,
    )
    return f"{mod.name} {version} was released."


def _retract(of: World, table: Table) -> str:
    release = of.release(table["mod"], table["retract"])
    of.database.retract(release, f"<p>{html.escape(table['why'])}</p>")
    return f"{release.mod.name} {release.version} was retracted."


def _new_mod(of: World) -> str:
    mod = world.publish(of.database, next(of.yet_to_come), datetime.now(UTC))
    return f"{mod.name} is new."


def _next_patch(release: DemoRelease) -> str:
    """After 1.2.3, and after 1.2.3-rc.1 too, comes 1.2.4."""
    major, minor, patch = release.version.partition("-")[0].split(".")
    return f"{major}.{minor}.{int(patch) + 1}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def main() -> None:
    """Serve the world as of a moment; its address is the first line on standard output, what happens the others."""
    parser = argparse.ArgumentParser(prog="python -m demo.happenings", description=main.__doc__)
    parser.add_argument("moment", type=datetime.fromisoformat, help="such as 2026-01-31T20:00:00+00:00")
    parser.add_argument("--every", type=float, default=EVERY, metavar="SECONDS")
    options = parser.parse_args()
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    of = world.build(options.moment)
    coming = happenings(of)
    with of.database.serve() as url:
        _say(url)
        pause = min(FIRST_AFTER, options.every)
        while not stop.wait(pause):
            _say(next(coming))
            pause = options.every


def _wait_for_end(stop: threading.Event) -> None:
    while sys.stdin.buffer.read(1024):
        pass
    stop.set()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
