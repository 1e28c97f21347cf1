"""What needs a person, in words, each with the button that does something about it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import or_

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cache import alarm_pages, pages
from cache.models import KnownDigest
from mods import causes, crash_words, figures, restart, rights
from mods import tasks as mods_tasks
from mods.models import GameServer, InstalledMod, Operation, RefreshRun
from mods.versions import Compatibility
from vsadmin.lib import times
from vsadmin.lib.jobs.models import Worker

#: Names that a line gives before it says "and 3 more".
_NAMED = 3
#: Plans that wait, of which each has a line.
MAX_WAITING = 3


@dataclass(frozen=True)
class Job:
    """A button that starts a job."""

    name: str
    label: str
    server: int | None = None


@dataclass(frozen=True)
class Todo:
    """One thing that needs a person: what happened, what it means, and the button that does something about it."""

    tone: str
    text: str
    detail: str = ""
    url: str = ""
    label: str = ""
    job: Job | None = None
    #: What else can be done about it, each with a form of its own.
    buttons: tuple[crash_words.Button, ...] = ()
    #: Servers on which all updates may be planned from here.
    updatable: tuple[GameServer, ...] = ()
    #: The sign of what is to be done, where it is neither trouble nor an update.
    icon: str = ""


@dataclass(frozen=True)
class Facts:
    """What the overview has looked up already. `counted` and `differences` are by the servers' keys."""

    servers: list[GameServer]
    counted: dict[int, figures.Figures]
    differences: dict[int, restart.Difference]
    last_run: RefreshRun | None
    next_refresh: datetime | None
    worker: Worker
    #: Plans that wait for a yes, as far as this person may see them.
    waiting: list[Operation]


def mods_url(**filters: object) -> str:
    """The list of installed mods under these filters."""
    query = "&".join(f"{name}={value}" for name, value in filters.items() if value)
    return reverse("admin:mods_installedmod_changelist") + (f"?{query}" if query else "")


def of(request: HttpRequest, facts: Facts) -> list[Todo]:
    """What needs doing now, the worst first. A fixed number of queries."""
    found: list[Todo] = []
    if facts.servers:
        found += [_crash(request, story) for story in causes.latest_open(facts.servers)]
        found += _worker(facts.worker)
        found += _unreachable(request, facts.servers)
        found += _moddb(request, facts.last_run, facts.next_refresh)
    found += _alarms(request)
    found += _installed(request, figures.total(facts.counted.values()), facts)
    found += [
        _restart(server, facts.differences[server.pk]) for server in facts.servers if facts.differences[server.pk].any
    ]
    found += _plans(facts.waiting)
    found += [_unknown_version(server) for server in facts.servers if not server.game_version and server.scanned_at]
    return found


def _crash(request: HttpRequest, story: causes.Story) -> Todo:
    may_see = request.user.has_perm(rights.VIEW_CRASHES)
    return Todo(
        "bad",
        crash_words.headline(story),
        crash_words.detail(story),
        reverse("admin:mods_crash_change", args=[story.crash.pk]) if may_see else "",
        _("See the crash"),
        buttons=tuple(crash_words.buttons(request, story)),
        icon="fire",
    )


def _worker(worker: Worker) -> list[Todo]:
    if not worker.is_silent:
        return []
    return [Todo("bad", worker_words(worker), _("What you see stays as it was until it is back."))]


def worker_words(worker: Worker) -> str:
    """What is wrong with a silent worker, and what is being done about it."""
    if worker.beat_at is None:
        return _("The background worker hasn't started yet; nothing is checked.")
    if worker.name:
        return format_html(_("The worker on {} is silent since {}."), worker.name, times.clock(worker.beat_at))
    words = format_html(_("Worker silent since {}; nothing is checked"), times.clock(worker.beat_at))
    if worker.restarts >= MAX_RESTARTS:
        return format_html(_("{}. It was restarted {} times; look into the log."), words, worker.restarts)
    if worker.restarts:
        return format_html(_("{}; restarting, {} of {}."), words, worker.restarts, MAX_RESTARTS)
    return format_html("{}.", words)


#: How often `up` restarts a silent worker within ten minutes.
MAX_RESTARTS = 3


def _unreachable(request: HttpRequest, servers: list[GameServer]) -> list[Todo]:
    may_scan = request.user.has_perm("mods.scan_gameserver")
    return [
        Todo(
            "bad",
            format_html(_("{} can't be reached since {}."), server.name, times.clock(server.unreachable_since)),
            _("%s Its mods stay listed as they were.") % server.unreachable_why,
            reverse("admin:mods_gameserver_change", args=[server.pk]),
            _("Open the server"),
            Job(mods_tasks.SCAN, _("Try again"), server.pk) if may_scan else None,
        )
        for server in servers
        if server.unreachable_since
    ]


def _moddb(request: HttpRequest, last_run: RefreshRun | None, next_refresh: datetime | None) -> list[Todo]:
    """The mod database doesn't answer, or was never asked."""
    job = Job(mods_tasks.REFRESH, _("Try now")) if request.user.has_perm("mods.refresh_mod") else None
    if last_run is None or last_run.state != RefreshRun.State.FAILED:
        return []
    answered = RefreshRun.objects.filter(state=RefreshRun.State.COMPLETED).values_list("pk", flat=True).first()
    failing = RefreshRun.objects.filter(state=RefreshRun.State.FAILED, pk__gt=answered or 0).order_by("pk")
    first = failing.first() or last_run
    why = next(iter(last_run.failures.values()), "") if isinstance(last_run.failures, dict) else ""
    next_try = _next_try(next_refresh)
    return [
        Todo(
            "bad",
            format_html(_("Mod database unreachable since {}; nothing was lost."), times.clock(first.started_at)),
            format_html("{} {}", str(why)[:300], next_try),
            reverse("admin:mods_refreshrun_change", args=[last_run.pk]),
            _("See what failed"),
            job,
        )
    ]


def _next_try(moment: datetime | None) -> str:
    if moment is None:
        return ""
    if moment <= timezone.now():
        return _("The next try is due now.")
    return format_html(_("Next try {}."), times.clock(moment))


def _alarms(request: HttpRequest) -> list[Todo]:
    """Other bytes were offered under a known key, and nobody has decided about it; one query where there are none."""
    if not request.user.has_perm(pages.VIEW):
        return []
    alarmed = KnownDigest.objects.alarmed().order_by("-refused_at")
    first = list(alarmed.only("title", "key", "refused_at")[:_NAMED])
    if not first:
        return []
    count = len(first) if len(first) < _NAMED else alarmed.count()
    words = ngettext(
        "Other content was offered for %d known file.", "Other content was offered for %d known files.", count
    )
    may_decide = request.user.has_perm(alarm_pages.DECIDE)
    only = first[0] if may_decide and count == 1 else None
    return [
        Todo(
            "bad",
            words % count,
            format_html(
                _("{}. It was refused, last {}; somebody may have tampered with it."),
                _listed([one.name[:90] for one in first], count),
                times.ago(first[0].refused_at),
            ),
            reverse("admin:cache_cacheentry_alarm", args=[only.pk]) if only else pages.home(request),
            _("Decide…") if may_decide else _("See it"),
            icon="shield-exclamation",
        )
    ]


def _installed(request: HttpRequest, total: figures.Figures, facts: Facts) -> list[Todo]:
    named = _first_by_name(total)
    found = []
    if total.retracted:
        text = ngettext(
            "%d installed release was retracted.",
            "%d installed releases were retracted.",
            total.retracted,
        )
        found.append(_about_mods("bad", text % total.retracted, named, "retracted", total.retracted))
    if total.gone:
        text = ngettext("%d mod is gone from the mod database.", "%d mods are gone from the mod database.", total.gone)
        found.append(_about_mods("warn", text % total.gone, named, "gone", total.gone))
    if total.problems:
        text = ngettext("%d mod has a problem.", "%d mods have a problem.", total.problems)
        found.append(_about_mods("bad", text % total.problems, named, "problem", total.problems))
    if total.incompatible:
        text = ngettext(
            "%d mod doesn't fit its server's game version.",
            "%d mods don't fit their server's game version.",
            total.incompatible,
        )
        found.append(_about_mods("bad", text % total.incompatible, named, "incompatible", total.incompatible))
    if total.to_go_back:
        text = ngettext(
            "%d mod can go back to an older version, if you want it.",
            "%d mods can go back to an older version, if you want it.",
            total.to_go_back,
        )
        todo = _about_mods("warn", text % total.to_go_back, named, "back", total.to_go_back)
        found.append(replace(todo, icon="arrow-uturn-left"))
    if total.outdated:
        text = ngettext("%d update is recommended.", "%d updates are recommended.", total.outdated)
        todo = _about_mods("warn", text % total.outdated, named, "outdated", total.outdated)
        outdated = (server for server in facts.servers if facts.counted.get(server.pk, figures.Figures()).outdated)
        may_update = request.user.has_perm(rights.UPDATE)
        found.append(replace(todo, updatable=tuple(outdated) if may_update else ()))
    return found


def _first_by_name(total: figures.Figures) -> dict[str, list[InstalledMod]]:
    """The mods that each line names, by the state in the list's address; one query, none where there are none."""
    if not total.attention:
        return {}
    rows = InstalledMod.objects.order_by("name", "server_id", "file_name")  # as an index has them
    states = (
        rows.retracted(),
        rows.gone(),
        rows.with_problems(),
        rows.incompatible(),
        rows.outdated(),
        rows.to_go_back(),
    )
    chosen = reduce(or_, (Q(pk__in=state.values("pk")[:_NAMED]) for state in states))
    columns = (
        "name",
        "version",
        "recommended",
        "retracted",
        "gone",
        "has_problems",
        "compatibility",
        "outdated",
        "back_to",
    )
    found = list(rows.filter(chosen).only(*columns))
    return {
        "retracted": [row for row in found if row.retracted][:_NAMED],
        "gone": [row for row in found if row.gone][:_NAMED],
        "problem": [row for row in found if row.has_problems][:_NAMED],
        "incompatible": [row for row in found if row.compatibility == Compatibility.INCOMPATIBLE.value][:_NAMED],
        "outdated": [row for row in found if row.outdated][:_NAMED],
        "back": [row for row in found if row.back_to][:_NAMED],
    }


def _about_mods(tone: str, text: str, named: dict[str, list[InstalledMod]], state: str, count: int) -> Todo:
    return Todo(tone, text, _names(named.get(state, []), state, count), mods_url(state=state), _see(state))


def _see(state: str) -> str:
    return _("See the updates") if state == "outdated" else _("See what to do")


def _names(rows: list[InstalledMod], state: str, count: int) -> str:
    to = {"outdated": "recommended", "back": "back_to"}.get(state, "")
    parts = [f"{row.name[:60]} {row.version[:30]} → {getattr(row, to)[:30]}" if to else str(row)[:90] for row in rows]
    return _listed(parts, count)


def _listed(names: list[str], count: int) -> str:
    """The first of so many names; one that several have, since a mod may be on several servers, with how many."""
    more = count - len(names)
    rest = [ngettext("and %d more", "and %d more", more) % more] if more else []
    found = [name if n == 1 else f"{name} (×{n})" for name, n in Counter(names).items()]
    return " · ".join([*found, *rest])


def _restart(server: GameServer, difference: restart.Difference) -> Todo:
    return Todo(
        "warn",
        _("%s needs a restart.") % server.name,
        _with_note(difference.shown(), server.restart_note.strip()),
        reverse("admin:mods_gameserver_change", args=[server.pk]),
        _("See what differs"),
        icon="arrow-path",
    )


def _with_note(summary: str, note: str) -> str:
    if not note:
        return format_html("{}.", summary)
    return format_html("{}. {} <code>{}</code>", summary, _("To restart it:"), note)


def _plans(waiting: Iterable[Operation]) -> list[Todo]:
    """Plans that wait for somebody to say yes or no."""
    return [
        Todo(
            "warn",
            _("A plan waits: %(what)s on %(server)s.") % {"what": one.title, "server": one.server.name},
            format_html(_("Asked for by {} {}."), one.asked_by_name or _("somebody"), times.ago(one.asked_at)),
            reverse("admin:mods_operation_change", args=[one.pk]),
            _("Look at it"),
            icon="clipboard-document-check",
        )
        for one in waiting
    ]


def _unknown_version(server: GameServer) -> Todo:
    return Todo(
        "warn",
        _("The game version of %s isn't known, so nothing can be said of what fits.") % server.name,
        _("It is read from the server's log. Start the server once, or set the version by hand."),
        reverse("admin:mods_gameserver_change", args=[server.pk]) + "#settings",
        _("Set it"),
        icon="question-mark-circle",
    )
