"""Which ids go into which request to the mod database. Pure.

A batch is one GET whose request line must stay within what the server takes, and one entry that it can't read
fails the whole batch: ids that could do that go alone. The batches are as few as the limits allow, and even.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar
from urllib.parse import quote, urlsplit

MAX_IDS = 300
MAX_REQUEST_LINE = 8000  # bytes; the server answers 414 beyond 8,192
MAX_LENGTH = 100  # of an id or a version
UPDATES = "/api/updates?mods="
INSTALL_INFORMATION = "/api/v2/mods/install-information?ids="

_PLAIN = re.compile(rf"[A-Za-z0-9._-]{{1,{MAX_LENGTH}}}")
# what PHP takes for a number
_NUMERIC = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")

Pair = tuple[str, str]
T = TypeVar("T")


def can_carry(modid: str) -> bool:
    """Whether a batch can carry this id: nothing in it separates, ends or escapes, and it is no number.

    Numbers: the server would make them integers on the way, and compare every id of the batch as a number.
    """
    return bool(_PLAIN.fullmatch(modid)) and not _NUMERIC.fullmatch(modid)


def can_ask_alone(key: str) -> bool:
    """Whether /api/mod/{key} would look for this modid.

    It doesn't decode percent-encoding, a number names the mod of that number, and dots alone are lost on the way.
    """
    return can_carry(key) and key.strip(".") != ""


def update_entry(modid: str) -> str:
    """The entry that asks /api/updates for the newest release of an id: any version is newer."""
    return quote(modid, safe="") + "@0.0.0"


def install_entry(modid: str, version: str) -> str:
    """`id@version`, or the bare id where the version is empty or would break the batch."""
    return quote(modid, safe="") + (f"@{version}" if _PLAIN.fullmatch(version) else "")


def batch_ids(ids: Iterable[str], *, base_url: str = "") -> tuple[list[list[str]], list[str]]:
    """Batches of ids for /api/updates, each id once whatever its letter case; and the ids that go alone.

    Give `base_url` where it has a path of its own: that counts towards the request line.
    """
    unique: dict[str, str] = {}
    for modid in ids:
        unique.setdefault(modid.lower(), modid)
    carried = [modid for modid in unique.values() if can_carry(modid)]
    alone = [modid for modid in unique.values() if not can_carry(modid)]
    room = _room(base_url + UPDATES)
    return _deal([[modid] for modid in carried], lambda modid: len(update_entry(modid)), room), alone


def batch_pairs(
    pairs: Iterable[Pair], game_version: str = "", *, base_url: str = ""
) -> tuple[list[list[Pair]], list[Pair]]:
    """Batches of (id, version) for install-information, and the pairs whose id goes alone.

    An id is in a batch once, whatever its letter case: two versions would come back mixed into one. A version that
    would break the batch becomes "", which asks for the bare id; one that the API merely can't parse is sent, and
    answered with an error code of its own.
    """
    sendable = [(modid, version if _PLAIN.fullmatch(version) else "") for modid, version in pairs]
    groups: dict[str, list[Pair]] = {}
    alone: list[Pair] = []
    for pair in dict.fromkeys(sendable):
        if can_carry(pair[0]):
            groups.setdefault(pair[0].lower(), []).append(pair)
        else:
            alone.append(pair)
    room = _room(base_url + INSTALL_INFORMATION + (f"&gv={game_version}" if game_version else ""))
    return _deal(list(groups.values()), lambda pair: len(install_entry(*pair)), room), alone


def _room(url: str) -> int:
    """Bytes left for entries in the request line of this address."""
    parts = urlsplit(url)
    return MAX_REQUEST_LINE - len(f"GET {parts.path}?{parts.query} HTTP/1.1")


def _deal(groups: Sequence[Sequence[T]], size: Callable[[T], int], room: int) -> list[list[T]]:
    """The items dealt round into as few batches as do: MAX_IDS each, `room` bytes, one item of a group in each.

    Dealing a group's items one after the other parts them, as long as there are as many batches as items.
    """
    items = [item for group in groups for item in group]
    if not items:
        return []
    total = sum(size(item) + 1 for item in items) - 1
    number = max(-(-len(items) // MAX_IDS), -(-total // room), max(len(group) for group in groups))
    while True:
        batches = [items[start::number] for start in range(number)]
        if all(sum(size(item) + 1 for item in batch) - 1 <= room for batch in batches):
            return batches
        number += 1
