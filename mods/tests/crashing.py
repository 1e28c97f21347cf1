"""A made-up server that is started, changed and crashes, for tests of crashes and their causes."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from conftest import ServerDir
from mods import inventory
from mods.models import GameServer

NOW = timezone.now().replace(microsecond=0)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


class Crashing:
    """A server with deepmining and other, looked at as time goes by."""

    def __init__(self, folder: ServerDir, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = monkeypatch
        self.put("deepmining", "0.9.3")
        self.put("other", "1.0.0")
        self.server = GameServer.objects.create(name=folder.path.parent.name.title(), data_dir=str(folder.path))
        folder.log("")
        self.game = "1.21.5"
        self._archived = 0

    @property
    def log(self) -> Path:
        return self.folder.path / "Logs" / "server-crash.log"

    def put(self, modid: str, version: str) -> None:
        self.folder.add_zip(f"{modid}.zip", modid=modid, version=version, name=modid.title())

    def started(self, minutes_ago: float, *, fatal: str = "", fatal_ago: float = 0) -> None:
        lines = [f"{self._local(minutes_ago)} [Notification] Game Version: v{self.game} (Stable)"]
        if fatal:
            lines += [f"{self._local(fatal_ago)} [Fatal] {line}" for line in fatal.split("\n")]
        self.folder.log("\n".join(lines) + "\n")
        self._written(self.folder.path / "Logs" / "server-main.log", fatal_ago if fatal else minutes_ago)

    def crashed(
        self, minutes_ago: float, culprit: str = " in the following mod: deepmining@0.9.4", **said: str
    ) -> None:
        version = said.get("deepmining", "0.9.4")
        frame = said.get("frame", "DeepMining.Drill.Tick()")
        with self.log.open("a") as log:
            log.write(
                f"Running on 64 bit Linux 6.6.0 with 32000 MB RAM\nGame Version: v{self.game} (Stable)\n"
                f"{self._local(minutes_ago)}: Critical error occurred{culprit}\n"
                f"Loaded Mods: deepmining@{version}, other@1.0.0, game@{self.game}\n"
                f"System.Exception: {said.get('error', 'Boom')}\n   at {frame}\n"
            )
        self._written(self.log, minutes_ago)

    def scan(self, minutes_ago: float = 0) -> None:
        self._patch.setattr(timezone, "now", lambda: ago(minutes_ago))
        assert not inventory.scan(self.server).unreachable

    def updated(self, *, restart: bool = True) -> None:
        """A good start with 0.9.3 a day ago; then 0.9.4, and a start with it five minutes ago."""
        self.scan(24 * 60 + 10)
        self.started(24 * 60)
        self.scan(24 * 60 - 5)
        self.scan(24 * 60 - 20)
        self.put("deepmining", "0.9.4")
        self.scan(8)
        if restart:
            self.started(5)
            self.scan(4)

    @staticmethod
    def _local(minutes_ago: float) -> str:
        return f"{timezone.localtime(ago(minutes_ago)):%d.%m.%Y %H:%M:%S}"

    @staticmethod
    def _written(path: Path, minutes_ago: float) -> None:
        os.utime(path, (ago(minutes_ago).timestamp(), ago(minutes_ago).timestamp()))

    def archive(self, *files: Path) -> None:
        """As a start does from 1.20 on: the logs of the run before move away."""
        self._archived += 1
        place = self.folder.path / "Logs" / "Archive" / f"2026-11-05_09_12_{self._archived:02}"
        place.mkdir(parents=True)
        for path in files:
            path.rename(place / path.name)
