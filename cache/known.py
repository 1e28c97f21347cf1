"""What the cache knows of keys, asked for many at once."""

from collections.abc import Collection

from cache.models import CacheEntry, KnownDigest


def digests(keys: Collection[str]) -> dict[str, str]:
    """The SHA-256, in hex, of what was ever fetched under each of these keys, evicted or not; one query."""
    return dict(KnownDigest.objects.filter(key__in=keys).values_list("key", "sha256"))


def alarm(key: str) -> KnownDigest | None:
    """The alarm about other bytes that were refused under this key, while nobody has decided about it."""
    return KnownDigest.objects.alarmed().filter(key=key).first()


def at_hand(keys: Collection[str]) -> set[str]:
    """Those of these keys whose file is in the cache; one query. An eviction may take it any moment."""
    return set(CacheEntry.objects.filter(key__in=keys).values_list("key", flat=True))
