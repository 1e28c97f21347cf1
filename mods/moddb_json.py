"""JSON from the mod database, read within bounds of memory: a small answer can unfold into gigabytes of objects."""

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ijson

#: Objects and lists in one answer that is read at once; empty ones take twenty times the memory of their text.
MAX_CONTAINERS = 100_000
#: Values, and characters of texts, in one entry of a list.
MAX_VALUES = 10_000
MAX_CHARACTERS = 512 * 1024
#: Bytes that may pass without a complete value in them.
_MAX_SILENCE = 1024 * 1024
_CHUNK = 64 * 1024
_BOM = b"\xef\xbb\xbf"

#: Answers above this many bytes are read one at a time.
_LARGE = 256 * 1024
_one_large = threading.Lock()


class BadJson(ValueError):
    """An answer that isn't JSON; the message says what it is, in plain words."""


@contextmanager
def reading(body: bytes) -> Iterator[None]:
    """Read an answer inside, and keep only what is wanted of it: no other large one is read meanwhile."""
    if len(body) <= _LARGE:
        yield
        return
    with _one_large:
        yield


def load(body: bytes) -> Any:
    """The JSON in a body, leniently: bad UTF-8 is replaced, absurd numbers are None. Raises BadJson."""
    if body.count(b"{") + body.count(b"[") > MAX_CONTAINERS:
        raise BadJson("far more data than belongs into such an answer")
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").strip()
    if not text:
        raise BadJson("an empty answer")
    try:
        return json.loads(text, parse_int=_int, parse_constant=lambda _name: None)
    except RecursionError as error:
        raise BadJson("an answer nested without end") from error
    except ValueError as error:
        raise _damaged(body) from error


def _int(digits: str) -> int | None:
    # Python itself refuses to read thousands of digits, which would spoil the whole answer
    return int(digits) if len(digits) <= 20 else None


def _damaged(body: bytes) -> BadJson:
    if body[:_CHUNK].removeprefix(_BOM).lstrip().startswith(b"<"):
        return BadJson("a web page instead of data")
    return BadJson("data that is damaged or cut off" if body.strip() else "an empty answer")


def top_level(body: bytes, name: str, *, most: int) -> dict[str, Any]:
    """The plain values at the top of an object, read to its end without keeping its list `name`: that is `list`.

    `most`: entries of that list. Raises BadJson, also if one entry is larger than any that could be honest.
    """
    look = _Look(name, most)
    events = ijson.sendable_list()
    reader = ijson.basic_parse_coro(events, use_float=True)
    silence = 0
    try:
        for start in range(len(_BOM) if body.startswith(_BOM) else 0, len(body), _CHUNK):
            reader.send(body[start : start + _CHUNK])
            silence = 0 if events else silence + _CHUNK
            if silence > _MAX_SILENCE:
                raise BadJson("a value without end")
            for event, value in events:
                look.at(event, value)
            del events[:]
        reader.close()
    except BadJson:
        raise
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise _damaged(body) from error
    if not look.is_object:
        raise BadJson("data of an unknown form")
    return look.found


def items(body: bytes, name: str) -> Iterator[Any]:
    """The entries of the list `name` in an object that `top_level` has read, one at a time."""
    file = io.BytesIO(body)
    file.seek(len(_BOM) if body.startswith(_BOM) else 0)
    yield from ijson.items(file, f"{name}.item", use_float=True)


class _Look:
    """What has been seen of an object so far."""

    def __init__(self, name: str, most: int) -> None:
        self.name = name
        self.most = most
        self.found: dict[str, Any] = {}
        self.is_object = False
        self._depth = self._entries = self._values = self._characters = 0
        self._key = ""

    def at(self, event: str, value: Any) -> None:
        if event in ("start_map", "start_array"):
            self._note(list if event == "start_array" else dict)
            self._depth += 1
        elif event in ("end_map", "end_array"):
            self._depth -= 1
        elif event == "map_key" and self._depth == 1:
            self._key = value
            self._values = self._characters = 0
        else:
            self._note(value)
        if isinstance(value, str):
            self._characters += len(value)
        if self._characters > MAX_CHARACTERS or self._values > MAX_VALUES or self._entries > self.most:
            raise BadJson("far more data than belongs into such an answer")

    def _note(self, value: Any) -> None:
        """A value begins."""
        if self._depth == 0:
            self.is_object = value is dict
        elif self._depth == 1:
            self.found[self._key] = value
        elif self._depth == 2 and self._key == self.name:
            self._entries += 1
            self._values = self._characters = 0
        self._values += 1
