"""A row that names a file outside the cache is dropped; that file is neither handed out nor removed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cache import counters, eviction, verify
from cache.models import CacheEntry
from cache.tests.helpers import content, disagreements, fetch, put

pytestmark = pytest.mark.django_db(transaction=True)


def evict() -> None:
    eviction.enforce_limit(1)


def select() -> None:
    eviction.evict_selected(list(CacheEntry.objects.values_list("pk", flat=True)))


def mend() -> None:
    verify.verify(repair=True)


def use() -> None:
    with fetch(1) as file:
        assert file.read() == content(1, 1000)


ACTIONS: list[Callable[[], object]] = [evict, select, eviction.clear, mend, use]


@pytest.mark.parametrize("name", ["../theirs", "/{}", "theirs~moddb-1/../../theirs", "sub/mod1~moddb-1.zip"])
@pytest.mark.parametrize("action", ACTIONS)
def test_it_is_dropped_and_the_file_stays(data_dir: Path, name: str, action: Callable[[], object]) -> None:
    entry = put(1)
    kept = data_dir / "cache" / entry.file_name
    places = [data_dir / "theirs", data_dir / "cache" / "sub" / "mod1~moddb-1.zip"]
    for place in places:
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content(1, 1000))
    kept.unlink()
    CacheEntry.objects.update(file_name=name.format(str(data_dir / "theirs").lstrip("/")))
    action()
    assert [place.read_bytes() for place in places] == [content(1, 1000)] * 2
    places[1].unlink()
    places[1].parent.rmdir()
    assert CacheEntry.objects.count() == counters.totals().files == (1 if action is use else 0)
    assert disagreements() == []
