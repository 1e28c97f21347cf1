"""Game versions are learnt with each refresh, are an event where they are new, and never fail it."""

from collections.abc import Callable

import pytest

from conftest import ServerDir
from demo.moddb import ModDatabase
from events.models import Event
from mods import catalogue, gameversions, inventory, tasks
from mods.models import GameServer, GameVersion
from mods.tests.rows import make_server
from vsadmin.lib.jobs import runner

pytestmark = pytest.mark.django_db


@pytest.fixture
def server(server_dir: Callable[..., ServerDir]) -> GameServer:
    """One mod is installed, so that a refresh has something to ask."""
    folder = server_dir(game_version="1.21.5")
    folder.add_zip("a.zip", modid="alpha", version="1.0.0")
    made = GameServer.objects.create(name="Public", data_dir=str(folder.path))
    inventory.scan(made)
    return made


def stored() -> set[str]:
    return set(GameVersion.objects.values_list("version", flat=True))


def told() -> list[str]:
    return list(Event.objects.filter(kind="new_game_version").order_by("pk").values_list("title", flat=True))


def asked(database: ModDatabase) -> int:
    return sum("/api/gameversions" in line for line in database.log)


def test_a_refresh_learns_them_with_one_request_beside_its_own(server: GameServer, mod_database: ModDatabase) -> None:
    run = runner.run_now(tasks.REFRESH)
    assert run.state == "done"
    assert stored() == mod_database.store.game_versions
    assert asked(mod_database) == 1
    assert told() == [], "the first fill is no news"

    mod_database.store.game_versions |= {"1.22.0-rc.1", "1.22.0"}
    runner.run_now(tasks.REFRESH)
    runner.run_now(tasks.REFRESH)
    assert stored() >= {"1.22.0-rc.1", "1.22.0"}
    assert sorted(told()) == ["Game version 1.22.0 is out", "Game version 1.22.0-rc.1 is out: a prerelease"]


@pytest.mark.parametrize("fault", ["500_html", "statuscode_500", "garbage", "truncated", "404", "refuse"])
def test_an_outage_of_them_fails_no_refresh(server: GameServer, mod_database: ModDatabase, fault: str) -> None:
    mod_database.fault("/api/gameversions", fault)
    run = runner.run_now(tasks.REFRESH)
    assert run.state == "done"
    assert stored() == set()
    assert gameversions.learn() != ""


def test_where_nothing_answers_they_aren_t_asked_for(server: GameServer, mod_database: ModDatabase) -> None:
    mod_database.fault("/", "500_html")
    assert runner.run_now(tasks.REFRESH).state == "failed"
    assert asked(mod_database) == 0


def test_the_list_of_all_mods_teaches_them_too(mod_database: ModDatabase) -> None:
    GameVersion.objects.create(version="1.19.0")
    mod_database.add_mod(name="Alpha", modids=["alpha"])
    catalogue.refresh_lists()
    assert stored() == mod_database.store.game_versions
    assert len(told()) == gameversions._MOST_EVENTS, "another list is no news of two dozen lines"


@pytest.mark.parametrize(
    "given",
    ["0.0.0", "0.0.0-rc.1", "", "garbage", "1.22", "1.22.x", "<b>", "1.2.3.4", "9" * 60 + ".0.0", "1.22.0-alpha.1"],
)
def test_what_is_no_game_version_is_left_out(given: str) -> None:
    assert gameversions.note([given, "1.21.5"]) == ["1.21.5"]
    assert stored() == {"1.21.5"}


def test_they_come_newest_first_with_those_of_the_servers() -> None:
    make_server(game_version="1.22.0-rc.2")
    make_server("Odd", game_version="whatever")
    gameversions.note(["1.9.0", "1.21.5", "1.21.10", "1.22.0-rc.1"])
    assert gameversions.known() == ["1.22.0-rc.2", "1.22.0-rc.1", "1.21.10", "1.21.5", "1.9.0"]
    assert gameversions.newest(gameversions.known()) == "1.21.10"
    assert gameversions.newest(["1.22.0-rc.1", "1.22.0-rc.2"]) == "1.22.0-rc.2"
    assert gameversions.newest([]) == ""
