"""The history of a mod and of a server: who, when, from which version to which, why, and what that changed."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods.models import GameServer, InstalledMod, Step
from mods.tests.change_rows import make_change, make_kept, make_step, replace
from mods.tests.rows import install, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def row() -> InstalledMod:
    mod = make_mod("alpha")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        make_release(mod, version, changelog=f"<p>In {version}</p><script>x</script>")
    return install(make_server(), "alpha", "1.2.0")


def update(
    server: GameServer, modid: str = "alpha", before: str = "1.0.0", after: str = "1.2.0", days: int = 2
) -> Step:
    change = make_change(server, state="done", title="Update all mods", asked_by_name="mia")
    step = replace(modid, before, after, why="It was recommended.")
    return make_step(change, step, done_at=timezone.now() - timedelta(days=days))


def addresses(row: InstalledMod) -> list[str]:
    return [
        f"/admin/mods/installedmod/{row.pk}/change/",
        f"/admin/mods/installedmod/{row.pk}/changes/",
        f"/admin/mods/gameserver/{row.server.pk}/changes/",
    ]


def test_every_history_says_all_of_it(admin_client: Client, row: InstalledMod) -> None:
    step = update(row.server)
    for address in addresses(row):
        text = admin_client.get(address).text
        for expected in ("mia", "2 days ago", "It was recommended.", "Update all mods", "1.0.0", "1.2.0"):
            assert expected in text, (address, expected)
        assert text.index("<p>In 1.2.0</p>") < text.index("<p>In 1.1.0</p>"), "newest first"
        assert "<script>x" not in text
        assert f"/admin/mods/operation/{step.operation_id}/change/" in text


def test_what_wasn_t_carried_out_is_no_history(admin_client: Client, row: InstalledMod) -> None:
    step = update(row.server)
    for state in ("waiting", "failed", "skipped"):
        Step.objects.filter(pk=step.pk).update(state=state)
        assert "Nothing was changed here yet" in admin_client.get(addresses(row)[1]).text


def test_a_mod_s_history_is_of_its_server_alone(admin_client: Client, row: InstalledMod) -> None:
    update(make_server("Testing"))
    update(row.server, "beta")
    assert "It was recommended." not in admin_client.get(addresses(row)[1]).text
    assert "Beta" in admin_client.get(addresses(row)[2]).text


def test_versions_had_before_can_be_had_again(admin_client: Client, row: InstalledMod) -> None:
    update(row.server)
    update(row.server, before="0.5.0", after="1.0.0", days=9)
    make_kept(row.server, "alpha", "0.5.0")
    update(row.server, before="0.4.0", after="0.5.0", days=20)
    text = admin_client.get(addresses(row)[0]).text
    for expected in ("Roll back to 1.0.0…", "Roll back to 0.5.0…", "kept copy", "can't be had any more"):
        assert expected in text
    assert "Roll back to 0.4.0" not in text
    assert "Roll back to 1.2.0" not in text, "it is installed"


def test_long_histories_have_pages(admin_client: Client, row: InstalledMod) -> None:
    for days in range(60):
        update(row.server, days=days)
    page = addresses(row)[2]
    assert "60 steps" in admin_client.get(page).text
    assert len(admin_client.get(page).context["lines"]) == 50
    assert len(admin_client.get(f"{page}?page=2").context["lines"]) == 10
    assert admin_client.get(f"{page}?page=x").status_code == 200
    assert "All of it" in admin_client.get(addresses(row)[0]).text


def test_a_file_without_a_mod_id_has_no_history(admin_client: Client) -> None:
    row = install(make_server(), "", name="file")
    update(row.server, "")
    text = admin_client.get(addresses(row)[0]).text
    assert "Versions it had here" not in text
    assert "Nothing was changed here yet" in admin_client.get(addresses(row)[1]).text


def test_queries_don_t_follow_the_length(admin_client: Client, row: InstalledMod) -> None:
    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(address)
        return len(captured)

    update(row.server)
    admin_client.get(addresses(row)[0])
    few = [queries(address) for address in addresses(row)]
    for number in range(20):
        make_release(make_mod(f"m{number}"), "1.2.0", changelog="New")
        update(row.server, f"m{number}", days=number)
        update(row.server, days=number)
    assert [queries(address) for address in addresses(row)] == few
    assert max(few) <= 24
