"""An author puts another file in the place of a release's: everything known of the old one goes."""

from pathlib import Path
from typing import Any

import pytest

from cache.models import CacheEntry, KnownDigest
from conftest import zip_of
from demo.moddb import DemoRelease
from mods import candidates, downloads, refresh, release_rows
from mods.models import Release
from mods.tests.planned import Stage
from mods.tests.rows import its_turn_is_last

pytestmark = pytest.mark.django_db

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def _data_dir(settings: Any, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path / "data"


def exchange(stage: Stage, release: DemoRelease) -> None:
    """Another file with other needs under a number of its own, as the mod database does it."""
    store = stage.database.store
    modinfo = {**release.modinfo, "dependencies": {"game": "1.21.5", "lib": "1.0.0"}}
    store.files.pop(release.file_id or 0)
    store.paths.pop(release.path)
    release.file_id, release.given, release.path = store.next_id(), zip_of(modinfo), release.path + ".2.zip"
    release.__dict__.pop("content", None)
    store.files[release.file_id], store.paths[release.path] = release, release


@pytest.fixture
def theirs(stage: Stage) -> DemoRelease:
    """A release that is installed, looked up and read."""
    made = stage.release("alpha", "1.0.0")
    stage.put(made)
    stage.ready(read=False)
    assert candidates.read_file(ours()) == ""
    return made


def ours() -> Release:
    return Release.objects.select_related("mod").get()


def test_what_was_read_is_tied_to_its_file(theirs: DemoRelease) -> None:
    assert (ours().read_file_id, ours().file_id) == (theirs.file_id, theirs.file_id)
    assert ours().size == len(theirs.content)
    assert refresh.refresh(force=True).run.changed == 0
    assert ours().sha256, "the same file stays known"


def test_everything_of_the_old_file_goes_with_its_number(stage: Stage, theirs: DemoRelease) -> None:
    old = ours()
    exchange(stage, theirs)
    refresh.refresh()
    new = ours()
    assert (new.pk, new.file_id) == (old.pk, theirs.file_id)
    assert (new.sha256, new.size, new.dependencies, new.file_side, new.read_file_id) == ("", None, None, "", None)
    assert new.file_url != old.file_url
    assert candidates.read_file(new) == ""
    assert ours().dependencies == {"game": "1.21.5", "lib": "1.0.0"}
    assert ours().sha256 != old.sha256
    assert KnownDigest.objects.alarmed().count() == 0


def test_an_exchange_is_seen_by_the_batches_before_the_details_are_due(stage: Stage, theirs: DemoRelease) -> None:
    stage.release("alpha", "1.1.0")  # so that the newest one stays what it is
    for number in range(30):
        stage.put(stage.release(f"other{number}", "1.0.0"))
    stage.ready(read=False)
    its_turn_is_last("alpha")
    exchange(stage, theirs)
    refresh.refresh()
    assert Release.objects.get(version="1.0.0", modid="alpha").file_id == theirs.file_id


def test_a_file_that_was_exchanged_while_it_was_read_is_not_taken_for_the_new_one(theirs: DemoRelease) -> None:
    stale = ours()
    Release.objects.update(file_id=999_999, sha256="", read_file_id=None)
    assert "another file" in candidates.read_file(stale)
    assert (ours().sha256, ours().read_file_id) == ("", None)


# --- rows from before the number of the file was noted


def legacy(**fields: Any) -> None:
    Release.objects.update(**{"read_file_id": None, "sha256": OLD, "size": 5, "dependencies": {}, **fields})


def digest(key: str, sha256: str, *, entry: str | None = None) -> None:
    KnownDigest.objects.update_or_create(key=key, defaults={"sha256": sha256})
    if entry is not None:
        CacheEntry.objects.update_or_create(
            key=key, defaults={"title": key, "file_name": f"{key}.zip", "size": 5, "sha256": sha256, "source": entry}
        )


@pytest.fixture
def key(theirs: DemoRelease) -> str:
    CacheEntry.objects.all().delete()
    KnownDigest.objects.all().delete()
    return downloads.cache_key(theirs.file_id or 0)


def test_one_whose_file_the_cache_knows_by_its_number_is_sound(key: str) -> None:
    legacy()
    digest(key, OLD)
    assert release_rows.heal() == 0
    assert (ours().sha256, ours().read_file_id) == (OLD, ours().file_id)


def test_one_whose_file_has_other_bytes_is_stale(key: str) -> None:
    legacy()
    digest(key, NEW)
    assert release_rows.heal() == 1
    assert (ours().sha256, ours().size, ours().dependencies, ours().read_file_id) == ("", None, None, None)
    assert KnownDigest.objects.get().sha256 == NEW


def test_one_that_nothing_is_known_of_is_read_again(key: str) -> None:
    legacy()
    assert release_rows.heal() == 1
    assert ours().sha256 == ""


@pytest.mark.parametrize("entry", [None, ""])
def test_old_bytes_under_the_new_number_are_forgotten(key: str, entry: str | None) -> None:
    legacy()
    digest("moddb:1", OLD)
    digest(key, OLD, entry=entry)
    assert release_rows.heal() == 1
    assert ours().sha256 == ""
    assert list(KnownDigest.objects.values_list("key", flat=True)) == ["moddb:1"]
    assert not CacheEntry.objects.exists()


def test_bytes_that_were_only_put_there_prove_nothing(key: str) -> None:
    legacy()
    digest(key, OLD, entry="")
    assert release_rows.heal() == 1
    assert not KnownDigest.objects.exists()


def test_bytes_that_were_downloaded_under_the_number_are_its_own(key: str) -> None:
    legacy()
    digest("moddb:1", OLD)
    digest(key, OLD, entry="https://mods.example.com/download/2")
    assert release_rows.heal() == 0
    assert ours().read_file_id == ours().file_id
    assert KnownDigest.objects.count() == 2


def test_facts_of_another_number_go_whatever_the_cache_says(key: str) -> None:
    legacy(read_file_id=1)
    digest(key, OLD)
    assert release_rows.heal() == 1
    assert ours().sha256 == ""
    assert KnownDigest.objects.exists()


def test_a_refresh_heals_and_the_true_file_is_taken(stage: Stage, theirs: DemoRelease) -> None:
    old = ours()
    exchange(stage, theirs)
    refresh.refresh()
    # as it was before: the old file's facts under the new number, its bytes in the cache under it
    Release.objects.update(sha256=old.sha256, size=old.size, dependencies=old.dependencies, read_file_id=None)
    new_key = downloads.cache_key(theirs.file_id or 0)
    digest(new_key, old.sha256)
    assert candidates.read_file(ours()) != "", "refused as tampered"
    assert KnownDigest.objects.alarmed().count() == 1
    refresh.refresh()
    assert ours().sha256 == ""
    assert candidates.read_file(ours()) == ""
    assert ours().dependencies == {"game": "1.21.5", "lib": "1.0.0"}
    assert KnownDigest.objects.alarmed().count() == 0
