"""A past for the demo: what people changed in the last week, carried out by vsadmin's own commands and then dated back.

vsadmin is used as everybody uses it: its commands by their names, its rows through Django. Django must be set up and
the mod database be there.
"""

import contextlib
import io
import os
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.core.management import CommandError, call_command
from django.db.models import F
from django_q.tasks import async_task

from demo import folders
from demo.world import DemoServer, World

USER = "demo"
PASSWORD = "demo"  # noqa: S105  # told to everybody; it opens nothing but a demo on this machine

#: When the servers were first looked at, and a start of theirs that is long over.
_FIRST_SEEN = timedelta(days=8)
_EARLIER_START = timedelta(days=7, hours=7)


@dataclass(frozen=True)
class _Deed:
    """One change: when, by whom, on which server, and the command with its arguments."""

    ago: timedelta
    who: str
    server: str
    command: str
    arguments: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    #: It needs what nobody has.
    is_refused: bool = False


_BEFORE_THE_START = (
    _Deed(timedelta(days=6, hours=3), "jonna", "Public", "install_mod", ("glassbench@1.4.0",)),
    _Deed(timedelta(days=5, hours=1), "pieter", "Public", "update_mods", ("bandageroll", "candlerow", "tallhats")),
    _Deed(timedelta(days=4, hours=2), "jonna", "Public", "remove_mod", (folders.REMOVED_LATER,)),
    _Deed(timedelta(days=3, hours=4), "jonna", "Public", "rollback_mod", ("bandageroll",)),
    _Deed(timedelta(days=2, hours=5), "pieter", "Public", "disable_mod", ("windowboxes",)),
    _Deed(timedelta(days=1, hours=22), "jonna", "Creative", "install_mod", ("sharedpins",)),
    _Deed(timedelta(days=1, hours=3), "pieter", "Public", "install_mod", ("millersguild",), is_refused=True),
)
_AFTER_THE_START = (_Deed(timedelta(hours=2), "pieter", "Public", "update_mods", ("riverstones", "charcoallodge")),)
_HOLDS = (
    _Deed(
        timedelta(days=9),
        "pieter",
        "Public",
        "hold_mod",
        ("doorlatch",),
        {"reason": "1.3.0 wants every lock fitted anew. Together, on the next building day."},
    ),
    _Deed(
        timedelta(days=12),
        "jonna",
        "Creative",
        "hold_mod",
        ("claimsledger",),
        {"reason": "There is no way back from 1.2.0. First copy the world."},
    ),
)


def live(world: World, place: Path) -> None:
    """Make the servers' folders below `place`, let vsadmin find out about them, and live through the past week."""
    _people()
    for server in world.servers:
        folders.write(world, server, place / server.name)
        start = world.now - _EARLIER_START
        folders.write_log(server, place / server.name, started_at=start, last_line_at=start + timedelta(hours=90))
        _add(world, server, place / server.name)
    _run("scan_mods")
    _model("mods", "FolderState").update(seen_at=world.now - _FIRST_SEEN)
    _model("mods", "InstalledMod").update(first_seen_at=world.now - _FIRST_SEEN)
    _run("refresh_mods")
    _know_files(world)
    for deed in _BEFORE_THE_START:
        _do(deed, world.now)
    for server in world.servers:
        start = world.now - timedelta(hours=server.started_hours_ago)
        last = world.now - timedelta(minutes=3)
        folders.write_log(server, place / server.name, started_at=start, last_line_at=last)
    _run("scan_mods")
    for deed in _AFTER_THE_START:
        _do(deed, world.now)
    for deed in _HOLDS:
        _hold(deed, world.now)
    _fill_cache(world)
    _cache_days(world.now)
    # The worker's first work: it takes a while, and pages can be looked at meanwhile.
    async_task("mods.tasks.mod_catalogue_refresh", q_options={"task_name": "mod_catalogue_refresh"})


def _model(app: str, name: str) -> Any:
    """The rows of a model, as they are found by its name."""
    return apps.get_model(app, name)._default_manager


def _run(command: str, *arguments: str, **options: Any) -> None:
    """Raises CommandError where it didn't succeed. Signals wait for its end: commands would take them for their own."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    try:
        call_command(command, *arguments, stdout=io.StringIO(), **options)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _people() -> None:
    """An administrator, and somebody of each other group there is; all with the same password."""
    # A hash that took no time, for a password that everybody knows; Django makes a proper one at the first login.
    password = PBKDF2PasswordHasher().encode(PASSWORD, "demo", iterations=1)
    users = _model("auth", "User")
    users.create(username=USER, password=password, is_staff=True, is_superuser=True)
    for group in _model("auth", "Group").all():
        users.create(username=group.name.lower(), password=password, is_staff=True).groups.add(group)


def _add(world: World, server: DemoServer, place: Path) -> None:
    _model("mods", "GameServer").create(
        name=server.name,
        data_dir=str(place),
        restart_note=server.restart_note,
        created_at=world.now - timedelta(days=60),
    )


def _know_files(world: World) -> None:
    """Most of the installed files were fetched by vsadmin once, so that it knows what they are, byte for byte."""
    releases = _model("mods", "Release")
    for server in world.servers:
        fetched = [release for number, release in enumerate(server.releases) if number % 5]
        for release in fetched:
            releases.filter(file_id=release.file_id).update(
                size=len(release.content),
                sha256=sha256(release.content).hexdigest(),
                dependencies=release.dependencies,
                file_side=str(release.modinfo["side"]).lower(),
            )


@contextlib.contextmanager
def _as(who: str) -> Iterator[None]:
    """Commands write down the system's user, who is told by the environment."""
    before = os.environ.get("LOGNAME")
    os.environ["LOGNAME"] = who
    try:
        yield
    finally:
        os.environ.pop("LOGNAME")
        if before is not None:
            os.environ["LOGNAME"] = before


def _do(deed: _Deed, now: datetime) -> None:
    """Carry out a change and date it back."""
    operations, states, entries = (
        _model("mods", "Operation"),
        _model("mods", "FolderState"),
        _model("cache", "CacheEntry"),
    )
    known = set(states.values_list("pk", flat=True))
    uses = dict(entries.values_list("pk", "last_accessed_at"))
    told = _model("events", "Event")
    last_told = told.order_by("pk").values_list("pk", flat=True).last() or 0
    with _as(deed.who), contextlib.suppress(*([CommandError] if deed.is_refused else [])):
        _run(deed.command, *deed.arguments, server=deed.server, yes=True, **deed.options)
    operation = operations.latest("pk")
    when = now - deed.ago
    back = when - operation.asked_at
    moments = ("asked_at", "planned_at", "started_at", "ended_at")
    _shift(operations.filter(pk=operation.pk), back, *moments)
    _shift(_model("mods", "Step").filter(operation=operation), back, "done_at")
    _shift(_model("mods", "KeptCopy").filter(operation=operation), back, "kept_at")
    _shift(told.filter(pk__gt=last_told), back, "at", "recorded_at")
    for state in states.exclude(pk__in=known).order_by("pk"):
        states.filter(pk=state.pk).update(
            seen_at=when + timedelta(seconds=2), seen_before_at=when - timedelta(minutes=4)
        )
    _shift(entries.exclude(pk__in=uses), back, "stored_at", "last_accessed_at")
    for pk, used in uses.items():
        _shift(entries.filter(pk=pk).exclude(last_accessed_at=used), back, "last_accessed_at")


def _shift(rows: Any, back: timedelta, *moments: str) -> None:
    for moment in moments:
        rows.filter(**{f"{moment}__isnull": False}).update(**{moment: F(moment) + back})


def _hold(deed: _Deed, now: datetime) -> None:
    with _as(deed.who):
        _run(deed.command, *deed.arguments, server=deed.server, **deed.options)
    held = _model("mods", "Hold").latest("pk")
    _model("mods", "Hold").filter(pk=held.pk).update(since=now - deed.ago)


def _fill_cache(world: World) -> None:
    """Plans that nobody carried out: what they read stays in the cache. They themselves are forgotten."""
    operations = _model("mods", "Operation")
    last = operations.latest("pk").pk
    for server in world.servers:
        _run("update_mods", server=server.name, all=True, dry_run=True)
    operations.filter(pk__gt=last).delete()
    dice = random.Random(7)
    entries = _model("cache", "CacheEntry")
    for entry in entries.filter(stored_at__gt=world.now - timedelta(minutes=30)):
        stored = world.now - timedelta(days=dice.uniform(0.2, 9))
        used = stored + (world.now - stored) * dice.random()
        entries.filter(pk=entry.pk).update(stored_at=stored, last_accessed_at=used, times_used=dice.randint(1, 5))


def _cache_days(now: datetime) -> None:
    """A month of use, counted in the totals too."""
    dice = random.Random(30)
    days, totals = _model("cache", "CacheDay"), _model("cache", "CacheTotals")
    size = (totals.values_list("bytes", flat=True).first() or 0) * 0.4
    for ago in range(30, 0, -1):
        busy = dice.random() < 0.6
        used = {
            "hits": dice.randint(2, 16) if busy else 0,
            "misses": dice.randint(0, 7) if busy else 0,
        }
        gone = dice.randint(1, 4) if busy and dice.random() < 0.25 else 0
        used["evicted_files"], used["evicted_bytes"] = gone, gone * dice.randint(300_000, 1_500_000)
        used["saved_bytes"] = used["hits"] * dice.randint(300_000, 1_500_000)
        size *= dice.uniform(0.95, 1.09)
        days.update_or_create(day=(now - timedelta(days=ago)).date(), defaults={**used, "size_bytes": int(size)})
        totals.update(**{name: F(name) + by for name, by in used.items()})
