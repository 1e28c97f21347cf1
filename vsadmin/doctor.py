"""The doctor: looks at each part of vsadmin and says how it is, why, and what to do. Changes nothing.

The parts are looked at side by side, each within its time; one that hangs or fails says so, and the others go on.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.utils.translation import gettext as _

from cache import places
from mods import keeping
from mods.models import GameServer
from vsadmin import doctor_database, doctor_facts, doctor_parts
from vsadmin.doctor_facts import Facts
from vsadmin.findings import Finding, Gone, Look, State, not_ok, warning, worst

#: Seconds that a page may take for all of it, and a command.
PAGE_PATIENCE, COMMAND_PATIENCE = 3.0, 15.0


@dataclass(frozen=True)
class Part:
    """A part with what was found of it, the worst first. `name` is for scripts."""

    name: str
    title: str
    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        return worst([finding.state for finding in self.findings])


@dataclass(frozen=True)
class Report:
    parts: tuple[Part, ...]

    @property
    def state(self) -> State:
        return worst([part.state for part in self.parts])

    def count(self, state: State) -> int:
        return sum(part.state is state for part in self.parts)

    def as_json(self) -> dict[str, Any]:
        """For scripts; `state` is "ok", "warning" or "not_ok", the worst of what is beneath."""
        return {
            "state": self.state.value,
            "parts": [
                {
                    "part": part.name,
                    "title": part.title,
                    "state": part.state.value,
                    "findings": [{**finding.__dict__, "state": finding.state.value} for finding in part.findings],
                }
                for part in self.parts
            ],
        }


def examine(*, patience: float = COMMAND_PATIENCE, online: bool = False) -> Report:
    """Look at everything, within about `patience` seconds and in a fixed number of queries; with `online`, ask the mod
    database one question.
    """
    end = time.monotonic() + patience
    asked = Look("the mod database", partial(doctor_parts.ask_online, patience * 0.8)) if online else None
    database, facts = _database(patience, end)
    looks = _looks(facts)
    parts = [database, *_told(facts, asked, end)]
    sharing = _share(looks.pop("shared"), end)
    parts += [
        _part(
            f"server-{row.pk}",
            _("Server %s") % row.name,
            [*_result(looks[f"server {row.pk}"], end), *sharing.get(row.pk, [])],
        )
        for row in (facts.servers if facts else ())
    ]
    parts += [
        _part("cache", _("Download cache"), [*_of(facts, doctor_parts.cache), *_result(looks["cache"], end)]),
        _part("kept", _("Kept copies"), _result(looks["kept"], end) if facts else _unknown()),
        _part(
            "space",
            _("Disk space"),
            [one for name, look in looks.items() if name.startswith("space") for one in _result(look, end)],
        ),
        _part(
            "clock", _("Clock"), [*doctor_parts.clock(facts), *_result(looks["times"], end), *_clock_online(asked, end)]
        ),
        _part("settings", _("Settings"), _settings(facts, _result(looks["settings"], end))),
        _part("versions", _("Versions"), doctor_parts.versions(_database_version(facts))),
    ]
    return Report(tuple(parts))


def _database(patience: float, end: float) -> tuple[Part, Facts | None]:
    """How the database is, and what it tells; it isn't asked where it doesn't answer."""
    look = Look("the database", doctor_database.look(patience * 0.6))
    found: list[Finding] = []
    facts: Facts | None = None
    try:
        looked = look.result(min(end, time.monotonic() + patience * 0.7))
        found = looked.findings
        if looked.answers:
            facts = doctor_facts.read()
            found = [*found, doctor_parts.migrations(facts)]
    except Gone as gone:
        found = [gone.finding]
    except Error as error:
        words = _("It can't be asked: %s") % (str(error).strip().splitlines() or [type(error).__name__])[0]
        found = [
            *found,
            not_ok(words, _("Start vsadmin anew: that copies the database aside and updates it."), "./run.sh"),
        ]
    return _part("database", _("Database"), found), facts


def _looks(facts: Facts | None) -> dict[str, Look[Any]]:
    """Begin to look at what is on disk, all at once."""
    servers: list[GameServer] = facts.servers if facts else []
    data = Path(settings.VSADMIN_DATA_DIR)
    wanted: dict[str, Callable[[], Any]] = {
        "shared": partial(doctor_parts.shared, servers),
        "cache": partial(doctor_parts.cache_folder, places.folder()),
        "kept": partial(doctor_parts.kept, keeping.folder(), facts.kept if facts else {}),
        "settings": doctor_parts.settings_read,
        "times": partial(doctor_parts.file_times, [data, *_folders(servers)]),
        "space data": lambda: [doctor_parts.space(_("vsadmin's data folder"), data)],
    }
    for row in servers:
        wanted[f"server {row.pk}"] = partial(doctor_parts.server, row)
        wanted[f"space {row.pk}"] = partial(doctor_parts.space_of, row)
    return {name: Look(name, look) for name, look in wanted.items()}


def _folders(servers: list[GameServer]) -> list[Path]:
    return [Path(entry["path"]) for row in servers for entry in row.mod_folders]


def _told(facts: Facts | None, asked: Look[doctor_parts.Online] | None, end: float) -> list[Part]:
    """The parts that the database tells of."""
    online: list[Finding] = []
    if asked is not None:
        try:
            online = [asked.result(end).finding]
        except Gone as gone:
            online = [gone.finding]
    return [
        _part("worker", _("Background worker"), _of(facts, doctor_parts.worker)),
        _part("schedules", _("Schedules"), _of(facts, doctor_parts.scheduled)),
        _part("mod_database", _("Mod database"), [*online, *_of(facts, doctor_parts.mod_database)]),
    ]


def _clock_online(asked: Look[doctor_parts.Online] | None, end: float) -> list[Finding]:
    try:
        return doctor_parts.clock_online(asked.result(end)) if asked is not None else []
    except Gone:
        return []  # the mod database's own part says so


def _share(look: Look[dict[int, list[Finding]]], end: float) -> dict[int, list[Finding]]:
    try:
        return look.result(end)
    except Gone:
        return {}  # whose folder hangs is said by the server's own look


def _settings(facts: Facts | None, read: list[Finding]) -> list[Finding]:
    stored = doctor_parts.stored_settings(facts) if facts is not None else []
    return [*(one for one in read if one.state is not State.OK), *stored] or read


def _result(look: Look[list[Finding]], end: float) -> list[Finding]:
    try:
        return look.result(end)
    except Gone as gone:
        return [gone.finding]


def _of(facts: Facts | None, tell: Callable[[Facts], list[Finding]]) -> list[Finding]:
    return tell(facts) if facts is not None else _unknown()


def _unknown() -> list[Finding]:
    return [warning(_("Nothing can be said of it while the database can't be asked."))]


def _part(name: str, title: str, findings: list[Finding]) -> Part:
    order = [State.NOT_OK, State.WARNING, State.OK]
    return Part(name, title, tuple(sorted(findings, key=lambda one: order.index(one.state))))


def _database_version(facts: Facts | None) -> str:
    if connection.vendor == "sqlite":
        return doctor_parts.sqlite_version()
    if facts is None or connection.connection is None:
        return "PostgreSQL"
    number = connection.connection.info.server_version
    return f"PostgreSQL {number // 10000}.{number % 10000}"
