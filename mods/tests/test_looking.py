"""What is said of a folder that a person names; a demo looks at nothing but its own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from conftest import ServerDir
from mods import discovery, looking, serverdir
from mods.models import GameServer
from mods.tests.rows import make_server

MakeServer = Callable[..., ServerDir]


@pytest.fixture
def own_folder(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a demo that this process is."""
    folder = tmp_path / "demo"
    (folder / "servers").mkdir(parents=True)
    settings.VSADMIN_DATA_DIR = folder / "vsadmin"  # type: ignore[attr-defined]  # pytest-django's
    monkeypatch.setenv("VSADMIN_DEMO", str(folder / "vsadmin"))
    return folder


@pytest.mark.django_db
def test_what_is_there_and_whose_it_is(server_dir: MakeServer) -> None:
    folder = server_dir()
    folder.add_zip("alpha.zip", modid="alpha")
    assert looking.look("  ") is None
    assert looking.look(f" {folder.path}/ ") == looking.Look("game version 1.21.5, 1 mod")
    server = make_server(data_dir=str(folder.path))
    assert looking.look(str(folder.path)) == looking.Look("game version 1.21.5, 1 mod", server)
    assert looking.look(str(folder.path), but=server.pk) == looking.Look("game version 1.21.5, 1 mod")


@pytest.mark.parametrize(
    ("typed", "said"), [("data", "Write the whole path"), ("/nowhere", "There is no folder"), ("/a\0b", "whole path")]
)
def test_what_cannot_serve_says_why(typed: str, said: str) -> None:
    look = looking.look(typed)
    assert look is not None
    assert said in str(look.problem)
    assert not look.found


def test_counting_is_bounded(server_dir: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = server_dir()
    for number in range(5):
        folder.add_zip(f"m{number}.zip", modid=f"m{number}")
    monkeypatch.setattr(serverdir, "_MAX_COUNTED", 3)
    assert serverdir.count_mods(serverdir.read(folder.path)) == 3


@pytest.mark.django_db
def test_a_demo_looks_at_nothing_but_its_own(
    own_folder: Path, server_dir: MakeServer, tmp_path: Path, admin_client: Client
) -> None:
    real = server_dir().path
    (own_folder / "servers" / "link").symlink_to(real)
    for place in (real, own_folder / "servers" / "link", tmp_path, own_folder / "servers" / ".." / ".." / "data"):
        look = looking.look(str(place))
        assert look is not None
        assert "nothing of this machine" in str(look.problem), place
    answer = admin_client.post("/admin/mods/gameserver/add/", {"name": "Real", "data_dir": str(real)})
    assert "nothing of this machine" in answer.text
    assert not GameServer.objects.exists()
    (own_folder / "servers" / "Spare" / "Mods").mkdir(parents=True)
    look = looking.look(str(own_folder / "servers" / "Spare"))
    assert look == looking.Look("game version unknown yet, 0 mods")


def test_a_demo_suggests_its_own_folders(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "find", lambda: pytest.fail("it looked at the machine"))
    (own_folder / "servers" / "Spare" / "Mods").mkdir(parents=True)
    (own_folder / "servers" / "nothing").mkdir()
    assert [one.path.name for one in looking.suggestions()] == ["Spare"]


@pytest.mark.django_db
def test_a_normal_start_knows_no_demo(server_dir: MakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSADMIN_DEMO", "/some/other/folder")
    look = looking.look(str(server_dir().path))
    assert look is not None
    assert look.found
