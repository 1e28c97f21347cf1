"""`fetch`: from the cache where it is there and whole, else from its source."""

import hashlib
import os
import stat
import threading
from pathlib import Path

import pytest
from django.utils import timezone

from cache import counters, eviction, places, store
from cache.models import CacheEntry, KnownDigest
from cache.sources import FileSource
from cache.store import FetchError
from cache.tests.conftest import SetLimit
from cache.tests.helpers import MIB, BytesSource, accept, content, disagreements, fetch, numbers, path_of, put
from conftest import Events
from vsadmin.lib import files

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_time_it_is_downloaded_and_from_then_on_it_is_there() -> None:
    source = BytesSource(content(7, 100_000))
    for _again in range(3):
        with fetch(7, source=source) as file:
            assert file.tell() == 0
            assert file.read() == source.content
    assert source.asked == 1
    entry = CacheEntry.objects.get()
    assert (entry.key, entry.title, entry.version) == ("moddb:7", "Mod 7", "1.0.0")
    assert (entry.size, entry.times_used, entry.source) == (100_000, 3, source.description)
    assert entry.sha256 == hashlib.sha256(source.content).hexdigest()
    assert entry.file_name == "mod7_1.0.0~moddb-7.zip"
    totals = counters.totals()
    assert (totals.hits, totals.misses, totals.saved_bytes) == (2, 1, 200_000)
    assert disagreements() == []


def test_nobody_else_may_look_into_the_folder() -> None:
    entry = put(1)
    assert stat.S_IMODE(places.folder().stat().st_mode) == 0o700
    assert stat.S_IMODE(places.staging().stat().st_mode) == 0o700
    assert stat.S_IMODE(path_of(entry).stat().st_mode) == 0o600


def test_a_file_larger_than_the_whole_limit_is_handed_out_and_not_kept(set_limit: SetLimit, events: Events) -> None:
    set_limit(1)
    put(1, MIB // 2)
    with fetch(2, MIB + 1) as file:
        assert file.read() == content(2, MIB + 1)
    assert numbers() == {1}
    assert events.named("cache_evicted") == []
    assert os.listdir(places.staging()) == []
    assert disagreements() == []


def test_bytes_altered_on_disk_are_logged_dropped_and_fetched_again(events: Events) -> None:
    for altered in (b"x" * 1000, b"short", b""):
        entry = put(1)
        path_of(entry).write_bytes(altered)
        source = BytesSource(content(1, 1000))
        with fetch(1, source=source) as file:
            assert file.read() == source.content
        assert source.asked == 1
        assert events.named("cache_entry_altered")[-1]["file"] == entry.file_name
        assert disagreements() == []


def test_a_file_removed_by_hand_is_fetched_again() -> None:
    path_of(put(1)).unlink()
    with fetch(1) as file:
        assert file.read() == content(1, 1000)
    assert disagreements() == []


def test_a_row_removed_by_hand_is_made_again() -> None:
    put(1)
    CacheEntry.objects.all().delete()
    with fetch(1) as file:
        assert file.read() == content(1, 1000)
    assert numbers() == {1}


def test_a_link_put_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    entry = put(1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(content(1, 1000))
    path_of(entry).unlink()
    path_of(entry).symlink_to(elsewhere)
    with fetch(1) as file:
        assert file.read() == content(1, 1000)
    assert not path_of(CacheEntry.objects.get()).is_symlink()
    assert elsewhere.exists()


def test_other_bytes_under_a_known_key_are_refused_and_shown_as_an_alarm(events: Events) -> None:
    put(1)
    eviction.clear()
    with pytest.raises(FetchError) as caught:
        fetch(1, source=BytesSource(b"not what it was"))
    assert caught.value.kind == "alarm"
    assert "differs" in caught.value.text
    assert numbers() == set()
    (alarm,) = events.named("cache_digest_alarm")
    assert (alarm["key"], alarm["refused_sha256"]) == ("moddb:1", hashlib.sha256(b"not what it was").hexdigest())
    known = KnownDigest.objects.alarmed().get()
    assert (known.key, known.refusals) == ("moddb:1", 1)
    put(1)  # the right bytes are welcome; the alarm stays visible on the entry
    put(2)
    alarms = {entry.key: vars(entry)["alarm_at"] for entry in CacheEntry.objects.with_alarm()}
    assert alarms == {"moddb:1": known.refused_at, "moddb:2": None}


def test_a_key_that_promises_a_digest_is_held_to_it(tmp_path: Path) -> None:
    path = tmp_path / "replaced.zip"
    path.write_bytes(b"kept bytes")
    digest = hashlib.sha256(b"kept bytes").hexdigest()
    source = FileSource(path, "the server Public")
    options = {"name": "replaced.zip", "title": "Replaced", "check": accept}
    store.fetch(f"sha256:{digest}", source, **options).close()  # type: ignore[arg-type]  # right for all of them
    path.unlink()
    with store.fetch(f"sha256:{digest}", source, **options) as file:  # type: ignore[arg-type]  # likewise
        assert file.read() == b"kept bytes"
    path.write_bytes(b"other bytes")
    with pytest.raises(FetchError) as caught:
        store.fetch(f"sha256:{'0' * 64}", source, **options)  # type: ignore[arg-type]  # likewise
    assert caught.value.kind == "alarm"


def test_what_the_check_refuses_is_neither_kept_nor_remembered() -> None:
    def refuse(path: Path) -> None:
        assert path.read_bytes() == content(1, 1000)
        raise FetchError("it is a web page", "refused")

    with pytest.raises(FetchError, match="web page"):
        fetch(1, check=refuse)
    assert numbers() == set()
    assert os.listdir(places.staging()) == []
    assert not KnownDigest.objects.exists()


def test_progress_is_told_bytes_so_far_and_the_total() -> None:
    told: list[tuple[int, int | None]] = []
    source = BytesSource(content(1, 2500), piece=1000, total=2500)
    fetch(1, source=source, progress=lambda done, total: told.append((done, total))).close()
    assert told == [(1000, 2500), (2000, 2500), (2500, 2500)]


@pytest.mark.parametrize(("total", "size"), [(1001, 1000), (999, 1000), (None, 0)])
def test_a_download_that_is_not_complete_is_refused(total: int | None, size: int) -> None:
    with pytest.raises(FetchError, match="Try again"):
        fetch(1, source=BytesSource(content(1, size) if size else b"", total=total))
    assert numbers() == set()


def test_without_room_for_the_announced_size_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "free_bytes", lambda folder: store.RESERVE_BYTES + 10 * MIB)
    told: list[int] = []
    with pytest.raises(FetchError, match="20 MiB more are needed") as caught:
        fetch(
            1,
            source=BytesSource(content(1, 1000), total=30 * MIB),
            progress=lambda done, total: told.append(done),
        )
    assert caught.value.kind == "disk"
    assert told == []


def test_a_disk_that_fills_up_meanwhile_ends_the_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def free(folder: Path) -> int:
        written = sum(path.stat().st_size for path in places.staging().iterdir())
        return store.RESERVE_BYTES + 9 * MIB - written

    monkeypatch.setattr(files, "free_bytes", free)
    with pytest.raises(FetchError, match="free space"):
        fetch(1, source=BytesSource(bytes(40 * MIB), piece=MIB))
    assert os.listdir(places.staging()) == []
    fetch(2, source=BytesSource(bytes(7 * MIB))).close()


def test_a_stop_ends_a_download_at_its_next_bytes() -> None:
    stop = threading.Event()
    with pytest.raises(FetchError) as caught:
        fetch(1, source=BytesSource(bytes(1000), piece=10), progress=lambda done, total: stop.set(), stop=stop)
    assert caught.value.kind == "cancelled"
    assert numbers() == set()


def test_names_on_disk_are_ours_whatever_the_name_given() -> None:
    for number, name in enumerate(["../../etc/passwd", ".hidden", "", "a\n~b.ZIP", "CON.zip", "ü" * 300, "x.tar/.."]):
        store.fetch(f"moddb:{number}", BytesSource(content(number, 50)), name=name, title="T", check=accept).close()
    assert disagreements() == []
    assert {path.parent for path in map(path_of, CacheEntry.objects.all())} == {places.folder()}
    assert CacheEntry.objects.get(key="moddb:3").file_name == "a_b~moddb-3.zip"


@pytest.mark.parametrize("key", ["", "moddb", "moddb:", "moddb:../x", "MODDB:1", "moddb:1\n", "moddb:" + "1" * 65])
def test_a_malformed_key_is_a_mistake_of_ours(key: str) -> None:
    with pytest.raises(ValueError, match="a key looks like"):
        store.fetch(key, BytesSource(b"x"), name="x.zip", title="x", check=accept)


def test_an_adopted_file_is_checked_at_its_first_use() -> None:
    put(1)
    CacheEntry.objects.update(checked=False)
    checked: list[Path] = []
    fetch(1, check=checked.append).close()
    fetch(1, check=checked.append).close()
    assert len(checked) == 1


def test_counters_stay_right_when_many_things_happen() -> None:
    for number in range(20):
        put(number, 100 + number, age=number)
    eviction.enforce_limit(1000)
    for number in range(5):
        fetch(number, 100 + number).close()
    totals = counters.totals()
    assert totals.evicted_files == 20 - len(numbers())
    assert totals.hits == 5
    assert totals.misses == 20
    assert totals.saved_bytes == sum(100 + number for number in range(5))
    assert disagreements() == []
    assert timezone.now() >= CacheEntry.objects.latest("last_accessed_at").last_accessed_at
