"""What vsadmin makes of the demo's world once its week is lived through: every state that a mod can have is there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django_q.models import OrmQ
from pytest_django import Settings

from cache import statistics
from demo import past, world
from events.kinds import Kind
from events.models import Event
from mods import restart
from mods.models import GameServer, Hold, InstalledMod, KeptCopy, Lookup, Operation

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def lived(
    transactional_db: None,
    now: datetime,
    tmp_path: Path,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Path]:
    """The folder in which the servers are; the mod database is running."""
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    of = world.build(now)
    with of.database.serve() as url:
        monkeypatch.setenv("VS_MODDB_URL", url)
        past.live(of, tmp_path / "servers")
        yield tmp_path / "servers"


def of(server: str, modid: str) -> InstalledMod:
    return InstalledMod.objects.get(server__name=server, modid=modid)


def test_every_state_is_there(lived: Path, now: datetime) -> None:
    public = InstalledMod.objects.filter(server__name="Public")
    _installed_and_judged()
    _broken_and_odd(public.count())
    _people_and_their_changes(now)
    _restart_and_log(now)
    shown = statistics.read()
    assert shown.file_count > 15
    assert 10 < shown.total_size_bytes / 1024**2 < 30, "of 32"
    assert sum(1 for day in statistics.by_day() if day.figures.hits) > 10
    assert OrmQ.objects.count() == 1, "the worker fetches the list of all mods first of all"


def _installed_and_judged() -> None:
    assert of("Public", "breadpeel").compatibility == "compatible"
    assert of("Public", "pegbasket").compatibility == "not_verified"
    assert of("Public", "kilnstack").compatibility == "incompatible"
    assert of("Creative", "burrowfoxes").compatibility == "incompatible"
    assert of("Creative", "burrowfoxes").outdated
    hearth = of("Public", "hearthlarder")
    assert (hearth.outdated, hearth.version, hearth.recommended, hearth.recommended_verified) == (
        True, "1.3.0", "1.4.0", True,
    )  # fmt: skip
    hammer = of("Public", "waterhammer")
    assert (hammer.outdated, hammer.latest) == (False, "2.0.0"), "the newest is for another game version"
    assert of("Creative", "waterhammer").recommended == "2.0.0"
    assert of("Public", "pulleyworks").recommended == "0.4.0-rc.3", "who runs a prerelease is offered newer ones"
    for modid, words in (("sortingtable", "Doubles items"), ("fenwalkers", "Worlds"), ("chunkjanitor", "player list")):
        row = of("Public", modid)
        assert row.retracted
        assert words in row.retraction_reason
    assert of("Public", "sortingtable").recommended == "2.1.1"
    assert of("Public", "tidyhotbar").side == "client"
    for modid in ("valleyrules", "harvestfestival", "arrivalquiz"):
        row = of("Public", modid)
        assert row.lookup is not None
        assert row.lookup.state == Lookup.State.ABSENT
    assert of("Public", "forgehand").dependencies == {"emberanvil": "1.5.0", "game": "1.21.0"}


def _broken_and_odd(count: int) -> None:
    assert count > 50
    problems = {
        row.file_name: " ".join(row.problems) for row in InstalledMod.objects.with_problems().order_by("file_name")
    }
    assert "web page" in problems.pop("lanternfish_0.3.1.zip")
    assert "cut short" in problems.pop("cobbletracks_1.1.0.zip")
    assert "no modinfo.json" in problems.pop("autumn textures (old).zip")
    assert set(problems) >= {"oldroads_1.1.0.zip", "oldroads_1.2.0.zip"}, "twice there"
    assert not of("Public", "backupbell").enabled
    assert not of("Public", "windowboxes").enabled
    assert of("Public", "paddedarmour").disabled_by_config
    assert {(held.server.name, held.modid) for held in Hold.objects.all()} == {
        ("Public", "doorlatch"),
        ("Creative", "claimsledger"),
    }
    assert not InstalledMod.objects.failed_checks().exists()
    assert of("Public", "carvedlintels").dependencies["chiselcore"] == "1.0.0"
    assert not InstalledMod.objects.filter(server__name="Public", modid="chiselcore").exists()


def _people_and_their_changes(now: datetime) -> None:
    user = User.objects.get(is_superuser=True)
    assert (user.get_username(), user.is_staff) == ("demo", True)
    assert PBKDF2PasswordHasher().verify("demo", user.password)
    roles = dict(User.objects.values_list("username", "groups__name"))
    assert roles == {"demo": None, "viewer": "Viewer", "operator": "Operator", "administrator": "Administrator"}
    changes = list(Operation.objects.order_by("asked_at"))
    assert [change.asked_by_name for change in changes[:3]] == ["jonna", "pieter", "jonna"]
    assert {change.kind for change in changes} >= {"install", "update", "remove", "roll_back", "disable"}
    assert [change.state for change in changes].count("cancelled") == 1
    assert [change.state for change in changes].count("done") == len(changes) - 1
    assert changes[0].asked_at == pytest.approx(now - timedelta(days=6, hours=3), abs=timedelta(minutes=5))
    for change in changes:
        assert change.planned_at is not None
        assert change.ended_at is not None
        assert change.asked_at <= change.planned_at <= change.ended_at <= now
    assert KeptCopy.objects.filter(modid="welcomebook").exists()
    told = Event.objects.filter(kind=Kind.CHANGE_DONE)
    assert told.count() == len(changes) - 1
    assert max(event.at for event in told) < now - timedelta(hours=1), "as long ago as the changes themselves"


def _restart_and_log(now: datetime) -> None:
    server = GameServer.objects.get(name="Public")
    assert server.game_version == "1.21.5"
    needed = restart.restart_needed(server)
    assert needed.known
    assert {change.key for change in needed.changed} == {"riverstones", "charcoallodge"}
    assert not [*needed.added, *needed.removed, *needed.enabled, *needed.disabled]
    assert needed.started_at is not None
    assert now - timedelta(hours=6) < needed.started_at < now - timedelta(hours=5)
    assert "chiselcore" in of("Public", "carvedlintels").problems[0]
    assert "it failed" in of("Public", "kilnstack").problems[0]
    assert not restart.restart_needed(GameServer.objects.get(name="Creative")).any
