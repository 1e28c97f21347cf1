"""Refresh of 300 mods against a mod database, in a process of its own, that answers after 100 ms.

Floors: the requests, four at a time, 100 ms each; and for unchanged mods the rounds of 100 ms that their requests take.
"""

import math
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection

from benchmarks import measure, setting

MODS, LATENCY, CONNECTIONS = 300, 0.1, 4


def serve(pipe: Connection) -> None:
    """Serve the mod database until this process is ended; latencies come through the pipe."""
    from demo.moddb import ModDatabase, populate

    database = ModDatabase()
    modids = [mod.modids[0] for mod in populate(database, MODS, 5)]
    with database.serve() as url:
        pipe.send((url, modids))
        while True:
            database.latency = pipe.recv()
            pipe.send(True)


def main() -> bool:
    place = setting.set_up()
    from mods import refresh
    from mods.models import GameServer, InstalledMod, Lookup

    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    context.Process(target=serve, args=(there,), daemon=True).start()
    url, modids = here.recv()
    os.environ["VS_MODDB_URL"] = url
    data = place / "server"
    (data / "Mods").mkdir(parents=True)
    server = GameServer.objects.create(name="Benchmark", data_dir=str(data), game_version="1.21.5")
    rows = [
        InstalledMod(
            server=server, folder=str(data / "Mods"), file_name=f"{modid}.zip", kind="zip", name=modid, modid=modid,
            modid_key=modid.lower(), version="1.0.0", lookup=Lookup.objects.create(key=modid.lower(), modid=modid),
        )
        for modid in modids
    ]  # fmt: skip
    InstalledMod.objects.bulk_create(rows)
    refresh.refresh()
    here.send(LATENCY)
    here.recv()
    good = True
    for title, force, allowed in (("refresh --force", True, 1.15), ("refresh, nothing changed", False, 1.5)):
        ours, floors = [], []
        for _ in range(measure.RUNS):
            began = time.perf_counter()
            requests = refresh.refresh(force=force).run.requests
            ours.append(time.perf_counter() - began)
            rounds = requests / CONNECTIONS if force else math.ceil(requests / CONNECTIONS)
            floors.append(rounds * LATENCY)
        print(f"{requests} requests")
        good &= measure.report(
            f"{title} of {MODS} mods", measure.Times(tuple(ours)), measure.Times(tuple(floors)), allowed=allowed
        )
    return good


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
