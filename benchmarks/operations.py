"""Update of 60 mods of 1 MB, each a group of its own, from a warm cache; what they replace goes into the cache.

Floor: the same copies, hashes, links, fsyncs and commits, done plainly: of each mod the old file is hashed, the cached
one too, copied and hashed on the way, synced, put in place, both folders synced; then the old one is copied into the
cache, hashed on the way, synced, put in place, the folder synced; what is in place is hashed once more by the scan.
Commits: two for each group, two for each use of the cache, and those around them.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import measure
from benchmarks.cache_setup import set_up

if TYPE_CHECKING:
    from mods.models import InstalledMod, Release
    from mods.plans import NewFile, OldFile

MODS, SIZE, ENTRIES = 60, 1_000_000, 20
COMMITS_EACH, COMMITS_AROUND = 4, 8
VERSIONS = ("1.0.0", "1.1.0")


def make_zip(path: Path, modid: str, version: str) -> None:
    """Incompressible entries, so that the zip has its size on disk too."""
    with zipfile.ZipFile(path, "w") as archive:
        info = {"type": "content", "name": modid, "modid": modid, "version": version}
        archive.writestr("modinfo.json", json.dumps(info))
        for entry in range(ENTRIES):
            archive.writestr(f"assets/{entry}.bin", os.urandom(SIZE // ENTRIES))


class Update:
    """Ours: the mods of one server go from one version to the other, and back."""

    def __init__(self, place: Path) -> None:
        from mods.models import GameServer

        self.originals = place / "originals"
        self.originals.mkdir()
        data = place / "server"
        self.mods = data / "Mods"
        self.mods.mkdir(parents=True)
        (data / "serverconfig.json").write_text("{}")
        self.server = GameServer.objects.create(name="Benchmark", data_dir=str(data))
        self.now = 0
        for number in range(MODS):
            self._make(number)
        self._scan()

    def _make(self, number: int) -> None:
        from mods.models import Mod, Release

        mod = Mod.objects.create(mod_id=number, name=f"Mod {number}")
        for turn, version in enumerate(VERSIONS):
            path = self.originals / f"mod{number}x_{version}.zip"
            make_zip(path, f"mod{number}x", version)
            Release.objects.create(
                mod=mod, release_id=turn, modid=f"mod{number}x", modid_key=f"mod{number}x", version=version,
                file_id=1 + 2 * number + turn, file_name="a.zip", size=path.stat().st_size,
                sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            )  # fmt: skip
        shutil.copy(self.originals / f"mod{number}x_{VERSIONS[0]}.zip", self.mods)

    def _scan(self) -> None:
        from mods import inventory

        self.server.refresh_from_db()
        inventory.scan(self.server)

    def prepare(self) -> int:
        """Exactly the other version's files lie in the cache; returns the operation to run."""
        from cache import deposits, eviction
        from mods import operations, plans, wishes
        from mods.models import InstalledMod, Operation, Release
        from mods.plans import Plan, PlannedStep

        eviction.clear()
        before, after = VERSIONS[self.now], VERSIONS[1 - self.now]
        releases = {(one.modid, one.version): one for one in Release.objects.all()}
        steps = []
        for group, row in enumerate(InstalledMod.objects.filter(server=self.server)):
            old, new = releases[row.modid, before], releases[row.modid, after]
            with (self.originals / f"{row.modid}_{after}.zip").open("rb") as source:
                deposits.deposit(
                    f"moddb:{new.file_id}", source, sha256=new.sha256, name=f"{row.modid}_{after}.zip",
                    title=row.name, version=after,
                )  # fmt: skip
            steps.append(PlannedStep("replace", group, "It is newer.", _old(row, old), _new(row.folder, new)))
        self.now = 1 - self.now
        plan = plans.to_json(Plan(tuple(steps), game_version=self.server.game_version))
        made = Operation.objects.create(
            server=self.server, kind="update", title="Update", wish=wishes.to_json(wishes.Wish("update")), plan=plan,
            state=Operation.State.PLANNED,
        )  # fmt: skip
        operations.confirm(made)
        return made.pk

    def run(self) -> float:
        from mods import operations

        pk = self.prepare()
        os.sync()
        seconds = measure.timed(lambda: operations.run(pk))
        message = operations.run(pk).message
        assert message == f"{MODS} of {MODS} done.", message
        return seconds


def _old(row: "InstalledMod", release: "Release") -> "OldFile":
    from mods.plans import OldFile

    return OldFile(
        row.folder, row.file_name, row.sha256, row.size, row.modid, row.version, row.name,
        cache_key=f"moddb:{release.file_id}",
    )  # fmt: skip


def _new(folder: str, release: "Release") -> "NewFile":
    from mods.plans import NewFile

    return NewFile(
        folder, f"{release.modid}_{release.version}.zip", release.sha256, release.size or 0, release.modid,
        release.version, release.modid, release=release.pk, file_id=release.file_id,
    )  # fmt: skip


class Plain:
    """The floor: the same work on files of the same size."""

    def __init__(self, place: Path, originals: Path) -> None:
        self.mods, self.staging, self.cache = (place / "plain" / name for name in ("mods", "staging", "cache"))
        self.old = sorted(originals.glob(f"*_{VERSIONS[0]}.zip"))
        self.new = sorted(originals.glob(f"*_{VERSIONS[1]}.zip"))
        self.connection = sqlite3.connect(place / "plain.sqlite3", isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.execute("CREATE TABLE step (id INTEGER PRIMARY KEY, state TEXT)")

    def run(self) -> float:
        for folder in (self.mods, self.staging, self.cache):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        for path in self.old:
            shutil.copy(path, self.mods)
        os.sync()
        return measure.timed(self._update)

    def _update(self) -> None:
        for _around in range(COMMITS_AROUND):
            self._commit()
        for old, new in zip(self.old, self.new, strict=True):
            there = self.mods / old.name
            _hash(there)
            _hash(new)
            self._commit()
            _copy(new, self.staging / "new")
            self._commit()
            (self.mods / new.name).hardlink_to(self.staging / "new")
            there.rename(self.staging / "old")
            for folder in (self.mods, self.staging):
                _sync(folder)
            self._commit()
            _copy(self.staging / "old", self.staging / "copy")
            (self.staging / "copy").rename(self.cache / old.name)
            _sync(self.cache)
            self._commit()
            (self.staging / "old").unlink()
            (self.staging / "new").unlink()
            _hash(self.mods / new.name)

    def _commit(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.execute("INSERT INTO step (state) VALUES ('done')")
        self.connection.execute("COMMIT")


def _hash(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256").hexdigest()


def _copy(source: Path, target: Path) -> None:
    digest = hashlib.sha256()
    with source.open("rb") as incoming, target.open("wb", buffering=0) as file:
        while chunk := incoming.read(1024 * 1024):
            digest.update(chunk)
            file.write(chunk)
        os.fsync(file.fileno())
    digest.hexdigest()


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def main() -> bool:
    place = set_up()
    update = Update(place)
    plain = Plain(place, update.originals)
    return measure.compare(f"update of {MODS} mods from a warm cache", update.run, plain.run, allowed=1.5)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
