"""What a restart would change: the net difference between what the server read at its start and its folder now."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods import modset, restart, starts
from mods.models import FolderState, GameServer, InstalledMod, ServerStart
from mods.restart import Difference
from mods.tests.rows import install, make_server

pytestmark = pytest.mark.django_db
Start = Callable[..., ServerStart]


@pytest.fixture
def server() -> GameServer:
    return make_server()


def note_start(server: GameServer, *, known: bool = True, **fields: Any) -> ServerStart:
    """A start of the server with the mods that it has now."""
    fields = {"started_at": timezone.now() - timedelta(minutes=3), **fields}
    mods = modset.to_json(starts.sets_now([server])[server.pk]) if known else None
    return ServerStart.objects.create(server=server, mods=mods, **fields)


def keys(difference: Difference) -> dict[str, list[str]]:
    names = ("changed", "added", "removed", "enabled", "disabled")
    return {name: [change.key for change in getattr(difference, name)] for name in names if getattr(difference, name)}


def test_each_kind_of_difference_and_its_words(server: GameServer) -> None:
    changed = install(server, "Changed", "1.0.0")
    gone = install(server, "gone", "1.0.0")
    off = install(server, "off", "1.0.0")
    on = install(server, "on", "1.0.0", enabled=False)
    config = install(server, "config", "1.0.0")
    install(server, "same", "1.0.0")
    start = note_start(server)
    InstalledMod.objects.filter(pk=changed.pk).update(version="1.1.0", sha256="b" * 64)
    gone.delete()
    InstalledMod.objects.filter(pk=off.pk).update(enabled=False, file_name="off.zip.disabled")
    InstalledMod.objects.filter(pk=on.pk).update(enabled=True)
    InstalledMod.objects.filter(pk=config.pk).update(disabled_by_config=True)
    install(server, "new", "2.0.0")

    found = restart.restart_needed(server)

    assert found.known
    assert found.started_at == start.started_at
    assert keys(found) == {
        "changed": ["changed"],
        "added": ["new"],
        "removed": ["gone"],
        "enabled": ["on"],
        "disabled": ["config", "off"],
    }
    assert found.changed == (restart.Change("changed", "Changed", "1.0.0", "1.1.0"),)
    assert found.added == (restart.Change("new", "New", "", "2.0.0"),)
    assert found.removed == (restart.Change("gone", "Gone", "1.0.0", ""),)
    local = timezone.localtime(start.started_at)
    assert found.summary().startswith("1 changed, 1 added, 1 removed, 1 enabled, 2 disabled since the server started ")
    assert f"{local:%H:%M}" in found.summary()
    assert f'<time datetime="{start.started_at.isoformat()}"' in found.shown(), "the reader's zone may be another"


def test_the_day_is_said_unless_it_is_today(server: GameServer) -> None:
    install(server, "a")
    note_start(server, started_at=timezone.now() - timedelta(days=3))
    InstalledMod.objects.all().delete()
    assert " started on " in restart.restart_needed(server).summary()


def test_it_vanishes_when_changed_back_or_at_the_next_start(server: GameServer) -> None:
    install(server, "a", "1.0.0", sha256="a" * 64)
    note_start(server)
    InstalledMod.objects.update(version="2.0.0", sha256="b" * 64, file_name="other.zip")
    assert restart.restart_needed(server).any
    InstalledMod.objects.update(version="1.0.0", sha256="a" * 64)
    assert not restart.restart_needed(server).any
    assert restart.restart_needed(server).summary() == ""
    InstalledMod.objects.update(version="2.0.0", sha256="b" * 64)
    note_start(server, started_at=timezone.now())
    assert not restart.restart_needed(server).any


def test_the_same_version_with_other_bytes_is_a_change(server: GameServer) -> None:
    install(server, "a", "1.0.0", sha256="a" * 64)
    note_start(server)
    InstalledMod.objects.update(sha256="b" * 64)
    assert keys(restart.restart_needed(server)) == {"changed": ["a"]}


def test_what_the_game_does_not_load_makes_no_difference(server: GameServer) -> None:
    install(server, "map", side="client")
    disabled = install(server, "off", enabled=False)
    install(server, "twice", "2.0.0")
    older = install(server, "twice", "1.0.0")
    note_start(server)
    InstalledMod.objects.filter(modid="map").update(version="9.0.0")
    disabled.delete()
    install(server, "hud", side="client")
    install(server, "never", enabled=False)
    older.delete()  # the game loads only the highest of two
    assert not restart.restart_needed(server).any


def test_files_without_an_id_are_compared_by_name(server: GameServer) -> None:
    install(server, "", "", file_name="a.dll", sha256="a" * 64)
    install(server, "", "", file_name="b.dll", sha256="b" * 64)
    note_start(server)
    InstalledMod.objects.filter(file_name="a.dll").update(sha256="c" * 64)
    InstalledMod.objects.filter(file_name="b.dll").update(enabled=False, file_name="b.dll.disabled")
    assert keys(restart.restart_needed(server)) == {"changed": ["/a.dll"], "disabled": ["/b.dll"]}


def test_without_a_start_nothing_is_said(server: GameServer) -> None:
    install(server, "a")
    assert restart.restart_needed(server) == Difference()
    assert not restart.restart_needed(server).any


def test_where_nobody_watched_ids_alone_tell(server: GameServer) -> None:
    install(server, "Stays", "1.0.0")
    install(server, "new")
    install(server, "off", enabled=False)
    install(server, "offbefore", enabled=False)
    install(server, "map", side="client")
    install(server, "broken")
    install(server, "", "", file_name="x.dll")
    loaded = ["game", "stays", "Gone", "off", "creative", "survival"]
    note_start(server, known=False, loaded=loaded, failures={"broken": ["It failed."]})
    found = restart.restart_needed(server)
    assert not found.known
    assert keys(found) == {"added": ["new"], "removed": ["gone"], "disabled": ["off"]}
    assert found.removed[0].name == "Gone"


def test_what_was_changed_since_it_was_first_seen_is_told_though_nobody_watched_the_start(server: GameServer) -> None:
    install(server, "a", "1.0.0", sha256="a" * 64)
    install(server, "b")
    now = timezone.now()
    start = note_start(server, known=False, loaded=["game", "a", "b"], started_at=now - timedelta(days=1))
    entries = modset.to_json(starts.sets_now([server])[server.pk])
    FolderState.objects.create(server=server, seen_at=now - timedelta(hours=1), mods=entries)
    InstalledMod.objects.filter(modid="a").update(version="1.1.0", sha256="b" * 64)
    later = modset.to_json(starts.sets_now([server])[server.pk])
    FolderState.objects.create(server=server, seen_at=now, seen_before_at=now - timedelta(minutes=5), mods=later)
    found = restart.restart_needed(server)
    assert (found.known, keys(found)) == (False, {"changed": ["a"]})
    assert found.changed[0].before == "1.0.0"

    ServerStart.objects.filter(pk=start.pk).update(loaded=[])  # a log that was cut off
    InstalledMod.objects.filter(modid="b").delete()
    assert keys(restart.restart_needed(server)) == {"changed": ["a"], "removed": ["b"]}

    InstalledMod.objects.filter(modid="a").update(version="1.0.0", sha256="a" * 64)
    install(server, "b")
    assert not restart.restart_needed(server).any, "changed back"

    InstalledMod.objects.filter(modid="a").update(version="1.1.0", sha256="b" * 64)
    ServerStart.objects.filter(pk=start.pk).update(started_at=now - timedelta(seconds=5))
    assert not restart.restart_needed(server).any, "it may have read the later set"


def test_a_start_whose_set_becomes_another_while_its_log_grows_is_worked_out_again(server: GameServer) -> None:
    install(server, "a", "1.0.0", sha256="a" * 64)
    start = note_start(server, loaded=["game"])
    InstalledMod.objects.update(version="1.1.0", sha256="b" * 64)
    later = modset.to_json(starts.sets_now([server])[server.pk])
    FolderState.objects.create(server=server, seen_at=timezone.now(), mods=later)
    assert keys(restart.for_servers([server])[server.pk]) == {"changed": ["a"]}
    ServerStart.objects.filter(pk=start.pk).update(mods=later, loaded=["game", "a"])  # as `starts` renews it
    assert not restart.for_servers([server])[server.pk].any


def test_a_file_that_failed_by_its_name_was_there(server: GameServer) -> None:
    install(server, "a", file_name="Odd.zip")
    note_start(server, known=False, loaded=["game"], failures={"odd.zip": ["It failed."]})
    assert not restart.restart_needed(server).any


def test_a_log_that_says_nothing_of_mods_is_no_alarm(server: GameServer) -> None:
    install(server, "a")
    note_start(server, known=False, loaded=[])
    found = restart.restart_needed(server)
    assert found.started_at
    assert not found.any


def test_many_servers_are_told_in_three_queries() -> None:
    servers = [make_server(f"Server{number}") for number in range(5)]
    for server in servers[1:]:
        install(server, "a")
        note_start(server, started_at=timezone.now() - timedelta(days=1))
        note_start(server)
    install(servers[2], "b")
    with CaptureQueriesContext(connection) as queries:
        found = restart.for_servers(servers)
    assert len(queries) == 3
    assert {pk: keys(one) for pk, one in found.items()} == {
        server.pk: {"added": ["b"]} if server == servers[2] else {} for server in servers
    }


def noted(server: GameServer, minutes_ago: float = 5) -> FolderState:
    """What a scan writes when the set changed."""
    mods = modset.to_json(starts.sets_now([server])[server.pk])
    return FolderState.objects.create(server=server, seen_at=timezone.now() - timedelta(minutes=minutes_ago), mods=mods)


def test_what_was_worked_out_once_is_not_worked_out_again() -> None:
    servers = [make_server(f"Server{number}") for number in range(3)]
    for server in servers:
        install(server, "a")
        noted(server)
        note_start(server)
    install(servers[1], "b")
    noted(servers[1], minutes_ago=1)
    first = restart.for_servers(servers)
    assert [keys(first[server.pk]) for server in servers] == [{}, {"added": ["b"]}, {}]
    with CaptureQueriesContext(connection) as queries:
        assert restart.for_servers(servers) == first
    assert len(queries) == 1
    install(servers[1], "c")
    noted(servers[1], minutes_ago=0)
    assert keys(restart.for_servers(servers)[servers[1].pk]) == {"added": ["b", "c"]}


def test_more_pairs_than_are_remembered_are_told_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restart, "_MAX_WORKED_OUT", 3)
    restart._worked_out.clear()
    servers = [make_server(f"Server{number}") for number in range(5)]
    for server in servers:
        noted(server)
        note_start(server)
        install(server, "a")
        noted(server, minutes_ago=1)
    for some in (servers[:3], servers[2:4], servers, servers[:3]):
        found = restart.for_servers(some)
        assert [keys(found[server.pk]) for server in some] == [{"added": ["a"]}] * len(some)
        assert len(restart._worked_out) <= max(3, len(some))


def test_several_at_once_are_told_what_each_is_told_alone() -> None:
    """As started, changed since, changed and changed back, nobody watched, never started: each way to be told."""
    same, changed, back, unwatched, unstarted = (make_server(f"Server{number}") for number in range(5))
    for server in (same, changed, back, unwatched, unstarted):
        install(server, "a", "1.0.0", sha256="a" * 64)
        noted(server)
    for server in (same, changed, back):
        note_start(server)
    note_start(unwatched, known=False, loaded=["game", "b"])
    for server in (changed, back):
        InstalledMod.objects.filter(server=server).update(version="2.0.0", sha256="b" * 64)
        noted(server, minutes_ago=2)
    InstalledMod.objects.filter(server=back).update(version="1.0.0", sha256="a" * 64)
    noted(back, minutes_ago=1)
    servers = [same, changed, back, unwatched, unstarted]
    found = restart.for_servers(servers)
    assert found == {server.pk: restart.restart_needed(server) for server in servers}
    assert [found[server.pk].any for server in servers] == [False, True, False, True, False]
