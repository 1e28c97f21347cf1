"""What is latest, recommended, outdated, compatible and retracted for an installed mod."""

from typing import Any

import pytest
from django.core.management.sql import emit_post_migrate_signal
from django.db.migrations import Migration
from django.utils import timezone

from mods import holds, status, wording
from mods.models import GameServer, Hold, InstalledMod, Lookup, Mod, Release

pytestmark = pytest.mark.django_db


def installed(
    version: str,
    releases: dict[str, list[str]],
    *,
    game_version: str = "1.21.5",
    withdrawn: tuple[str, ...] = (),
    said: str = "",
    retractions: dict[str, list[object]] | None = None,
    without_file: tuple[str, ...] = (),
    held: bool = False,
) -> InstalledMod:
    """An installed mod whose database mod has these releases (version → game versions), judged."""
    server = GameServer.objects.create(name="Public", data_dir="/srv/example", game_version=game_version)
    mod = Mod.objects.create(mod_id=1, name="Alpha")
    for number, (text, games) in enumerate(releases.items()):
        Release.objects.create(
            mod=mod,
            release_id=number,
            modid="Alpha",
            modid_key="alpha",
            version=text,
            game_versions=games,
            file_id=None if text in without_file else number + 1,
            retracted=text in withdrawn,
            retraction_reason="bad" if text in withdrawn else "",
        )
    lookup = Lookup.objects.create(
        key="alpha",
        modid="alpha",
        mod=mod,
        state=Lookup.State.FOUND,
        recommendations={game_version: said} if said else {},
        retractions=retractions or {},
    )
    row = InstalledMod.objects.create(
        server=server, folder="/srv/example/Mods", file_name="a.zip", kind="zip", name="Alpha", modid="alpha",
        modid_key="alpha", version=version, lookup=lookup,
    )  # fmt: skip
    if held:
        Hold.objects.create(server=server, modid="alpha", modid_key="alpha")
    status.update(InstalledMod.objects.all())
    row.refresh_from_db()
    return row


EXACT = ["1.21.5"]


def test_a_newer_release_for_the_game_version() -> None:
    row = installed("1.0.0", {"1.0.0": EXACT, "1.1.0": EXACT, "2.0.0": ["1.22.0"]})
    assert (row.latest, row.recommended, row.outdated, row.recommended_verified) == ("2.0.0", "1.1.0", True, True)
    assert row.release is not None
    assert row.release.version == "1.0.0"


def test_an_earlier_patch_is_recommended_as_not_verified() -> None:
    row = installed("1.0.0", {"1.0.0": ["1.21.1"], "1.1.0": ["1.21.4"]})
    assert (row.recommended, row.outdated, row.recommended_verified) == ("1.1.0", True, False)
    assert row.compatibility == "not_verified"


def test_incompatible_with_the_game_version() -> None:
    row = installed("1.0.0", {"1.0.0": ["1.20.4"]})
    assert (row.compatibility, row.recommended, row.outdated) == ("incompatible", "", False)


def test_never_older_than_what_is_installed() -> None:
    row = installed("2.0.0", {"1.0.0": EXACT, "2.0.0": ["1.20.4"]})
    assert not row.outdated
    assert row.recommended != "1.0.0"


def test_older_where_the_installed_one_was_retracted() -> None:
    row = installed("2.0.0", {"1.0.0": EXACT, "2.0.0": EXACT}, withdrawn=("2.0.0",), said="1.0.0")
    assert (row.recommended, row.outdated, row.retracted, row.retraction_reason) == ("", False, True, "bad")
    assert (row.back_to, row.back_to_release and row.back_to_release.version) == ("1.0.0", "1.0.0")
    assert list(InstalledMod.objects.to_go_back()) == [row]
    assert not InstalledMod.objects.outdated().exists()


def test_where_something_newer_is_recommended_nobody_need_go_back() -> None:
    row = installed("2.0.0", {"1.0.0": EXACT, "2.0.0": EXACT, "2.1.0": ["1.21.4"]}, withdrawn=("2.0.0",), said="1.0.0")
    assert (row.recommended, row.outdated, row.back_to) == ("2.1.0", True, "")


def test_nobody_goes_back_from_what_was_not_retracted() -> None:
    row = installed("2.0.0", {"1.0.0": EXACT, "2.0.0": ["1.20.4"]})
    assert (row.back_to, row.back_to_release) == ("", None)


def test_a_version_without_order_that_was_retracted_is_no_update() -> None:
    row = installed("vNext", {"1.0.0": EXACT}, retractions={"vNext": ["bad", False]})
    assert (row.outdated, row.recommended, row.back_to) == (False, "", "1.0.0")


LATER = {"1.0.0": EXACT, "1.1.0": EXACT}


@pytest.mark.parametrize(
    ("releases", "options", "newer", "why"),
    [
        (LATER, {}, "", ""),
        ({**LATER, "2.0.0": ["1.22.0"]}, {}, "2.0.0", "not_listed"),
        ({**LATER, "1.2.0": ["1.21.4"]}, {}, "1.2.0", "not_listed"),
        ({**LATER, "2.0.0": ["0.0.0"]}, {}, "2.0.0", "lists_none"),
        ({**LATER, "2.0.0-rc.1": EXACT}, {}, "2.0.0-rc.1", "prerelease"),
        ({**LATER, "2.0.0": EXACT}, {"withdrawn": ("2.0.0",)}, "2.0.0", "retracted"),
        ({**LATER, "1.5.0": ["1.22.0"], "2.0.0": EXACT}, {"withdrawn": ("2.0.0",)}, "1.5.0", "not_listed"),
        ({**LATER, "2.0.0": EXACT}, {"without_file": ("2.0.0",), "said": "1.1.0"}, "2.0.0", "no_file"),
        ({**LATER, "2.0.0": EXACT}, {"said": "1.1.0"}, "2.0.0", "not_chosen"),
        (LATER, {"held": True}, "1.1.0", "held"),
        (LATER, {"game_version": ""}, "1.1.0", "no_game_version"),
    ],
)
def test_why_a_newer_one_is_not_recommended(
    releases: dict[str, list[str]], options: dict[str, Any], newer: str, why: str
) -> None:
    row = installed("1.0.0", releases, **options)
    assert (row.newer, row.newer_why) == (newer, why)
    assert row.outdated == (not options.get("held") and options.get("game_version") != "")
    assert InstalledMod.objects.with_newer().exists() == bool(newer)
    assert bool(wording.newer_reason(row)) == bool(newer)


def test_what_is_gone_is_not_called_newer() -> None:
    row = installed("1.0.0", {"1.0.0": EXACT, "2.0.0": ["1.22.0"]})
    Release.objects.filter(version="2.0.0").update(gone_since=timezone.now())
    status.update(InstalledMod.objects.all())
    row.refresh_from_db()
    assert row.newer == ""


def test_a_spare_beside_the_file_that_is_loaded_is_no_update() -> None:
    row = installed("1.0.0", LATER)
    spare = InstalledMod.objects.create(
        server=row.server, folder=row.folder, file_name="b.zip.disabled", kind="zip", name="Alpha", modid="alpha",
        modid_key="alpha", version="1.0.0", lookup=row.lookup, enabled=False,
    )  # fmt: skip
    for loaded, outdated in ((True, ["a.zip"]), (False, ["a.zip", "b.zip.disabled"])):
        InstalledMod.objects.filter(pk=row.pk).update(disabled_by_config=not loaded)
        status.update(InstalledMod.objects.all())
        assert list(InstalledMod.objects.outdated().values_list("file_name", flat=True)) == outdated
    assert spare.pk


def test_a_hold_and_its_end_are_seen_at_once() -> None:
    row = installed("1.0.0", LATER)
    holds.hold(row.server, "Alpha", version="1.0.0")
    row.refresh_from_db()
    assert (row.outdated, row.recommended, row.newer_why) == (False, "1.1.0", "held")
    holds.unhold(row.server, "ALPHA")
    row.refresh_from_db()
    assert (row.outdated, row.newer_why) == (True, "")


def test_no_prerelease_unless_one_is_installed() -> None:
    assert installed("1.0.0", {"1.0.0": EXACT, "1.1.0-rc.1": EXACT}).recommended == "1.0.0"


def test_newer_prereleases_for_whoever_runs_one() -> None:
    row = installed("1.1.0-pre.1", {"1.0.0": EXACT, "1.1.0-pre.1": EXACT, "1.1.0-rc.1": EXACT}, said="1.0.0")
    assert (row.recommended, row.outdated) == ("1.1.0-rc.1", True)


def test_what_the_mod_database_recommends_wins() -> None:
    assert installed("1.0.0", {"1.0.0": EXACT, "1.1.0": EXACT, "1.2.0": EXACT}, said="1.1.0").recommended == "1.1.0"


def test_a_recommendation_of_another_modids_version_is_not_taken() -> None:
    row = installed("1.0.0", {"1.0.0": EXACT, "1.1.0": EXACT}, said="9.0.0")
    assert row.recommended == "1.1.0"


def test_a_retraction_that_only_the_look_up_knows() -> None:
    row = installed("3.0.0", {"1.0.0": EXACT}, retractions={"3.0.0": ["malware", True]})
    assert (row.retracted, row.retraction_reason, row.back_to) == (True, "malware", "1.0.0")


def test_an_unknown_game_version_is_not_verified() -> None:
    row = installed("1.0.0", {"1.0.0": EXACT, "1.1.0": EXACT}, game_version="")
    assert (row.compatibility, row.recommended) == ("not_verified", "")


def test_a_version_without_order_is_never_outdated() -> None:
    row = installed("vNext", {"1.0.0": EXACT})
    assert not row.outdated


def test_only_rows_that_change_are_written() -> None:
    installed("1.0.0", {"1.0.0": EXACT, "1.1.0": EXACT})
    assert status.update(InstalledMod.objects.all()) == 0
    Release.objects.filter(version="1.1.0").delete()
    assert status.update(InstalledMod.objects.all()) == 1


def test_the_bytes_of_the_recommended_release_are_up_to_date_whatever_they_say() -> None:
    row = installed("1.1.0-1.21.5", LATER)
    assert row.outdated
    InstalledMod.objects.update(sha256="a" * 64)
    for digest, outdated in (("b" * 64, True), ("", True), ("a" * 64, False)):
        Release.objects.filter(version="1.1.0").update(sha256=digest)
        status.update(InstalledMod.objects.all())
        row.refresh_from_db()
        assert row.outdated == outdated
    assert row.release is not None
    assert (row.release.version, row.compatibility) == ("1.1.0", "compatible")


@pytest.mark.parametrize(
    ("plan", "is_judged"),
    [([("mods", False)], True), ([("mods", False), ("cache", True)], True), ([("mods", True)], False),
     ([("cache", False)], False), ([], False)],
)  # fmt: skip
def test_after_a_migration_of_ours_all_are_judged_anew(plan: list[tuple[str, bool]], is_judged: bool) -> None:
    row = installed("1.0.0", LATER)
    InstalledMod.objects.update(outdated=False)
    migrations = [(Migration("x", label), backwards) for label, backwards in plan]
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default", plan=migrations)
    row.refresh_from_db()
    assert row.outdated == is_judged


def test_odd_rows_do_not_keep_a_migration_from_ending() -> None:
    installed("1.0.0", LATER)
    Lookup.objects.update(recommendations=["no object"])
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default", plan=[(Migration("x", "mods"), False)])
    assert InstalledMod.objects.get().outdated


def test_a_release_without_a_file_is_never_recommended() -> None:
    releases = {"1.0.0": EXACT, "1.1.0": EXACT, "1.2.0": EXACT}
    row = installed("1.0.0", releases, without_file=("1.2.0",), said="1.2.0")
    assert (row.recommended, row.outdated, row.latest) == ("1.1.0", True, "1.2.0")
    assert (row.newer, row.newer_why) == ("1.2.0", "no_file")
