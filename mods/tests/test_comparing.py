"""Two servers side by side, and the wish that makes the right one like the left."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mods import comparing, wishes
from mods.comparing import Relation
from mods.models import GameServer
from mods.tests.rows import install, make_mod, make_release, make_server
from mods.wishes import Target

pytestmark = pytest.mark.django_db


@pytest.fixture
def left() -> GameServer:
    return make_server("Left")


@pytest.fixture
def right() -> GameServer:
    return make_server("Right")


def relations(left: GameServer, right: GameServer) -> dict[str, str]:
    return {row.key: str(row.relation) for row in comparing.compare(left, right)}


def test_every_relation(left: GameServer, right: GameServer) -> None:
    for modid, one, other in (
        ("same", "1.0.0", "1.0"),
        ("newer", "1.10.0", "1.9.0"),
        ("older", "1.0.0-rc.1", "1.0.0"),
        ("odd", "vNext", "vPrevious"),
    ):
        install(left, modid, one)
        install(right, modid.upper(), other)
    install(left, "here")
    install(right, "there")
    install(left, "bytes", sha256="a" * 64)
    install(right, "bytes", sha256="b" * 64)
    install(left, "switched")
    install(right, "switched", enabled=False)
    install(left, "unpacked", kind="folder")
    install(right, "unpacked", sha256="a" * 64)

    assert relations(left, right) == {
        "same": "same",
        "newer": "newer",
        "older": "older",
        "odd": "different",
        "here": "only_left",
        "there": "only_right",
        "bytes": "different",
        "switched": "different",
        "unpacked": "same",
    }
    words = {row.key: row.words for row in comparing.compare(left, right)}
    assert words["odd"] == "other version"
    assert words["bytes"] == "same version, other contents"
    assert words["switched"] == "disabled on the right"
    assert words["newer"] == "newer on the left"


def test_rows_carry_both_versions_and_come_by_name(left: GameServer, right: GameServer) -> None:
    install(left, "b", "2.0.0")
    install(right, "B", "1.0.0", name="Bee")
    install(right, "a", "1.0.0")
    first, second = comparing.compare(left, right)
    assert (first.key, first.left, first.right and first.right.version) == ("a", None, "1.0.0")
    assert (second.key, second.left and second.left.version, second.right and second.right.version) == (
        "b",
        "2.0.0",
        "1.0.0",
    )


def test_files_without_an_id_are_matched_by_name(left: GameServer, right: GameServer) -> None:
    install(left, "", "", file_name="native.dll", sha256="a" * 64)
    install(right, "", "", file_name="native.dll.disabled", sha256="a" * 64, enabled=False)
    install(left, "", "", file_name="broken.zip")
    assert relations(left, right) == {"/native.dll": "different", "/broken.zip": "only_left"}
    rows = comparing.compare(left, right)
    assert not any(row.can_be_wished for row in rows)
    assert comparing.wish(left, right, [row.key for row in rows]).targets == ()


def test_of_several_files_the_one_that_the_game_loads_counts(left: GameServer, right: GameServer) -> None:
    install(left, "twice", "3.0.0", enabled=False)
    install(left, "twice", "2.0.0")
    install(left, "twice", "1.0.0")
    install(right, "twice", "2.0.0")
    (row,) = comparing.compare(left, right)
    assert row.relation is Relation.SAME
    assert row.left is not None
    assert row.left.version == "2.0.0"


def test_the_wish_names_exact_files_of_ticked_rows_only(left: GameServer, right: GameServer) -> None:
    release = make_release(make_mod("Carry"), "1.2.0", file_id=77, sha256="a" * 64)
    install(left, "Carry", "1.2.0", sha256="a" * 64, release=release)
    install(right, "carry", "1.1.0")
    install(left, "private", "0.1.0", sha256="c" * 64, enabled=False)
    install(left, "unticked")
    install(left, "same")
    install(right, "same")

    wish = comparing.wish(left, right, ["carry", "private", "same", "long gone"])

    assert wish.kind == "align"
    assert not wish.remove_others
    assert wish.targets == (
        Target(modid="Carry", version="1.2.0", file_id=77, sha256="a" * 64, enabled=True),
        Target(modid="private", version="0.1.0", sha256="c" * 64, enabled=False),
    )
    assert wishes.from_json(wishes.to_json(wish)) == wish


def test_a_number_of_file_whose_bytes_are_others_is_left_out(left: GameServer, right: GameServer) -> None:
    release = make_release(make_mod("carry"), "1.2.0", file_id=77, sha256="b" * 64)
    install(left, "carry", "1.2.0", sha256="a" * 64, release=release)
    (target,) = comparing.wish(left, right, ["carry"]).targets
    assert target.file_id is None


def test_a_ticked_removal_names_every_file_of_the_mod(left: GameServer, right: GameServer) -> None:
    one = install(right, "extra", "2.0.0")
    other = install(right, "Extra", "1.0.0", enabled=False)
    (row,) = comparing.compare(left, right)
    assert row.removes
    assert comparing.wish(left, right, []).targets == ()
    wish = comparing.wish(left, right, ["extra"])
    assert wish.targets == (Target(row=one.pk, remove=True), Target(row=other.pk, remove=True))
    assert wishes.from_json(wishes.to_json(wish)) == wish


def test_all_but_some_takes_nothing_away(left: GameServer, right: GameServer) -> None:
    for modid in ("ticked", "other", "shown"):
        install(left, modid)
    install(right, "extra")
    install(left, "", file_name="nameless.zip")
    wish = comparing.wish(left, right, ["ticked"], all_but=["ticked", "shown"])
    assert {target.modid for target in wish.targets} == {"ticked", "other"}
    assert {target.modid for target in comparing.wish(left, right, [], all_but=[]).targets} == {
        "ticked",
        "other",
        "shown",
    }


def test_one_query_however_many_mods(left: GameServer, right: GameServer) -> None:
    release = make_release(make_mod("m0"), "1.0.0")
    for number in range(10):
        install(left, f"m{number}", release=release)
        install(right, f"m{number}", "2.0.0", release=release)
    with CaptureQueriesContext(connection) as queries:
        comparing.wish(left, right, [f"m{number}" for number in range(10)])
    assert len(queries) == 1


def test_a_server_with_itself_is_the_same(left: GameServer) -> None:
    install(left, "a")
    assert relations(left, left) == {"a": "same"}
