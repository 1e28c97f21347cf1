"""The demo's world: a mod database full of made-up mods, and what its made-up servers have of them. Pure.

The same moment gives the same world, so that two processes can have one each.
"""

import html
import random
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from demo import invented
from demo.moddb import DemoMod, DemoRelease, ModDatabase

#: Mods of the catalogue besides those of mods.toml.
MORE_MODS = 340

Table = Mapping[str, Any]
_Release = tuple[str, float, tuple[str, ...], Sequence[str]]  # version, days ago, game versions, what changed


@dataclass(frozen=True)
class DemoServer:
    """A made-up server: what it runs, and the database's releases in its Mods folder."""

    name: str
    game_version: str
    started_hours_ago: float
    restart_note: str
    #: Switched off by the ending of their files, and entries of serverconfig.json's DisabledMods.
    disabled: frozenset[str]
    config_disabled: tuple[str, ...]
    releases: tuple[DemoRelease, ...]


@dataclass(frozen=True)
class World:
    """All of it, as of `now`."""

    now: datetime
    database: ModDatabase
    #: By modid; tools, which have none, by name.
    mods: Mapping[str, DemoMod]
    servers: tuple[DemoServer, ...]
    happenings: tuple[Table, ...]
    #: More mods, for those that appear while somebody looks.
    yet_to_come: Iterator[invented.InventedMod] = field(compare=False)

    def release(self, modid: str, version: str) -> DemoRelease:
        """Raises StopIteration where there is none."""
        return next(one for one in self.mods[modid].releases if one.version == version)


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("mods.toml").read_text(encoding="utf-8"))


def build(now: datetime) -> World:
    """The world as it is when a demo starts at `now` (aware)."""
    tables = _tables()
    database = ModDatabase()
    more = invented.mods({table.get("modid", "") for table in tables["mod"]})
    drafts = [_by_hand(table) for table in tables["mod"]] + [_invented(one) for one in islice(more, MORE_MODS)]
    # The mod database numbers its mods in the order of their making.
    mods = {
        draft.key: draft.put_into(database, now)
        for draft in sorted(drafts, key=lambda draft: draft.releases[0][1], reverse=True)
    }
    for table in tables["mod"]:
        for version, reason in table.get("retracted", {}).items():
            release = next(one for one in mods[table["modid"]].releases if one.version == version)
            database.retract(release, f"<p>{html.escape(reason)}</p>", version in table.get("by_moderator", ()))
    servers = tuple(_server(table, mods) for table in tables["server"])
    return World(now, database, mods, servers, tuple(tables["happening"]), more)


def publish(database: ModDatabase, mod: invented.InventedMod, now: datetime) -> DemoMod:
    """Put an invented mod into the database with its newest release, as if it was made just now."""
    newest = mod.releases[-1]
    draft = _invented(mod)
    draft.releases = [("1.0.0", 0.0, newest.game_versions, ["First release."])]
    draft.downloads = draft.trending = 0
    return draft.put_into(database, now)


def changelog(changes: Sequence[str]) -> str:
    """HTML as authors write it."""
    if len(changes) == 1:
        return f"<p>{html.escape(changes[0])}</p>"
    return "<ul>" + "".join(f"<li>{html.escape(one)}</li>" for one in changes) + "</ul>"


def game_versions(text: str) -> tuple[str, ...]:
    """What `1.21.4..6` stands for."""
    first, _dots, last = text.partition("..")
    series, _dot, patch = first.rpartition(".")
    return tuple(f"{series}.{number}" for number in range(int(patch), int(last or patch) + 1))


@dataclass
class _Draft:
    """A mod before it has numbers of the database."""

    key: str
    modid: str | None
    name: str
    author: str
    summary: str
    features: Sequence[str]
    tags: Sequence[str]
    releases: list[_Release]
    side: str = "both"
    type: str = "mod"
    size_kib: int = 100
    downloads: int = 0
    trending: int = 0
    needs: Mapping[str, str] = field(default_factory=dict)
    older_needs: Mapping[str, str] | None = None

    def put_into(self, database: ModDatabase, now: datetime) -> DemoMod:
        dice = random.Random(self.key)
        mod = database.add_mod(
            name=self.name,
            modids=[self.modid] if self.modid else [],
            author=self.author,
            summary=self.summary,
            text=self._description(),
            side=self.side,
            type=self.type,
            tags=self.tags,
            created=_date(now, self.releases[0][1]),
            downloads=self.downloads,
            trending=self.trending,
            follows=self.downloads // dice.randint(60, 200),
            comments=self.downloads // dice.randint(300, 2000),
            alias=re.sub(r"[^a-z]", "", self.name.lower()),
        )
        newest = self.releases[-1][0]
        for version, days_ago, listed, changes in self.releases:
            older = version != newest and self.older_needs is not None
            database.add_release(
                mod,
                self.modid,
                version,
                game_versions=listed,
                changelog=changelog(changes),
                dependencies=self.older_needs if older else self.needs,
                created=_date(now, days_ago),
                padding=self.size_kib * 1024 + dice.randint(0, 20_000),
                downloads=self.downloads // len(self.releases),
            )
        return mod

    def _description(self) -> str:
        needs = "".join(f"<li><code>{html.escape(modid)}</code></li>" for modid in self.needs)
        parts = [
            "<h3>What it does</h3>",
            "<ul>" + "".join(f"<li>{html.escape(one)}</li>" for one in self.features) + "</ul>",
        ]
        if needs:
            parts += ["<h3>What it needs</h3>", f"<ul>{needs}</ul>"]
        if self.modid and self.side != "client":
            parts.append(f"<p>Its settings are in <code>ModConfig/{self.modid}.json</code>.</p>")
        parts.append("<p><em>A made-up mod of vsadmin's demo.</em></p>")
        return "".join(parts)


def _by_hand(table: Table) -> _Draft:
    dice = random.Random(table["name"])
    releases: list[_Release] = [
        (version, float(days_ago), game_versions(listed), changes)
        for version, days_ago, listed, *changes in table["releases"]
    ]
    return _Draft(
        key=table.get("modid", table["name"]),
        modid=table.get("modid"),
        name=table["name"],
        author=table["author"],
        summary=table["summary"],
        features=table["features"],
        tags=table["tags"],
        releases=releases,
        side=table.get("side", "both"),
        type=table.get("type", "mod"),
        size_kib=table["size"],
        downloads=table.get("downloads", dice.randint(900, 26_000)),
        trending=table.get("trending", dice.randint(20, 140)),
        needs=table.get("needs", {}),
        older_needs=table.get("older_needs"),
    )


def _invented(mod: invented.InventedMod) -> _Draft:
    return _Draft(
        key=mod.modid,
        modid=mod.modid,
        name=mod.name,
        author=mod.author,
        summary=mod.summary,
        features=mod.features,
        tags=mod.tags,
        releases=[(one.version, one.days_ago, one.game_versions, one.changes) for one in mod.releases],
        side=mod.side,
        size_kib=mod.size_kib,
        downloads=mod.downloads,
        trending=mod.trending,
    )


def _server(table: Table, mods: Mapping[str, DemoMod]) -> DemoServer:
    return DemoServer(
        name=table["name"],
        game_version=table["game_version"],
        started_hours_ago=table["started_hours_ago"],
        restart_note=table["restart_note"],
        disabled=frozenset(table["disabled"]),
        config_disabled=tuple(table["config_disabled"]),
        releases=tuple(
            next(one for one in mods[modid].releases if one.version == version)
            for modid, version in table["mods"].items()
        ),
    )


def _date(now: datetime, days_ago: float) -> str:
    return (now.astimezone(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%d %H:%M:%S")
