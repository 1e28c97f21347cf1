"""A server's folder with mods, releases that lie in the cache, and plans written by hand, for tests of changes."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.utils import timezone

from cache import deposits
from conftest import ServerDir, zip_of
from mods import inventory, operations, plans, wishes
from mods.downloads import cache_key
from mods.models import GameServer, InstalledMod, KeptCopy, Mod, Operation, Release
from mods.plans import NewFile, OldFile, Plan, PlannedStep
from mods.wishes import Wish


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def mod_zip(modid: str, version: str, size: int = 0) -> bytes:
    """A mod's zip, the same each time that it is asked for in one test; `size` bytes more."""
    return zip_of({"type": "content", "name": modid.title(), "modid": modid, "version": version, "x": "x" * size})


@dataclass
class World:
    """One server with its folder; what is planned for it uses the files there."""

    dir: ServerDir
    server: GameServer
    scratch: Path
    releases: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @property
    def mods(self) -> Path:
        return self.dir.mods

    def put(self, file_name: str, modid: str, version: str = "1.0.0") -> bytes:
        """A mod file among the server's mods, by hand."""
        content = mod_zip(modid, version)
        (self.mods / file_name).write_bytes(content)
        return content

    def folder(self, name: str, modid: str, version: str = "1.0.0") -> Path:
        """A mod that is a folder."""
        place = self.mods / name
        place.mkdir()
        (place / "modinfo.json").write_text(f'{{"type": "content", "modid": "{modid}", "version": "{version}"}}')
        return place

    def scan(self) -> None:
        self.server.refresh_from_db()
        assert not inventory.scan(self.server).unreachable

    def release(self, modid: str, version: str, *, cached: bool = True) -> Release:
        """A release, in the cache as if it had been downloaded."""
        content = mod_zip(modid, version)
        self.releases[modid, version] = content
        mod, _new = Mod.objects.get_or_create(
            name=modid.title(), defaults={"mod_id": 1000 + Mod.objects.count(), "asset_id": 5000 + Mod.objects.count()}
        )
        number = 100 + Release.objects.count()
        release = Release.objects.create(
            mod=mod, release_id=number, modid=modid, modid_key=modid.lower(), version=version, file_id=number,
            file_name=f"{modid}.zip", game_versions=["1.21.5"], sha256=sha256(content), size=len(content),
        )  # fmt: skip
        if cached:
            path = self.scratch / f"{modid}-{version}"
            path.write_bytes(content)
            with path.open("rb") as source:
                deposits.deposit(
                    cache_key(number), source, sha256=sha256(content), name=f"{modid}_{version}.zip",
                    title=modid.title(), version=version,
                )  # fmt: skip
        return release

    # Steps

    def old(self, file_name: str, **more: Any) -> OldFile:
        row = InstalledMod.objects.get(server=self.server, file_name=file_name)
        return OldFile(
            folder=row.folder, file_name=row.file_name, sha256=row.sha256, size=row.size, modid=row.modid,
            version=row.version, name=row.name, kind=row.kind, enabled=row.enabled,
            **{"keep_because": "Nobody else has it." if "cache_key" not in more else "", **more},
        )  # fmt: skip

    def new(self, source: Release | KeptCopy, file_name: str = "") -> NewFile:
        release = source if isinstance(source, Release) else None
        return NewFile(
            folder=str(self.mods), file_name=file_name or f"{source.modid}_{source.version}.zip",
            sha256=source.sha256, size=source.size or 0, modid=source.modid, version=source.version,
            name=source.modid.title(), release=release.pk if release else None,
            file_id=release.file_id if release else None, kept=None if release else source.pk,
        )  # fmt: skip

    def install(self, source: Release | KeptCopy, *, group: int = 0, file_name: str = "") -> PlannedStep:
        return PlannedStep("install", group, "You asked for it.", new=self.new(source, file_name))

    def replace(
        self, old: str, source: Release | KeptCopy, *, group: int = 0, file_name: str = "", cache_key: str = ""
    ) -> PlannedStep:
        more = {"cache_key": cache_key} if cache_key else {}
        return PlannedStep("replace", group, "It is newer.", old=self.old(old, **more), new=self.new(source, file_name))

    def remove(self, old: str, *, group: int = 0, cache_key: str = "") -> PlannedStep:
        more = {"cache_key": cache_key} if cache_key else {}
        return PlannedStep("remove", group, "You asked for it.", old=self.old(old, **more))

    def disable(self, old: str, *, group: int = 0) -> PlannedStep:
        return PlannedStep("disable", group, "You asked for it.", old=self.old(old), rename_to=f"{old}.disabled")

    def enable(self, old: str, *, group: int = 0) -> PlannedStep:
        bare = old.removesuffix(".disabled")
        return PlannedStep("enable", group, "You asked for it.", old=self.old(old), rename_to=bare)

    # Operations

    def planned(self, *steps: PlannedStep, kind: str = "update", user: Any = None, **more: Any) -> Operation:
        """An operation with this plan, to be confirmed."""
        self.server.refresh_from_db()
        plan = Plan(steps=steps, game_version=self.server.game_version)
        return Operation.objects.create(
            server=self.server, kind=kind, title="A change", wish=wishes.to_json(Wish(kind=kind)),
            plan=plans.to_json(plan), state=Operation.State.PLANNED, planned_at=timezone.now(), asked_by=user, **more,
        )  # fmt: skip

    def queued(self, *steps: PlannedStep, **more: Any) -> Operation:
        operation = self.planned(*steps, **more)
        operations.confirm(operation)
        return operation

    def run(self, *steps: PlannedStep, **more: Any) -> Operation:
        return operations.run(self.queued(*steps, **more).pk)

    # What is there

    def files(self) -> dict[str, bytes]:
        """Every name in the mod folder, hidden ones too; of folders the content of their modinfo.json."""
        found = {}
        for name in os.listdir(self.mods):
            path = self.mods / name
            found[name] = (path / "modinfo.json").read_bytes() if path.is_dir() else path.read_bytes()
        return found

    def leftovers(self) -> list[str]:
        """Staging that is still there."""
        places = (self.mods.parent / ".vsadmin", self.mods / ".vsadmin")
        return [str(path) for place in places if place.exists() for path in [place, *place.rglob("*")]]
