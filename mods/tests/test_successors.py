"""What is gone from the mod database isn't retracted, and a page that goes on under another mod id is named."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from mods import readiness, status, wording
from mods.management.commands.list_mods import describe
from mods.models import GameServer, InstalledMod, Lookup, Mod, Release
from mods.tests.rows import install, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> GameServer:
    return make_server()


@pytest.fixture
def haulage() -> Mod:
    return make_mod("haulold")


def other(mod: Mod, version: str, **fields: Any) -> Release:
    return make_release(mod, version, **{"modid": "HaulNew", "modid_key": "haulnew", **fields})


def judged(server: GameServer, version: str = "1.5.0") -> InstalledMod:
    install(server, "haulold", version)
    status.update(InstalledMod.objects.all())
    return InstalledMod.objects.for_pages().get(modid_key="haulold")


def name(row: InstalledMod) -> str | None:
    return f"{row.successor.modid} {row.successor.version}" if row.successor else None


# --- gone


def test_a_release_that_vanished_without_a_word_is_gone_and_not_retracted(server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.4.0")
    make_release(haulage, "1.5.0", gone_since=timezone.now())
    row = judged(server)
    assert (row.gone, row.retracted, row.outdated, row.back_to) == (True, False, False, "")
    assert wording.absence(row) == "The mod database doesn't offer 1.5.0 any more and doesn't say why."
    assert list(InstalledMod.objects.needing_attention()) == [row]


@pytest.mark.parametrize("gone_since", [None, timezone.now()])
def test_one_that_was_called_retracted_is_just_that(gone_since: Any, server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.5.0", gone_since=gone_since, retracted=True, retraction_reason="Broken.")
    row = judged(server)
    assert (row.gone, row.retracted, row.retraction_reason) == (False, True, "Broken.")
    Release.objects.update(retracted=False)
    Lookup.objects.update(retractions={"1.5.0": ["Malware.", True]})
    status.update(InstalledMod.objects.all())
    row.refresh_from_db()
    assert (row.gone, row.retracted, row.retraction_reason) == (False, True, "Malware.")


def test_a_mod_that_was_deleted_is_gone_whatever_its_version(server: GameServer, haulage: Mod) -> None:
    Lookup.objects.update(state=Lookup.State.ABSENT)
    row = judged(server, "9.9.9")
    assert (row.gone, row.retracted) == (True, False)
    assert wording.absence(row) == "The mod database doesn't have this mod any more."


def test_one_that_was_never_there_isnt_gone(server: GameServer) -> None:
    Lookup.objects.create(key="haulold", modid="haulold", state=Lookup.State.ABSENT)
    row = judged(server)
    assert (row.gone, row.retracted, wording.absence(row)) == (False, False, "")


def test_a_version_that_the_mod_database_never_had_isnt_gone(server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.4.0")
    assert not judged(server).gone


# --- under another id


def test_a_newer_release_of_the_page_under_another_id_is_named_and_no_update(server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.5.0", game_versions=["1.20.7"])
    other(haulage, "1.6.0")
    other(haulage, "2.0.0", game_versions=["1.22.0"])
    row = judged(server)
    assert (name(row), row.outdated, row.recommended, row.latest) == ("HaulNew 1.6.0", False, "", "1.5.0")
    assert wording.absence(row) == "Its page also has HaulNew 1.6.0, under another mod id."
    assert describe(row)["successor"] == "HaulNew@1.6.0"


@pytest.mark.parametrize("fields", [{"game_versions": ["1.19.0"]}, {"game_versions": []}])
def test_it_is_named_whatever_it_is_for(fields: dict[str, Any], server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.5.0")
    other(haulage, "2.0.0", **fields)
    assert name(judged(server)) == "HaulNew 2.0.0"


@pytest.mark.parametrize(
    ("version", "fields"),
    [
        ("1.5.0", {}),
        ("1.4.0", {}),
        ("2.0.0", {"retracted": True}),
        ("2.0.0", {"gone_since": timezone.now()}),
        ("2.0.0", {"file_id": None}),
        ("2.0.0", {"modid": "", "modid_key": ""}),
    ],
)
def test_what_is_no_newer_or_cannot_be_had_is_not(
    version: str, fields: dict[str, Any], server: GameServer, haulage: Mod
) -> None:
    make_release(haulage, "1.5.0")
    other(haulage, version, **fields)
    assert name(judged(server)) is None


def test_nor_one_that_is_older_than_the_newest_of_the_pages_own_id(server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.5.0")
    make_release(haulage, "2.1.0")
    other(haulage, "2.0.0")
    assert name(judged(server)) is None


def test_nor_one_that_is_on_the_server_too(server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.5.0")
    other(haulage, "2.0.0")
    install(server, "haulnew", "1.0.0", lookup=None)
    assert name(judged(server)) is None


def test_a_page_without_its_old_id_continues_under_the_other_whatever_the_version(
    server: GameServer, haulage: Mod
) -> None:
    make_release(haulage, "1.5.0", gone_since=timezone.now())
    other(haulage, "0.1.0")
    row = judged(server)
    assert name(row) == "HaulNew 0.1.0"
    assert wording.absence(row) == (
        "The mod database doesn't offer 1.5.0 any more and doesn't say why. "
        "Its page continues as HaulNew 0.1.0, under another mod id."
    )


def test_readiness_names_it(server: GameServer, haulage: Mod) -> None:
    make_release(haulage, "1.5.0", game_versions=["1.20.7"])
    other(haulage, "2.0.0")
    judged(server)
    (report,) = readiness.of([server], "1.21.5")
    (finding,) = report.findings
    assert finding.judgement.verdict == "blocking"
    assert finding.judgement.do == "replace"
    assert "Its page also has HaulNew 2.0.0, under another mod id." in finding.judgement.why


def test_the_pages_say_both(server: GameServer, haulage: Mod, admin_client: Client) -> None:
    make_release(haulage, "1.5.0", gone_since=timezone.now() - timedelta(days=1))
    other(haulage, "2.0.0")
    row = judged(server)
    shown = admin_client.get(reverse("admin:mods_installedmod_change", args=[row.pk])).content.decode()
    assert "offer 1.5.0 any more" in shown
    assert "Its page continues as HaulNew 2.0.0" in shown
    assert "was retracted" not in shown
    listed = reverse("admin:mods_installedmod_changelist")
    assert ">gone<" in admin_client.get(listed).content.decode()
    assert "Haulold" in admin_client.get(f"{listed}?state=gone").content.decode()
    assert "1 mod is gone from the mod database." in admin_client.get(reverse("admin:index")).content.decode()
