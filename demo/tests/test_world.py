"""The demo's world: believable, made up, the same each time; and what happens in it."""

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from demo import world
from demo.happenings import happenings
from demo.world import World

NOW = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
REAL_LIST = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "moddb" / "api-mods-2025-12-29.json"


@pytest.fixture
def built() -> World:
    return world.build(NOW)


def test_the_same_moment_gives_the_same_world(built: World) -> None:
    other = world.build(NOW)
    assert list(built.database.store.files) == list(other.database.store.files)
    for server, same in zip(built.servers, other.servers, strict=True):
        assert [one.content for one in server.releases[:5]] == [one.content for one in same.releases[:5]]


def test_there_are_hundreds_of_mods_each_its_own(built: World) -> None:
    mods = list(built.mods.values())
    assert len(mods) > 400
    assert len({mod.name for mod in mods}) == len(mods)
    assert sum(len(server.releases) for server in built.servers) > 60
    for mod in mods:
        assert mod.summary[0].isupper()
        assert mod.summary[-1] in ".)"
        assert "{" not in mod.summary + mod.text
        assert all(release.created <= "2026-03-01 20:00:00" for release in mod.releases)


def test_all_ids_are_such_as_the_game_takes(built: World) -> None:
    ids = [modid for mod in built.mods.values() for modid in mod.modids]
    assert all(re.fullmatch("[a-z][a-z0-9]*", modid) for modid in ids)
    assert len(set(ids)) == len(ids)


def test_what_mods_need_is_there_but_for_one(built: World) -> None:
    needed = {
        modid
        for mod in built.mods.values()
        for release in mod.releases
        for modid in release.dependencies
        if modid != "game"
    }
    assert needed - set(built.mods) == {"guildhallkit"}


def test_no_real_mod_or_author_is_named(built: World) -> None:
    if not REAL_LIST.exists():
        pytest.skip(f"the real list of mods isn't here ({REAL_LIST})")
    real = json.loads(REAL_LIST.read_text())["mods"]
    names = {_bare(mod["name"]) for mod in real}
    ids = {modid.lower() for mod in real for modid in mod["modidstrs"]}
    authors = {mod["author"].lower() for mod in real}
    for mod in built.mods.values():
        assert _bare(mod.name) not in names
        assert not ids & set(mod.modids)
        assert mod.author.lower() not in authors
    for coming in islice(built.yet_to_come, 200):
        assert _bare(coming.name) not in names
        assert coming.modid not in ids


def _bare(name: str) -> str:
    return re.sub("[^a-z0-9]", "", name.lower())


@pytest.mark.parametrize(
    ("text", "versions"),
    [("1.21.6", ("1.21.6",)), ("1.21.4..6", ("1.21.4", "1.21.5", "1.21.6")), ("1.20.9..10", ("1.20.9", "1.20.10"))],
)
def test_ranges_of_game_versions(text: str, versions: tuple[str, ...]) -> None:
    assert world.game_versions(text) == versions


def test_things_happen_updates_retractions_and_new_mods(built: World) -> None:
    installed = {release.modid: release.number for server in built.servers for release in server.releases}
    said = list(islice(happenings(built), 40))
    assert sum("was retracted" in one for one in said) == 2
    assert sum("is new" in one for one in said) >= 3
    newer = [modid for modid, number in installed.items() if _newest(built, str(modid)) > number]
    assert "nightherons" in newer
    today = datetime.now(UTC) - timedelta(minutes=5)
    newest = built.mods["nightherons"].releases[-1]
    assert newest.created > today.strftime("%Y-%m-%d %H:%M:%S")
    assert len({(one.modid, one.version) for one in built.database.store.files.values()}) == len(
        built.database.store.files
    )


def test_a_retraction_has_its_reason(built: World) -> None:
    for _said in islice(happenings(built), 5):
        pass
    release = built.release("mossyhollows", "1.8.0")
    assert release.retraction is not None
    assert "Springs flood cellars" in release.retraction


def _newest(built: World, modid: str) -> int:
    return max(release.number for release in built.mods[modid].releases)
