"""A file of this machine goes into the cache as a downloaded one would, or stays out for a reason."""

import hashlib
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from cache import conf, counters, deposits, places, verify
from cache.deposits import Outcome
from cache.models import CacheDay, CacheEntry, CacheTotals, KnownDigest
from cache.store import RESERVE_BYTES
from cache.tests import steps
from cache.tests.helpers import content, disagreements, fetch, fill, put

pytestmark = pytest.mark.django_db(transaction=True)


def deposit(path: Path, number: int, size: int = 1000, *, key: str = "", sha256: str = "") -> Outcome:
    path.write_bytes(content(number, size))
    with path.open("rb") as source:
        return deposits.deposit(
            key or f"moddb:{number}",
            source,
            sha256=sha256 or hashlib.sha256(content(number, size)).hexdigest(),
            name=f"mod{number}_1.0.0.zip",
            title=f"Mod {number}",
            version="1.0.0",
        )


def test_it_is_stored_as_a_download_would_be(tmp_path: Path) -> None:
    assert deposit(tmp_path / "a.zip", 1) is Outcome.STORED
    entry = CacheEntry.objects.get()
    assert (entry.key, entry.title, entry.version, entry.size, entry.times_used) == (
        "moddb:1",
        "Mod 1",
        "1.0.0",
        1000,
        0,
    )
    assert entry.file_name == "mod1_1.0.0~moddb-1.zip"
    assert KnownDigest.objects.get(key="moddb:1").sha256 == entry.sha256
    assert disagreements() == []
    assert (tmp_path / "a.zip").exists()
    assert os.listdir(places.staging()) == []
    with fetch(1) as file:
        assert file.read() == content(1, 1000)
    assert (counters.totals().hits, counters.totals().misses) == (1, 0)


def test_one_that_is_there_is_used_just_now(tmp_path: Path) -> None:
    put(1, age=3600)
    assert deposit(tmp_path / "a.zip", 1) is Outcome.THERE
    assert CacheEntry.objects.get().last_accessed_at > timezone.now() - timedelta(minutes=1)
    assert counters.totals().hits == 0


def test_one_whose_file_is_gone_is_stored_anew(tmp_path: Path) -> None:
    (places.folder() / put(1).file_name).unlink()
    assert deposit(tmp_path / "a.zip", 1) is Outcome.STORED
    assert disagreements() == []


def test_other_bytes_than_ever_before_are_not_stored(tmp_path: Path) -> None:
    put(1)
    CacheEntry.objects.all().delete()
    assert deposit(tmp_path / "a.zip", 2, key="moddb:1") is Outcome.OTHER_BYTES
    assert deposit(tmp_path / "a.zip", 2, key="sha256:" + "0" * 64) is Outcome.OTHER_BYTES
    assert deposit(tmp_path / "a.zip", 2, sha256="0" * 64) is Outcome.OTHER_BYTES
    assert not CacheEntry.objects.exists()
    assert KnownDigest.objects.alarmed().count() == 0, "it is no download: nothing was tampered with"
    assert not KnownDigest.objects.filter(key="moddb:2").exists()


def test_the_limit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conf, "limit_bytes", lambda: 2500)
    fill(2, 1000)
    assert deposit(tmp_path / "a.zip", 7) is Outcome.STORED
    assert set(CacheEntry.objects.values_list("key", flat=True)) == {"moddb:1", "moddb:7"}
    assert deposit(tmp_path / "a.zip", 8, 3000) is Outcome.TOO_LARGE
    assert CacheEntry.objects.count() == 2
    assert disagreements() == []


def test_a_full_disk_is_left_its_reserve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vsadmin.lib.files.free_bytes", lambda folder: RESERVE_BYTES)
    with pytest.raises(OSError, match="No space"):
        deposit(tmp_path / "a.zip", 1)


def test_killed_before_each_step(tmp_path: Path) -> None:
    number = 0
    while True:
        for model in (CacheEntry, KnownDigest, CacheTotals, CacheDay):
            model.objects.all().delete()
        shutil.rmtree(places.folder(), ignore_errors=True)
        status = steps.in_child(lambda chosen=number: killed(tmp_path / "a.zip", chosen))  # type: ignore[misc]  # as it is now
        if not os.WIFSIGNALED(status):
            assert status == 0
            break
        verify.verify(repair=True)
        assert disagreements() == []
        assert not places.staging().exists() or os.listdir(places.staging()) == []
        with fetch(1) as file:
            assert file.read() == content(1, 1000)
        number += 1
    assert number > 4


def killed(path: Path, chosen: int) -> None:
    with steps.Steps(chosen, steps.die).watched():
        deposit(path, 1)
