"""Rows, files and counters are brought back into agreement; what isn't ours is never touched."""

import hashlib
import os
import threading

import pytest

from cache import counters, names, places, tasks, verify
from cache.models import CacheEntry, CacheTotals, KnownDigest
from cache.tests.conftest import SetLimit
from cache.tests.helpers import MIB, content, disagreements, fetch, fill, numbers, path_of, put
from conftest import Events
from vsadmin.lib.jobs import runner

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_as_it_should_be() -> None:
    fill(3)
    found = verify.verify()
    assert (found.entries, found.problems, found.left) == (3, 0, 0)
    assert verify.in_words(found) == "3 files looked at, all as it should be"


def test_a_row_without_its_file_is_dropped() -> None:
    fill(3)
    gone = CacheEntry.objects.get(key="moddb:1")
    path_of(gone).unlink()
    assert verify.verify(repair=False).missing == [gone.file_name]
    assert numbers() == {0, 1, 2}
    assert verify.verify(repair=True).left == 0
    assert numbers() == {0, 2}
    assert disagreements() == []


def test_a_file_without_a_row_is_adopted(events: Events) -> None:
    entry = put(1, 2000)
    CacheEntry.objects.all().delete()
    counters.add(files=-1, bytes=-2000)
    assert verify.verify(repair=False).unrecorded == [entry.file_name]
    assert numbers() == set()
    verify.verify(repair=True)
    assert [event["file"] for event in events.named("cache_adopted")] == [entry.file_name]
    assert disagreements() == []
    with fetch(1) as file:
        assert file.read() == content(1, 2000)
    assert CacheEntry.objects.get().times_used == 1


def test_a_file_of_ours_with_other_bytes_than_ever_before_is_not_adopted() -> None:
    entry = put(1)
    CacheEntry.objects.all().delete()
    path_of(entry).write_bytes(b"something else")
    found = verify.verify(repair=True)
    assert found.refused == [entry.file_name]
    assert found.left == 1
    assert path_of(entry).exists()
    assert numbers() == set()


@pytest.mark.parametrize("right", [True, False])
def test_a_file_whose_name_says_its_bytes_is_adopted_only_with_those(right: bool) -> None:
    digest = hashlib.sha256(b"right" if right else b"other").hexdigest()
    places.folder().mkdir(parents=True)
    path = places.folder() / f"x~sha256-{digest}.zip"
    path.write_bytes(b"right")
    found = verify.verify(repair=True)
    assert (found.unrecorded, found.refused) == (([path.name], []) if right else ([], [path.name]))
    assert CacheEntry.objects.exists() is right
    assert path.exists()


def test_any_other_file_is_reported_and_never_removed() -> None:
    entry = put(1)
    copy = names.file_name(entry.key, "renamed.zip")
    strange = {"notes.txt", "a folder", "link.zip", copy}
    (places.folder() / "notes.txt").write_text("mine")
    (places.folder() / "a folder").mkdir()
    (places.folder() / "link.zip").symlink_to(path_of(entry))
    (places.folder() / copy).write_bytes(path_of(entry).read_bytes())
    found = verify.verify(repair=True)
    assert set(found.foreign) == strange
    assert "left alone" in verify.in_words(found)
    assert set(os.listdir(places.folder())) == {*strange, entry.file_name, ".staging"}


@pytest.mark.parametrize("altered", [b"y" * 100, b"short"])
def test_altered_bytes_are_found_by_reading_them_and_a_changed_size_without(altered: bytes) -> None:
    fill(3)
    entry = CacheEntry.objects.get(key="moddb:1")
    path_of(entry).write_bytes(altered)
    assert len(verify.verify(rehash=False).altered) == (0 if len(altered) == entry.size else 1)
    assert verify.verify(repair=True).altered == [entry.file_name]
    assert numbers() == {0, 2}
    assert disagreements() == []


def test_leftovers_of_downloads_count_and_are_swept() -> None:
    put(1)
    (places.staging() / "dead.part").write_bytes(b"x" * 500)
    from cache import statistics

    assert statistics.read().total_size_bytes == 1500
    assert verify.verify(repair=False).leftovers == 1
    assert verify.verify(repair=True).leftovers == 1
    assert statistics.read().total_size_bytes == 1000
    assert os.listdir(places.staging()) == []


def test_the_totals_are_set_right(events: Events) -> None:
    fill(3)
    CacheTotals.objects.update(files=70, bytes=-5)
    found = verify.verify(rehash=False, repair=False)
    assert found.counters_off
    assert CacheTotals.objects.get().files == 70
    verify.verify(rehash=False, repair=True)
    assert disagreements() == []
    assert len(events.named("cache_counters_corrected")) == 1


def test_it_ends_within_the_limit_whatever_was_adopted(set_limit: SetLimit) -> None:
    set_limit(1)
    put(1, MIB // 2)
    put(2, MIB // 2)
    CacheEntry.objects.all().delete()
    extra = names.file_name("moddb:3", "extra.zip")
    (places.folder() / extra).write_bytes(bytes(MIB // 2))
    verify.verify(repair=True)
    assert len(numbers()) == 2
    assert disagreements() == []
    assert KnownDigest.objects.filter(key="moddb:3").exists()


def test_it_reports_its_progress_and_stops_when_told_to() -> None:
    fill(5)
    stop = threading.Event()
    told: list[tuple[int, int]] = []

    def report(done: int, total: int, doing: str) -> None:
        told.append((done, total))
        if done == 2:
            stop.set()

    found = verify.verify(report=report, stop=stop)
    assert found.stopped
    assert told == [(0, 5), (1, 5), (2, 5)]
    assert "stopped" in verify.in_words(found)


def test_the_job_mends_and_says_so() -> None:
    fill(3)
    path_of(CacheEntry.objects.get(key="moddb:1")).unlink()
    run = runner.run_now(tasks.VERIFY)
    assert run.state == "done"
    assert run.message == "3 files looked at, 1 missing, mended"
    assert disagreements() == []


def test_without_a_cache_there_is_nothing_to_say() -> None:
    assert verify.verify(repair=True).problems == 0
    assert not places.folder().exists()
