"""The parts that the doctor looks at, one function each: facts in, findings out. None of them touches the ORM."""

import os
import platform
import shlex
import shutil
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import django
from django.conf import settings
from django.core.checks import run_checks
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cache import conf as cache_conf
from mods import conf as mods_conf
from mods import serverdir
from mods.models import GameServer, RefreshRun
from vsadmin import checks, health, jobpages, schedules
from vsadmin.doctor_facts import Facts
from vsadmin.findings import Finding, not_ok, ok, warning
from vsadmin.lib import conf, http, owner, sizes, times

#: How late a schedule may be: it is looked at every half minute, and a long task may be before it.
_LATE = timedelta(minutes=5)
#: Free space under which one is warned.
_LITTLE_SPACE = 1024 * 1024 * 1024
#: How far clocks may differ.
_CLOCK_LEEWAY = timedelta(minutes=2)
#: Files in a folder whose time is looked at.
_MOST_FILES = 2000
_ONLINE_ANSWER = 4 * 1024 * 1024


def clock_words(moment: datetime) -> str:
    return f"{times.exact(moment)} ({times.relative(moment)})"


# --- what the database tells


def migrations(facts: Facts) -> Finding:
    count = len(facts.pending_migrations)
    if not count:
        return ok(_("Its tables are those of this version."))
    words = ngettext("%d update of its tables is missing.", "%d updates of its tables are missing.", count) % count
    return not_ok(words, _("Start vsadmin anew: that copies the database aside and updates it."), "./run.sh")


def worker(facts: Facts) -> list[Finding]:
    row = facts.worker
    if row.beat_at is None:
        return [not_ok(_("It never gave a sign of life; nothing is checked."), _("Start vsadmin:"), "./run.sh")]
    if row.is_silent and row.name:
        words = _("The worker on %(host)s is silent since %(since)s.")
        words %= {"host": row.name, "since": clock_words(row.beat_at)}
        return [not_ok(words, _("Start it again there; its log says why it ended. After a day it is missed no more."))]
    if row.is_silent:
        words = _("Silent since %s; nothing is checked.") % clock_words(row.beat_at)
        return [not_ok(words, _("Restart vsadmin; its log says why the worker ended."))]
    alive = ok(_("Alive; its last sign of life came %s.") % times.relative(row.beat_at))
    count = facts.restarts
    if not count:
        return [alive]
    again = ngettext("It had to be restarted %d time lately.", "It had to be restarted %d times lately.", count)
    return [alive, warning(again % count, _("Look into the log for what comes before `worker_restarted`."))]


def scheduled(facts: Facts) -> list[Finding]:
    wrong, late = [], []
    for one in schedules.SCHEDULED:
        rows = [row for row in facts.schedules if row[0] == one.name]
        interval = one.interval()
        if [row[2] for row in rows] != ([conf.minutes(interval)] if interval else []):
            wrong.append(f"“{jobpages.title_of(one.name)}”")
        elif rows and (when := _late(rows[0][1])):
            words = _("“%(job)s” should have run %(when)s.") % {"job": jobpages.title_of(one.name), "when": when}
            late.append(not_ok(words, _overdue(facts)))
    if wrong:
        words = _("Not scheduled as the settings say: %s.") % ", ".join(wrong)
        return [not_ok(words, _("Bring the table in line:"), "./run.sh manage sync_schedules"), *late]
    count = len(facts.schedules)
    words = ngettext("%d job is scheduled, none overdue.", "%d jobs are scheduled, none overdue.", count)
    return late or [ok(words % count)]


def _late(next_run: datetime | None) -> str:
    return times.relative(next_run) if next_run is not None and timezone.now() - next_run > _LATE else ""


def _overdue(facts: Facts) -> str:
    if facts.worker.is_silent:
        return _("It runs once the worker is back.")
    return _("A long task may be before it; see System, Background jobs. If that isn't so, restart vsadmin.")


def mod_database(facts: Facts) -> list[Finding]:
    """As of the last refresh."""
    interval = mods_conf.REFRESH_INTERVAL.get()
    last = facts.last_refresh
    if last is None:
        if not facts.has_mods:
            return [ok(_("It wasn't asked yet: there are no mods to ask about."))]
        return [warning(_("It was never asked."), _("Ask it now:"), "./run.sh manage refresh_mods")]
    if last.state == RefreshRun.State.FAILED:
        why = next(iter(last.failures.values()), "") if isinstance(last.failures, dict) else ""
        words = _("The last refresh failed (%(when)s): %(why)s")
        return [
            not_ok(
                words % {"when": times.relative(last.started_at), "why": str(why or last.summary)[:300]},
                _("Nothing was lost. Ask again now:"),
                "./run.sh manage refresh_mods",
            )
        ]
    if interval and abs(timezone.now() - last.started_at) > 2 * timedelta(seconds=interval) + health.REFRESH_LEEWAY:
        words = _("The last refresh is from %s.") % clock_words(last.started_at)
        return [warning(words, _("Ask now, and see whether the worker is alive:"), "./run.sh manage refresh_mods")]
    found = [ok(_("It was asked %s.") % times.relative(last.started_at))]
    if last.failed:
        words = ngettext("About %d mod it gave no answer.", "About %d mods it gave no answer.", last.failed)
        found.append(warning(words % last.failed, _("See System, Refreshes for the reasons.")))
    if not interval:
        found.append(ok(_("It is only asked by hand: VS_MOD_LIST_REFRESH_INTERVAL is 0.")))
    return found


# --- what is on disk


def server(row: GameServer) -> list[Finding]:
    """Its data folder, as it is now."""
    try:
        folder = serverdir.read(Path(row.data_dir))
    except serverdir.Unusable as problem:
        return [not_ok(problem.text, problem.remedy, problem.command)]
    found = [one for place in folder.mod_folders for one in _mod_folder(place)]
    count = serverdir.count_mods(folder)
    found.append(ok(ngettext("It can be read: %d mod.", "It can be read: %d mods.", count) % count))
    version = row.game_version_by_hand or folder.game_version or row.game_version
    if version:
        found.append(ok(_("Its game version is %s.") % version))
    else:
        found.append(
            warning(
                _("Its game version isn't known, so nothing can be said of what fits."),
                _("Start the server once, so that its log tells, or set the version by hand on its page."),
            )
        )
    if row.unreachable_since and not any(one.state.value == "not_ok" for one in found):
        words = _("The last scan couldn't read it: %s") % row.unreachable_why
        found.append(warning(words, _("It can be read now; scan it again:"), "./run.sh manage scan_mods"))
    return [*found, *(warning(str(note)) for note in folder.notes)]


def _mod_folder(place: Path) -> list[Finding]:
    quoted = shlex.quote(str(place))
    if not place.is_dir():
        return [not_ok(_("There is no folder %s.") % place, _("Start the server once, or make it:"), f"mkdir {quoted}")]
    if not os.access(place, os.R_OK | os.X_OK):
        closed = serverdir.remedy(place)
        return [not_ok(_("%s can't be read.") % place, closed.words, closed.command)]
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        words = _("%s is on a disk that is read-only, so its mods can't be changed.") % place
        return [warning(words, _("Mount the disk writable if vsadmin is to change mods there."))]
    if not os.access(place, os.W_OK):
        command = f'sudo setfacl -R -m "u:$(id -un):rwX" {quoted}'
        return [warning(_("vsadmin may look at %s, but not change it.") % place, _("Allow it:"), command)]
    return [ok(_("%s can be written.") % place)]


def shared(servers: Sequence[GameServer]) -> dict[int, list[Finding]]:
    """By server: which of its mod folders others use too. A change to one changes the other."""
    users: dict[str, list[GameServer]] = {}
    for row in servers:
        for entry in row.mod_folders:
            users.setdefault(os.path.realpath(entry["path"]), []).append(row)
    found: dict[int, list[Finding]] = {}
    for place, rows in users.items():
        for row in rows if len(rows) > 1 else ():
            others = ", ".join(sorted({one.name for one in rows if one.pk != row.pk}))
            if others:
                words = _("It shares %(folder)s with %(others)s: what is changed on one is changed on both.")
                found.setdefault(row.pk, []).append(warning(words % {"folder": place, "others": others}))
    return found


def cache_folder(place: Path) -> list[Finding]:
    return [_own_folder(place, _("It is made at the first download."))]


def cache(facts: Facts) -> list[Finding]:
    used, limit = max(0, facts.cache.bytes), cache_conf.limit_bytes()
    words = {"used": sizes.in_words(used), "limit": sizes.in_words(limit)}
    found = []
    if not limit:
        found.append(ok(_("It holds %(used)s; there is no limit.") % words))
    elif used > limit:
        text = _("It holds %(used)s, more than its limit of %(limit)s.") % words
        found.append(warning(text, _("The worker brings it back; or now:"), "./run.sh manage cache_evict"))
    else:
        found.append(ok(_("It holds %(used)s of %(limit)s.") % words))
    if facts.alarms:
        text = ngettext(
            "Other content than before was offered for %d file.", "Other content than before was offered for %d files.",
            facts.alarms,
        )  # fmt: skip
        found.append(warning(text % facts.alarms, _("It wasn't taken. Decide about it on the Cache page.")))
    return found


def kept(place: Path, known: dict[str, int]) -> list[Finding]:
    """The kept copies: nothing else has what they hold."""
    found = [_own_folder(place, _("It is made when the first file has to be kept."))]
    there = {name for name in os.listdir(place) if not name.startswith(".")} if place.is_dir() else set()
    missing, strange = sorted(set(known) - there), sorted(there - set(known))
    if missing:
        text = ngettext("%(n)d kept copy is gone: %(names)s.", "%(n)d kept copies are gone: %(names)s.", len(missing))
        found.append(
            not_ok(
                text % {"n": len(missing), "names": ", ".join(missing[:3])},
                _("Bring the folder %s back from where it was moved to, or from a backup.") % place,
            )
        )
    if strange:
        text = ngettext(
            "%(n)d file in its folder isn't known: %(names)s.", "%(n)d files in its folder aren't known: %(names)s.",
            len(strange),
        )  # fmt: skip
        found.append(warning(text % {"n": len(strange), "names": ", ".join(strange[:3])[:200]}))
    words = ngettext("%(n)d kept copy, %(size)s.", "%(n)d kept copies, %(size)s.", len(known))
    return [*found, ok(words % {"n": len(known), "size": sizes.in_words(sum(known.values()))})]


def _own_folder(place: Path, when: str) -> Finding:
    """A folder in our data folder, which may not be there yet."""
    if place.is_dir():
        if os.access(place, os.R_OK | os.W_OK | os.X_OK):
            return ok(_("%s can be written.") % place)
    elif not place.exists() and os.access(place.parent, os.W_OK | os.X_OK):
        return ok(_("%(folder)s isn't there yet. %(when)s") % {"folder": place, "when": when})
    return not_ok(
        _("%s can't be written.") % place,
        _("Make it yours:"),
        f'sudo chown -R "$(id -un)" {shlex.quote(str(place if place.exists() else place.parent))}',
    )


def space_of(row: GameServer) -> list[Finding]:
    """Of a server's disk; a folder that isn't there is told of elsewhere."""
    place = Path(row.data_dir)
    return [space(row.name, place)] if place.exists() else []


def space(what: str, place: Path) -> Finding:
    """Of the disk that `place` is on."""
    there = place
    while not there.exists() and there != there.parent:
        there = there.parent
    usage = shutil.disk_usage(there)
    names = os.statvfs(there)
    words = {"what": what, "free": sizes.in_words(usage.free), "total": sizes.in_words(usage.total)}
    if names.f_files and names.f_favail < 1000:
        return warning(
            _("%(what)s: the disk has hardly any room for further files, whatever their size.") % words,
            _("Remove files that nobody needs (df -i shows the figures)."),
        )
    if usage.free < cache_conf.max_download_bytes():
        return not_ok(
            _("%(what)s: only %(free)s of %(total)s is free.") % words,
            _("Free some space."),
            f"df -h {shlex.quote(str(there))}",
        )
    if usage.free < _LITTLE_SPACE:
        return warning(_("%(what)s: %(free)s of %(total)s is free.") % words, _("Free some space before it is full."))
    return ok(_("%(what)s: %(free)s of %(total)s is free.") % words)


# --- clock and versions


def clock(facts: Facts | None) -> list[Finding]:
    """Against what is recorded as past."""
    now = timezone.now()
    words = _("It is %s.") % times.exact(now)
    remedy = _("Set the clock, and keep it right:"), "sudo timedatectl set-ntp true"
    if facts is not None:
        if facts.newest_release is not None and facts.newest_release > now + timedelta(days=1):
            text = _("%(now)s That is before the mod database's newest release (%(then)s): the clock is slow.")
            return [not_ok(text % {"now": words, "then": times.exact(facts.newest_release)}, *remedy)]
        if facts.latest_record is not None and facts.latest_record > now + _CLOCK_LEEWAY:
            text = _("%(now)s But something is recorded at %(then)s: the clock was set back.")
            return [warning(text % {"now": words, "then": times.exact(facts.latest_record)}, *remedy)]
    return [ok(words)]


def file_times(places: Sequence[Path]) -> list[Finding]:
    """Files that are newer than now."""
    latest = time.time() + _CLOCK_LEEWAY.total_seconds()
    for place in places:
        try:
            with os.scandir(place) as entries:
                for _number, entry in zip(range(_MOST_FILES), entries, strict=False):
                    if entry.stat(follow_symlinks=False).st_mtime > latest:
                        words = _("%s bears a time that is still to come: either the clock is slow or was fast.")
                        return [warning(words % entry.path, _("Check the clock with “date”."))]
        except OSError:
            continue  # its own part says so
    return []


@dataclass(frozen=True)
class Online:
    """What the mod database answered just now. `ahead`: how far its clock is before ours."""

    finding: Finding
    ahead: timedelta | None = None


def ask_online(patience: float) -> Online:
    """One small question to the mod database."""
    base = mods_conf.MODDB_URL.get()
    begun = time.monotonic()
    client = http.Client(
        user_agent=f"vsadmin/{settings.VSADMIN_VERSION} (manages the mods of Vintage Story servers)",
        allowed_origins={base},
        trusted_private_origins=mods_conf.origins_written(),
        retries=0,
    )
    remedy = _("Is the machine online? Where the address is right, wait: the mod database may be down.")
    try:
        with client:
            answer = client.get(f"{base}/api/gameversions", deadline=patience, max_bytes=_ONLINE_ANSWER)
    except http.HttpError as error:
        return Online(not_ok(_("%(url)s doesn't answer: %(why)s") % {"url": base, "why": error.text}, remedy))
    if answer.status != 200:
        return Online(
            not_ok(_("%(url)s answers with an error (%(status)d).") % {"url": base, "status": answer.status}, remedy)
        )
    words = _("%(url)s answers, in %(seconds).1f s.") % {"url": base, "seconds": time.monotonic() - begun}
    return Online(ok(words), _ahead(answer.headers.get("Date", "")))


def _ahead(text: str) -> timedelta | None:
    try:
        return parsedate_to_datetime(text) - timezone.now()
    except (ValueError, TypeError):
        return None


def clock_online(online: Online) -> list[Finding]:
    if online.ahead is None:
        return []
    apart = times.span(abs(online.ahead))
    if abs(online.ahead) <= _CLOCK_LEEWAY:
        return [ok(_("The mod database's clock says the same."))]
    words = (
        _("It is %s behind the mod database's.")
        if online.ahead > timedelta(0)
        else _("It is %s before the mod database's.")
    )
    return [warning(words % apart, _("Set the clock, and keep it right:"), "sudo timedatectl set-ntp true")]


def versions(database: str) -> list[Finding]:
    text = _("vsadmin %(own)s on Python %(python)s with Django %(django)s, %(database)s.") % {
        "own": settings.VSADMIN_VERSION, "python": platform.python_version(), "django": django.get_version(),
        "database": database,
    }  # fmt: skip
    return [ok(text)]


def sqlite_version() -> str:
    return f"SQLite {sqlite3.sqlite_version}"


def settings_read() -> list[Finding]:
    """What the system checks of our own say, less the first server's folder, which is a part itself."""
    found = [one for one in run_checks(tags=[checks.TAG]) if one.id != checks.SERVER_FOLDER and not one.is_silenced()]
    told = [(not_ok if one.is_serious() else warning)(one.msg, str(one.hint or "")) for one in found]
    if not checks.errors_among(found) and (trouble := owner.foreign_within(settings.VSADMIN_DATA_DIR)):
        told.append(not_ok(trouble.text, _("Make all of it yours:"), trouble.command))
    return told or [ok(_("All of them can be read."))]


def stored_settings(facts: Facts) -> list[Finding]:
    """Of what was changed in the panel, that which this version can't read."""
    found = []
    for setting in conf.changeable():
        text = facts.stored.get(setting.name, "").strip()
        try:
            if text:
                setting.parse(text)
        except conf.Malformed as error:
            words = _("%(name)s was set to %(text)s in the panel, which can't be read: %(why)s Its default counts.")
            remedy = _("Set it anew under System, Settings.")
            found.append(warning(words % {"name": setting.name, "text": f"“{text[:60]}”", "why": error}, remedy))
    return found
