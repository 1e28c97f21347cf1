"""Rows follow the disk; nothing that can't be read is lost."""

import errno
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from conftest import Events, ServerDir
from mods import inventory, modinfo, serverdir, starts
from mods.models import FolderState, GameServer, InstalledMod, Lookup, Mod, Release

pytestmark = pytest.mark.django_db
MakeServer = Callable[..., ServerDir]


@pytest.fixture
def folder(server_dir: MakeServer) -> ServerDir:
    return server_dir()


@pytest.fixture
def server(folder: ServerDir) -> GameServer:
    return GameServer.objects.create(name="Public", data_dir=str(folder.path))


def files() -> dict[str, InstalledMod]:
    return {mod.file_name: mod for mod in InstalledMod.objects.all()}


def test_every_kind_is_listed_enabled_and_disabled(folder: ServerDir, server: GameServer) -> None:
    folder.add_zip("carry.zip", modid="carry", version="1.2.0", side="server", authors=["Ann", "Bo"])
    folder.add_zip("off.zip.disabled", modid="off")
    (folder.mods / "Single.cs").write_text('[assembly: ModInfo("Single", "single", Version = "0.1.0")]')
    (folder.mods / "native.dll").write_bytes(b"MZ" + b"\0" * 200)
    unpacked = folder.mods / "unpacked"
    unpacked.mkdir()
    (unpacked / "modinfo.json").write_text('{"type": "code", "name": "Unpacked", "modid": "unpacked", "version": "3"}')
    (folder.mods / "readme.txt").write_text("not a mod")
    (folder.mods / ".vsadmin").mkdir()

    result = inventory.scan(server)

    found = files()
    assert set(found) == {"carry.zip", "off.zip.disabled", "Single.cs", "native.dll", "unpacked"}
    assert (result.found, result.read, result.added) == (5, 5, 5)
    carry = found["carry.zip"]
    assert (carry.modid, carry.version, carry.side, carry.authors) == ("carry", "1.2.0", "server", "Ann, Bo")
    assert carry.enabled
    assert len(carry.sha256) == 64
    assert not found["off.zip.disabled"].enabled
    assert (found["Single.cs"].modid, found["Single.cs"].version) == ("single", "0.1.0")
    assert (found["native.dll"].name, found["native.dll"].version) == ("native.dll", "")
    assert found["unpacked"].kind == "folder"


def test_an_unchanged_file_is_not_opened_again(
    folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.add_zip("a.zip", modid="a")
    folder.add_zip("b.zip", modid="b")
    inventory.scan(server)
    opened: list[str] = []
    real = modinfo.read_file

    def noted(path: Path, kind: str) -> modinfo.ModFile:
        opened.append(path.name)
        return real(path, kind)

    monkeypatch.setattr(modinfo, "read_file", noted)

    inventory.scan(server)
    assert opened == []

    folder.add_zip("b.zip", modid="b", version="2.0.0")
    inventory.scan(server)
    assert opened == ["b.zip"]
    assert files()["b.zip"].version == "2.0.0"


def test_a_file_that_is_gone_leaves_the_list(folder: ServerDir, server: GameServer) -> None:
    path = folder.add_zip("a.zip", modid="a")
    inventory.scan(server)
    path.unlink()
    assert inventory.scan(server).removed == 1
    assert not files()


def test_what_cannot_be_read_stays_listed_with_its_problem(folder: ServerDir, server: GameServer) -> None:
    (folder.mods / "broken.zip").write_bytes(b"this is no zip")
    folder.add_zip("sides.zip", modid="sides", side="both")
    inventory.scan(server)
    found = files()
    assert found["broken.zip"].has_problems
    assert found["broken.zip"].name == "broken"
    assert "zip" in found["broken.zip"].problems[0].lower()
    assert found["sides.zip"].modid == "sides"
    assert "both" in found["sides.zip"].problems[0]
    inventory.scan(server)
    assert files()["broken.zip"].has_problems


def test_duplicates_are_flagged_on_each_whatever_the_letter_case(folder: ServerDir, server: GameServer) -> None:
    folder.add_zip("new.zip", modid="Twice", version="2.0.0")
    old = folder.add_zip("old.zip", modid="twice", version="1.0.0")
    folder.add_zip("other.zip", modid="other")
    inventory.scan(server)
    found = files()
    assert "old.zip (1.0.0)" in found["new.zip"].problems[-1]
    assert "new.zip (2.0.0)" in found["old.zip"].problems[0]
    assert not found["other.zip"].has_problems
    old.unlink()
    inventory.scan(server)
    assert not any("more than once" in problem for problem in files()["new.zip"].problems)


def test_mod_paths_are_looked_in_less_the_games_own(folder: ServerDir, server: GameServer, tmp_path: Path) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    games_own = tmp_path / "install" / "Mods"
    games_own.mkdir(parents=True)
    (games_own / "VSEssentials.dll").write_bytes(b"MZ")
    folder.configure(ModPaths=["Mods", str(folder.mods), str(extra), str(games_own), str(tmp_path / "nowhere")])
    folder.add_zip("a.zip", modid="a")
    folder.add_zip("b.zip", folder=extra, modid="b")
    inventory.scan(server)
    assert set(files()) == {"a.zip", "b.zip"}
    assert files()["b.zip"].folder == str(extra)
    assert [entry["path"] for entry in server.mod_folders] == [str(folder.mods), str(extra), str(tmp_path / "nowhere")]
    assert any("nowhere" in note for note in server.notes)


def test_mods_disabled_by_the_server_are_shown_as_such(folder: ServerDir, server: GameServer) -> None:
    folder.add_zip("a.zip", modid="Alpha", version="1.0.0")
    folder.add_zip("b.zip", modid="beta", version="2.0.0")
    folder.add_zip("c.zip", modid="gamma", version="3.0.0")
    folder.configure(WorldConfig={"DisabledMods": ["alpha", "beta@1.0.0", "gamma@3.0.0"]})
    inventory.scan(server)
    assert {name for name, mod in files().items() if mod.disabled_by_config} == {"a.zip", "c.zip"}
    assert server.disabled_mods == ["alpha", "beta@1.0.0", "gamma@3.0.0"]
    folder.configure(WorldConfig={"DisabledMods": None})
    inventory.scan(server)
    assert not any(mod.disabled_by_config for mod in files().values())


def test_a_missing_folder_keeps_its_rows_and_says_since_when(folder: ServerDir, server: GameServer) -> None:
    folder.add_zip("a.zip", modid="a")
    inventory.scan(server)
    away = folder.path.with_name("unmounted")
    folder.path.rename(away)
    before = timezone.now()

    result = inventory.scan(server)
    since = server.unreachable_since
    assert result.unreachable
    assert since is not None
    assert since >= before
    assert set(files()) == {"a.zip"}
    inventory.scan(server)
    assert server.unreachable_since == since, "the first time counts"

    folder.path.mkdir()  # an empty mount point
    assert inventory.scan(server).unreachable
    assert set(files()) == {"a.zip"}

    folder.path.rmdir()
    away.rename(folder.path)
    assert not inventory.scan(server).unreachable
    assert server.unreachable_since is None


def test_an_emptied_mods_folder_on_another_disk_is_taken_for_unmounted(folder: ServerDir, server: GameServer) -> None:
    path = folder.add_zip("a.zip", modid="a")
    inventory.scan(server)
    path.unlink()
    server.mod_folders[0]["device"] += 1
    assert "unmounted" in inventory.scan(server).unreachable
    assert set(files()) == {"a.zip"}


def test_a_missing_mods_folder_keeps_its_rows(folder: ServerDir, server: GameServer) -> None:
    folder.add_zip("a.zip", modid="a")
    inventory.scan(server)
    shutil.rmtree(folder.mods)
    assert inventory.scan(server).unreachable
    assert set(files()) == {"a.zip"}


def test_a_folder_of_mod_paths_that_vanishes_keeps_its_rows(
    folder: ServerDir, server: GameServer, tmp_path: Path
) -> None:
    extra = tmp_path / "extra"
    extra.mkdir()
    folder.configure(ModPaths=[str(extra)])
    folder.add_zip("b.zip", folder=extra, modid="b")
    folder.add_zip("a.zip", modid="a")
    inventory.scan(server)
    extra.rename(tmp_path / "gone")
    (folder.mods / "a.zip").unlink()
    inventory.scan(server)
    assert set(files()) == {"b.zip"}, "the one that was reached follows the disk"
    assert any(str(extra) in note for note in server.notes)
    folder.configure()
    inventory.scan(server)
    assert not files(), "a folder that the server no longer looks in is none of its mods"


def test_a_file_in_the_place_of_the_mod_folder_is_no_matter_of_rights(folder: ServerDir, server: GameServer) -> None:
    (folder.path / "Mods").rmdir()
    (folder.path / "Mods").touch()
    told = inventory.scan(server).unreachable
    assert "Not a directory" in told
    assert "setfacl" not in told


def test_a_file_that_turns_unreadable_keeps_what_was_known(
    folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder.add_zip("a.zip", modid="a", version="1.0.0")
    inventory.scan(server)
    os.utime(path, (1, 1))
    unreadable = modinfo.ModFile(None, ("It can't be read: permission denied.",), has_failed=True)
    with monkeypatch.context() as patch:
        patch.setattr(modinfo, "read_file", lambda path, kind: unreadable)
        inventory.scan(server)
    kept = files()["a.zip"]
    assert (kept.modid, kept.version) == ("a", "1.0.0")
    assert kept.problems == ["It can't be read: permission denied."]
    inventory.scan(server)
    assert not files()["a.zip"].has_problems, "it is tried again each time"


@pytest.mark.parametrize("name", ["a.zip", "unpacked/modinfo.json"])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_file_that_could_not_be_read_once_is_read_again(
    name: str, is_new: bool, folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk's error passes, and changes nothing that `stat` tells."""
    folder.add_zip("a.zip", modid="a")
    (folder.mods / "unpacked").mkdir()
    (folder.mods / "unpacked" / "modinfo.json").write_text('{"type": "code", "name": "Un", "modid": "un"}')
    if not is_new:
        inventory.scan(server)
        os.utime(folder.mods / name, (1, 1))
    real = os.open

    def failing(path: Any, *args: Any, **options: Any) -> int:
        if str(path).endswith(name):
            raise OSError(errno.EIO, "Input/output error")
        return real(path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing)
        inventory.scan(server)
    row = files()[name.partition("/")[0]]
    assert row.problems == ["Reading it failed: Input/output error."]
    assert bool(row.modid) == (not is_new), "what was known stays"
    assert inventory.scan(server).read == 1
    row = files()[row.file_name]
    assert (row.modid, row.problems) == (row.file_name[:2].removesuffix("."), [])
    assert inventory.scan(server).read == 0


def test_hidden_files_are_listed_and_of_hidden_folders_those_that_are_mods(
    folder: ServerDir, server: GameServer
) -> None:
    """The game reads them. Our own staging and other tools' folders aren't mods."""
    folder.add_zip(".hidden.zip", modid="hidden")
    folder.add_zip(".zip", modid="bare")
    for name in (".vsadmin", ".git", ".unpacked"):
        (folder.mods / name).mkdir()
    (folder.mods / ".unpacked" / "modinfo.json").write_text('{"type": "code", "name": "Un", "modid": "un"}')
    (folder.mods / ".notes").write_text("")
    inventory.scan(server)
    assert {name: mod.modid for name, mod in files().items()} == {
        ".hidden.zip": "hidden", ".zip": "bare", ".unpacked": "un",
    }  # fmt: skip


def test_what_disables_a_file_may_be_in_any_letter_case(folder: ServerDir, server: GameServer) -> None:
    folder.add_zip("a.zip.DISABLED", modid="a")
    folder.add_zip("b.ZIP.Disabled", modid="b")
    folder.add_zip("c.disabled.zip", modid="c")
    inventory.scan(server)
    assert {mod.modid: (mod.enabled, mod.kind) for mod in InstalledMod.objects.all()} == {
        "a": (False, "zip"), "b": (False, "zip"), "c": (True, "zip"),
    }  # fmt: skip


def test_a_folder_is_loaded_whatever_its_name_unless_the_configuration_disables_it(
    folder: ServerDir, server: GameServer
) -> None:
    (folder.mods / "lamp.disabled").mkdir()
    (folder.mods / "lamp.disabled" / "modinfo.json").write_text('{"type": "code", "name": "Lamp", "modid": "lamp"}')
    inventory.scan(server)
    (lamp,) = InstalledMod.objects.all()
    assert lamp.enabled
    assert "add “lamp” to DisabledMods in serverconfig.json" in lamp.problems[0]
    folder.configure(WorldConfig={"DisabledMods": ["lamp"]})
    inventory.scan(server)
    (lamp,) = InstalledMod.objects.all()
    assert (lamp.disabled_by_config, lamp.problems) == (True, [])


@pytest.mark.skipif(os.name != "posix", reason="names that aren't UTF-8 exist on POSIX only")
def test_a_name_that_is_not_utf8_is_listed(folder: ServerDir, server: GameServer) -> None:
    path = folder.add_zip("good.zip", modid="good")
    path.rename(folder.mods / os.fsdecode(b"b\xffd.zip"))
    inventory.scan(server)
    (mod,) = files().values()
    assert mod.file_name == "b\\xffd.zip"
    assert "UTF-8" in mod.problems[0]


def test_two_servers_on_one_folder_are_told_so(folder: ServerDir, server: GameServer, server_dir: MakeServer) -> None:
    other_dir = server_dir("testing")
    other_dir.configure(ModPaths=[str(folder.mods)])
    other = GameServer.objects.create(name="Testing", data_dir=str(other_dir.path))
    inventory.scan_all()
    server.refresh_from_db()
    other.refresh_from_db()
    assert inventory.sharing(server) == [(str(folder.mods), other)]
    assert inventory.sharing(other) == [(str(folder.mods), server)]


def test_each_modid_gets_one_look_up(folder: ServerDir, server: GameServer, server_dir: MakeServer) -> None:
    other_dir = server_dir("testing")
    GameServer.objects.create(name="Testing", data_dir=str(other_dir.path))
    folder.add_zip("a.zip", modid="Alpha")
    other_dir.add_zip("a.zip", modid="alpha")
    other_dir.add_zip("none.zip", modid="")
    inventory.scan_all()
    assert list(Lookup.objects.values_list("key", flat=True)) == ["alpha"]
    assert InstalledMod.objects.filter(lookup__key="alpha").count() == 2


def test_the_first_server_comes_from_the_environment(
    folder: ServerDir, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert inventory.ensure_first_server() is None
    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(folder.path))
    made = inventory.ensure_first_server()
    assert made is not None
    assert made.name == "public"
    assert inventory.ensure_first_server() == made
    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(serverdir.Unusable, match="There is no folder"):
        inventory.ensure_first_server()


def test_a_scan_waits_for_nobody_for_ever(
    folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vsadmin.lib import locks

    monkeypatch.setattr(inventory, "LOCK_WAIT", 0)
    with locks.hold(inventory.server_lock(server.pk)):
        assert "being changed" in inventory.scan(server).unreachable
    assert not inventory.scan(server).unreachable


def test_a_scan_that_found_something_new_is_logged(folder: ServerDir, server: GameServer, events: Events) -> None:
    folder.add_zip("a.zip", modid="a")
    inventory.scan(server)
    inventory.scan(server)
    assert [(e["server"], e["found"], e["added"]) for e in events.named("server_scanned")] == [("Public", 1, 1)]


def test_one_servers_odd_folder_does_not_keep_the_others_from_being_scanned(
    folder: ServerDir, server: GameServer, server_dir: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_dir = server_dir("testing")
    GameServer.objects.create(name="Testing", data_dir=str(other_dir.path))
    other_dir.add_zip("b.zip", modid="b")
    real = serverdir.read

    def odd(path: Path) -> serverdir.ServerFolder:
        if path == folder.path:
            raise RuntimeError("surprise")
        return real(path)

    monkeypatch.setattr(serverdir, "read", odd)
    first, second = inventory.scan_all()
    assert "surprise" in first.unreachable
    assert second.found == 1


def test_a_scan_stops_after_the_file_at_hand_and_goes_on_next_time(folder: ServerDir, server: GameServer) -> None:
    for number in range(5):
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    stop = threading.Event()

    def after_two(done: int, total: int, doing: str) -> None:
        if done == 2 and total == 5:
            stop.set()

    inventory.scan_all([server], after_two, stop)
    assert len(files()) == 3
    assert len(newest_set(server)) == 3
    server.refresh_from_db()
    assert server.scanned_at is None, "nobody knows yet what the rest was at that time"
    inventory.scan(server)
    assert len(files()) == 5
    assert len(newest_set(server)) == 5


def newest_set(server: GameServer) -> set[str]:
    return {one["modid"] for one in FolderState.objects.filter(server=server)[0].mods}


@pytest.mark.parametrize("place", ["after_scan", "settle"])
def test_a_scan_killed_once_its_rows_are_written_has_noted_their_set(
    place: str, folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.add_zip("a.zip", modid="a")
    inventory.scan(server)
    folder.add_zip("b.zip", modid="b")

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(starts, place, killed)
        with pytest.raises(KeyboardInterrupt):
            inventory.scan(server)
    assert set(files()) == {"a.zip", "b.zip"}
    assert newest_set(server) == {"a", "b"}


def test_rows_whose_set_cannot_be_noted_are_not_written(
    folder: ServerDir, server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory.scan(server)
    folder.add_zip("a.zip", modid="a")

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(starts, "note_set", killed)
    with pytest.raises(KeyboardInterrupt):
        inventory.scan(server)
    assert not files()


def test_a_new_row_is_stored_with_every_value(server: GameServer) -> None:
    now = timezone.now()
    release = Release.objects.create(mod=Mod.objects.create(mod_id=1, name="M"), release_id=1, version="1.0.0")
    lookup = Lookup.objects.create(key="a", modid="A")
    given: dict[str, Any] = {
        field.attname: {"BooleanField": True, "DateTimeField": now, "JSONField": ["ä", '"', None]}.get(
            field.get_internal_type(), field.name[:10]
        )
        for field in InstalledMod._meta.concrete_fields
        if not field.primary_key
    }
    given |= {"server_id": server.pk, "lookup_id": lookup.pk, "release_id": release.pk, "size": 2**40}
    given |= {
        "recommended_release_id": None,
        "back_to_release_id": None,
        "successor_id": None,
        "dependencies": {"game": "1.21.0"},
    }
    inventory.insert([InstalledMod(**given)])
    assert InstalledMod.objects.values(*given).get() == given
