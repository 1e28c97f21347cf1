"""What people may want to hear of, told as events by the services that see it happen.

What is new is found in memory, by comparing with what was known before; only that is written. What was so already when
a mod was first seen is no news, retractions aside.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from cache import known
from events.kinds import Kind
from events.models import Event
from events.record import News, record, record_all
from mods.models import GameServer, InstalledMod, Lookup, Mod, Operation, RefreshRun, Release
from mods.versions import Compatibility
from vsadmin.lib import times

#: For so long refreshes must have failed to be news.
FAILING_FOR = timedelta(hours=3)

#: Of a row that was judged anew: what its columns had before, by their names.
Before = Mapping[str, Any]
_COMPATIBLE = Compatibility.COMPATIBLE.value


def of_judgement(changes: Iterable[tuple[InstalledMod, Before]]) -> None:
    """Rows whose releases changed, with their server and look-up, just judged. Raises DatabaseError."""
    changed = list(changes)
    now = timezone.now()
    told = _retractions([row for row, _before in changed])
    for row, before in changed:
        told += _recommendation(row, before)
        told += _way_back(row, before)
        told += _compatibility(row, before, now)
    record_all(told)


def of_scan(rows: Iterable[InstalledMod]) -> None:
    """Files that were added or exchanged, just judged: only what was retracted is news. Raises DatabaseError."""
    record_all(_retractions(rows))


def _retractions(rows: Iterable[InstalledMod]) -> list[News]:
    """One for each release, on however many servers it is."""
    places: dict[tuple[str, str, str], list[InstalledMod]] = defaultdict(list)
    for row in rows:
        if (row.retracted or row.gone) and (how := _how_withdrawn(row)):
            places[row.modid_key, row.version, how].append(row)
    told = []
    for (key, version, how), found in places.items():
        row = found[0]
        texts = {
            "said": _("%s was retracted by its author"),
            "forced": _("%s was retracted by a moderator of the mod database"),
            "gone": _("%s is no longer offered by the mod database"),
        }
        servers = {one.server_id: one.server for one in found}
        told.append(
            News(
                Kind.RETRACTED,
                f"{key}@{version}:{how}",
                texts[how] % _name(row),
                text="\n".join(one for one in (row.retraction_reason, _installed_on(servers.values())) if one),
                about=_mod(row.lookup) or row,
                server=row.server if len(servers) == 1 else None,
                forced=how == "forced",
            )
        )
    return told


def _how_withdrawn(row: InstalledMod) -> str:
    """`said` by the author, `forced` by a moderator, `gone` from the list without a word; "" where the whole mod is
    gone, which is news of its own."""
    said = row.lookup.retractions.get(row.version) if row.lookup else None
    if said:
        return "forced" if said[1] else "said"
    if row.release is not None and row.release.retracted:
        return "forced" if row.release.retracted_by_moderator else "said"
    return "" if row.lookup is None or row.lookup.state == Lookup.State.ABSENT else "gone"


def _recommendation(row: InstalledMod, before: Before) -> list[News]:
    is_first = not before["latest"] and not before["recommended"]
    if is_first or not row.outdated or (before["outdated"] and before["recommended"] == row.recommended):
        return []
    names = {
        "name": row.name[:100],
        "version": row.recommended,
        "server": row.server.name,
        "installed": row.version,
        "game": row.server.game_version,
    }
    text = _("Installed: %(installed)s.") % names
    if not row.recommended_verified:
        text += " " + _("Its author hasn't marked it for %(game)s yet.") % names
    return [
        News(
            Kind.RECOMMENDED,
            f"{row.server_id}:{row.modid_key}:{row.recommended}",
            _("%(name)s %(version)s is recommended on %(server)s") % names,
            text=text,
            about=row,
            server=row.server,
        )
    ]


def _way_back(row: InstalledMod, before: Before) -> list[News]:
    is_first = not before["latest"] and not before["recommended"]
    if is_first or not row.back_to or before["back_to"] == row.back_to:
        return []
    names = {"name": row.name[:100], "version": row.back_to, "server": row.server.name, "installed": row.version}
    why = _("%(installed)s was retracted; nothing newer is recommended, and nothing changes unless you ask for it.")
    return [
        News(
            Kind.GO_BACK,
            f"{row.server_id}:{row.modid_key}:{row.version}:{row.back_to}",
            _("%(name)s can go back to %(version)s on %(server)s") % names,
            text="\n".join(one for one in (why % names, row.retraction_reason) if one),
            about=row,
            server=row.server,
        )
    ]


def _compatibility(row: InstalledMod, before: Before, now: datetime) -> list[News]:
    """Of a release that stays the same. It may change there and back: each time is news, so the time is in the key."""
    was, is_now = before["compatibility"] == _COMPATIBLE, row.compatibility == _COMPATIBLE
    if row.release_id is None or before["release_id"] != row.release_id or was == is_now:
        return []
    text = _("%(name)s is now marked for %(game)s") if is_now else _("%(name)s is no longer marked for %(game)s")
    return [
        News(
            Kind.FITS if is_now else Kind.FITS_NO_MORE,
            f"{row.server_id}:{row.modid_key}@{row.version}:{now.isoformat()}",
            text % {"name": _name(row), "game": row.server.game_version},
            text=_installed_on([row.server]),
            at=now,
            about=row,
            server=row.server,
        )
    ]


def of_gone(lookup: Lookup, known_since: datetime | None, retracted: Collection[str] = ()) -> None:
    """An id that was in the mod database, with details last fetched `known_since`, and isn't any more.

    It is news where it is installed. The mod database denies a mod whose every release is retracted, too: where it
    said of the installed version that it is `retracted`, that is the news. Raises DatabaseError.
    """
    installed = InstalledMod.objects.filter(lookup=lookup).select_related("server")
    rows = [row for row in installed if row.version not in retracted]
    if not rows:
        return
    servers = {row.server_id: row.server for row in rows}
    record(
        Kind.GONE,
        f"{lookup.key}:{known_since.isoformat() if known_since else ''}",
        _("%s is gone from the mod database") % rows[0].name[:100],
        text=_("Its files stay where they are. %s") % _installed_on(servers.values()),
        about=rows[0],
        server=rows[0].server if len(servers) == 1 else None,
    )


def of_other_bytes(release: Release, key: str) -> None:
    """Other bytes than ever before came under a key of the cache, and were refused. Raises DatabaseError."""
    alarm = known.alarm(key)
    if alarm is None:
        return
    record(
        Kind.OTHER_BYTES,
        f"{key}:{alarm.refused_sha256}",
        _("The file of %s was exchanged") % release,
        text=_(
            "What came has other bytes than before under the same number, which should never happen, so it was "
            "refused. Somebody may have tampered with it; ask the mod's author before you use it.\n"
            "Known: %(known)s\nRefused: %(refused)s"
        )
        % {"known": alarm.sha256, "refused": alarm.refused_sha256},
        about=alarm,
    )


def of_change(operation_id: int) -> None:
    """A change that has just ended: done or failed. One that was cancelled is news where it changed something.

    Call it in the transaction that ends it. Raises DatabaseError.
    """
    operation = Operation.objects.select_related("server").defer("plan", "wish").get(pk=operation_id)
    names = {"what": operation.title[:200], "server": operation.server.name}
    if operation.state == Operation.State.DONE:
        kind, title = Kind.CHANGE_DONE, _("%(what)s: done on %(server)s")
    elif operation.state == Operation.State.FAILED:
        kind, title = Kind.CHANGE_FAILED, _("%(what)s: failed on %(server)s")
    elif operation.state == Operation.State.CANCELLED and operation.done:
        kind, title = Kind.CHANGE_DONE, _("%(what)s: cancelled part way on %(server)s")
    else:
        return
    asked = _("Asked for by %s.") % operation.asked_by_name if operation.asked_by_name else ""
    record(
        kind,
        str(operation.pk),
        title % names,
        text=" ".join(one for one in (operation.message, asked) if one),
        about=operation,
        server=operation.server,
    )


def of_refreshes() -> None:
    """Whether refreshes have failed for hours; once in each outage. Call it after one. Raises DatabaseError."""
    runs = RefreshRun.objects.order_by("-pk")  # not by their times: clocks jump
    last = runs.first()
    if last is None or last.state != RefreshRun.State.FAILED:
        return
    completed = runs.filter(state=RefreshRun.State.COMPLETED)
    answered = completed.values_list("pk", flat=True).first() or 0
    first = runs.filter(state=RefreshRun.State.FAILED, pk__gt=answered).last() or last
    failing_for = abs(timezone.now() - first.started_at)
    if failing_for < FAILING_FOR:
        return
    told = Event.objects.filter(kind=Kind.REFRESH_FAILING).order_by("-pk").values_list("about_key", flat=True).first()
    if told is not None and not completed.filter(pk__gt=int(told)).exists():
        return  # runs of long ago are forgotten, so that the first of them alone doesn't say which outage it is
    why = next(iter(last.failures.values()), "") if isinstance(last.failures, dict) else ""
    record(
        Kind.REFRESH_FAILING,
        str(first.pk),
        _("The mod database hasn't given a usable answer for %s") % times.span(failing_for),
        text=_("Nothing was lost; what is known stays. %s") % (str(why) or last.summary),
        about=last,
    )


def _name(row: InstalledMod) -> str:
    return f"{row.name[:100]} {row.version}".strip()


def _mod(lookup: Lookup | None) -> models.Model | None:
    return Mod(pk=lookup.mod_id) if lookup is not None and lookup.mod_id else None


def _installed_on(servers: Iterable[GameServer]) -> str:
    return _("Installed on %s.") % ", ".join(sorted(server.name for server in servers))
