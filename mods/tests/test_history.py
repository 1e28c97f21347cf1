"""What was changed, what that brought, and which versions a server had before."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from mods import history
from mods.history import Passage
from mods.models import FolderState, GameServer, KeptCopy, Operation, Step
from mods.tests.rows import install, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db

NOW = timezone.now()


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def carried_out(server: GameServer, modid: str, old: str, new: str, *, days: float = 1, **fields: Any) -> Step:
    operation = Operation.objects.create(server=server, kind="update", title="Update", asked_by_name="ada")
    wanted = {"state": Step.State.DONE, "done_at": days_ago(days), "action": "replace", **fields}
    return Step.objects.create(
        operation=operation, server=server, position=1, group=1, modid=modid, modid_key=modid.lower(),
        name=modid.title(), from_version=old, to_version=new, planned={}, **wanted,
    )  # fmt: skip


def keep(server: GameServer, modid: str, version: str, **fields: Any) -> KeptCopy:
    wanted = {"sha256": "ab" * 32, "size": 1, "kept_at": days_ago(1), **fields}
    return KeptCopy.objects.create(
        server=server, server_name=server.name, modid=modid, modid_key=modid.lower(), name=modid, version=version,
        file_name=f"{modid}.zip", stored_name=f"{modid}-{KeptCopy.objects.count()}", why="made here", **wanted,
    )  # fmt: skip


def test_history_is_what_was_carried_out_newest_first() -> None:
    server, other = make_server(), make_server("Other")
    first = carried_out(server, "Alpha", "1.0.0", "1.1.0", days=3)
    second = carried_out(server, "beta", "1.0.0", "2.0.0", days=2)
    last = carried_out(server, "Alpha", "1.1.0", "1.2.0", days=1, state=Step.State.PLACED)
    for state in (Step.State.FAILED, Step.State.SKIPPED, Step.State.WAITING, Step.State.PLACING):
        carried_out(server, "Alpha", "1.0.0", "1.1.0", state=state)
    carried_out(other, "Alpha", "1.0.0", "1.1.0")
    assert list(history.of_server(server)) == [last, second, first]
    assert list(history.of_mod(server, "alpha")) == [last, first]


def test_history_is_read_in_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    server = make_server()
    user = User.objects.create_user("ada")
    for number in range(5):
        step = carried_out(server, f"mod{number}", "1", "2")
        Operation.objects.filter(pk=step.operation_id).update(asked_by=user)
    with django_assert_num_queries(1):
        assert {str(step.operation.asked_by) for step in history.of_server(server)} == {"ada"}


def test_changelogs_are_those_of_all_versions_passed() -> None:
    mod = make_mod("Alpha")
    made = {version: make_release(mod, version) for version in ("1.0.0", "1.1.0", "1.10.0", "1.2.0", "2.0.0")}
    passed = history.changelogs("alpha", "1.0.0", "1.10.0")
    assert passed == (made["1.10.0"], made["1.2.0"], made["1.1.0"])


def test_retracted_and_vanished_releases_are_among_them() -> None:
    mod = make_mod("alpha")
    make_release(mod, "1.1.0", retracted=True)
    make_release(mod, "1.2.0", gone_since=NOW)
    make_release(mod, "1.3.0")
    assert [one.withdrawn for one in history.changelogs("alpha", "1.0", "1.3.0")] == [False, True, True]


def test_the_way_back_tells_what_was_left_again() -> None:
    mod = make_mod("alpha")
    for version in ("1.0.0", "1.1.0", "1.2.0", "1.3.0"):
        make_release(mod, version)
    assert [one.version for one in history.changelogs("alpha", "1.2.0", "1.0.0")] == ["1.2.0", "1.1.0"]


@pytest.mark.parametrize(("old", "new"), [("", "1.1.0"), ("vNext", "1.1.0"), ("1.0.0", "vNext")])
def test_without_an_order_there_is_the_new_release_alone(old: str, new: str) -> None:
    mod = make_mod("alpha")
    for version in ("1.0.0", "1.1.0", "vNext"):
        make_release(mod, version)
    assert [one.version for one in history.changelogs("alpha", old, new)] == [new]


def test_another_mod_with_the_same_id_is_left_out() -> None:
    ours, foreign = make_mod("alpha"), make_mod("beta")
    wanted = make_release(ours, "1.1.0")
    make_release(foreign, "1.0.5", modid="alpha", modid_key="alpha")
    assert history.changelogs("alpha", "1.0.0", "1.1.0") == (wanted,)


def test_many_changelogs_take_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    passages = []
    for number in range(6):
        make_release(make_mod(f"mod{number}"), "1.1.0")
        passages.append(Passage(f"mod{number}", "1.0.0", "1.1.0"))
    with django_assert_num_queries(2):
        found = history.changelogs_of(passages)
        assert [found[passage][0].mod.name for passage in passages] == [f"Mod{number}" for number in range(6)]


def test_versions_had_are_known_from_changes() -> None:
    server = make_server()
    mod = make_mod("alpha")
    offered = make_release(mod, "1.0.0")
    make_release(mod, "1.1.0", retracted=True)
    make_release(mod, "3.0.0")
    carried_out(server, "alpha", "", "1.0.0", days=9, action="install")
    carried_out(server, "alpha", "1.0.0", "1.1.0", days=5)
    carried_out(server, "alpha", "1.1.0", "1.2.0", days=2)
    carried_out(server, "alpha", "1.2.0", "6.0.0", days=1, state=Step.State.FAILED)
    install(server, "alpha", "1.2.0")
    last, first = history.versions_had(server, "alpha")
    assert (last.version, last.had_until, last.can_be_had) == ("1.1.0", days_ago(2), False)
    assert (first.version, first.had_until, first.release) == ("1.0.0", days_ago(5), offered)


def test_versions_replaced_by_hand_are_known_from_scans() -> None:
    server = make_server()
    make_release(make_mod("alpha"), "1.0.0")
    for days, version in ((9, "1.0"), (3, "1.1.0")):
        FolderState.objects.create(
            server=server, seen_at=days_ago(days), mods=[{"modid": "Alpha", "version": version}, {"modid": "beta"}]
        )
    install(server, "alpha", "1.1.0")
    (had,) = history.versions_had(server, "alpha")
    assert (had.version, had.had_until) == ("1.0", days_ago(3))
    assert had.release is not None
    assert had.release.version == "1.0.0"


def test_kept_copies_are_a_source() -> None:
    server, other = make_server(), make_server("Other")
    keep(server, "alpha", "1.0.0", kept_at=days_ago(7))
    newest = keep(server, "alpha", "1.0.0", kept_at=days_ago(2))
    keep(other, "alpha", "0.9.0")
    carried_out(server, "alpha", "1.0.0", "1.1.0", days=2)
    install(server, "alpha", "1.1.0")
    (had,) = history.versions_had(server, "alpha")
    assert (had.version, had.kept, had.release) == ("1.0.0", newest, None)


def test_the_installed_version_is_had_before_only_with_other_bytes() -> None:
    server = make_server()
    keep(server, "alpha", "1.0.0", sha256="11" * 32)
    row = install(server, "alpha", "1.0.0", sha256="11" * 32)
    assert history.versions_had(server, "alpha") == ()
    row.sha256 = "22" * 32
    row.save()
    assert [one.version for one in history.versions_had(server, "alpha")] == ["1.0.0"]


def test_a_removed_mods_versions_are_all_had_before() -> None:
    server = make_server()
    carried_out(server, "alpha", "1.0.0", "1.1.0", days=2)
    carried_out(server, "alpha", "1.1.0", "", days=1, action="remove")
    assert [one.version for one in history.versions_had(server, "alpha")] == ["1.1.0", "1.0.0"]


def test_versions_had_take_a_fixed_number_of_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    server = make_server()
    mod = make_mod("alpha")
    for number in range(8):
        make_release(mod, f"1.{number}.0")
        carried_out(server, "alpha", f"1.{number}.0", f"1.{number + 1}.0", days=20 - number)
        FolderState.objects.create(server=server, seen_at=days_ago(number), mods=[])
    with django_assert_num_queries(6):
        assert all(one.release for one in history.versions_had(server, "alpha") if one.version != "1.8.0")


def test_going_back_twice_goes_back_two_versions() -> None:
    server = make_server()
    mod = make_mod("alpha")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        make_release(mod, version)
    carried_out(server, "alpha", "1.0.0", "1.1.0", days=9)
    carried_out(server, "alpha", "1.1.0", "1.2.0", days=8)
    carried_out(server, "alpha", "1.2.0", "1.1.0", days=7)
    install(server, "alpha", "1.1.0")
    before = history.version_before(server, "alpha", "1.1.0")
    assert before is not None
    assert before.version == "1.0.0"


def test_a_version_that_cannot_be_had_is_no_way_back() -> None:
    server = make_server()
    make_release(make_mod("alpha"), "1.1.0", retracted=True)
    carried_out(server, "alpha", "1.1.0", "1.2.0")
    install(server, "alpha", "1.2.0")
    assert history.version_before(server, "alpha", "1.2.0") is None
    copy = keep(server, "alpha", "1.1.0")
    before = history.version_before(server, "alpha", "1.2.0")
    assert before is not None
    assert before.kept == copy
