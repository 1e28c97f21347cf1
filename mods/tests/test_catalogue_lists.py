"""The lists behind the catalogue: few questions, nothing lost where they fail, releases have their say."""

from datetime import timedelta

import pytest
from django.utils import timezone

from demo.moddb import ModDatabase
from demo.moddb_data import DemoMod
from mods import answers, catalogue, fits, refresh, tasks
from mods.fits import Fit
from mods.models import CatalogueEntry, CatalogueTag, GameVersionFit, ListAnswer, Lookup, Mod
from mods.tests.rows import make_server
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db


def publish(database: ModDatabase, modid: str, *game_versions: str, **fields: object) -> DemoMod:
    mod = database.add_mod(name=modid.title(), modids=[modid], **fields)  # type: ignore[arg-type]  # as given
    database.add_release(mod, modid, "1.0.0", game_versions=game_versions)
    return mod


def judged(game_version: str) -> dict[str, Fit]:
    mods = list(Mod.objects.all())
    found = fits.judge(mods, game_version, fits.answered())
    return {mod.name: found[mod.pk] for mod in mods}


def test_a_handful_of_questions_tells_what_fits(mod_database: ModDatabase) -> None:
    make_server(game_version="1.21.5")
    for modid, versions in {
        "exact": ["1.21.5"],
        "patch": ["1.21.0"],
        "older": ["1.20.4"],
        "oldest": ["1.17.0", "1.18.0", "1.19.0"],
        "silent": [],
    }.items():
        publish(mod_database, modid, *versions)
    run = runner.run_now(tasks.CATALOGUE)
    assert (run.state, run.message) == (JobRun.State.DONE, "5 mods listed")
    asked = [line.removeprefix("GET /api/") for line in mod_database.log]
    assert asked == [
        "mods", "gameversions", "mods?gv=1.21.5", "mods?gameversion=1.21", "mods?gameversion=1.20",
        "mods?gameversion=1.19",
    ]  # fmt: skip
    assert judged("1.21.5") == {
        "Exact": Fit.COMPATIBLE, "Patch": Fit.NOT_VERIFIED, "Older": Fit.INCOMPATIBLE, "Oldest": Fit.INCOMPATIBLE,
        "Silent": Fit.UNKNOWN,
    }  # fmt: skip
    assert judged("1.20.4")["Older"] == Fit.NOT_VERIFIED, "the exact version wasn't asked about"
    assert set(judged("1.18.0").values()) == {Fit.UNKNOWN}, "nobody asked about that series"
    assert set(judged("").values()) == {Fit.UNKNOWN}


def test_details_decide_exactly(mod_database: ModDatabase) -> None:
    for modid, versions in {"exact": ["1.18.0"], "patch": ["1.18.1"], "other": ["1.20.4"], "silent": []}.items():
        publish(mod_database, modid, *versions)
    runner.run_now(tasks.CATALOGUE)
    for mod in Mod.objects.all():
        assert catalogue.fetch_details(mod) == ""
    assert judged("1.18.0") == {
        "Exact": Fit.COMPATIBLE, "Patch": Fit.NOT_VERIFIED, "Other": Fit.INCOMPATIBLE, "Silent": Fit.NOT_VERIFIED,
    }  # fmt: skip


def test_a_release_younger_than_the_list_leaves_it_open(mod_database: ModDatabase) -> None:
    make_server(game_version="1.21.5")
    publish(mod_database, "older", "1.20.4")
    runner.run_now(tasks.CATALOGUE)
    assert judged("1.21.5") == {"Older": Fit.INCOMPATIBLE}
    Mod.objects.update(last_released=timezone.now() + timedelta(minutes=1))
    assert judged("1.21.5") == {"Older": Fit.UNKNOWN}


def test_the_later_word_counts(mod_database: ModDatabase) -> None:
    make_server(game_version="1.21.5")
    mod = publish(mod_database, "older", "1.20.4")
    runner.run_now(tasks.CATALOGUE)
    catalogue.fetch_details(Mod.objects.get())
    mod_database.add_release(mod, "older", "1.1.0", game_versions=["1.21.5"])
    runner.run_now(tasks.CATALOGUE)
    assert judged("1.21.5") == {"Older": Fit.COMPATIBLE}


def test_a_list_that_fails_leaves_what_was(mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 1.0)
    make_server(game_version="1.21.5")
    publish(mod_database, "exact", "1.21.5", tags=["QoL"])
    runner.run_now(tasks.CATALOGUE)
    mod_database.fault("/api/mods?g", "500_html")
    run = runner.run_now(tasks.CATALOGUE)
    assert run.state == JobRun.State.DONE, "the list itself came"
    assert "1.21.5" in run.message
    assert "couldn't be asked" in run.message
    mod_database.fault("/", "500_html")
    run = runner.run_now(tasks.CATALOGUE)
    assert run.state == JobRun.State.FAILED
    assert judged("1.21.5") == {"Exact": Fit.COMPATIBLE}
    assert CatalogueEntry.objects.count() == CatalogueTag.objects.count() == 1
    answer = ListAnswer.objects.get(game_version="")
    assert answer.error
    assert answer.answered_at is not None
    assert answer.tried_at is not None
    assert answer.answered_at < answer.tried_at


def test_a_list_that_lacks_most_is_not_believed(mod_database: ModDatabase) -> None:
    make_server(game_version="1.21.5")
    published = [publish(mod_database, f"mod{number}", "1.21.5") for number in range(24)]
    runner.run_now(tasks.CATALOGUE)
    for mod in published[:2]:
        mod_database.remove_mod(mod)
    assert runner.run_now(tasks.CATALOGUE).message == "22 mods listed"
    assert CatalogueEntry.objects.count() == 22, "what was taken out of the mod database leaves the catalogue"
    for mod in published[2:]:
        mod_database.remove_mod(mod)
    run = runner.run_now(tasks.CATALOGUE)
    assert "0 mods listed" in run.message
    assert "nothing was taken out of the catalogue" in run.message
    assert CatalogueEntry.objects.count() == 22
    assert GameVersionFit.objects.filter(version="1.21.5").count() == 22
    assert "lacks more than half" in ListAnswer.objects.get(game_version="").error


def test_of_few_mods_all_may_go(mod_database: ModDatabase) -> None:
    make_server(game_version="1.21.5")
    mod = publish(mod_database, "only", "1.21.5")
    runner.run_now(tasks.CATALOGUE)
    mod_database.remove_mod(mod)
    assert runner.run_now(tasks.CATALOGUE).message == "0 mods listed"
    assert not CatalogueEntry.objects.exists()


def test_lists_that_nobody_needs_are_dropped(mod_database: ModDatabase) -> None:
    server = make_server(game_version="1.18.3")
    publish(mod_database, "old", "1.18.3")
    publish(mod_database, "known", "1.18.3")
    publish(mod_database, "new", "1.19.0", "1.20.0", "1.21.0")
    runner.run_now(tasks.CATALOGUE)
    catalogue.fetch_details(Mod.objects.get(name="Known"))
    server.game_version = "1.21.0"
    server.save()
    runner.run_now(tasks.CATALOGUE)
    assert "1.18.3" not in fits.answered()
    named = GameVersionFit.objects.filter(version="1.18.3").values_list("mod__name", flat=True)
    assert list(named) == ["Known"], "what a mod's own releases say stays"


def test_details_change_the_entry(mod_database: ModDatabase) -> None:
    made = publish(mod_database, "alpha", "1.21.5", tags=["QoL"])
    runner.run_now(tasks.CATALOGUE)
    made.name, made.tags = "Omega", ("Food",)
    catalogue.fetch_details(Mod.objects.get())
    entry = CatalogueEntry.objects.get()
    assert entry.name == "omega"
    assert "\nalpha\n" in entry.words
    assert "summary of alpha" in entry.words
    assert list(entry.tags.values_list("tag", flat=True)) == ["Food"]


def test_details_of_an_installed_mod_that_no_list_has_make_no_entry(mod_database: ModDatabase) -> None:
    publish(mod_database, "alpha", "1.21.5")
    refresh.look_up([Lookup.objects.create(key="alpha", modid="alpha")])
    assert Mod.objects.count() == 1
    assert not CatalogueEntry.objects.exists()


def test_hostile_game_versions_are_bounded(mod_database: ModDatabase) -> None:
    listed = [[f"1.{minor}.{patch}" for patch in range(30)] for minor in range(60)]
    assert len(fits.of_releases(listed)) <= 500
    assert fits.of_releases([["9" * 80, "vNext", "0.0.0"]]) == {""}
    assert fits.series("1.21.0-rc.3") == "1.21"
    assert fits.exact("v1.21.0-rc.3") == "1.21.0-rc.3"
    assert answers.store_fits("1.21.5", {1, 2**40}, timezone.now()), "numbers that no mod has say nothing"
