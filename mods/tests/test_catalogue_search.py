"""What the catalogue finds, in which order, and what it knows of the chosen server."""

from datetime import UTC, datetime
from typing import Any

import pytest

from mods import answers, catalogue, moddb
from mods.catalogue import Wanted
from mods.models import GameServer, Lookup, Mod
from mods.tests.rows import install, make_server

pytestmark = pytest.mark.django_db


def summary(number: int, name: str, **fields: Any) -> moddb.ModSummary:
    wanted: dict[str, Any] = {
        "asset_id": number + 5000, "summary": "", "author": "Ann", "alias": "", "side": "both", "type": "mod",
        "logo_url": "", "tags": (), "modids": (name.lower().replace(" ", ""),), "downloads": 0, "follows": 0,
        "comments": 0, "trending": 0, "last_released": None, **fields,
    }  # fmt: skip
    return moddb.ModSummary(mod_id=number, name=name, **wanted)


LISTED = [
    summary(1, "Carry On", author="Copy Girl", downloads=900, trending=5, tags=("QoL", "Utility"),
            last_released=datetime(2026, 3, 1, tzinfo=UTC), modids=("carryon", "carryonlib")),
    summary(2, "Carry Capacity", summary="Carry chests 100% of the way_home", downloads=500, side="server",
            last_released=datetime(2026, 5, 1, tzinfo=UTC), tags=("QoL",)),
    summary(3, "Ёлка", summary="Élan vital", author="Straße", trending=9, side="client"),
    summary(4, "Map Maker", summary="Draws maps; carry it", type="externaltool", downloads=2000, modids=()),
]  # fmt: skip


@pytest.fixture(autouse=True)
def listed() -> None:
    answers.store_list(LISTED)


def names(**wanted: Any) -> list[str]:
    return [entry.mod.name for entry in catalogue.search(Wanted(**wanted))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("carry", ["Carry On", "Carry Capacity", "Map Maker"]),
        ("CARRY capacity", ["Carry Capacity"]),
        ("girl carry", ["Carry On"]),
        ("carryonlib", ["Carry On"]),
        ("ЁЛКА", ["Ёлка"]),
        ("STRASSE élan", ["Ёлка"]),
        ("straße", ["Ёлка"]),
        ("100%", ["Carry Capacity"]),
        ("way_home", ["Carry Capacity"]),
        ("wayXhome", []),
        ("'; drop table", []),
        ("\\", []),
        ("   ", ["Ёлка", "Carry On", "Map Maker", "Carry Capacity"]),
    ],
)
def test_words_of_name_author_summary_and_id(text: str, expected: list[str]) -> None:
    assert names(text=text) == expected


def test_what_is_just_so_called_comes_first() -> None:
    answers.store_list([*LISTED, summary(10, "Carry", downloads=1), summary(11, "To Carry Much", downloads=99_999)])
    assert names(text="carry")[:2] == ["Carry", "Carry On"]
    assert names(text="carryonlib") == ["Carry On"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("", ["Ёлка", "Carry On", "Map Maker", "Carry Capacity"]),
        ("trending", ["Ёлка", "Carry On", "Map Maker", "Carry Capacity"]),
        ("newest", ["Map Maker", "Ёлка", "Carry Capacity", "Carry On"]),
        ("updated", ["Carry Capacity", "Carry On", "Map Maker", "Ёлка"]),
        ("downloads", ["Map Maker", "Carry On", "Carry Capacity", "Ёлка"]),
        ("name", ["Carry Capacity", "Carry On", "Map Maker", "Ёлка"]),
    ],
)
def test_sorted(sort: str, expected: list[str]) -> None:
    assert names(sort=sort) == expected
    assert names(sort="downloads", text="carry") == ["Map Maker", "Carry On", "Carry Capacity"]


def test_filtered() -> None:
    assert names(tag="QoL") == ["Carry On", "Carry Capacity"]
    assert names(side="client") == ["Ёлка"]
    assert names(type="externaltool") == ["Map Maker"]
    assert names(tag="QoL", side="server", text="chests") == ["Carry Capacity"]
    answers.store_fits("1.21.5", {2, 3}, datetime.now(UTC))
    answers.store_fits("1.21", {1, 2, 3}, datetime.now(UTC))
    assert names(game_version="1.21.5", sort="newest") == ["Ёлка", "Carry Capacity"]
    assert names(game_version="1.21", tag="Utility") == ["Carry On"]
    known = catalogue.known()
    assert known.tags == [("QoL", 2), ("Utility", 1)]
    assert known.types == ["externaltool", "mod"]
    assert list(known.heard) == ["1.21.5", "1.21", ""]


def test_not_installed_yet() -> None:
    server, other = make_server(), make_server("Other")
    install(server, "CarryOnLib")
    install(other, "carrycapacity")
    assert names(not_on=server, text="carry") == ["Carry Capacity", "Map Maker"]
    assert names(not_on=other, text="carry") == ["Carry On", "Map Maker"]


def test_of_two_mods_with_one_id_the_one_that_was_named_is_installed() -> None:
    answers.store_list([*LISTED, summary(9, "Carry On Again", modids=("carryon",))])
    server = make_server()
    row = install(server, "carryon")
    assert _installed(server) == {"Carry On", "Carry On Again"}, "nobody knows which of them"
    assert not {"Carry On", "Carry On Again"} & set(names(not_on=server))
    row.lookup = Lookup.objects.create(key="carryon", modid="carryon", mod=Mod.objects.get(mod_id=9), state="found")
    row.save()
    assert _installed(server) == {"Carry On Again"}
    assert "Carry On" in names(not_on=server)
    assert "Carry On Again" not in names(not_on=server)


def _installed(server: GameServer) -> set[str]:
    pks = list(Mod.objects.values_list("pk", flat=True))
    return {one.mod.name for one in catalogue.listed(pks, server, {}) if one.installed}
