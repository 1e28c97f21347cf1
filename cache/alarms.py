"""Deciding about an alarm: other bytes were offered under a known key, and refused.

A decision is about the bytes that the person was shown: where others were refused meanwhile, it is not carried out.
"""

import logging
from collections.abc import Collection

from cache import eviction
from cache.eviction import Evicted
from cache.models import CacheEntry, KnownDigest, KnownDigestQuerySet
from vsadmin.lib import logs

_NO_ALARM = {"refused_sha256": "", "refused_at": None, "refusals": 0}


class Outdated(Exception):
    """The alarm isn't the one that the person was shown: other bytes were refused since, or somebody decided."""


def can_accept(known: KnownDigest) -> bool:
    """Whether other bytes could ever belong to the key: not where the key names its bytes itself."""
    return not known.key.startswith("sha256:")


def dismiss(known: KnownDigest, refused_sha256: str) -> None:
    """Take the alarm away. The known bytes stay the right ones; the next refusal is a new alarm. Raises Outdated."""
    if not _shown(known, refused_sha256).update(**_NO_ALARM):
        raise Outdated
    logs.event("cache_alarm_dismissed", key=known.key, title=known.title, refused_sha256=refused_sha256)


def accept(known: KnownDigest, refused_sha256: str) -> Evicted:
    """Make the refused bytes the right ones from now on; what was kept under the key goes first. What went is returned.

    Where the kept file can't be removed (`failed`), nothing is accepted. Raises Outdated, OSError, DatabaseError,
    `locks.Busy`; ValueError where the key names its bytes itself.
    """
    if not can_accept(known):
        raise ValueError(known.key)
    if not _shown(known, refused_sha256).exists():
        raise Outdated
    kept = CacheEntry.objects.filter(key=known.key).exclude(sha256=refused_sha256)
    gone = eviction.evict_selected(list(kept.values_list("pk", flat=True)))
    if gone.failed:
        return gone
    if not _shown(known, refused_sha256).update(sha256=refused_sha256, **_NO_ALARM):
        raise Outdated
    logs.event(
        "cache_digest_accepted",
        level=logging.WARNING,
        key=known.key,
        title=known.title,
        known_sha256=known.sha256,
        accepted_sha256=refused_sha256,
    )
    return gone


def forget(keys: Collection[str]) -> None:
    """Forget what was recorded under these keys in error, files included: the next download says what they are.

    A file that can't be removed keeps its record. Raises OSError, DatabaseError, `locks.Busy`.
    """
    if not keys:
        return
    kept = CacheEntry.objects.filter(key__in=keys)
    eviction.evict_selected(list(kept.values_list("pk", flat=True)))
    wrong = KnownDigest.objects.filter(key__in=set(keys) - set(kept.values_list("key", flat=True)))
    for known in wrong:
        logs.event("cache_digest_forgotten", key=known.key, title=known.title, known_sha256=known.sha256)
    wrong.delete()


def _shown(known: KnownDigest, refused_sha256: str) -> KnownDigestQuerySet:
    return KnownDigest.objects.alarmed().filter(pk=known.pk, sha256=known.sha256, refused_sha256=refused_sha256)
