"""The mod database's whole list is stored without touching what is known in detail."""

import json

import pytest

from demo.moddb import ModDatabase
from mods import answers, moddb_answers, refresh, tasks
from mods.models import ClaimedModId, Mod
from mods.tests.shared_data import SHARED, needs_shared
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db


def test_the_job_stores_the_list(mod_database: ModDatabase) -> None:
    for modid in ("alpha", "beta"):
        mod = mod_database.add_mod(name=modid.title(), modids=[modid], author="Ann", tags=["QoL"])
        mod_database.add_release(mod, modid, "1.0.0", game_versions=["1.21.5"])
    run = runner.run_now(tasks.CATALOGUE)
    assert (run.state, run.message) == (JobRun.State.DONE, "2 mods listed")
    assert set(Mod.objects.values_list("name", "author")) == {("Alpha", "Ann"), ("Beta", "Ann")}
    assert set(ClaimedModId.objects.values_list("key", flat=True)) == {"alpha", "beta"}


def test_details_known_from_before_stay(mod_database: ModDatabase) -> None:
    mod = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(mod, "alpha", "1.0.0", game_versions=["1.21.5"])
    with refresh.client() as database:
        answers.store_list(database.mods())
        lookup_id = Mod.objects.get().pk
        Mod.objects.update(description="<p>All about it</p>")
        answers.store_list(database.mods())
    assert Mod.objects.get().pk == lookup_id
    assert Mod.objects.get().description == "<p>All about it</p>"
    assert ClaimedModId.objects.count() == 1


def test_an_outage_keeps_the_list(mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 1.0)
    mod_database.add_mod(name="Alpha", modids=["alpha"])
    runner.run_now(tasks.CATALOGUE)
    before = Mod.objects.count()
    mod_database.fault("/", "truncated")
    run = runner.run_now(tasks.CATALOGUE)
    assert run.state == JobRun.State.FAILED
    assert "stays" in run.message
    assert Mod.objects.count() == before


@needs_shared
def test_a_real_answer_is_stored_whole() -> None:
    answer = json.loads((SHARED / "moddb" / "api-mods-2025-12-29.json").read_text(encoding="utf-8"))
    summaries = list(moddb_answers.parse_summaries(answer["mods"]))
    assert answers.store_list(summaries) == 4852
    assert answers.store_list(summaries) == 4852, "again changes nothing"
    assert Mod.objects.count() == 4852
    carried = {modid.lower() for mod in answer["mods"] for modid in mod["modidstrs"] if modid}
    assert set(ClaimedModId.objects.values_list("key", flat=True)) == carried
