"""A scan that is killed between any two of its steps: the next one tells all that the first had begun to tell."""

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from conftest import ServerDir
from events.models import Event
from mods import inventory
from mods.models import Crash, GameServer, InstalledMod, ServerStart
from mods.tests.crashing import Crashing, ago

pytestmark = pytest.mark.django_db

REFUSED = ("[Error] [other] Could not resolve some dependencies:", "[Error] [other]     lib@1.0.0 - Missing")


class Killed(BaseException):
    """As a kill, nothing catches it."""


def kill_before(mark: str) -> Callable[..., object]:
    """Ends whatever is about to run the first statement with that in it."""
    is_dead = False

    def execute(run: Callable[..., object], sql: str, params: Sequence[Any], many: bool, context: Any) -> object:
        nonlocal is_dead
        if mark in sql and not is_dead:
            is_dead = True
            raise Killed
        return run(sql, params, many, context)

    return execute


def started(crashing: Crashing, minutes_ago: float, *lines: str) -> None:
    crashing.started(minutes_ago)
    log = crashing.folder.path / "Logs" / "server-main.log"
    stamp = f"{timezone.localtime(ago(minutes_ago)):%d.%m.%Y %H:%M:%S}"
    log.write_text(log.read_text() + "".join(f"{stamp} {line}\n" for line in lines))
    os.utime(log, (ago(minutes_ago).timestamp(), ago(minutes_ago).timestamp()))


def told() -> dict[str, list[Any]]:
    return {
        "starts": list(ServerStart.objects.values_list("started_at", "game_version")),
        "crashes": list(Crash.objects.values_list("happened_at", "start__started_at")),
        "events": sorted(Event.objects.values_list("kind", "at", "text")),
        "problems": sorted(InstalledMod.objects.values_list("modid", "version", "has_problems", "problems")),
    }


@pytest.mark.parametrize(
    "mark",
    ['INSERT INTO "mods_folderstate"', 'INSERT INTO "mods_serverstart"', 'INTO "events_event"', '"refused" =',
     'UPDATE "mods_installedmod" SET "problems"', 'INSERT INTO "mods_crash"', '"good" =', '"scanned_at" ='],
)  # fmt: skip
def test_the_next_scan_tells_it(
    mark: str, server_dir: Callable[[], ServerDir], monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = Crashing(server_dir(), monkeypatch)
    crashing.updated(restart=False)
    started(crashing, 7, *REFUSED)
    crashing.crashed(6)
    crashing.archive(crashing.folder.path / "Logs" / "server-main.log")
    crashing.game = "1.21.6"
    started(crashing, 5, *REFUSED)
    crashing.put("third", "1.0.0")
    monkeypatch.setattr(timezone, "now", lambda: ago(4))
    server = GameServer.objects.get()
    with pytest.raises(Killed), connection.execute_wrapper(kill_before(mark)):
        inventory.scan(server)
    transaction.set_rollback(False)
    crashing.server = GameServer.objects.get()
    crashing.scan(3)
    found = told()
    assert found["starts"][:2] == [(ago(5), "1.21.6"), (ago(7), "1.21.5")]
    assert found["crashes"] == [(ago(6), ago(7))]
    assert [(kind, at) for kind, at, _text in found["events"]][-2:] == [
        ("server_started", ago(7)),
        ("server_started", ago(5)),
    ]
    assert [one[0] for one in found["problems"] if one[2]] == ["other"]
    assert found["problems"][-1][:2] == ("third", "1.0.0")
