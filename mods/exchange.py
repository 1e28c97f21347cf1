"""A server's list of mods, to be taken elsewhere: JSON of ours, plain `id@version` lines, a list for players."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

from django.utils import timezone
from django.utils.translation import gettext as _

from mods import comparing, conf, manifest, modset, wishes
from mods.comparing import File
from mods.models import GameServer, Hold
from mods.wishes import Target

FORMAT = "vsadmin-mods"
VERSION = 1

#: Of a list that is read: characters, and mods.
MAX_LENGTH = 2 * 1024 * 1024
MAX_MODS = 5000

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NUMBER = 2**63
#: What markdown makes something of; a full stop or dash within a version isn't among it.
_MARKS = re.compile(r"[\\`*_{}\[\]()<>#+!|~:]|(?<![0-9])\.|\.(?![0-9])|(?<!\w)-")


class Unreadable(ValueError):
    """What was given is no list of mods; the message says where and what to do."""


# --- writing


def export_json(server: GameServer) -> dict[str, Any]:
    """The server's list, one entry a mod (of several files of one mod the one that the game loads); two queries."""
    held = set(Hold.objects.filter(server=server).values_list("modid_key", flat=True))
    return {
        "format": FORMAT,
        "version": VERSION,
        "server": server.name,
        "game_version": server.game_version,
        "exported_at": timezone.now().isoformat(timespec="seconds"),
        "mods": [
            {
                "modid": one.modid,
                "version": one.version,
                "file_id": one.file_id,
                "sha256": one.sha256,
                "enabled": one.enabled,
                "held": one.modid.lower() in held,
                "name": one.name,
                "file_name": one.file_name,
                "side": one.side,
            }
            for one in _mods(server)
        ],
    }


def export_lines(server: GameServer) -> str:
    """One `id@version` a line; a mod that is disabled, or can't be named so, stands in a comment. One query."""
    lines = [f"# {server.name}, Vintage Story {server.game_version or '?'}"]
    for one in _mods(server):
        line = f"{one.modid}@{one.version}" if one.version else one.modid
        if not one.modid:
            lines.append(f"# {one.file_name}: no mod id")
        elif not one.enabled:
            lines.append(f"# {line} (disabled)")
        else:
            lines.append(line if _can_be_read(line) else f"# {line}")
    return "\n".join(lines) + "\n"


def _can_be_read(line: str) -> bool:
    try:
        return bool(wishes.read_target(line).modid)
    except wishes.NotUnderstood:
        return False


def _mods(server: GameServer) -> list[File]:
    """The server's mods by name, one file each."""
    mods = modset.by_mod(comparing.files_of([server]))
    return sorted((files[0] for files in mods.values()), key=lambda one: (one.name.lower(), one.pk))


# --- reading


def read(text: str) -> tuple[Target, ...]:
    """The mods that a list of either form names, for a wish to bring a server in line with it. Raises Unreadable."""
    text = text.removeprefix("\ufeff")
    if len(text) > MAX_LENGTH:
        raise Unreadable(_("That is too long for a list of mods: %d MiB are allowed.") % (MAX_LENGTH // 1024**2))
    found = _from_json(text) if text.lstrip()[:1] in {"{", "["} else _from_lines(text)
    if not found:
        raise Unreadable(_("That list has no mods in it. Write one a line, such as carryon@1.9.0."))
    return tuple(found)


class _Once:
    """Sees to it that no mod is named twice. `place` says where a number is: in which line, or as which entry."""

    def __init__(self, place: Callable[[int], str]) -> None:
        self._place = place
        self._seen: dict[str, tuple[int, Target]] = {}

    def add(self, number: int, target: Target) -> None:
        first, before = self._seen.setdefault(_which(target).lower(), (number, target))
        if before == target:
            return  # the same line twice does no harm
        raise Unreadable(
            _("%(here)s names %(mod)s, which %(there)s names already. Leave one of them out.")
            % {"here": self._place(number), "mod": _named(before, target), "there": self._place(first)}
        )

    def targets(self) -> list[Target]:
        targets = [target for _number, target in self._seen.values()]
        if len(targets) > MAX_MODS:
            raise Unreadable(_("That list is too long: %d mods are allowed.") % MAX_MODS)
        return targets


def _which(target: Target) -> str:
    return target.modid or str(replace(target, version=""))


def _named(before: Target, target: Target) -> str:
    """Both ways of writing it, where they differ: letter case doesn't make another mod."""
    one, other = manifest.quoted(_which(before)), manifest.quoted(_which(target))
    return one if one == other else f"{other} ({one})"


def _from_lines(text: str) -> list[Target]:
    found = _Once(lambda number: _("Line %d") % number)
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        wanted = line.partition("#")[0].strip() if not line.lstrip().startswith("#") else ""
        if not wanted:
            continue
        try:
            found.add(number, wishes.read_target(wanted, moddb_url=conf.MODDB_URL.get()))
        except wishes.NotUnderstood as error:
            raise Unreadable(_("Line %(number)d: %(why)s") % {"number": number, "why": error}) from None
    return found.targets()


def _from_json(text: str) -> list[Target]:
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        words = {"number": error.lineno, "why": error.msg}
        raise Unreadable(_("Line %(number)d: this isn't JSON (%(why)s). Export the list again.") % words) from None
    except (ValueError, RecursionError):
        raise Unreadable(_("This isn't JSON of a list of mods. Export the list again.")) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise Unreadable(_("This JSON isn't a list that vsadmin exported. Plain lines such as carryon@1.9.0 do too."))
    if data.get("version") != VERSION:
        raise Unreadable(_("A newer vsadmin exported this list. Update this one, or export plain lines there."))
    mods = data.get("mods")
    if not isinstance(mods, list):
        raise Unreadable(_("This list has no “mods” in it. Export it again."))
    found = _Once(lambda number: _("Mod number %d of the list") % number)
    for number, one in enumerate(mods, 1):
        target = _entry(number, one)
        if target.modid:  # a file without an id can't be had from anywhere
            found.add(number, target)
    return found.targets()


def _entry(number: int, one: object) -> Target:
    if not isinstance(one, dict):
        raise _bad(number, "mods")
    sha256 = _field(number, one, "sha256", str, "")
    if sha256 and not _SHA256.fullmatch(sha256):
        raise _bad(number, "sha256")
    file_id = _field(number, one, "file_id", int, None)
    if file_id is not None and not 0 < file_id < _NUMBER:
        raise _bad(number, "file_id")
    return Target(
        modid=_text(number, one, "modid", 200),
        version=_text(number, one, "version", 100),
        file_id=file_id,
        sha256=sha256,
        enabled=_field(number, one, "enabled", bool, None),
        held=_field(number, one, "held", bool, None),
    )


def _text(number: int, one: dict[str, Any], name: str, limit: int) -> str:
    text: str = _field(number, one, name, str, "")
    if manifest.clean(text, limit) != text:
        raise _bad(number, name)
    return text


def _field(number: int, one: dict[str, Any], name: str, kind: type, absent: Any) -> Any:
    value = one.get(name)
    if value is None:
        return absent
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _bad(number, name)
    return value


def _bad(number: int, name: str) -> Unreadable:
    words = {"number": number, "field": name}
    return Unreadable(_("Mod number %(number)d of the list: “%(field)s” can't be read. Export the list again.") % words)


# --- for players


def players_list(server: GameServer, format: Literal["text", "markdown"] = "text") -> str:
    """The mods that players need on their machines, and those that they may have, with versions and links.

    The server offers the needed ones itself to who joins. One query.
    """
    needed: list[File] = []
    optional: list[File] = []
    for one in _mods(server):
        if not one.enabled or one.disabled_by_config or not one.modid or one.side == "server":
            continue
        (needed if one.side != "client" and one.required_on_client else optional).append(one)
    written = _markdown_line if format == "markdown" else _text_line
    database = conf.MODDB_URL.get()

    def line(one: File) -> str:
        return written(one, f"{database}/show/mod/{one.asset}" if one.asset else "")

    words = {"server": server.name, "version": server.game_version or "?"}
    title = _("Mods for %(server)s (Vintage Story %(version)s)") % words
    parts = [f"**{_escaped(title)}**" if format == "markdown" else title]
    parts.append("\n".join(line(one) for one in needed) or _("No mods are needed."))
    if optional:
        parts.append("\n".join([_("Only if you like:"), *(line(one) for one in optional)]))
    return "\n\n".join(parts) + "\n"


def _text_line(one: File, page: str) -> str:
    return "- " + " ".join(part for part in (one.name, one.version, page) if part)


def _markdown_line(one: File, page: str) -> str:
    name = f"[{_escaped(one.name)}]({page})" if page else _escaped(one.name)
    return "- " + " ".join(part for part in (name, _escaped(one.version)) if part)


def _escaped(text: str) -> str:
    """Text that markdown shows as it is, and that addresses nobody where the list is pasted."""
    return _MARKS.sub(r"\\\g<0>", text).replace("@", "@\u200b")
