"""The overview with 5,000 mods on five servers and 100,000 files in the cache, against an empty list of the panel.

The number of queries must be the same as with 50 mods and files. One of the servers needs a restart, as one of five
does at some time; the others are as they were started.
"""

import sys
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import measure, setting

if TYPE_CHECKING:  # the settings come first
    from mods.models import GameServer, Lookup

SERVERS = 5
FEW, MANY = 10, 1_000  # mods of each server
FEW_FILES, MANY_FILES = 50, 100_000
OVERVIEW = "/admin/"
#: A list of the panel that has nothing to show: the frame, the navigation, search and filters, no row.
EMPTY = "/admin/mods/installedmod/?q=nothingatall"
#: For comparison: the least that any page does, a short form in the frame.
BAREST = "/admin/password_change/"


def main() -> bool:
    setting.set_up()
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.create_superuser("benchmark"))
    _common_rows()

    def queries() -> int:
        client.get(OVERVIEW)  # what is worked out once in a process is, for both
        with CaptureQueriesContext(connection) as captured:
            assert client.get(OVERVIEW).status_code == 200
        return len(captured)

    def page(address: str) -> float:
        return measure.timed(partial(client.get, address))

    _fill(FEW, FEW_FILES)
    with_few = queries()
    _fill(MANY, MANY_FILES)
    with_many = queries()
    assert "restart needed" in client.get(OVERVIEW).text
    title = f"overview with {SERVERS * MANY} mods and {MANY_FILES} files in the cache"
    good = measure.compare(title, partial(page, OVERVIEW), partial(page, EMPTY), allowed=2, runs=25)
    measure.compare("  the same against the barest page", partial(page, OVERVIEW), partial(page, BAREST), allowed=9)
    print(f"  queries: {with_many} with {SERVERS * MANY} mods, {with_few} with {SERVERS * FEW}")
    return good and with_many == with_few


def _common_rows() -> None:
    """What an overview of a panel in use shows besides: changes, runs, refreshes, days of the cache."""
    from django.utils import timezone

    from cache.models import CacheDay
    from mods.models import GameServer, Operation, RefreshRun
    from vsadmin import schedules
    from vsadmin.lib.jobs.models import JobRun, Worker

    now = timezone.now()
    schedules.sync()
    Worker.write(beat_at=now)
    for number in range(SERVERS):
        server = GameServer.objects.create(
            name=f"Server {number}", data_dir=f"/srv/example{number}", game_version="1.21.5", scanned_at=now
        )
        Operation.objects.bulk_create(
            Operation(
                server=server, kind="update", title=f"Update {n} mods", state="done", asked_by_name="anna",
                started_at=now, ended_at=now,
            )
            for n in range(200)
        )  # fmt: skip
    JobRun.objects.bulk_create(
        JobRun(job="mod_scan", state="done", message="5000 mods", ended_at=now) for _number in range(500)
    )
    RefreshRun.objects.bulk_create(RefreshRun(state="completed", ended_at=now) for _number in range(500))
    today = now.date()
    CacheDay.objects.bulk_create(
        CacheDay(day=today - timedelta(days=ago), hits=20 + ago, misses=ago % 7, size_bytes=10**8) for ago in range(60)
    )


def _fill(mods: int, files: int) -> None:
    """So many mods on each server, and so many files in the cache; what was there before goes."""
    from django.db import connection

    from cache.models import CacheEntry, CacheTotals
    from mods.models import FolderState, GameServer, InstalledMod, Lookup, ServerStart

    for model in (InstalledMod, Lookup, FolderState, ServerStart, CacheEntry):
        model.objects.all().delete()
    lookups = Lookup.objects.bulk_create(Lookup(key=f"mod{n}x", modid=f"mod{n}x") for n in range(mods))
    for number, server in enumerate(GameServer.objects.order_by("pk")):
        _install(server, lookups)
        _start(server, is_changed=number == 0)
    CacheEntry.objects.bulk_create(
        (
            CacheEntry(key=f"moddb:{n}", title=f"Mod {n}", file_name=f"mod{n}.zip", size=5000, sha256="a" * 64)
            for n in range(files)
        ),
        batch_size=500,
    )
    CacheTotals.objects.update_or_create(pk=1, defaults={"files": files, "bytes": files * 5000})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _install(server: "GameServer", lookups: "list[Lookup]") -> None:
    from mods.models import InstalledMod

    InstalledMod.objects.bulk_create(
        (
            InstalledMod(
                server=server, folder=f"{server.data_dir}/Mods", file_name=f"mod{n}.zip", kind="zip", name=f"Mod {n}",
                modid=f"mod{n}x", modid_key=f"mod{n}x", version="1.0.0", sha256="a" * 64, recommended="1.1.0",
                outdated=n % 5 == 0, retracted=n % 97 == 3, has_problems=n % 89 == 2, lookup=lookup,
                description="Words of a description, as long as most of them are." * 4,
                compatibility="incompatible" if n % 50 == 1 else "compatible",
            )
            for n, lookup in enumerate(lookups)
        ),
        batch_size=500,
    )  # fmt: skip


def _start(server: "GameServer", *, is_changed: bool) -> None:
    """It was started an hour ago with the mods it has; where `is_changed`, one was updated since."""
    from django.utils import timezone

    from mods.models import FolderState, InstalledMod, ServerStart

    now = timezone.now()
    names = ("modid", "version", "sha256", "enabled", "file_name", "name", "side")
    mods = list(InstalledMod.objects.filter(server=server).order_by("file_name").values(*names))
    FolderState.objects.create(server=server, seen_at=now - timedelta(hours=2), mods=mods)
    ServerStart.objects.create(server=server, started_at=now - timedelta(hours=1), mods=mods)
    if is_changed:
        InstalledMod.objects.filter(server=server, modid="mod1x").update(version="1.0.1", sha256="b" * 64)
        after = list(InstalledMod.objects.filter(server=server).order_by("file_name").values(*names))
        FolderState.objects.create(server=server, seen_at=now, seen_before_at=now - timedelta(hours=1), mods=after)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
