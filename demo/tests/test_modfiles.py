"""The made-up mod files: real zips that say what the database says, the same bytes each time."""

import io
import json
import zipfile
from typing import Any

import pytest

from demo.moddb import ModDatabase, populate
from demo.moddb_data import version_number


def modinfo(content: bytes) -> dict[str, Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        found: dict[str, Any] = json.loads(archive.read("modinfo.json"))
        return found


def test_the_file_says_what_the_database_says() -> None:
    db = ModDatabase()
    mod = db.add_mod(name="Café", author="Zoë", side="server", summary="Warm")
    release = db.add_release(mod, "cafe", "1.2.0-rc.1", game_versions=["1.21.0"], dependencies={"coffee": "2.0.0"})
    assert modinfo(release.content) == {
        "type": "content",
        "modid": "cafe",
        "name": "Café",
        "version": "1.2.0-rc.1",
        "authors": ["Zoë"],
        "description": "Warm",
        "side": "Server",
        "dependencies": {"game": "1.21.0", "coffee": "2.0.0"},
    }


def test_the_bytes_never_change() -> None:
    def build() -> bytes:
        db = ModDatabase()
        return db.add_release(db.add_mod(name="A"), "a", "1.0.0", padding=10_000).content

    assert build() == build()
    assert len(build()) > 10_000


def test_given_bytes_are_served_as_they_are() -> None:
    db = ModDatabase()
    assert db.add_release(db.add_mod(name="A"), "a", "1.0.0", content=b"no zip").content == b"no zip"


@pytest.mark.parametrize("version", ["1.0", "v1.0.0", "1.0.0.0", "1.0.0-beta.1", "1.0.0-rc", "", "1.0.0-rc.x"])
def test_versions_that_the_database_would_not_take(version: str) -> None:
    db = ModDatabase()
    mod = db.add_mod(name="A")
    with pytest.raises(ValueError):
        db.add_release(mod, "a", version)


def test_the_order_of_versions() -> None:
    ordered = ["0.9.9", "1.0.0-dev.2", "1.0.0-dev.10", "1.0.0-pre.1", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.10.0", "2.0.0"]
    numbers = [version_number(version) for version in ordered]
    assert None not in numbers
    assert numbers == sorted(number for number in numbers if number is not None)


def test_populate_makes_the_same_mods_each_time() -> None:
    first, second = ModDatabase(), ModDatabase()
    mods = populate(first, 5, 3)
    populate(second, 5, 3)
    assert [mod.name for mod in mods] == [f"Demo Mod {index}" for index in range(1, 6)]
    assert all(len(mod.releases) == 3 for mod in mods)
    assert mods[0].releases[-1].version == "1.2.0"
    assert mods[0].releases[-1].game_versions == ("1.21.5", "1.21.6", "1.21.7")
    again = second.store.mods[mods[0].mod_id]
    assert [release.content for release in again.releases] == [release.content for release in mods[0].releases]
