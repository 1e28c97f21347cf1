"""Room before a file is put in: within the limit, and on a disk that is nearly full."""

import hashlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from cache import counters, deposits, entries, eviction, places, verify
from cache.deposits import Outcome
from cache.models import CacheEntry
from cache.store import RESERVE_BYTES, FetchError
from cache.tests.conftest import SetLimit
from cache.tests.helpers import MIB, BytesSource, content, disagreements, fetch, fill, numbers, put
from cache.uses import Kept
from conftest import Events
from vsadmin.lib import files

pytestmark = pytest.mark.django_db(transaction=True)


def deposit(number: int, size: int) -> Outcome:
    with tempfile.TemporaryFile() as file:
        file.write(content(number, size))
        file.flush()
        digest = hashlib.sha256(content(number, size)).hexdigest()
        return deposits.deposit(f"moddb:{number}", file, sha256=digest, name="a.zip", title="A")


def fetched(number: int, size: int) -> None:
    fetch(number, size).close()


@pytest.mark.parametrize("way", [fetched, deposit])
def test_entries_never_hold_more_than_the_limit(
    way: Callable[[int, int], object], set_limit: SetLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limit(1)
    held: list[int] = []
    enter = entries.enter

    def watched(staged: files.Staged, entry: CacheEntry) -> None:
        held.append(counters.used_bytes() + entry.size)
        enter(staged, entry)

    monkeypatch.setattr(entries, "enter", watched)
    for number in range(1, 5):
        way(number, MIB // 2)
    assert held == [MIB // 2, MIB, MIB, MIB]
    assert len(numbers()) == 2
    assert disagreements() == []


def test_without_anything_that_can_go_a_file_is_handed_out_and_not_kept(
    set_limit: SetLimit, monkeypatch: pytest.MonkeyPatch, events: Events
) -> None:
    set_limit(1)
    put(1, MIB // 2)
    monkeypatch.setattr(eviction, "_unlink_some", lambda paths: [PermissionError(13, "no") for _path in paths])
    with fetch(2, MIB // 2 + 1) as file:
        assert file.read() == content(2, MIB // 2 + 1)
    assert deposit(3, MIB // 2 + 1) is Outcome.TOO_LARGE
    assert numbers() == {1}
    assert events.named("cache_not_kept")[0]["size_bytes"] == MIB // 2 + 1
    assert disagreements() == []
    fetch(4, MIB // 2).close()
    assert numbers() == {1, 4}


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Give the disk so many free bytes beside what the cache's entries leave of them."""

    def make(free: int) -> None:
        before = counters.used_bytes()
        monkeypatch.setattr(files, "free_bytes", lambda folder: free + before - counters.used_bytes())

    return make


def fill_up() -> None:
    for number in range(1, 5):
        put(number, 1000, age=number)  # 4 is the oldest


@pytest.mark.parametrize(("free", "left"), [(4000, {1, 2, 3, 4}), (3999, {1, 2, 3}), (2000, {1, 2}), (0, set())])
def test_the_cache_gives_way_to_a_disk_that_is_full_and_no_more_than_it_must(
    disk: Callable[[int], None], free: int, left: set[int], events: Events
) -> None:
    fill_up()
    disk(free)
    assert eviction.give_way(places.folder(), 4000) is True
    assert numbers() == left
    assert {event["reason"] for event in events.named("cache_evicted")} <= {"disk_full"}
    assert disagreements() == []


def test_nothing_goes_where_all_of_it_is_not_enough(disk: Callable[[int], None]) -> None:
    fill_up()
    disk(0)
    assert eviction.give_way(places.folder(), 4001) is False
    assert numbers() == {1, 2, 3, 4}


def test_another_disk_is_nothing_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fill_up()
    monkeypatch.setattr(files, "free_bytes", lambda folder: 0)
    assert eviction.give_way(Path("/proc"), 1) is False
    assert numbers() == {1, 2, 3, 4}


def test_what_is_still_open_frees_its_space_later_and_no_more_goes_than_was_lacking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill_up()
    monkeypatch.setattr(files, "free_bytes", lambda folder: 0)
    assert eviction.give_way(places.folder(), 2000) is False
    assert numbers() == {1, 2}


def test_a_download_and_a_deposit_take_the_room_of_what_was_used_least(disk: Callable[[int], None]) -> None:
    fill_up()
    disk(RESERVE_BYTES + 500)
    fetch(5, source=BytesSource(content(5, 1000), total=1000)).close()
    assert numbers() == {1, 2, 3, 5}
    disk(RESERVE_BYTES + 500)
    assert deposit(6, 1000) is Outcome.STORED
    assert numbers() == {1, 2, 5, 6}
    disk(RESERVE_BYTES - 10_000)
    with pytest.raises(FetchError) as caught:
        fetch(7, source=BytesSource(content(7, 1000), total=1000))
    assert caught.value.kind == "disk"
    assert numbers() == {1, 2, 5, 6}


@pytest.fixture
def small_disk(settings: Any, tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MiB with our data folder on it."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", place], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"NOT TESTED on a disk that is really full, nobody but root may mount one: {made.stderr.strip()}")
    settings.VSADMIN_DATA_DIR = place / "data"
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_on_a_full_disk_the_oldest_files_go_without_the_database(small_disk: Path) -> None:
    fill(3, 4 * MIB)
    (places.folder() / "notes.txt").write_text("mine")
    assert eviction.free_if_full() == 0
    with suppress(OSError), (small_disk / "full").open("wb") as file:
        while True:
            file.write(bytes(64 * 1024))
    assert files.free_bytes(small_disk) < MIB
    with CaptureQueriesContext(connection) as queries:
        assert eviction.free_if_full() == 3
    assert not queries.captured_queries
    assert sorted(os.listdir(places.folder())) == ["notes.txt"]
    assert files.free_bytes(small_disk) >= 12 * MIB
    verify.verify(repair=True)
    assert not CacheEntry.objects.exists()
    assert counters.used_bytes() == 0


@pytest.mark.parametrize(("free", "gone"), [(MIB, 0), (MIB - 1, 2)])
def test_no_more_than_it_takes_to_start(free: int, gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(1, 4):
        path = places.folder() / put(number, 1000).file_name
        os.utime(path, (number, number))
    monkeypatch.setattr(
        files, "free_bytes", lambda folder: free + 8 * MIB * (3 - sum(one.is_file() for one in folder.iterdir()))
    )
    assert eviction.free_if_full() == gone
    left = sorted(one.name for one in places.folder().iterdir() if one.is_file())
    assert [name[:4] for name in left] == [f"mod{number}" for number in range(1 + gone, 4)]


def test_a_file_replaced_meanwhile_is_not_dropped() -> None:
    entry = put(1)
    path = places.folder() / entry.file_name
    seen = path.lstat()
    assert not entries.drop(entry, None, "file missing"), "it is there now"
    path.unlink()
    path.write_bytes(content(1, 1000))
    kept = Kept(entry.pk, entry.file_name, entry.size, entry.sha256, True)
    with places.changing():
        assert not entries.drop(kept, seen, "altered on disk")
        assert path.exists()
        assert entries.drop(kept, path.lstat(), "altered on disk")
    assert not path.exists()
    assert disagreements() == []
