"""The scan: what each server's mod folders hold, as rows that follow the disk. Writes `GameServer`, `InstalledMod`.

A file unchanged since last time isn't opened again. One that can't be read is listed with its problem. A folder that
can't be reached leaves its rows as they are.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.db import connection, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mods import conf, crashes, modinfo, modset, news, problems, serverdir, starts, status
from mods.models import GameServer, InstalledMod, Lookup
from vsadmin.lib import files, locks, logs

_log = logging.getLogger(__name__)

#: Seconds a scan waits for a change of the server's mods that is under way.
LOCK_WAIT = 30.0

Report = Callable[[int, int, str], None]


@dataclass(frozen=True)
class ScanResult:
    """What one scan of one server found. `read`: files that are new or changed and could be opened."""

    server: str
    found: int = 0
    read: int = 0
    added: int = 0
    removed: int = 0
    with_problems: int = 0
    #: Why the server couldn't be scanned, "" where it was.
    unreachable: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.read or self.added or self.removed)


@dataclass(frozen=True)
class _Found:
    """One file or folder among the mods, as the disk shows it."""

    folder: str
    file_name: str
    path: str
    kind: str
    enabled: bool
    fingerprint: str
    badly_named: bool


def server_lock(server_id: int) -> str:
    """The lock that whoever reads or changes a server's mod folders holds."""
    return f"server-{server_id}"


def ensure_first_server() -> GameServer | None:
    """Make the server that `VS_SERVER_DATA_DIR` names, if there is none of that folder yet; None where it is unset.

    Raises `serverdir.Unusable` where the folder can't serve.
    """
    path = conf.SERVER_DATA_DIR.get()
    if path is None:
        return None
    known = GameServer.objects.filter(data_dir=str(path)).first()
    if known is not None:
        return known
    serverdir.check(path)
    name = path.name if path.name not in {"data", "VintagestoryData", ""} else path.parent.name or path.name
    taken = set(GameServer.objects.values_list("name", flat=True))
    unique = next(n for n in (name[:90], *(f"{name[:90]} {i}" for i in range(2, 1000))) if n not in taken)
    server, created = GameServer.objects.get_or_create(data_dir=str(path), defaults={"name": unique})
    if created:
        logs.event("server_added", server=server.name)
    return server


def scan_all(
    servers: Iterable[GameServer] | None = None,
    report: Report | None = None,
    stop: threading.Event | None = None,
) -> list[ScanResult]:
    """Scan the given servers (all by default), one after the other; one's failure never stops the others.

    `stop` ends it after the file at hand; what was read until then is kept, the rest follows next time.
    """
    wanted = list(GameServer.objects.all() if servers is None else servers)
    results = []
    for number, server in enumerate(wanted):
        if stop is not None and stop.is_set():
            break
        if report:
            report(number, len(wanted), server.name)
        results.append(scan(server, report, stop))
    if report:
        report(len(wanted), len(wanted), "")
    return results


def scan(server: GameServer, report: Report | None = None, stop: threading.Event | None = None) -> ScanResult:
    """Bring the server's rows in line with its folders. Whatever goes wrong is said in the result."""
    try:
        with locks.hold(server_lock(server.pk), timeout=LOCK_WAIT):
            return _scan(server, report, stop)
    except locks.Busy:
        return ScanResult(server.name, unreachable=_("its mods are being changed; the next scan will see them"))
    except Exception as error:  # noqa: BLE001  # one server's odd folder must not keep the others from being scanned
        _log.exception("scan of %s", server.name)
        return ScanResult(server.name, unreachable=_("it couldn't be scanned: %s") % f"{type(error).__name__}: {error}")


def _scan(server: GameServer, report: Report | None, stop: threading.Event | None) -> ScanResult:
    now = timezone.now()
    try:
        folder = serverdir.read(Path(server.data_dir))
        found, notes = _list(folder, server)
    except serverdir.Unusable as error:
        return _mark_unreachable(server, str(error), now)
    disabled_before, version_before = server.disabled_mods, server.game_version
    scanned_before, refused_before = server.scanned_at, server.refused
    described = _describe(server, folder, [*folder.notes, *notes])
    rejudge = disabled_before != server.disabled_mods or version_before != server.game_version or refused_before is None

    known = InstalledMod.objects.filter(server=server).values_list("folder", "file_name", "fingerprint", "has_problems")
    stored = {(place, name): fingerprint for place, name, fingerprint, _ in known}
    seen = {(one.folder, one.file_name): one for one in found}
    differing = [one for key, one in seen.items() if not one.fingerprint or stored.get(key) != one.fingerprint]
    unreached = {note.folder for note in notes}
    vanished = {key for key in stored if key not in seen and key[0] not in unreached}
    with_problems = sum(has_problems for *_, has_problems in known)
    read = added = 0
    if differing or vanished or rejudge:
        read, added, with_problems = _store(
            server, differing, vanished, _Watch(report, stop), listed_at=now, scanned_before=scanned_before
        )
    with transaction.atomic():  # else a refresh that comes in between takes the new version's verdicts for news
        server.save(update_fields=described)
        if version_before != server.game_version:
            status.update(InstalledMod.objects.filter(server=server), tell=False)
    if stop is None or not stop.is_set():  # else it may not have seen all that changed
        noted = starts.after_scan(server, now=now, scanned_before=scanned_before)
        _read_crashes(server, noted, now)
        starts.settle(server, noted, now=now)
        if (server.refused or {}) != (refused_before or {}):
            with_problems = InstalledMod.objects.filter(server=server, has_problems=True).count()
        if server.refused is None:  # it has no log
            server.refused = {}
        # Last: one that was cut short before has to look at the logs as if it had not been.
        server.scanned_at = now
        server.save(update_fields=["scanned_at", "refused"])
    result = ScanResult(
        server=server.name,
        found=len(stored) - len(vanished) + added,
        read=read,
        added=added,
        removed=len(vanished),
        with_problems=with_problems,
    )
    if result.changed:
        logs.event(
            "server_scanned",
            server=server.name,
            found=result.found,
            read=result.read,
            added=result.added,
            removed=result.removed,
            problems=result.with_problems,
        )
    return result


def _read_crashes(server: GameServer, noted: starts.Noted | None, now: datetime) -> None:
    """Whatever stands in a log, the mods are known all the same; the next scan tries again."""
    try:
        crashes.after_scan(server, noted, now=now)
    except OSError as error:
        logs.event("crash_log_unreadable", server=server.name, reason=files.in_words(error))
    except Exception:  # noqa: BLE001  # see above
        _log.exception("crash log of %s", server.name)


def _store(
    server: GameServer,
    differing: list[_Found],
    vanished: set[tuple[str, str]],
    watch: "_Watch",
    *,
    listed_at: datetime,
    scanned_before: datetime | None,
) -> tuple[int, int, int]:
    """Read what differs; write it and note the set that it makes, in one transaction.

    Returns how many were read, are new, and have problems.
    `scanned_before`: when the last whole scan listed the folders, `listed_at`: when this one did.
    """
    now = timezone.now()
    rows = {(row.folder, row.file_name): row for row in InstalledMod.objects.filter(server=server)}
    for known in rows.values():
        known.server = server
    gone = [rows.pop(key).pk for key in vanished]
    contents = [(one, modinfo.read_file(Path(one.path), one.kind)) for one in watch.each(differing, server.name)]
    fresh: list[InstalledMod] = []
    altered: list[InstalledMod] = []
    for one, content in contents:
        row = rows.get((one.folder, one.file_name))
        (fresh if row is None else altered).append(_fill(row, one, content, server, now))
    current = [*rows.values(), *fresh]
    with transaction.atomic():
        InstalledMod.objects.filter(pk__in=gone).delete()
        _look_up(fresh + altered)
        written = {row.pk for row in altered}
        rejudged = [row for row in _judge(current, server) if row.pk and row.pk not in written]
        status.judge(fresh + altered)
        insert(fresh)
        news.of_scan(fresh + altered)
        for row in altered:  # one by one: with this many columns, a bulk update is ten times slower
            row.save(update_fields=[*_READ_FIELDS, *_JUDGED_FIELDS, *status.FIELDS])
        if rejudged:
            InstalledMod.objects.bulk_update(rejudged, _JUDGED_FIELDS, batch_size=200)
        if asleep := [row for row in current if not problems.loads(row)]:
            # Whether one of them is a spare follows from files beside it that came, went or changed.
            keys = {row.modid_key for row in asleep}
            status.update(InstalledMod.objects.filter(server=server, modid_key__in=keys), tell=False)
        starts.note_set(server, now=listed_at, scanned_before=scanned_before)
    read = sum(bool(row.fingerprint) for row in (*fresh, *altered))
    return read, len(fresh), sum(row.has_problems for row in current)


@dataclass(frozen=True)
class _Watch:
    """Who is told how far a scan is, and what ends it early."""

    report: Report | None
    stop: threading.Event | None

    def each(self, found: list[_Found], server: str) -> Iterator[_Found]:
        """One after the other, told of; none any more once it should stop."""
        for number, one in enumerate(found):
            if self.stop is not None and self.stop.is_set():
                return
            if self.report is not None:
                self.report(number, len(found), f"{server}: {one.file_name}")
            yield one


class _Note(str):
    """A sentence about a mod folder that couldn't be listed; `folder` is its path."""

    folder: str = ""


def _list(folder: serverdir.ServerFolder, server: GameServer) -> tuple[list[_Found], list[_Note]]:
    """Everything in the mod folders that stands for a mod. Raises `Unusable` where the first folder can't be listed."""
    found: list[_Found] = []
    notes: list[_Note] = []
    known = {entry["path"]: entry.get("device") for entry in server.mod_folders}
    for place in folder.mod_folders:
        try:
            entries = _entries(place)
            if not entries and _was_unmounted(place, known.get(str(place)), server):
                raise serverdir.Unusable(
                    _("%s is empty and on another disk than before: its disk seems to be unmounted.") % place,
                    _("Mount it again; the list is kept as it was."),
                )
        except FileNotFoundError:
            if place == folder.mod_folders[0]:
                if InstalledMod.objects.filter(server=server, folder=str(place)).exists():
                    raise serverdir.Unusable(
                        _("The folder %s is gone.") % place,
                        _("If that is meant, make an empty one in its place."),
                    ) from None
                continue  # a new server: the game makes it at its first start
            notes.append(_note(place, _("ModPaths of serverconfig.json names %s, which can't be found.") % place))
        except OSError as error:
            text = _("%(folder)s can't be read: %(why)s.") % {"folder": place, "why": error.strerror}
            if place == folder.mod_folders[0]:
                closed = isinstance(error, PermissionError)
                raise serverdir.Unusable(text, serverdir.remedy(place) if closed else "") from None
            notes.append(_note(place, text))
        else:
            found += entries
    return found, notes


def _note(place: Path, text: str) -> _Note:
    note = _Note(text)
    note.folder = str(place)
    return note


def _was_unmounted(place: Path, device: int | None, server: GameServer) -> bool:
    return (
        device is not None
        and place.stat().st_dev != device
        and InstalledMod.objects.filter(server=server, folder=str(place)).exists()
    )


def _entries(place: Path) -> list[_Found]:
    found = []
    with os.scandir(place) as entries:
        for entry in entries:
            one = _entry(place, entry)
            if one is not None:
                found.append(one)
    return found


def _entry(place: Path, entry: os.DirEntry[str]) -> _Found | None:
    try:
        is_dir = entry.is_dir()
        kind = serverdir.kind_of(entry, is_dir=is_dir)
        if not kind:
            return None
        told = _folder_stat(Path(entry.path)) if is_dir else entry.stat()
    except OSError:  # vanished, a broken link, or not ours to look at: `modinfo` says which
        kind = serverdir.kind_of(entry, is_dir=False)
        if not kind:
            return None
        told = None
    fingerprint = f"{told.st_size}:{told.st_mtime_ns}:{told.st_ctime_ns}:{told.st_ino}" if told else ""
    # A name that isn't UTF-8 can't be stored as it is; shown with its odd bytes spelled out.
    shown = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
    return _Found(
        folder=str(place),
        file_name=shown,
        path=entry.path,
        kind=kind,
        enabled=kind == "folder" or not modset.is_disabled(entry.name),  # the game loads folders whatever their names
        fingerprint=fingerprint,
        badly_named=shown != entry.name,
    )


def _folder_stat(path: Path) -> os.stat_result:
    """A folder is as new as its modinfo.json; one without is as new as itself."""
    try:
        return (path / "modinfo.json").stat()
    except OSError:
        return path.stat()


def _mark_unreachable(server: GameServer, why: str, now: datetime) -> ScanResult:
    if server.unreachable_since is None or server.unreachable_why != why:
        server.unreachable_since = server.unreachable_since or now
        server.unreachable_why = why
        server.save(update_fields=["unreachable_since", "unreachable_why"])
        logs.event("server_unreachable", server=server.name, reason=why)
    return ScanResult(server.name, found=InstalledMod.objects.filter(server=server).count(), unreachable=why)


def _describe(server: GameServer, folder: serverdir.ServerFolder, notes: list[str]) -> list[str]:
    """Set what the data folder says of the server (unsaved); returns the names of the fields that changed."""
    version, source = _version_of(server, folder)
    said: dict[str, Any] = {
        "game_version": version,
        "game_version_source": source,
        "mod_folders": [{"path": str(place), "device": _device(place)} for place in folder.mod_folders],
        "disabled_mods": list(folder.disabled_mods),
        "notes": [str(note) for note in notes],
        "unreachable_since": None,
        "unreachable_why": "",
    }
    differing = [name for name, value in said.items() if getattr(server, name) != value]
    for name in differing:
        setattr(server, name, said[name])
    return differing


def _version_of(server: GameServer, folder: serverdir.ServerFolder) -> tuple[str, str]:
    given = conf.GAME_VERSION.get()
    if given and conf.SERVER_DATA_DIR.get() == Path(server.data_dir):
        return given, "VS_GAME_VERSION"
    if server.game_version_by_hand:
        return server.game_version_by_hand, _("set by hand")
    if folder.game_version:
        return folder.game_version, folder.game_version_source
    # A log that was just begun anew doesn't unlearn the version.
    return server.game_version, server.game_version_source


def _device(place: Path) -> int | None:
    try:
        return place.stat().st_dev
    except OSError:
        return None


_READ_FIELDS = [
    "kind", "enabled", "modid", "modid_key", "name", "version", "side", "type", "authors", "description", "website",
    "dependencies", "required_on_client", "size", "sha256", "fingerprint", "file_problems", "read_at", "lookup",
]  # fmt: skip


def _fill(
    row: InstalledMod | None, one: _Found, content: modinfo.ModFile, server: GameServer, now: datetime
) -> InstalledMod:
    """The file's row (None: a new one) with what was read. If reading failed, what was known stays, and the next scan
    tries again."""
    row = row or InstalledMod(
        server=server, folder=one.folder, file_name=one.file_name, name=_bare_name(one), first_seen_at=now
    )
    row.kind, row.enabled, row.fingerprint, row.read_at = one.kind, one.enabled, one.fingerprint, now
    row.file_problems = list(content.problems)
    if one.badly_named:
        row.file_problems.append(_("Its file name isn't valid UTF-8: rename it, so that every tool can handle it."))
    info = content.info
    if content.has_failed:
        row.fingerprint = ""
        if row.pk is not None:
            return row
    row.size, row.sha256 = content.size, content.sha256
    row.modid = info.modid if info else ""
    row.modid_key = row.modid.lower()
    row.name = (info.name if info else "") or row.modid or _bare_name(one)
    row.version = info.version if info else ""
    row.side = info.side if info else ""
    row.type = info.type if info else ""
    row.authors = ", ".join(info.authors) if info else ""
    row.description = info.description if info else ""
    row.website = info.website if info else ""
    row.dependencies = dict(info.dependencies) if info else {}
    row.required_on_client = info.required_on_client if info else True
    return row


def _bare_name(one: _Found) -> str:
    bare = modset.bare_name(one.file_name)
    return bare if one.kind in {"folder", "dll"} else os.path.splitext(bare)[0] or bare


_JUDGED_FIELDS = ["disabled_by_config", *problems.FIELDS]


def _judge(rows: list[InstalledMod], server: GameServer) -> list[InstalledMod]:
    """Say of each row what the server as a whole makes of it: disabled by its configuration, its problems.

    Returns the rows (unsaved) that this changed.
    """
    switched_off = {entry.lower() for entry in server.disabled_mods}
    changed = []
    for row in rows:
        off = bool(
            row.modid_key
            and (row.modid_key in switched_off or f"{row.modid_key}@{row.version.lower()}" in switched_off)
        )
        if off != row.disabled_by_config:
            row.disabled_by_config = off
            changed.append(row)
    return list({id(row): row for row in (*changed, *problems.judge(rows, server))}.values())


def _look_up(rows: list[InstalledMod]) -> None:
    """Link each row (unsaved) to the look-up of its modid; new modids get one, which the next refresh asks about."""
    wanted = {row.modid_key: row.modid for row in rows if row.modid_key}
    lookups = {one.key: one for one in Lookup.objects.filter(key__in=wanted)}
    # In one order for everybody: two scans that add the same ones must not wait for each other.
    missing = [Lookup(key=key, modid=modid) for key, modid in sorted(wanted.items()) if key not in lookups]
    # Where another server's scan added the same one meanwhile, this writes its modid again, and so learns its key.
    Lookup.objects.bulk_create(missing, update_conflicts=True, unique_fields=["key"], update_fields=["modid"])
    lookups |= {one.key: one for one in missing}
    for row in rows:
        row.lookup = lookups.get(row.modid_key)


def insert(rows: list[InstalledMod]) -> None:
    """Add new rows; they stay without primary keys. `bulk_create` takes more than twice as long over the columns."""
    table = InstalledMod._meta
    fields = [field for field in table.concrete_fields if not field.primary_key]
    # Each database has its own form of dates and JSON, and takes texts, numbers and truth values as they are.
    converted = [field for field in fields if isinstance(field, models.DateTimeField | models.JSONField)]
    plain = [field for field in fields if field not in converted]
    values_of = attrgetter(*(field.attname for field in plain))
    known: dict[tuple[str, str], Any] = {}  # most rows have the same dates and empty lists

    def convert(field: models.Field[Any, Any], row: InstalledMod) -> Any:
        value = getattr(row, field.attname)
        key = (field.attname, repr(value))
        if key not in known:
            known[key] = field.get_db_prep_save(value, connection)
        return known[key]

    values = [(*values_of(row), *(convert(field, row) for field in converted)) for row in rows]
    columns = ", ".join(connection.ops.quote_name(str(field.column)) for field in (*plain, *converted))
    marks = ", ".join(["%s"] * len(fields))
    sql = f"INSERT INTO {connection.ops.quote_name(table.db_table)} ({columns}) VALUES ({marks})"  # noqa: S608  # names from the model alone
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


def sharing(server: GameServer) -> list[tuple[str, GameServer]]:
    """Which mod folders of the server another server uses too, and which server that is."""
    mine = {os.path.realpath(entry["path"]): entry["path"] for entry in server.mod_folders}
    return [
        (mine[real], other)
        for other in GameServer.objects.exclude(pk=server.pk)
        for entry in other.mod_folders
        if (real := os.path.realpath(entry["path"])) in mine
    ]
