"""Whose a folder is. What one command writes as root, no later one can read or change: it runs as the owner, or not."""

import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and what to type."""

    text: str
    command: str


def not_ours(folder: Path, program: Path, arguments: Sequence[str]) -> Trouble | None:
    """What to say if the folder belongs to another user than this process's. Raises OSError.

    `program` with `arguments` is what was started, to be started again as the owner.
    """
    owner = folder.stat().st_uid
    if owner == os.geteuid():
        return None
    text = f"The data folder {folder} belongs to {name_of(owner)}, and this is run by {name_of(os.geteuid())}."
    if owner == 0:
        return Trouble(text, give_to_us(folder))
    return Trouble(text, shlex.join(["sudo", "-u", name_of(owner), str(program), *arguments]))


def foreign_within(folder: Path) -> Trouble | None:
    """What to say if something in the folder belongs to somebody else: left behind by a command run as root."""
    found = list(_foreign(folder))
    if not found:
        return None
    path, owner = found[0]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return Trouble(f"{path}{more} in the data folder belongs to {name_of(owner)}.", give_to_us(folder))


def _foreign(folder: Path) -> Iterator[tuple[Path, int]]:
    """What lies in it, at any depth, that isn't this user's. What can't be looked into is somebody else's itself."""
    waiting = [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.name.endswith(".lock"):
                        continue  # whoever takes it makes it anew
                    facts = entry.stat(follow_symlinks=False)
                    if facts.st_uid != os.geteuid():
                        yield Path(entry.path), facts.st_uid
                    elif stat.S_ISDIR(facts.st_mode):
                        waiting.append(entry.path)
        except OSError:
            continue


def give_to_us(folder: Path) -> str:
    """The command that makes the folder and all in it this user's; links stay what they are."""
    return shlex.join(["sudo", "chown", "-Rh", name_of(os.geteuid()).removeprefix("#"), str(folder)])


def name_of(user: int) -> str:
    """The user's name; without one the number, as sudo takes it."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"
