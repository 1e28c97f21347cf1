"""A mod database that lacks most of what it had isn't believed: it is said, and asked again."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from conftest import Events, ServerDir
from demo.moddb import DemoMod, ModDatabase
from events.models import Event
from mods import answers, inventory, refresh
from mods.models import GameServer, InstalledMod, Lookup, Release

pytestmark = pytest.mark.django_db


@pytest.fixture
def make(server_dir: Callable[..., ServerDir], mod_database: ModDatabase) -> Callable[[int], list[DemoMod]]:
    """So many installed mods, asked about a moment ago."""

    def make(count: int) -> list[DemoMod]:
        folder = server_dir(game_version="1.21.5")
        mods = [mod_database.add_mod(name=f"Mod {number}", modids=[f"mod{number}x"]) for number in range(count)]
        for number, mod in enumerate(mods):
            mod_database.add_release(mod, f"mod{number}x", "1.0.0", game_versions=["1.21.5"])
            folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
        inventory.scan(GameServer.objects.create(name="Public", data_dir=str(folder.path)))
        refresh.refresh()
        Event.objects.all().delete()
        return mods

    return make


def remove(database: ModDatabase, mods: list[DemoMod]) -> None:
    for mod in mods:
        database.remove_mod(mod)


def hide(mods: list[DemoMod]) -> None:
    """Their own pages deny them; the batches are as ever."""
    for mod in mods:
        mod.status = "locked"


def gone() -> int:
    return Lookup.objects.filter(state=Lookup.State.ABSENT).count()


def test_an_empty_mod_database_loses_nothing(
    make: Callable[[int], list[DemoMod]], mod_database: ModDatabase, events: Events
) -> None:
    remove(mod_database, make(12))
    for _time in range(2):
        result = refresh.refresh()
        assert result.no_answer
        assert "denies most of the mods" in result.run.summary
    assert (gone(), InstalledMod.objects.needing_attention().count()) == (0, 0)
    assert not Release.objects.exclude(gone_since=None).exists()
    assert not Event.objects.exists()
    assert Lookup.objects.exclude(doubted_since=None).count() == 12
    assert len(events.named("moddb_absences_doubted")) == 2


def test_what_is_denied_for_a_day_is_gone(make: Callable[[int], list[DemoMod]], mod_database: ModDatabase) -> None:
    remove(mod_database, make(3))
    now = timezone.now()
    refresh.refresh()
    with time_machine.travel(now + timedelta(hours=23), tick=True):
        refresh.refresh()
        assert gone() == 0
    with time_machine.travel(now + timedelta(hours=25), tick=True):
        assert refresh.refresh().failures == {}
    assert (gone(), InstalledMod.objects.gone().count()) == (3, 3)
    assert not Lookup.objects.exclude(doubted_since=None).exists()


def test_once_they_are_there_again_all_is_as_it_was(
    make: Callable[[int], list[DemoMod]], mod_database: ModDatabase
) -> None:
    mods = make(6)
    hide(mods)
    assert refresh.refresh(force=True).no_answer
    for mod in mods:
        mod.status = "published"
    result = refresh.refresh()
    assert (result.failures, result.refreshed) == ({}, 6)
    assert not Lookup.objects.exclude(doubted_since=None).exists()
    assert not Lookup.objects.exclude(error="").exists()


@pytest.mark.parametrize(("there", "removed", "believed"), [(6, 3, True), (6, 4, False), (3, 2, True), (3, 3, False)])
def test_more_than_half_and_more_than_a_few_are_doubted(
    there: int, removed: int, believed: bool, make: Callable[[int], list[DemoMod]], mod_database: ModDatabase
) -> None:
    remove(mod_database, make(there)[:removed])
    refresh.refresh(force=True)
    assert gone() == (removed if believed else 0)


def test_one_of_many_is_gone_at_once_and_few_others_are_asked_to_tell(
    make: Callable[[int], list[DemoMod]], mod_database: ModDatabase
) -> None:
    mods = make(40)
    remove(mod_database, mods[:1])
    mod_database.log.clear()
    refresh.refresh()
    assert gone() == 1
    assert sum(" /api/mod/" in line for line in mod_database.log) <= 2 + 2 + 3, "by id and number, due, others"
    (event,) = Event.objects.all()
    assert event.title == "mod0x is gone from the mod database"


def test_a_few_denied_by_an_empty_database_are_doubted_for_what_else_it_denies(
    make: Callable[[int], list[DemoMod]], mod_database: ModDatabase
) -> None:
    """Only the one whose details are due is asked for; the batches are as ever, as with drafts and locked mods."""
    hide(make(20))
    result = refresh.refresh()
    assert len(result.failures) == 1
    assert gone() == 0


def test_a_plan_that_asks_does_not_believe_it_either(
    make: Callable[[int], list[DemoMod]], mod_database: ModDatabase
) -> None:
    remove(mod_database, make(4))
    troubles = refresh.look_up(list(Lookup.objects.all()))
    assert len(troubles) == 4
    assert gone() == 0


def test_one_that_was_never_there_is_no_loss(make: Callable[[int], list[DemoMod]], mod_database: ModDatabase) -> None:
    server = GameServer.objects.create(name="Other", data_dir="/srv/other")
    for number in range(5):
        lookup = Lookup.objects.create(key=f"homemade{number}", modid=f"homemade{number}")
        InstalledMod.objects.create(server=server, folder="/srv", file_name=f"{number}.zip", kind="zip", lookup=lookup)
    assert refresh.refresh().failures == {}
    assert gone() == 5


def test_a_list_of_all_mods_changes_nothing_of_that(
    make: Callable[[int], list[DemoMod]], mod_database: ModDatabase
) -> None:
    remove(mod_database, make(4))
    answers.store_list([])
    refresh.refresh()
    assert gone() == 0
