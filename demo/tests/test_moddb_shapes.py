"""The made-up answers have the shape of recorded ones: the same keys, the same kinds of values."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.moddb import ModDatabase

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "moddb" / "recordings"

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings in ../shared/data aren't here")


@pytest.fixture(scope="module")
def db() -> Iterator[ModDatabase]:
    made = ModDatabase()
    carry = made.add_mod(name="Carry Capacity", tags=["QoL"], logo="https://files.example.com/logo.png", alias="carry")
    made.add_release(carry, "carrycapacity", "0.1.0", game_versions=["1.20.4"], changelog="<p>x</p>")
    made.add_release(carry, "carrycapacity", "0.5.3", game_versions=["1.20.4"], changelog="<p>x</p>")
    bare = made.add_mod(name="Bare", side=None)
    made.add_release(bare, "bare", "1.0.0", game_versions=["1.20.4"])
    made.retract(made.add_release(bare, "bare", "1.1.0", game_versions=["1.20.4"]), "<p>No</p>")
    made.add_release(made.add_mod(name="No file"), "missingfile", "1.1.0", game_versions=["1.20.4"], missing_file=True)
    made.add_mod(name="Nothing yet")
    with made.serve():
        yield made


def recorded(name: str) -> Any:
    return json.loads(json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))["body"])


def shape(value: Any) -> Any:
    """The same for values of one kind; ids as keys, and the number of items, don't count."""
    if isinstance(value, dict):
        named = {key: shape(item) for key, item in value.items()}
        return named if len(named) != 1 or "errorCode" in named else list(named.values())
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/mod/carrycapacity", "mod-carrycapacity"),
        ("/api/mod/bare", "mod-nullside"),
        ("/api/mod/missingfile", "mod-missingfile"),
        ("/api/mod/NUMBER", "mod-norelease"),
        ("/api/mod/nope", "mod-unknown-str"),
        ("/api/gameversions", "gameversions"),
        ("/api/tags", "tags"),
        ("/api/updates?mods=carrycapacity@0.1.0", "updates-case"),
        ("/api/updates?mods=missingfile@0.1.0", "updates-missingfile"),
        ("/api/updates?mods=nope@0.1.0", "updates-unknown"),
        ("/api/updates?mods=nope", "updates-one-malformed"),
        ("/api/mods?text=carry", "mods-text"),
        ("/api/v2/mods/install-information?ids=carrycapacity@0.1.0", "v2-ii-gv-latest"),
        ("/api/v2/mods/install-information?ids=bare@1.1.0", "v2-ii-retracted-mod"),
        ("/api/v2/mods/install-information?ids=missingfile@1.1.0", "v2-ii-missingfile"),
        ("/api/v2/mods/install-information?ids=carrycapacity&gv=1.20", "v2-ii-badgv"),
        ("/api/v2/mods/install-information", "v2-ii-noids"),
    ],
)
def test_the_shape_is_the_recorded_one(db: ModDatabase, path: str, name: str) -> None:
    path = path.replace("NUMBER", str(max(db.store.mods)))  # the mod without a release
    made = requests.get(db.url + path, timeout=10).json()
    found = recorded(name)
    if "mod" in made:
        assert list(made["mod"]) == list(found["mod"])
        made["mod"]["tags"] = found["mod"]["tags"] = []
        made["mod"]["urlalias"] = found["mod"]["urlalias"] = ""
        made["mod"]["screenshots"] = found["mod"]["screenshots"] = []
        for mod in (made, found):
            for release in mod["mod"]["releases"][:1]:
                release["changelog"] = ""
    assert shape(made) == shape(found)


@pytest.mark.parametrize("name", ["dl-8", "dl-retracted", "dl-unknown", "dl-nan", "mods-gv-malformed", "v2-unknown"])
def test_status_and_kind_are_the_recorded_ones(db: ModDatabase, name: str) -> None:
    bare = db.store.mods[db.store.releases_of("bare")[0].mod.mod_id]
    paths = {
        "dl-8": f"/download/{bare.releases[0].file_id}/x.zip",
        "dl-retracted": f"/download/{bare.releases[1].file_id}",
        "dl-unknown": "/download/999999",
        "dl-nan": "/download/abc",
        "mods-gv-malformed": "/api/mods?gv=1.20",
        "v2-unknown": "/api/v2/nope",
    }
    found = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    answer = requests.get(db.url + paths[name], timeout=10, allow_redirects=False)
    assert answer.status_code == found["status"]
    assert answer.headers["Content-Type"] == found["headers"]["Content-Type"]
