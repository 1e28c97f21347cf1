"""Rows as scans and refreshes leave them, for tests of pages."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from mods.models import GameServer, InstalledMod, Lookup, Mod, Release


def make_server(name: str = "Public", **fields: Any) -> GameServer:
    wanted = {
        "data_dir": f"/srv/{name.lower()}",
        "game_version": "1.21.5",
        "game_version_source": f"/srv/{name.lower()}/Logs/server-main.log",
        "mod_folders": [{"path": f"/srv/{name.lower()}/Mods", "device": 1}],
        "scanned_at": timezone.now(),
        **fields,
    }
    return GameServer.objects.create(name=name, **wanted)


def make_mod(modid: str, **fields: Any) -> Mod:
    """A mod of the database, looked up twelve minutes ago, without releases."""
    number = 1000 + Mod.objects.count()
    mod = Mod.objects.create(mod_id=number, asset_id=number + 5000, **{"name": modid.title(), **fields})
    checked = timezone.now() - timedelta(minutes=12)
    Lookup.objects.create(
        key=modid.lower(), modid=modid, state=Lookup.State.FOUND, mod=mod, checked_at=checked, tried_at=checked
    )
    return mod


def make_release(mod: Mod, version: str, **fields: Any) -> Release:
    modid = mod.lookups.get().modid
    wanted = {
        "release_id": 1 + Release.objects.count(),
        "modid": modid,
        "modid_key": modid.lower(),
        "file_id": 700_000 + Release.objects.count(),
        "game_versions": ["1.21.5"],
        "created": timezone.now() - timedelta(days=3),
        **fields,
    }
    return Release.objects.create(mod=mod, version=version, **wanted)


def install(server: GameServer, modid: str, version: str = "1.0.0", **fields: Any) -> InstalledMod:
    """An installed file; linked to the look-up of its modid where there is one."""
    wanted = {
        "folder": f"{server.data_dir}/Mods",
        "file_name": f"{modid}_{version}_{InstalledMod.objects.count()}.zip",
        "kind": "zip",
        "modid": modid,
        "modid_key": modid.lower(),
        "name": modid.title(),
        "side": "universal",
        "type": "code",
        "lookup": Lookup.objects.filter(key=modid.lower()).first(),
        **fields,
    }
    wanted["has_problems"] = bool(wanted.get("problems"))
    return InstalledMod.objects.create(server=server, version=version, **wanted)


def install_many(server: GameServer, count: int) -> None:
    """So many mods, a tenth of them outdated, each with its own look-up."""
    now = timezone.now()
    ids = [f"{server.name.lower()}many{number}" for number in range(count)]
    lookups = Lookup.objects.bulk_create(
        [Lookup(key=modid, modid=modid, state=Lookup.State.FOUND, checked_at=now) for modid in ids]
    )
    InstalledMod.objects.bulk_create(
        InstalledMod(
            server=server,
            folder=f"{server.data_dir}/Mods",
            file_name=f"{modid}.zip",
            kind="zip",
            modid=modid,
            modid_key=modid,
            name=modid.title(),
            version="1.0.0",
            latest="1.1.0",
            recommended="1.1.0" if number % 10 == 0 else "1.0.0",
            outdated=number % 10 == 0,
            side="universal",
            description="x" * 1000,
            lookup=lookup,
        )
        for number, (modid, lookup) in enumerate(zip(ids, lookups, strict=True))
    )


def its_turn_is_last(key: str) -> None:
    """The details of all others were fetched before its own."""
    fetched = Lookup.objects.get(key=key).fetched_at
    assert fetched is not None
    Lookup.objects.exclude(key=key).update(fetched_at=fetched - timedelta(hours=1))
