"""One notion of a problem: what the scan finds is what all lists, pages and commands say, until it is repaired."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conftest import ServerDir
from mods import figures, inventory
from mods.models import GameServer, InstalledMod, ServerStart

pytestmark = pytest.mark.django_db
MODS = "/admin/mods/installedmod/"


class Place:
    """A server that starts again and again, and is scanned after each start and each change."""

    def __init__(self, folder: ServerDir) -> None:
        self.folder = folder
        self.folder.log("")
        self.server = GameServer.objects.create(name="Public", data_dir=str(folder.path))
        self.clock: datetime = timezone.localtime() - timedelta(hours=3)

    def add(self, modid: str, version: str = "1.0.0", **modinfo: Any) -> Path:
        return self.folder.add_zip(f"{modid}.zip", modid=modid, version=version, **modinfo)

    def start(self, *lines: str, loaded: str = "", game_version: str = "1.21.5") -> None:
        """The server starts and loads these ids; the lines are errors."""
        self.clock += timedelta(minutes=10)
        ids = ", ".join(["game", "creative", "survival", *loaded.split()])
        told = [
            f"[Notification] Game Version: v{game_version} (Stable)",
            *(f"[Error] {line}" for line in lines),
            f"[Notification] Mods, sorted by dependency: {ids}",
        ]
        self.folder.log("".join(f"{self.clock:%d.%m.%Y %H:%M:%S} {line}\n" for line in told))

    def refuse(self, modid: str, *missing: str) -> None:
        """A start at which something is missing."""
        lines = [f"[{modid}]     {one} - Missing" for one in missing]
        self.start(f"[{modid}] Could not resolve some dependencies:", *lines)

    def scan(self) -> dict[str, list[str]]:
        """Of each mod that has problems, what they are; whether all count alike is looked at, too."""
        result = inventory.scan(self.server)
        assert not result.unreachable
        rows = list(InstalledMod.objects.all())
        for row in rows:
            assert row.has_problems == bool(row.problems)
        found = {row.modid or row.file_name: row.problems for row in rows if row.problems}
        assert result.with_problems == sum(row.has_problems for row in rows)
        assert InstalledMod.objects.with_problems().count() == result.with_problems
        return found


@pytest.fixture
def place(server_dir: Callable[..., ServerDir]) -> Place:
    return Place(server_dir())


MISSING = "When the server started, it wasn't loaded: it needs tinlib 0.6.0, which was missing."
THROWN = "When the server started it, it failed: System.Exception: Boom."
EXCEPTION = "[tincan] An exception was thrown when trying to start the mod:\nSystem.Exception: Boom"


# --- the faces


def test_every_face_says_the_same_of_a_refused_mod(place: Place, admin_client: Client) -> None:
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    place.add("lamp")
    place.refuse("tincan", "tinlib@0.6.0")
    out = StringIO()
    call_command("scan_mods", stdout=out)
    assert "1 with a problem" in out.getvalue()
    (row,) = InstalledMod.objects.with_problems()
    assert (row.modid, row.problems) == ("tincan", [MISSING])
    assert figures.of(InstalledMod.objects.all()).problems == 1
    out = StringIO()
    call_command("list_mods", json=True, stdout=out)
    assert {one["modid"]: one["problems"] for one in json.loads(out.getvalue())} == {"tincan": [MISSING], "lamp": []}
    out = StringIO()
    call_command("list_mods", stdout=out)
    assert f"! Public: tincan.zip: {MISSING}" in out.getvalue()
    said = MISSING.replace("'", "&#x27;")
    assert "1 mod has a problem." in admin_client.get("/admin/").text
    assert said in admin_client.get(MODS).text
    filtered = admin_client.get(f"{MODS}?state=problem")
    assert said in filtered.text
    assert "lamp" not in filtered.text
    assert admin_client.get(f"{MODS}{row.pk}/change/").text.count(said) == 1


def test_a_mod_that_the_configuration_disables_is_said_to_be_disabled(place: Place) -> None:
    place.add("lamp")
    place.add("other")
    place.folder.configure(WorldConfig={"DisabledMods": ["lamp@1.0.0"]})
    place.scan()
    out = StringIO()
    call_command("list_mods", stdout=out)
    lines = {line.split()[1]: line for line in out.getvalue().splitlines()[1:3]}
    assert "disabled" in lines["lamp"]
    assert "disabled" not in lines["other"]


def test_what_neither_a_library_nor_a_game_version_would_mend(place: Place) -> None:
    (place.folder.mods / "page.zip").write_text("<html>")
    place.add("Odd Id")
    place.add("Odder Id", side="both")
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    place.add("bang")
    place.start(
        "[tincan] Could not resolve some dependencies:",
        "[tincan]     tinlib@0.6.0 - Missing",
        EXCEPTION.replace("tincan", "bang"),
    )
    assert set(place.scan()) == {"page.zip", "Odd Id", "Odder Id", "tincan", "bang"}
    found = {row.file_name: row.wont_load for row in InstalledMod.objects.all()}
    assert found.pop("page.zip").startswith("Not a zip file")
    assert found.pop("Odder Id.zip").startswith("“side” is “both”")
    assert found == {"Odd Id.zip": "", "tincan.zip": "", "bang.zip": THROWN}


# --- what a mod needs


@pytest.mark.parametrize(
    ("library", "problem"),
    [
        (None, "It needs tinlib 0.6.0, which isn't installed. Install it."),
        ({"version": "0.5.9"}, "It needs tinlib 0.6.0, and there is 0.5.9. Update tinlib."),
        ({"version": "0.6.0"}, ""),
        ({"version": ""}, ""),
    ],
)
def test_a_need_that_is_not_met_is_a_problem(library: dict[str, str] | None, problem: str, place: Place) -> None:
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    if library is not None:
        place.add("tinlib", **library)
    assert place.scan() == ({"tincan": [problem]} if problem else {})


def test_the_highest_version_that_is_enabled_counts(place: Place) -> None:
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    place.folder.add_zip("new.zip", modid="tinlib", version="0.7.0")
    place.folder.add_zip("old.zip", modid="tinlib", version="0.1.0")
    assert "tincan" not in place.scan()
    (place.folder.mods / "new.zip").rename(place.folder.mods / "new.zip.disabled")
    assert place.scan()["tincan"] == ["It needs tinlib 0.6.0, and there is 0.1.0. Update tinlib."]
    (place.folder.mods / "old.zip").unlink()
    assert place.scan()["tincan"] == ["It needs tinlib 0.6.0, which is disabled. Enable it."]


def test_what_needs_one_that_is_not_loaded_is_not_loaded_either(place: Place) -> None:
    place.add("top", dependencies={"middle": ""})
    place.add("middle", dependencies={"low": "*"})
    found = place.scan()
    assert found["middle"] == ["It needs low, which isn't installed. Install it."]
    assert found["top"] == ["It needs middle, which the game doesn't load: see what is wrong with that one."]
    place.add("low", dependencies={"top": ""})
    assert place.scan() == {}, "a circle is none of our business"


def test_a_library_that_the_game_rejects_is_as_good_as_missing(place: Place) -> None:
    place.add("tincan", dependencies={"tinlib": ""})
    place.add("tinlib", side="both")
    assert "the game doesn't load" in place.scan()["tincan"][0]
    place.add("tinlib", side="server")
    assert place.scan() == {}


@pytest.mark.parametrize("extra", [{"side": "client"}, {"off": True}])
def test_what_the_server_does_not_run_needs_nothing(extra: dict[str, Any], place: Place) -> None:
    off = extra.pop("off", False)
    path = place.add("tincan", dependencies={"tinlib": "0.6.0", "game": "1.99.0"}, **extra)
    if off:
        path.rename(f"{path}.disabled")
    assert place.scan() == {}


def test_a_newer_game_is_needed_until_the_server_has_it(place: Place) -> None:
    place.add("tincan", dependencies={"game": "1.22.0", "survival": "1.21.0"})
    place.start()
    assert place.scan() == {"tincan": ["It needs game version 1.22.0, and the server has 1.21.5."]}
    place.start(game_version="1.22.0", loaded="tincan")
    assert place.scan() == {}


# --- what the log said


def test_a_refusal_stays_until_the_dependency_is_there(place: Place) -> None:
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    place.refuse("tincan", "tinlib@0.6.0")
    assert place.scan() == {"tincan": [MISSING]}
    place.add("tinlib", "0.5.0")
    assert place.scan() == {"tincan": ["It needs tinlib 0.6.0, and there is 0.5.0. Update tinlib."]}
    place.add("tinlib", "0.6.0")
    assert place.scan() == {}


def test_a_library_that_came_between_the_start_and_the_scan_mends_it(place: Place) -> None:
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    place.scan()
    place.refuse("tincan", "tinlib@0.6.0")
    place.add("tinlib", "0.6.0")
    assert place.scan() == {}


def test_a_library_that_the_server_does_not_see_is_still_missing(place: Place) -> None:
    """Such as one in a folder that its container doesn't have."""
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    place.add("tinlib", "0.6.0")
    place.scan()
    place.clock = timezone.localtime() + timedelta(seconds=5) - timedelta(minutes=10)
    place.refuse("tincan", "tinlib@0.6.0")
    assert place.scan() == {"tincan": [MISSING]}
    assert InstalledMod.objects.get(modid="tincan").wont_load == MISSING


def test_a_failure_stays_until_a_start_loads_the_mod(place: Place) -> None:
    place.add("tincan")
    place.start(EXCEPTION, loaded="tincan")
    assert place.scan() == {"tincan": [THROWN]}
    assert place.scan() == {"tincan": [THROWN]}
    place.start()  # such as one that was stopped before it came so far
    assert place.scan() == {"tincan": [THROWN]}
    place.start(loaded="tincan")
    assert place.scan() == {}


def test_a_failure_stays_until_its_file_is_another(place: Place) -> None:
    path = place.add("tincan")
    place.start(EXCEPTION)
    place.scan()
    off = path.rename(path.with_name("tincan.zip.disabled"))
    assert place.scan() == {}
    off.rename(path)
    assert place.scan() == {"tincan": [THROWN]}, "to disable and enable it mends nothing"
    place.add("other")
    assert place.scan() == {"tincan": [THROWN]}
    place.add("tincan", "1.0.1")
    assert place.scan() == {}


def test_a_disabled_spare_changes_nothing(place: Place) -> None:
    place.add("tincan")
    place.start(EXCEPTION)
    place.scan()
    place.folder.add_zip("spare.zip.disabled", modid="tincan", version="0.9.0")
    place.scan()
    found = {row.file_name: row.problems for row in InstalledMod.objects.all()}
    assert THROWN in found["tincan.zip"]
    assert THROWN not in found["spare.zip.disabled"]


def test_another_game_version_mends_what_was_refused_for_the_game(place: Place) -> None:
    place.add("tincan", dependencies={"game": "1.22.0"})
    mismatch = "[tincan]     game@1.22.0 - Version mismatch (has 1.21.5)"
    place.start("[tincan] Could not resolve some dependencies:", mismatch)
    (problem,) = place.scan()["tincan"]
    assert "it needs game 1.22.0, but there was 1.21.5" in problem
    place.server.game_version_by_hand = "1.22.0"
    assert place.scan() == {}
    place.server.game_version_by_hand = "1.21.0"
    assert place.scan() == {"tincan": ["It needs game version 1.22.0, and the server has 1.21.0."]}


def test_files_without_an_id_are_no_duplicates(place: Place) -> None:
    for name in ("page.zip", "page.zip.disabled"):
        (place.folder.mods / name).write_text("<html>")
    place.scan()
    assert [len(row.problems) for row in InstalledMod.objects.all()] == [1, 1]


def test_a_file_without_an_id_is_known_by_its_name(place: Place) -> None:
    (place.folder.mods / "Broken.dll").write_bytes(b"MZ")
    place.start("[Broken.dll] An exception was thrown when trying to start the mod:\nSystem.Exception: Boom")
    assert place.scan() == {"Broken.dll": [THROWN]}
    place.start(loaded="lamp")
    assert place.scan() == {}


def test_the_same_mod_twice_is_said_once(place: Place) -> None:
    place.add("tincan")
    twin = place.folder.add_zip("twin.zip", modid="tincan", version="0.9.0")
    line = "Multiple mods share the mod ID 'tincan' ('tincan.zip', 'twin.zip'). Will only load the highest version one"
    place.start(f"{line} - v1.0.0", loaded="tincan")
    (problem,) = place.scan()["tincan"]
    assert problem.startswith("The same mod is here more than once")
    twin.unlink()
    assert place.scan() == {}


def test_a_server_from_before_learns_of_its_last_start(place: Place) -> None:
    place.add("tincan")
    place.start(EXCEPTION)
    place.scan()
    GameServer.objects.update(refused=None)
    InstalledMod.objects.update(problems=[], has_problems=False)
    place.server.refresh_from_db()
    assert place.scan() == {"tincan": [THROWN]}
    assert ServerStart.objects.count() == 1


def test_a_server_from_before_without_a_log_learns_what_is_missing(place: Place) -> None:
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    expected = place.scan()
    GameServer.objects.update(refused=None)
    InstalledMod.objects.update(problems=[], has_problems=False)
    place.server.refresh_from_db()
    assert place.scan() == expected != {}
    assert place.server.refused == {}


def test_a_scan_that_finds_nothing_new_judges_nothing(place: Place) -> None:
    place.add("tincan", dependencies={"tinlib": "0.6.0"})
    place.scan()
    with CaptureQueriesContext(connection) as captured:
        assert inventory.scan(place.server).with_problems == 1
    assert not [query for query in captured.captured_queries if "file_problems" in query["sql"]]
