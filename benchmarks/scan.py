"""Scan of 500 zips of 200 KB and 60 entries: the first time, and again with nothing changed.

Floors: plain `zipfile` reading one entry and `hashlib` over the bytes of each; `os.scandir` and `stat` of the folder.
"""

import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path

from benchmarks import measure, setting

ZIPS, ENTRIES, SIZE = 500, 60, 200_000


def make_zips(folder: Path) -> None:
    """Incompressible entries, so that each zip has its size on disk too."""
    folder.mkdir(parents=True)
    for number in range(ZIPS):
        with zipfile.ZipFile(folder / f"mod{number}.zip", "w") as archive:
            archive.writestr(
                "modinfo.json",
                json.dumps({"type": "content", "name": f"Mod {number}", "modid": f"mod{number}x", "version": "1.0.0"}),
            )
            for entry in range(ENTRIES - 1):
                archive.writestr(f"assets/file{entry}.bin", os.urandom(SIZE // ENTRIES))


def main() -> bool:
    place = setting.set_up()
    from mods import inventory
    from mods.models import GameServer, InstalledMod, Lookup

    data = place / "server"
    mods = data / "Mods"
    make_zips(mods)
    (data / "serverconfig.json").write_text("{}")
    server = GameServer.objects.create(name="Benchmark", data_dir=str(data))

    def first_scan() -> float:
        InstalledMod.objects.all().delete()
        Lookup.objects.all().delete()
        return measure.timed(lambda: inventory.scan(server))

    def read_plainly() -> None:
        for path in sorted(mods.iterdir()):
            with zipfile.ZipFile(path) as archive:
                archive.read("modinfo.json")
            hashlib.sha256(path.read_bytes()).hexdigest()

    def stat_plainly() -> None:
        with os.scandir(mods) as entries:
            for entry in entries:
                entry.stat()

    good = measure.compare(f"first scan of {ZIPS} zips", first_scan, lambda: measure.timed(read_plainly), allowed=1.5)
    good &= measure.compare(
        "rescan with nothing changed",
        lambda: measure.timed(lambda: inventory.scan(server)),
        lambda: measure.timed(stat_plainly),
        allowed=2,
        slack=0.020,
    )
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
