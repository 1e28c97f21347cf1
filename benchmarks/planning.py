"""Plan to update all: 300 mods installed, 60 outdated, each bringing dependencies three deep; all files read before."""

import hashlib
import io
import json
import sys
import zipfile
from pathlib import Path

from benchmarks import measure, setting

INSTALLED, OUTDATED, DEEP = 300, 60, 3
ALLOWED = 0.5  # seconds


def zip_of(modid: str, version: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(
            "modinfo.json", json.dumps({"type": "content", "modid": modid, "name": modid, "version": version})
        )
    return file.getvalue()


def populate(data: Path, outdated: int) -> None:
    """The installed mods on disk and in the database; the first `outdated` have an update with new dependencies."""
    from django.utils import timezone

    from mods import inventory, status
    from mods.models import GameServer, InstalledMod, Lookup, Mod, Release

    (data / "Mods").mkdir(parents=True)
    digests = {}
    for number in range(INSTALLED):
        content = zip_of(f"mod{number}x", "1.0.0")
        digests[f"mod{number}x"] = hashlib.sha256(content).hexdigest()
        (data / "Mods" / f"mod{number}x.zip").write_bytes(content)
    server = GameServer.objects.create(name=str(outdated), data_dir=str(data), game_version_by_hand="1.21.5")
    now = timezone.now()
    chains = {f"mod{n}x": [f"mod{n}x", *(f"dep{n}d{deep}" for deep in range(1, DEEP + 1))] for n in range(OUTDATED)}
    keys = [f"mod{n}x" for n in range(INSTALLED)] + [key for chain in chains.values() for key in chain[1:]]
    if not Mod.objects.exists():
        mods = Mod.objects.bulk_create(Mod(mod_id=n, name=key) for n, key in enumerate(keys, start=1))
        Lookup.objects.bulk_create(
            Lookup(key=key, modid=key, state="found", mod=mod, checked_at=now, fetched_at=now, tried_at=now)
            for key, mod in zip(keys, mods, strict=True)
        )
        needs = {
            key: ({chain[place + 1]: "1.0.0"} if place < DEEP else {})
            for chain in chains.values()
            for place, key in enumerate(chain)
        }
        Release.objects.bulk_create(
            Release(
                mod=mod, release_id=mod.mod_id, modid=key, modid_key=key, version="1.0.0", game_versions=["1.21.5"],
                file_id=mod.mod_id, file_name=f"{key}.zip", created="2025-01-01T00:00:00Z", size=1000,
                sha256=digests.get(key, "0" * 64), dependencies={} if key.startswith("mod") else needs[key],
            )
            for key, mod in zip(keys, mods, strict=True)
        )  # fmt: skip
        Release.objects.bulk_create(
            Release(
                mod=mod, release_id=10_000 + mod.mod_id, modid=key, modid_key=key, version="1.1.0",
                game_versions=["1.21.5"], file_id=10_000 + mod.mod_id, file_name=f"{key}.zip",
                created="2025-02-01T00:00:00Z", size=1000, sha256="1" * 64, dependencies=needs[key],
                changelog="<p>What changed</p>" * 50,
            )
            for key, mod in zip(keys[:OUTDATED], mods, strict=False)
        )  # fmt: skip
    inventory.scan(server)
    installed = InstalledMod.objects.filter(server=server)
    status.update(installed)
    for row in list(installed.filter(outdated=True).order_by("pk")[outdated:]):
        installed.filter(pk=row.pk).update(outdated=False)


def main() -> bool:
    place = setting.set_up()
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from mods import operations, planning
    from mods.models import GameServer
    from mods.wishes import Wish

    queries: dict[int, int] = {}
    times: list[float] = []
    steps = 0
    for outdated in (OUTDATED // 10, OUTDATED):
        populate(place / f"server{outdated}", outdated)
        server = GameServer.objects.get(name=str(outdated))
        planning.make(operations.ask(server, Wish("update"), actor="benchmark"))
        times.clear()
        for _ in range(measure.RUNS):
            operation = operations.ask(server, Wish("update"), actor="benchmark")
            with CaptureQueriesContext(connection) as captured:
                times.append(measure.timed(lambda operation=operation: planning.make(operation)))  # type: ignore[misc]  # mypy cannot infer a default
        queries[outdated], steps = len(captured), operation.total
        assert steps == outdated * (DEEP + 1), (steps, operation.message)
    took = measure.Times(tuple(times))
    good = took.median <= ALLOWED
    print(
        f"plan for {INSTALLED} installed, {OUTDATED} outdated, dependencies {DEEP} deep: {steps} steps\n  ours  {took}"
    )
    print(f"  allowed {ALLOWED * 1000:g} ms: {'ok' if good else 'TOO SLOW'}")
    print(f"  queries: {queries[OUTDATED]} with {OUTDATED} outdated, {queries[OUTDATED // 10]} with {OUTDATED // 10}")
    return good and len(set(queries.values())) == 1


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
