"""The limit: least recently used first, no more than needed, every removal logged."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cache import conf as cache_conf
from cache import entries, eviction, statistics
from cache.models import CacheEntry
from cache.tests.conftest import SetLimit
from cache.tests.helpers import MIB, disagreements, fetch, fill, numbers, path_of, put
from conftest import Events
from vsadmin.lib import locks

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_least_recently_used_go_until_it_is_within_the_limit_and_no_more(events: Events) -> None:
    for number in range(1, 7):
        put(number, 1000, age=number)  # 6 is the oldest
    done = eviction.enforce_limit(4500)
    assert numbers() == {1, 2, 3, 4}
    assert (done.files, done.bytes_freed, done.bytes_left, done.failed) == (2, 2000, 4000, 0)
    assert [event["file"] for event in events.named("cache_evicted")] == [
        "mod6_1.0.0~moddb-6.zip",
        "mod5_1.0.0~moddb-5.zip",
    ]
    assert disagreements() == []


def test_exactly_at_the_limit_nothing_goes() -> None:
    put(1, 1000)
    put(2, 1000)
    assert eviction.enforce_limit(2000).files == 0
    assert eviction.enforce_limit(1999).files == 1


def test_a_use_counts_as_access_and_the_file_systems_atime_does_not() -> None:
    old, new = put(1, 1000, age=100), put(2, 1000, age=50)
    long_ago = (timezone.now() - timedelta(days=900)).timestamp()
    os.utime(path_of(new), (long_ago, long_ago))
    fetch(1).close()
    old.refresh_from_db()
    assert timezone.now() - old.last_accessed_at < timedelta(seconds=20)
    eviction.enforce_limit(1000)
    assert numbers() == {1}


def test_entries_accessed_in_the_same_moment_go_in_the_order_they_came() -> None:
    for number in (3, 1, 2):
        put(number, 1000)
    CacheEntry.objects.update(last_accessed_at=timezone.now())
    eviction.enforce_limit(2000)
    assert numbers() == {1, 2}


def test_a_use_stamped_in_the_future_counts_as_of_now_at_the_latest() -> None:
    """A clock that was years ahead was set right; what was used since is newer."""
    put(1, 1000, age=-40_000_000)
    put(2, 1000, age=-39_999_990)
    put(3, 1000, age=50)
    assert eviction.enforce_limit(3000).files == 0
    eviction.enforce_limit(2999)
    assert numbers() == {1, 2}, "used ten seconds apart, the later one now"
    assert CacheEntry.objects.latest("last_accessed_at").last_accessed_at <= timezone.now()
    put(4, 1000)
    fetch(2).close()
    eviction.enforce_limit(2000)
    assert numbers() == {2, 4}


def test_the_order_of_uses_stamped_in_the_future_is_kept() -> None:
    """A clock that is far behind, too: then all uses are."""
    for number in (2, 3, 1):
        put(number, 1000, age=-1_000_000 * number)
    eviction.enforce_limit(2000)
    assert numbers() == {2, 3}


def test_leftovers_that_cannot_be_removed_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 4):
        put(number, 1000, age=number)
    monkeypatch.setattr(eviction, "sweep", lambda: 1500)
    assert eviction.enforce_limit(4500).files == 0
    assert eviction.enforce_limit(3500).files == 1
    assert eviction.enforce_limit(3499).files == 1
    assert numbers() == {1}


@pytest.mark.parametrize("slow_disk", [False, True])
@pytest.mark.parametrize("count", [31, 32, 33, 1500])
def test_many_go_in_batches(count: int, slow_disk: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eviction, "_SLOW_UNLINK", 0.0 if slow_disk else 1.0)
    fill(count + 2)
    assert eviction.enforce_limit(200).files == count
    assert numbers() == {count, count + 1}
    assert disagreements() == []


def test_room_is_made_before_each_download_is_put_in(set_limit: SetLimit, events: Events) -> None:
    set_limit(1)
    put(1, MIB // 2, age=20)
    put(2, MIB // 2, age=10)
    put(3, MIB // 4)
    assert numbers() == {2, 3}
    assert events.named("cache_evicted") == [
        {
            "event": "cache_evicted",
            "file": "mod1_1.0.0~moddb-1.zip",
            "size_bytes": MIB // 2,
            "reason": "size_limit",
        }
    ]
    assert events.named("cache_eviction_complete") == [
        {
            "event": "cache_eviction_complete",
            "files": 1,
            "bytes_freed": MIB // 2,
            "bytes_left": MIB // 2,
        }
    ]


def test_within_the_limit_one_look_up_and_nothing_written(events: Events, data_dir: Path) -> None:
    put(1, 1000)
    before = sorted((path, path.stat().st_mtime_ns) for path in data_dir.rglob("*"))
    events.all.clear()
    with CaptureQueriesContext(connection) as queries:
        assert eviction.enforce_limit().files == 0
    assert [query["sql"].split()[0] for query in queries] == ["SELECT"]
    assert events.all == []
    assert sorted((path, path.stat().st_mtime_ns) for path in data_dir.rglob("*")) == before


def test_a_limit_of_0_never_evicts(set_limit: SetLimit) -> None:
    set_limit(0)
    put(1, 2 * MIB)
    assert eviction.enforce_limit().files == 0
    assert eviction.preview().files == 0
    assert numbers() == {1}


@pytest.mark.parametrize("text", ["-1", "lots", "1.5", "500MB"])
def test_a_malformed_limit_keeps_it_from_starting_and_says_what_to_write(set_limit: SetLimit, text: str) -> None:
    set_limit(text)
    found = [message for message in run_checks() if "VS_MOD_CACHE_MAX_SIZE_MB" in message.msg]
    assert len(found) == 1
    assert found[0].is_serious()
    assert text in found[0].msg
    assert "VS_MOD_CACHE_MAX_SIZE_MB=500" in str(found[0].hint)
    assert "0" in str(found[0].hint)


def test_the_default_limit_is_500_mib() -> None:
    assert cache_conf.limit_bytes() == 500 * MIB
    assert cache_conf.CHECK_INTERVAL.get() == 900


def test_what_cannot_be_removed_stays_in_the_row_too_and_the_rest_go_on(events: Events) -> None:
    for number in range(1, 5):
        put(number, 1000, age=10 - number)
    stubborn = path_of(CacheEntry.objects.get(key="moddb:1"))
    stubborn.unlink()
    stubborn.mkdir()  # a folder can't be unlinked, not even by root
    done = eviction.enforce_limit(2000)
    assert (done.files, done.failed) == (2, 1)
    assert numbers() == {1, 4}
    (failed,) = events.named("cache_eviction_failed")
    assert (failed["file"], failed["size_bytes"]) == (stubborn.name, 1000)
    assert events.named("cache_eviction_complete")[0]["bytes_left"] == 2000


@pytest.mark.parametrize("slow_disk", [False, True])
def test_a_pass_ends_even_where_nothing_can_be_removed(
    slow_disk: bool, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(eviction, "_SLOW_UNLINK", 0.0 if slow_disk else 1.0)
    fill(100)

    def refuse(*args: object, **options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "unlink", refuse)
    assert eviction.enforce_limit(1000).failed == 100
    assert len(events.named("cache_eviction_failed")) == 100
    assert events.named("cache_eviction_complete") == []
    monkeypatch.undo()
    assert len(numbers()) == 100
    assert disagreements() == []


def test_a_pass_that_breaks_off_says_what_it_removed(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eviction, "_LARGEST_BATCH", 40)
    fill(100)
    drop_rows = entries.drop_rows
    times = 0

    def drop_once(*args: object, **counted: int) -> None:
        nonlocal times
        times += 1
        if times > 1:
            raise locks.Busy("cache")
        drop_rows(*args, **counted)  # type: ignore[arg-type]  # handed through

    monkeypatch.setattr(entries, "drop_rows", drop_once)
    with pytest.raises(locks.Busy):
        eviction.clear()
    (told,) = events.named("cache_eviction_complete")
    assert told["files"] == len(events.named("cache_evicted")) == 80


def test_a_file_removed_by_hand_loses_its_row_and_counts_as_room(events: Events) -> None:
    for number in range(1, 4):
        put(number, 1000, age=10 - number)
    path_of(CacheEntry.objects.get(key="moddb:1")).unlink()
    assert eviction.enforce_limit(2000).files == 0
    assert numbers() == {2, 3}
    assert events.named("cache_evicted") == []
    assert disagreements() == []


def test_clear_removes_all_and_says_a_person_did_it(events: Events) -> None:
    for number in range(3):
        put(number, 1000)
    assert (eviction.preview_clear().files, eviction.preview_clear().bytes) == (3, 3000)
    done = eviction.clear()
    assert (done.files, done.bytes_freed, done.bytes_left) == (3, 3000, 0)
    assert {event["reason"] for event in events.named("cache_evicted")} == {"manual_clear"}
    assert len(events.named("cache_eviction_complete")) == 1
    assert numbers() == set()
    assert disagreements() == []


def test_selected_entries_alone_go(events: Events) -> None:
    chosen = [put(number, 1000).pk for number in range(4)][:2]
    shown = eviction.preview_clear(chosen)
    assert (shown.files, shown.bytes, shown.bytes_left) == (2, 2000, 2000)
    assert eviction.evict_selected([*chosen, 999_999]).files == 2
    assert numbers() == {2, 3}
    assert {event["reason"] for event in events.named("cache_evicted")} == {"manual_clear"}


def test_a_preview_names_exactly_what_would_go_and_changes_nothing() -> None:
    for number in range(1, 7):
        put(number, 1000, age=number)
    shown = eviction.preview(3500, shown=2)
    assert [entry.key for entry in shown.entries] == ["moddb:6", "moddb:5"]
    assert (shown.files, shown.bytes, shown.bytes_left) == (3, 3000, 3000)
    assert len(numbers()) == 6
    done = eviction.enforce_limit(3500)
    assert (done.files, done.bytes_freed, done.bytes_left) == (3, 3000, 3000)


def test_a_missing_or_empty_folder_is_no_error(data_dir: Path) -> None:
    for _again in range(2):
        assert eviction.enforce_limit() == eviction.Evicted()
        assert eviction.enforce_limit(1) == eviction.Evicted()
        assert eviction.clear() == eviction.Evicted()
        assert statistics.read().file_count == statistics.read().total_size_bytes == 0
        (data_dir / "cache").mkdir(parents=True, exist_ok=True)


def test_a_reader_keeps_its_file_through_an_eviction_and_a_clear() -> None:
    with fetch(1, 5000) as file:
        eviction.clear()
        assert len(file.read()) == 5000
    assert numbers() == set()


def test_clear_leaves_what_comes_while_it_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eviction, "_LARGEST_BATCH", 2)
    drop_rows = entries.drop_rows

    def drop_and_add(*args: object, **counted: int) -> None:
        drop_rows(*args, **counted)  # type: ignore[arg-type]  # handed through
        number = 100 + CacheEntry.objects.count()
        entry = CacheEntry(key=f"moddb:{number}", file_name=f"new~moddb-{number}.zip", size=0, sha256="")
        path_of(entry).touch()
        entries.save(entry)

    fill(4)
    monkeypatch.setattr(entries, "drop_rows", drop_and_add)
    assert eviction.clear().files == 4
    assert numbers() == {102, 101}
