"""A panel in use: two servers with 5,000 mods, a catalogue of as many, and the past of such servers.

Made of rows alone, always the same; `setting.set_up` comes first.
"""

import random
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from benchmarks.catalogue import summaries
from cache.models import CacheDay, CacheEntry, CacheTotals
from events.kinds import Kind
from events.models import Event
from mods import answers, status
from mods.models import (
    Crash,
    FolderState,
    GameServer,
    GameVersion,
    Hold,
    InstalledMod,
    KeptCopy,
    Lookup,
    Mod,
    Operation,
    RefreshRun,
    Release,
    ServerStart,
    Step,
)  # fmt: skip
from vsadmin import schedules
from vsadmin.lib.jobs.models import JobRun, Worker

SERVERS = 2
#: Of each mod.
RELEASES = 4
PAST = 500
_GAME_VERSIONS = ("1.20.4", "1.21.0", "1.21.4", "1.21.5", "1.22.0")
_AT_ONCE = 500


def fill(mods: int) -> None:
    """So many installed mods, spread over the servers, each with a mod in the catalogue."""
    dice = random.Random(11)
    now = timezone.now()
    schedules.sync()
    Worker.write(beat_at=now)
    GameVersion.objects.bulk_create(GameVersion(version=one) for one in _GAME_VERSIONS)
    answers.store_list(summaries(mods))
    stored = list(Mod.objects.order_by("mod_id"))
    Mod.objects.update(description="<p>words of a description</p>" * 100, fetched_at=now)
    Release.objects.bulk_create(
        (
            Release(
                mod=mod, release_id=mod.mod_id * 10 + n, modid=f"mod{mod.mod_id}x", modid_key=f"mod{mod.mod_id}x",
                version=f"1.{n}.0", game_versions=list(_GAME_VERSIONS[n : n + 2 - (mod.mod_id + n) % 2]),
                file_id=mod.mod_id * 10 + n, file_name=f"mod{mod.mod_id}_{n}.zip", created=now - timedelta(days=90 - n),
                changelog="<p>What is new in it.</p>" * 20, retracted=(mod.mod_id + n) % 97 == 3,
                dependencies={"game": _GAME_VERSIONS[n], f"mod{mod.mod_id - 1}x": "1.0.0"} if n < 3 else None,
            )
            for mod in stored
            for n in range(RELEASES)
        ),
        batch_size=_AT_ONCE,
    )  # fmt: skip
    for version in _GAME_VERSIONS:
        answers.store_fits(version, [mod.mod_id for mod in stored if dice.random() < 0.5], now)
    lookups = Lookup.objects.bulk_create(
        (
            Lookup(key=f"mod{mod.mod_id}x", modid=f"mod{mod.mod_id}x", state="found", mod=mod, fetched_at=now,
                   checked_at=now, tried_at=now)
            for mod in stored
        ),
        batch_size=_AT_ONCE,
    )  # fmt: skip
    for number in range(SERVERS):
        server = GameServer.objects.create(
            name=f"Server {number}", data_dir=f"/srv/example{number}", game_version="1.21.5", scanned_at=now
        )
        _install(server, lookups[number::SERVERS])
        _past(server)
    status.update(InstalledMod.objects.all(), tell=False)
    _rest()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _install(server: GameServer, lookups: list[Lookup]) -> None:
    InstalledMod.objects.bulk_create(
        (
            InstalledMod(
                server=server, folder=f"{server.data_dir}/Mods", file_name=f"{lookup.modid}.zip", kind="zip",
                name=f"Mod {lookup.pk}", modid=lookup.modid, modid_key=lookup.key, version=f"1.{lookup.pk % 3}.0",
                sha256=f"{lookup.pk:064}", size=50_000, lookup=lookup, has_problems=lookup.pk % 89 == 2,
                problems=["Something is wrong with it."] if lookup.pk % 89 == 2 else [],
                description="Words of a description, as long as most of them are. " * 4,
                dependencies={"game": "1.20.0", f"mod{lookup.pk - 2}x": "1.0.0"} if lookup.pk % 4 == 0 else {},
            )
            for lookup in lookups
        ),
        batch_size=_AT_ONCE,
    )  # fmt: skip
    Hold.objects.bulk_create(
        Hold(server=server, modid=one.modid, modid_key=one.key, version="1.0.0") for one in lookups[::100]
    )


def _past(server: GameServer) -> None:
    """It was started an hour ago with the mods it has but one, which was updated since; and before that many times."""
    now = timezone.now()
    names = ("modid", "version", "sha256", "enabled", "file_name", "name", "side")
    mods: list[dict[str, Any]] = list(InstalledMod.objects.filter(server=server).order_by("file_name").values(*names))
    before = [{**mods[0], "version": "0.9.0", "sha256": "b" * 64}, *mods[1:]]
    FolderState.objects.create(server=server, seen_at=now - timedelta(hours=2), mods=before)
    FolderState.objects.create(server=server, seen_at=now, seen_before_at=now - timedelta(minutes=30), mods=mods)
    for ago in range(20):
        start = ServerStart.objects.create(
            server=server, started_at=now - timedelta(hours=1 + 9 * ago), mods=before, good=ago > 0,
            loaded=[one["modid"] for one in before],
        )  # fmt: skip
        Crash.objects.create(
            server=server, happened_at=start.started_at + timedelta(minutes=5), start=start, blamed="mod5x",
            blamed_key="mod5x", error="System.NullReferenceException: made up", digest=str(ago),
        )  # fmt: skip
    changes = Operation.objects.bulk_create(
        (
            Operation(
                server=server, kind="update", title=f"Update {n} mods", state="done", asked_by_name="anna",
                started_at=now - timedelta(hours=n), ended_at=now - timedelta(hours=n), plan={},
            )
            for n in range(PAST)
        ),
        batch_size=_AT_ONCE,
    )  # fmt: skip
    Step.objects.bulk_create(
        (
            Step(
                operation=change, server=server, position=n, group=n, action="replace", modid=f"mod{n + 1}x",
                modid_key=f"mod{n + 1}x", name=f"Mod {n + 1}", from_version="1.0.0", to_version="1.1.0", planned={},
                state="done", done_at=change.ended_at,
            )
            for change in changes
            for n in range(10)
        ),
        batch_size=_AT_ONCE,
    )  # fmt: skip
    KeptCopy.objects.bulk_create(
        KeptCopy(
            server=server, server_name=server.name, modid=f"mod{n}x", modid_key=f"mod{n}x", name=f"Mod {n}",
            version="0.1.0", file_name=f"mod{n}.zip", stored_name=f"{server.pk}-{n}.zip", size=1000, sha256="c" * 64,
            why="It isn't in the mod database.",
        )
        for n in range(PAST)
    )  # fmt: skip


def _rest() -> None:
    """What belongs to no server."""
    now = timezone.now()
    JobRun.objects.bulk_create(
        JobRun(job="mod_scan", state="done", message="5000 mods", ended_at=now) for _ in range(PAST)
    )
    RefreshRun.objects.bulk_create(RefreshRun(state="completed", ended_at=now) for _ in range(PAST))
    CacheDay.objects.bulk_create(
        CacheDay(day=now.date() - timedelta(days=ago), hits=20 + ago, misses=ago % 7, size_bytes=10**8)
        for ago in range(60)
    )
    files = 5_000
    CacheEntry.objects.bulk_create(
        (
            CacheEntry(key=f"moddb:{n}", title=f"Mod {n}", file_name=f"mod{n}.zip", size=5000, sha256="a" * 64)
            for n in range(files)
        ),
        batch_size=_AT_ONCE,
    )
    CacheTotals.objects.update_or_create(pk=1, defaults={"files": files, "bytes": files * 5000})
    Event.objects.bulk_create(
        (
            Event(
                kind=Kind.RETRACTED if n % 2 else Kind.GAME_VERSION, key=f"event {n}", title=f"Something happened, {n}"
            )
            for n in range(4 * PAST)
        ),
        batch_size=_AT_ONCE,
    )
