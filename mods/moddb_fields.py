"""The fields of the mod database's answers, one by one. All of it is hostile until it has been through here.

Texts have no control characters, NULs or lone surrogates and are capped; numbers fit 64 bits; addresses are http(s);
times are aware UTC. What is missing or of the wrong type becomes empty, and `Fields.unsaid` names it: that is a fault
of the answer, and nobody may take it for a word that there is nothing.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html import unescape

import nh3

MAX_INT = 2**63 - 1
NAME_LENGTH = 100  # characters of a modid, version, author, tag or game version
LINE_LENGTH = 500  # characters of a name, summary or file name
REASON_LENGTH = 2000  # characters of the reason for a retraction
URL_LENGTH = 2000
HTML_BYTES = 64 * 1024
MAX_ITEMS = 2000  # tags or game versions of one thing

_SIDES = {"both": "both", "universal": "both", "client": "client", "server": "server"}

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")  # would show a name in another order
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}")


class Fields:
    """One JSON object's fields. Each method reads a field, and adds `name` to `unsaid` if the answer doesn't say it.

    `null`: null is one of the mod database's own values there, and means none.
    """

    def __init__(self, data: Mapping[str, object]) -> None:
        self.data = data
        self.unsaid: set[str] = set()

    def line(self, name: str, key: str, limit: int = LINE_LENGTH, *, empty: bool = False, null: bool = False) -> str:
        """A text of one line. `empty`: it may be empty."""
        value = self.data.get(key)
        text = clean_line(value, limit)
        self._note(name, key, is_said=isinstance(value, str) and (bool(text) or empty), null=null)
        return text

    def html(self, name: str, key: str, *, null: bool = False) -> str:
        self._note(name, key, is_said=isinstance(self.data.get(key), str), null=null)
        return clean_html(self.data.get(key))

    def url(self, name: str, key: str, *, null: bool = False) -> str:
        """What is no web address is a word too: there is none that can be used."""
        self._note(name, key, is_said=isinstance(self.data.get(key), str), null=null)
        return clean_url(self.data.get(key))

    def side(self, name: str, key: str) -> str:
        value = self.data.get(key)
        side = _SIDES.get(value.lower(), "") if isinstance(value, str) else ""
        self._note(name, key, is_said=bool(side), null=True)
        return side

    def names(self, name: str, key: str, clean: Callable[[object], str]) -> tuple[str, ...]:
        """The texts of a list, each once, without the empty ones. One that isn't fit makes the whole list unsaid."""
        value = self.data.get(key)
        items = value[:MAX_ITEMS] if isinstance(value, list) else []
        found = [(item, clean(item)) for item in items]
        self._note(
            name, key, is_said=isinstance(value, list) and all(text or item in ("", None) for item, text in found)
        )
        return tuple(dict.fromkeys(text for _item, text in found if text))

    def id(self, name: str, key: str) -> int | None:
        number = clean_id(self.data.get(key))
        self._note(name, key, is_said=number is not None)
        return number

    def count(self, name: str, key: str) -> int:
        number = clean_int(self.data.get(key))
        self._note(name, key, is_said=number is not None and number >= 0)
        return max(number or 0, 0)

    def date(self, name: str, key: str, *, null: bool = False) -> datetime | None:
        """`YYYY-MM-DD HH:MM:SS`, which the mod database means as UTC."""
        moment = clean_date(self.data.get(key))
        self._note(name, key, is_said=moment is not None, null=null)
        return moment

    def _note(self, name: str, key: str, *, is_said: bool, null: bool = False) -> None:
        if not is_said and not (null and key in self.data and self.data[key] in (None, "")):
            self.unsaid.add(name)


def clean_line(value: object, limit: int = LINE_LENGTH) -> str:
    """A text for one line, at most `limit` characters; "" for anything but a text."""
    if not isinstance(value, str):
        return ""
    if value.isascii() and value.isprintable():
        return value.strip()[:limit]
    text = _BIDI.sub("", _CONTROL.sub("", _SURROGATE.sub("\ufffd", value[: limit * 10])))
    return " ".join(text.split())[:limit].rstrip()


def clean_html(value: object) -> str:
    """A text of many lines, at most HTML_BYTES in UTF-8; still as hostile as HTML from strangers is."""
    if not isinstance(value, str):
        return ""
    text = _CONTROL.sub("", _SURROGATE.sub("\ufffd", value[:HTML_BYTES]))
    return text.encode()[:HTML_BYTES].decode("utf-8", "ignore")


def words_of(html: object) -> str:
    """The words of some HTML, on one line."""
    return clean_line(unescape(nh3.clean(clean_html(html), tags=set())), REASON_LENGTH)


def exact(value: object) -> str:
    """A modid or version, or "" if it isn't fit to be one; never a changed one: it would name another."""
    text = clean_line(value, NAME_LENGTH)
    return text if text == value else ""


def tag(value: object) -> str:
    return clean_line(value, NAME_LENGTH)


def clean_int(value: object) -> int | None:
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -MAX_INT <= value <= MAX_INT:
        return None
    return value


def clean_id(value: object) -> int | None:
    number = clean_int(value)
    return number if number is not None and number > 0 else None


def clean_date(value: object) -> datetime | None:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return None
    try:
        date = datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return None
    return date if 1970 <= date.year < 2200 else None


def clean_url(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > URL_LENGTH or not text.lower().startswith(("http://", "https://")):
        return ""
    return clean_line(text, URL_LENGTH)
