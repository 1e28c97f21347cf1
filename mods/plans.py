"""What a plan is made of: exact files, versions and SHA-256, as plain values that go into JSON and back. Pure.

A person sees a plan before anything changes; what is carried out is that plan and nothing else. Stored plans are
checked when they are read: a restored database can be somebody else's.
"""

from collections.abc import Hashable
from dataclasses import asdict, dataclass, field
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_type_hints

from django.utils.translation import gettext as _

#: What each action needs: an old file, a new file, a name to rename the old one to.
_SHAPES = {
    "install": (False, True, False),
    "replace": (True, True, False),
    "remove": (True, False, False),
    "enable": (True, False, True),
    "disable": (True, False, True),
}
#: The folder of ours that is beside or in a mod folder (`staging`).
STAGING = ".vsadmin"
_LONGEST_NAME = 255  # bytes; no file system takes more

T = TypeVar("T")


class NotAPlan(Exception):
    """What is stored isn't a plan or step of this version of vsadmin. The text: a sentence on what is wrong."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text or _("Its plan was made by another version of vsadmin."))


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file among the server's mods that a step replaces, removes or renames."""

    folder: str
    file_name: str
    sha256: str
    size: int
    modid: str = ""
    version: str = ""
    name: str = ""
    #: "zip", "cs", "dll" or "folder", and whether the game loads it.
    kind: str = "zip"
    enabled: bool = True
    #: The download cache's key that it goes back under; "" where it becomes a kept copy, because of `keep_because`.
    cache_key: str = ""
    keep_because: str = ""


@dataclass(frozen=True, slots=True)
class NewFile:
    """The file that a step puts among the server's mods. Exactly one of `release` and `kept` is its source."""

    folder: str
    #: A name of ours, `.disabled` included where the mod is to stay disabled.
    file_name: str
    sha256: str
    size: int
    modid: str = ""
    version: str = ""
    name: str = ""
    #: Primary keys of the `Release` and its number of file in the mod database, or of the `KeptCopy`.
    release: int | None = None
    file_id: int | None = None
    kept: int | None = None
    #: Whether it lay in the cache (or among the kept copies) when the plan was made.
    at_hand: bool = False


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One file's change. `action` is a `models.Step.Action`.

    install: `new`. replace: `old` and `new`. remove: `old`. enable, disable: `old`, renamed to `rename_to` in its
    folder.
    """

    action: str
    #: Steps of one group are carried out all or none.
    group: int
    why: str
    old: OldFile | None = None
    new: NewFile | None = None
    rename_to: str = ""
    #: Of what will be there, with the server's game version: a `versions.Compatibility`; "" where nothing is placed.
    compatibility: str = ""
    #: What a person should know of this step, one sentence each.
    notes: tuple[str, ...] = ()

    @property
    def modid(self) -> str:
        return (self.new or self.old or _NOTHING).modid

    @property
    def name(self) -> str:
        """As the installed file calls itself, if there is one: its id may belong to somebody else's page by now."""
        subject = self.old or self.new or _NOTHING
        return subject.name or subject.modid or subject.file_name

    @property
    def from_version(self) -> str:
        return self.old.version if self.old else ""

    @property
    def to_version(self) -> str:
        if self.new is not None:
            return self.new.version
        return self.old.version if self.old and self.rename_to else ""


_NOTHING = OldFile("", "", "", 0)


@dataclass(frozen=True, slots=True)
class Unmet:
    """Something that the wish needs and that can't be had. `kind`: missing, incompatible, not_verified, prerelease,
    held, retracted, too_old, breaks (a mod that is left without what it needs) or unknown (couldn't be asked)."""

    kind: str
    modid: str
    #: Plain words: what is lacking, who needs it, what to do.
    text: str


OLDER, RETRACTED = "older", "retracted"


@dataclass(frozen=True, slots=True)
class Offer:
    """A step that belongs to the wish and isn't in the plan before a person ticks it; then the plan is made again.

    `kind`: OLDER (back to an older version, since the installed one was retracted) or RETRACTED (a release that was).
    """

    kind: str
    modid: str
    name: str
    #: "" if it isn't installed.
    from_version: str
    to_version: str
    #: What was retracted, with the reason in full.
    why: str

    @property
    def key(self) -> str:
        return offer_key(self.modid, self.to_version)


def offer_key(modid: str, version: str) -> str:
    return f"{modid.lower()}@{version}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, why, and what a person should know first."""

    steps: tuple[PlannedStep, ...] = ()
    #: The plan is refused for these, unless somebody says to go on without them.
    unmet: tuple[Unmet, ...] = ()
    #: The plan can't be carried out at all for these; each says what to do.
    obstacles: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    #: What was asked for and needs no step, such as mods that are held or up to date already.
    left_alone: tuple[str, ...] = ()
    game_version: str = ""
    #: The game version by which it was judged, where that isn't the server's.
    made_for: str = ""
    #: Files that were asked for and can't be fetched; what doesn't hang on them is done all the same.
    lost: tuple[str, ...] = ()
    offers: tuple[Offer, ...] = ()
    #: When somebody said yes, in ISO form: of a server's changes, the longest waiting one is carried out first.
    confirmed_at: str = ""
    #: Whether somebody said to go on in spite of `unmet`.
    go_on: bool = False
    #: Where each of the mod folders led when the plan was made (its real path): whoever puts a link in its place later
    #: doesn't lead the change elsewhere.
    places: dict[str, str] = field(default_factory=dict)

    @property
    def may_run(self) -> bool:
        return bool(self.steps) and not self.obstacles and (self.go_on or not self.unmet)

    @property
    def download_bytes(self) -> int:
        return sum(step.new.size for step in self.steps if step.new and not step.new.at_hand)


def to_json(value: Plan | PlannedStep) -> dict[str, Any]:
    return asdict(value)


def plan_from_json(data: object) -> Plan:
    """Inverse of `to_json`. Raises NotAPlan."""
    given = _object(data)
    made = {
        **given,
        "steps": tuple(step_from_json(one) for one in _list(given.get("steps"))),
        "unmet": tuple(_made(Unmet, one) for one in _list(given.get("unmet"))),
        "offers": tuple(_made(Offer, one) for one in _list(given.get("offers", []))),
        "lost": _texts(given.get("lost", [])),
        **{key: _texts(given.get(key)) for key in ("obstacles", "warnings", "left_alone")},
    }
    return _made(Plan, made)


def step_from_json(data: object) -> PlannedStep:
    """Inverse of `to_json`. Raises NotAPlan, also if a file's name isn't one that stays in its folder."""
    given = _object(data)
    old, new = given.get("old"), given.get("new")
    made = {
        **given,
        "old": _made(OldFile, old) if old else None,
        "new": _made(NewFile, new) if new else None,
        "notes": _texts(given.get("notes")),
    }
    step = _made(PlannedStep, made)
    if _SHAPES.get(step.action) != (step.old is not None, step.new is not None, bool(step.rename_to)):
        raise NotAPlan
    names = [one.file_name for one in (step.old, step.new) if one] + [step.rename_to] * bool(step.rename_to)
    for name in names:
        if not is_plain_name(name):
            raise NotAPlan(_("“%s” is no usable file name.") % name[:_LONGEST_NAME])
    return step


def is_plain_name(name: str) -> bool:
    """Whether it names a file of a folder itself: it leads nowhere else, and isn't our staging folder."""
    return (
        name not in {"", ".", "..", STAGING}
        and not {"/", "\0"} & set(name)
        and len(name.encode("utf-8", "surrogateescape")) <= _LONGEST_NAME
    )


def _made(kind: type[T], data: object) -> T:
    """The dataclass from its JSON, the type of each value checked. Raises NotAPlan."""
    try:
        made = kind(**_object(data))
    except TypeError:
        raise NotAPlan from None
    for name, wanted in _types(cast("Hashable", kind)):
        value = getattr(made, name)
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise NotAPlan
    return made


@cache
def _types(kind: Hashable) -> list[tuple[str, tuple[type, ...]]]:
    """Of each field, the types that its value may have."""
    hints = get_type_hints(kind)
    return [(name, _plain(hint)) for name, hint in hints.items()]


def _plain(hint: Any) -> tuple[type, ...]:
    if isinstance(hint, type):
        return (hint,)
    origin = getattr(hint, "__origin__", None)
    return (origin,) if origin is not None else get_args(hint)


def _object(data: object) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise NotAPlan
    return data


def _list(data: object) -> list[Any]:
    if not isinstance(data, list | tuple):
        raise NotAPlan
    return list(data)


def _texts(data: object) -> tuple[str, ...]:
    found = _list(data)
    if not all(isinstance(one, str) for one in found):
        raise NotAPlan
    return tuple(found)
