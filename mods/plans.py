"""What a plan is made of: exact files, versions and SHA-256, as plain values that go into JSON and back. Pure.

A person sees a plan before anything changes; what is carried out is that plan and nothing else.
"""

from dataclasses import asdict, dataclass
from typing import Any


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
        subject = self.new or self.old or _NOTHING
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
    #: When somebody said yes, in ISO form: of a server's changes, the longest waiting one is carried out first.
    confirmed_at: str = ""
    #: Whether somebody said to go on in spite of `unmet`.
    go_on: bool = False

    @property
    def may_run(self) -> bool:
        return bool(self.steps) and not self.obstacles and (self.go_on or not self.unmet)

    @property
    def download_bytes(self) -> int:
        return sum(step.new.size for step in self.steps if step.new and not step.new.at_hand)


def to_json(value: Plan | PlannedStep) -> dict[str, Any]:
    return asdict(value)


def plan_from_json(data: dict[str, Any]) -> Plan:
    """Inverse of `to_json`. Raises TypeError or KeyError for what isn't a plan of this version of vsadmin."""
    return Plan(
        **{
            **data,
            "steps": tuple(step_from_json(one) for one in data["steps"]),
            "unmet": tuple(Unmet(**one) for one in data["unmet"]),
            **{key: tuple(data[key]) for key in ("obstacles", "warnings", "left_alone")},
            "lost": tuple(data.get("lost", ())),
        }
    )


def step_from_json(data: dict[str, Any]) -> PlannedStep:
    """Inverse of `to_json`. Raises TypeError or KeyError for what isn't a step of this version of vsadmin."""
    return PlannedStep(
        **{
            **data,
            "old": OldFile(**data["old"]) if data["old"] else None,
            "new": NewFile(**data["new"]) if data["new"] else None,
            "notes": tuple(data["notes"]),
        }
    )
