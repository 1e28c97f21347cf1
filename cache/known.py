"""What the cache knows of keys, asked for many at once."""

from collections.abc import Collection

from cache.models import CacheEntry, KnownDigest

_AT_ONCE = 500


def digests(keys: Collection[str]) -> dict[str, str]:
    """The SHA-256, in hex, of what was ever fetched under each of these keys, evicted or not; one query."""
    return dict(KnownDigest.objects.filter(key__in=keys).values_list("key", "sha256"))


def alarm(key: str) -> KnownDigest | None:
    """The alarm about other bytes that were refused under this key, while nobody has decided about it."""
    return KnownDigest.objects.alarmed().filter(key=key).first()


def at_hand(keys: Collection[str]) -> set[str]:
    """Those of these keys whose file is in the cache; one query. An eviction may take it any moment."""
    return set(CacheEntry.objects.filter(key__in=keys).values_list("key", flat=True))


def keys_of(digests: Collection[str]) -> dict[str, set[str]]:
    """Of each of these SHA-256, in hex, the keys under which it was seen first."""
    found: dict[str, set[str]] = {}
    wanted = sorted(digests)
    for start in range(0, len(wanted), _AT_ONCE):
        rows = KnownDigest.objects.filter(sha256__in=wanted[start : start + _AT_ONCE])
        for key, sha256 in rows.values_list("key", "sha256"):
            found.setdefault(sha256, set()).add(key)
    return found


def sources(keys: Collection[str]) -> dict[str, str]:
    """Of those of these keys whose file is in the cache: where it was downloaded from; "" if it was here before."""
    found: dict[str, str] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), _AT_ONCE):
        rows = CacheEntry.objects.filter(key__in=wanted[start : start + _AT_ONCE])
        found.update(rows.values_list("key", "source"))
    return found
