"""What a mod says of itself: a modinfo.json or the attributes of a C# source → `ModInfo`.

The text is taken for hostile. How the game reads is known from observation and from its public API (repository
anegostudios/vsapi); what the game rejects is read as far as it goes, and comes with a problem.
"""

import codecs
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice
from operator import or_

from mods import csharp, lenient_json
from mods.lenient_json import Number

_MAX_AUTHORS = 100
_MAX_DEPENDENCIES = 500
_MODID_LENGTH = 200
_NAME_LENGTH = 300
_VERSION_LENGTH = 100
_DESCRIPTION_LENGTH = 10_000
_WEBSITE_LENGTH = 500
_AUTHOR_LENGTH = 200
_QUOTED_LENGTH = 60


@dataclass(frozen=True, slots=True)
class ModInfo:
    """What a mod says of itself. Texts are of bounded length, without control characters and lone surrogates."""

    modid: str = ""
    name: str = ""
    version: str = ""
    """As written; ``""`` is unknown."""
    type: str = ""
    """code, content, theme, or ``""`` where there is none that the game knows."""
    side: str = "universal"
    """universal, client or server."""
    authors: tuple[str, ...] = ()
    description: str = ""
    website: str = ""
    dependencies: dict[str, str] = field(default_factory=dict)
    """Lower-case modid → minimum version as written."""
    required_on_client: bool = True
    required_on_server: bool = True


Reading = tuple[ModInfo | None, tuple[str, ...]]
"""What could be read, and the problems."""


# --- Texts

# Control characters, those that turn the direction of what follows, and halves of characters. They are replaced,
# not dropped: an id must not turn into another mod's id.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_LINE_BREAKS = re.compile("[\t\n\r\u2028\u2029]")


def clean(text: str, limit: int, *, lines: bool = False) -> str:
    text = text[:limit]
    if text.isprintable():
        return text
    text = _UNPRINTABLE.sub("\ufffd", text)
    return text if lines else _LINE_BREAKS.sub(" ", text)


def quoted(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    return f"“{clean(str(value), _QUOTED_LENGTH)}”"


_BYTE_ORDER_MARKS = {  # those of UTF-32 first: they begin like those of UTF-16
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def _decode(data: bytes) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    return data.decode("utf-8", "replace")


# --- modinfo.json

_TYPES = {"theme": 0, "content": 1, "code": 2}
_SIDES = {"server": 1, "client": 2, "universal": 3}
_PROPER_ID = re.compile(r"[a-z][a-z0-9]*")
REJECTED = "The game doesn't load the mod."


def parse(data: bytes) -> Reading:
    """Read a modinfo.json. Never raises; without name, modid and version the info is None."""
    text = _decode(data)
    if not text.strip():
        return None, (f"modinfo.json is empty. {REJECTED}",)
    try:
        document = lenient_json.loads(text)
    except json.JSONDecodeError as error:
        what = _IN_PLAIN_WORDS.get(error.msg, error.msg)
        return _salvaged(text), (f"modinfo.json has an error in line {error.lineno}: {what}. {REJECTED}",)
    except ValueError as error:
        return None, (f"modinfo.json can't be read: {error}. {REJECTED}",)
    if not isinstance(document, dict):
        return None, ("modinfo.json isn't one of Vintage Story: it isn't an object in { }.",)
    fields = _Fields(document)
    if fields.are_another_games():
        return None, ("modinfo.json isn't one of Vintage Story: it has an “id”, but neither “type” nor “modid”.",)
    fields.require("type")
    fields.require("name")
    info = _info(fields)
    fields.check_id(info.modid)
    known = info.modid or info.name or info.version
    return info if known else None, tuple(fields.problems)


_IN_PLAIN_WORDS = {
    "Expecting value": "a value is missing, or a text isn't in quotes",
    "Expecting property name enclosed in double quotes": "a name is missing",
    "Expecting ',' delimiter": "a comma is missing",
    "Expecting ':' delimiter": "a colon is missing",
    "Extra data": "there is more after the end",
    "Invalid \\escape": "a backslash in a text must be doubled",
}
_MEMBER = re.compile(r"""\b(modid|name|version)["']?\s*:\s*["']([^"'\\\r\n]*)["']""", re.IGNORECASE)


def _salvaged(text: str) -> ModInfo | None:
    """What a broken modinfo.json calls its mod, so that people recognise it."""
    found: dict[str, object] = {}
    for key, value in _MEMBER.findall(text):
        found.setdefault(key.lower(), value)
    fields = _Fields({"modid": "", **found})
    return _info(fields) if found else None


class _Fields:
    """The values of one modinfo.json by lower-case key, read by the game's rules. Collects the problems."""

    def __init__(self, document: dict[str, object]) -> None:
        self._values = {key.lower(): value for key, value in document.items()}
        self.problems: list[str] = []

    def are_another_games(self) -> bool:
        return "id" in self._values and not {"type", "modid"} & self._values.keys()

    def reject(self, key: str, expected: str) -> None:
        self.problems.append(f"“{key}” is {quoted(self._values[key])}, not {expected}. {REJECTED}")

    def has(self, key: str) -> bool:
        return self._values.get(key) is not None

    def require(self, key: str) -> None:
        if not self.has(key):
            self.problems.append(f"“{key}” is missing. {REJECTED}")

    def check_id(self, modid: str) -> None:
        if _PROPER_ID.fullmatch(modid):
            return
        self.problems.append(
            f"The mod id {quoted(modid)} isn't a proper one (a lower-case letter, then lower-case letters and digits): "
            "other mods can't depend on it. Its author can mend that."
        )

    def text(self, key: str, limit: int, *, lines: bool = False) -> str:
        """Numbers and truth values count as texts; null and nothing are ``""``."""
        value = self._values.get(key)
        if value is None:
            return ""
        if not isinstance(value, str | bool):
            self.reject(key, "a text")
            return ""
        return clean(str(value), limit, lines=lines)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._values.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.reject(key, "a list in [ ]")
            return (clean(value, _AUTHOR_LENGTH),) if isinstance(value, str) else ()
        if not all(item is None or isinstance(item, str | bool) for item in value):
            self.problems.append(f"“{key}” isn't a list of texts. {REJECTED}")
        items = (str(item) for item in value if isinstance(item, str | bool))
        return tuple(clean(item, _AUTHOR_LENGTH) for item in islice(items, _MAX_AUTHORS))

    def choice(self, key: str, choices: dict[str, int], default: str) -> str:
        """One of `choices`: names in any letter case, several of them together, or the game's numbers for them."""
        if key not in self._values:
            return default
        chosen = _chosen(self._values[key], choices)
        if not chosen:
            self.reject(key, " or ".join(sorted(choices)))
        return chosen or default

    def forgive_side(self) -> None:
        """What isn't a side is no error in a C# source."""
        side = self._values.get("side")
        if isinstance(side, str) and not _chosen(side, _SIDES):
            self.problems.append(f"“side” is {quoted(side)}; the game takes that for universal.")
            del self._values["side"]

    def flag(self, key: str) -> bool:
        """True when absent; ``"false"`` and 0 count as false."""
        value = self._values.get(key, True)
        if isinstance(value, Number):
            return float(value) != 0
        if isinstance(value, str) and value.strip().lower() in ("true", "false"):
            return value.strip().lower() == "true"
        if not isinstance(value, bool):
            self.reject(key, "true or false")
            return True
        return value

    def check_number(self, key: str) -> None:
        """A whole one of 32 bits, which may stand in quotes."""
        value = self._values.get(key, Number("0"))
        if not isinstance(value, str) or not _WHOLE.fullmatch(value) or not -(2**31) <= int(value) < 2**31:
            self.reject(key, "a whole number (up to 2147483647)")

    def dependencies(self) -> dict[str, str]:
        key = "dependencies"
        if key not in self._values:
            return {}
        value = self._values[key]
        if not isinstance(value, dict):
            self.reject(key, "an object in { }")
            return {}
        minimums: dict[str, str] = {}
        for modid, minimum in islice(value.items(), _MAX_DEPENDENCIES):
            if not _PROPER_ID.fullmatch(modid):
                self.problems.append(
                    f"“dependencies” names {quoted(modid)}, which is no proper mod id (a-z, 0-9). {REJECTED}"
                )
            if isinstance(minimum, dict | list):
                self.problems.append(f"The version of the dependency {quoted(modid)} isn't a text. {REJECTED}")
                minimum = None
            text = "" if minimum is None else str(minimum)
            minimums[clean(modid.lower(), _MODID_LENGTH)] = clean(text, _VERSION_LENGTH)
        return minimums


_WHOLE = re.compile(r"\s*[+-]?[0-9]{1,20}\s*", re.ASCII)


def _chosen(value: object, choices: dict[str, int]) -> str:
    """The choice that a value stands for as .NET reads an enumeration, "" for none: "Client, Server" is both."""
    if not isinstance(value, str):
        return ""
    if _WHOLE.fullmatch(value):
        number = int(value)
    else:
        named = [choices.get(part.strip().lower()) for part in value.split(",", len(choices) + 10)]
        number = -1 if None in named else reduce(or_, filter(None, named), 0)
    return next((name for name, one in choices.items() if one == number), "")


def _info(fields: _Fields) -> ModInfo:
    name = fields.text("name", _NAME_LENGTH)
    info = ModInfo(
        modid=_modid(fields, name),
        name=name,
        version=fields.text("version", _VERSION_LENGTH),
        type=fields.choice("type", _TYPES, "") if fields.has("type") else "",
        side=fields.choice("side", _SIDES, "universal"),
        authors=fields.texts("authors"),
        description=fields.text("description", _DESCRIPTION_LENGTH, lines=True),
        website=fields.text("website", _WEBSITE_LENGTH),
        dependencies=fields.dependencies(),
        required_on_client=fields.flag("requiredonclient"),
        required_on_server=fields.flag("requiredonserver"),
    )
    # Of no use here, but the game rejects wrong ones.
    fields.texts("contributors")
    fields.text("networkversion", _VERSION_LENGTH)
    fields.check_number("texturesize")
    return info


def _modid(fields: _Fields, name: str) -> str:
    """As given, or else made from the name as the game does."""
    if fields.has("modid"):
        return fields.text("modid", _MODID_LENGTH)
    if name[:1] in set("0123456789"):
        fields.problems.append(f"“modid” is missing, and the name begins with a digit. {REJECTED}")
        return ""
    return "".join(letter for letter in name if letter.isascii() and letter.isalnum()).lower()


# --- C# sources


def parse_source(data: bytes) -> Reading:
    """Read the attributes of a C# source file that is a mod by itself."""
    attributes = list(csharp.assembly_attributes(_decode(data)))
    own = next((attribute for attribute in attributes if attribute.name == "ModInfo"), None)
    if own is None:
        return None, (f"There is no [assembly: ModInfo(…)] in the source. {REJECTED}",)
    given: dict[str, object] = {"type": "code", "dependencies": _source_dependencies(attributes)}
    given |= zip(("name", "modid"), own.positional, strict=False)
    given |= {key.lower(): list(value) if isinstance(value, tuple) else value for key, value in own.named.items()}
    computed = [key for key in ("name", "modid", "version") if key in given and given[key] is None]
    fields = _Fields({key: value for key, value in given.items() if value is not None} | dict.fromkeys(computed, ""))
    for key in computed:
        fields.problems.append(f"“{key}” is computed in the source, which vsadmin doesn't run: it is unknown.")
    fields.require("name")
    fields.forgive_side()
    info = _info(fields)
    if not {"name", "modid"} & set(computed):
        fields.check_id(info.modid)
    return info, tuple(fields.problems)


def _source_dependencies(attributes: Iterable[csharp.Attribute]) -> dict[str, object]:
    found: dict[str, object] = {}
    for attribute in attributes:
        if attribute.name != "ModDependency":
            continue
        values = dict(zip(("modID", "version"), attribute.positional, strict=False)) | attribute.named
        if isinstance(modid := values.get("modID"), str):
            found[modid] = values.get("version")
    return found
