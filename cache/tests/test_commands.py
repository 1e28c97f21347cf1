"""The commands: the same services, exit codes 0, 1 and 2."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from cache import eviction
from cache.models import CacheEntry
from cache.tests.conftest import SetLimit
from cache.tests.helpers import MIB, disagreements, fetch, fill, numbers, path_of, put
from conftest import Events

pytestmark = pytest.mark.django_db(transaction=True)


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def code_of(*arguments: str) -> int:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    return caught.value.returncode


def stats() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("cache_stats", "--json"))
    return found


def test_statistics_as_json() -> None:
    fill(4, 1000)
    fetch(1).close()
    fetch(9).close()
    eviction.enforce_limit(4000)
    found = stats()
    expected = {
        "file_count": 4,
        "total_size_bytes": 4000,
        "max_size_bytes": 500 * MIB,
        "hits": 1,
        "misses": 1,
        "evictions": 1,
        "bytes_saved": 1000,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["today"]["hit_rate"] == 0.5
    assert found["free_disk_bytes"] > 0


def test_statistics_without_a_cache_are_zeros() -> None:
    found = stats()
    assert [found[name] for name in ("file_count", "total_size_bytes", "hits", "misses", "evictions")] == [0] * 5
    assert "0 bytes of 500.0 MiB" in run("cache_stats")


def test_evict_trims_to_the_limit_or_to_one_given(set_limit: SetLimit, events: Events) -> None:
    set_limit(1)
    fill(5, MIB // 4)
    assert "1 file would go" in run("cache_evict", "--dry-run")
    assert "mod0_1.0.0~moddb-0.zip" in run("cache_evict", "--dry-run")
    assert numbers() == {0, 1, 2, 3, 4}
    assert events.named("cache_evicted") == []
    assert "1 file removed, 256.0 KiB freed, 1.0 MiB left" in run("cache_evict")
    assert events.named("cache_evicted")[0]["reason"] == "size_limit"
    set_limit(500)
    assert "0 files removed" in run("cache_evict")
    run("cache_evict", "--limit-mb", "1")
    assert numbers() == {1, 2, 3, 4}
    assert "0 files removed" in run("cache_evict", "--limit-mb", "0")


def test_evict_refuses_what_is_no_limit() -> None:
    for text in ("-1", "lots", "1.5"):
        with pytest.raises(CommandError, match="whole number of MiB"):
            run("cache_evict", f"--limit-mb={text}")


def test_what_could_not_be_removed_is_exit_code_1() -> None:
    put(1)
    stubborn = path_of(CacheEntry.objects.get())
    stubborn.unlink()
    stubborn.mkdir()
    assert code_of("cache_clear", "--yes") == 1


def test_clear_with_yes_does_not_ask(events: Events) -> None:
    fill(3)
    assert "3 files removed" in run("cache_clear", "--yes")
    assert numbers() == set()
    assert events.named("cache_evicted")[0]["reason"] == "manual_clear"


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("yes", 0), ("n", 3), ("", 3)])
def test_clear_asks(monkeypatch: pytest.MonkeyPatch, answer: str, left: int) -> None:
    fill(3)
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    if left:
        assert code_of("cache_clear") == 1
    else:
        assert "they are downloaded again when needed" in run("cache_clear")
    assert len(numbers()) == left


def test_clear_with_nobody_to_ask_says_how_and_is_exit_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    fill(3)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="--yes") as caught:
        run("cache_clear")
    assert caught.value.returncode == 2
    assert len(numbers()) == 3


def test_verify_reports_and_with_repair_mends() -> None:
    fill(3)
    assert "all as it should be" in run("cache_verify")
    path_of(CacheEntry.objects.get(key="moddb:1")).write_bytes(b"x" * 100)
    assert "all as it should be" in run("cache_verify", "--quick")
    assert code_of("cache_verify") == 1
    assert "1 altered, mended" in run("cache_verify", "--repair")
    assert disagreements() == []
