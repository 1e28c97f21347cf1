"""What a person asks for: which mods, in which version, to be done what with. Pure; goes into JSON and back."""

import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from django.utils.translation import gettext as _

from mods import versions

#: Of an id or version that somebody typed.
_MAX_LENGTH = 200
_LINK = re.compile(r"vintagestorymodinstall://+([^/?#]+)/?", re.IGNORECASE)
_SHOW = re.compile(r"/show/mod/(\d{1,12})/?", re.IGNORECASE)


class NotUnderstood(ValueError):
    """What was typed names no mod; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Target:
    """One mod that was asked for.

    Exactly one of `modid`, `number` (in the mod database), `alias` (the last part of its page's address), `row`
    (the primary key of an `InstalledMod`) and `kept` (of a `KeptCopy`) says which. `version`: "" is the recommended
    one.
    """

    modid: str = ""
    number: int | None = None
    alias: str = ""
    row: int | None = None
    kept: int | None = None
    version: str = ""
    #: Of a list that was imported: the exact file, where it says so, and how it stood.
    file_id: int | None = None
    sha256: str = ""
    enabled: bool | None = None
    held: bool | None = None
    #: Of a list: this one is to go.
    remove: bool = False

    def __str__(self) -> str:
        which = self.modid or self.alias or (f"#{self.number}" if self.number is not None else "")
        return f"{which}@{self.version}" if self.version else which


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done with which mods. `kind` is a `models.Operation.Kind`.

    update without targets means all that are outdated. align: `remove_others` removes what the list doesn't have.
    undo: `operation` is the one to be reversed. put_back: `start` is the `ServerStart` whose set is wanted. prepare:
    `game_version` is the one to get ready for.
    """

    kind: str
    targets: tuple[Target, ...] = ()
    go_on: bool = False
    remove_others: bool = False
    operation: int | None = None
    start: int | None = None
    game_version: str = ""
    #: Nobody gets an older version because the installed one was retracted, or a retracted release, without saying so:
    #: for all of the plan, or for the offers (`plans.Offer.key`) that were ticked.
    allow_downgrades: bool = False
    allow_retracted: bool = False
    agreed: tuple[str, ...] = ()


def to_json(wish: Wish) -> dict[str, Any]:
    return asdict(wish)


def from_json(data: dict[str, Any]) -> Wish:
    """Inverse of `to_json`. Raises TypeError or KeyError for what isn't a wish of this version of vsadmin."""
    targets = tuple(Target(**one) for one in data["targets"])
    return Wish(**{**data, "targets": targets, "agreed": tuple(data.get("agreed", ()))})


def read_target(text: str, *, moddb_url: str = "https://mods.vintagestory.at") -> Target:
    """What somebody typed or pasted: a modid, `modid@version`, a number, a mod's page or a one-click link.

    Raises NotUnderstood, whose message is for that person.
    """
    text = text.strip().strip("<>\"'")
    if not text:
        raise NotUnderstood(_("Write a mod id, the address of a mod's page, or a one-click install link."))
    if link := _LINK.fullmatch(text):
        return _id_and_version(unquote(link[1]))
    host = urlsplit(moddb_url).hostname or ""
    if "://" in text or text.lower().startswith(("www.", f"{host}/")):
        return _from_address(text, host)
    if re.fullmatch(r"#?\d{1,12}(@.*)?", text):
        number, _at, version = text.lstrip("#").partition("@")
        return Target(number=int(number), version=_version(version, text))
    return _id_and_version(text)


def _id_and_version(text: str) -> Target:
    modid, at, version = text.partition("@")
    modid = modid.strip()
    if not re.fullmatch(r"[A-Za-z0-9_.\- ]{1,200}", modid) or (at and not version.strip()):
        raise NotUnderstood(
            _("“%s” names no mod. Write a mod id such as carryon or carryon@1.9.0, or the address of the mod's page.")
            % text[:_MAX_LENGTH]
        )
    return Target(modid=modid, version=_version(version, text))


def _version(version: str, text: str) -> str:
    version = version.strip()
    if version in {"", "*", "latest"}:
        return ""
    if versions.parse(version) is None:
        raise NotUnderstood(_("“%s” has no version after the @. Write one such as 1.9.0.") % text[:_MAX_LENGTH])
    return version.removeprefix("v")


def _from_address(text: str, host: str) -> Target:
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        there = (parts.hostname or "").removeprefix("www.") == host
    except ValueError:
        there = False
    if not there:
        raise NotUnderstood(
            _("%(address)s isn't on the mod database (%(host)s). Give the address of the mod's page there.")
            % {"address": text[:_MAX_LENGTH], "host": host}
        )
    if found := _SHOW.fullmatch(parts.path):
        return Target(number=int(found[1]))
    alias = parts.path.strip("/")
    if re.fullmatch(r"[A-Za-z0-9_\-]{1,200}", alias):
        return Target(alias=alias)
    raise NotUnderstood(
        _("%s isn't a mod's page. Open the mod in the mod database and copy that page's address.") % text[:_MAX_LENGTH]
    )
