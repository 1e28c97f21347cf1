"""The background jobs of this app: thin wrappers around the services."""

import logging
from collections.abc import Callable

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mods import catalogue, conf, gameversions, inventory, operations, refresh, serverdir
from mods.models import GameServer, Mod, Operation
from vsadmin.lib import logs
from vsadmin.lib.jobs.runner import JobFailed, Outcome, Progress, enqueue, job

_log = logging.getLogger(__name__)

SCAN = "mod_scan"
REFRESH = "mod_cache_refresh"
CATALOGUE = "mod_catalogue_refresh"
DETAILS = "mod_details"


@job(SCAN, gettext_lazy("Scan the servers' mod folders"))
def mod_scan(progress: Progress, server: int | None = None) -> Outcome:
    """Scan all servers, or one. Mods never seen before are asked about at once."""
    return _scan(progress, server)


@job(REFRESH, gettext_lazy("Check the mod database for updates"))
def mod_cache_refresh(progress: Progress, force: bool = False) -> Outcome:
    """Refresh what the mod database says of the installed mods."""
    _ensure_first_server()
    for server in GameServer.objects.filter(scanned_at=None, unreachable_since=None):
        inventory.scan(server)  # nothing to ask about until its mods are known
    result = refresh.refresh(force=force, report=progress.report, stop=progress.stop)
    if refresh.never_asked() and not progress.stop.is_set():  # a scan found more meanwhile
        result = refresh.refresh(report=progress.report, stop=progress.stop)
    run = result.run
    fields = {
        "refreshed": result.refreshed,
        "failed": len(result.failures),
        "failed_ids": sorted(result.failures)[: refresh.NAMED_FAILURES],
        "requests": run.requests,
        "bytes": run.bytes,
    }
    if result.no_answer:
        raise JobFailed(
            _("The mod database gave no usable answer; nothing was lost. %s") % next(iter(result.failures.values())),
            **fields,
        )
    if not progress.stop.is_set():
        gameversions.learn(progress.stop)
    return Outcome(run.summary, {**fields, "changed": run.changed, "updates": result.updates})


@job(CATALOGUE, gettext_lazy("Fetch the list of all mods"))
def mod_catalogue_refresh(progress: Progress) -> Outcome:
    """Store the mod database's whole list, without details, and which of it fits which game versions."""
    outcome = catalogue.refresh_lists(report=progress.report, stop=progress.stop)
    if outcome.error:
        raise JobFailed(
            _("The list of all mods couldn't be fetched; the one from before stays. %s") % outcome.error,
        )
    parts = [ngettext("%d mod listed", "%d mods listed", outcome.mods) % outcome.mods]
    if outcome.failures:
        versions, why = ", ".join(outcome.failures), next(iter(outcome.failures.values()))
        parts.append(_("which fit %(versions)s couldn't be asked: %(why)s") % {"versions": versions, "why": why})
    fields = {"mods": outcome.mods, "game_versions": len(outcome.answered), "failed": len(outcome.failures)}
    return Outcome(f"{', '.join(parts)}. {outcome.doubt}" if outcome.doubt else ", ".join(parts), fields)


@job(DETAILS, gettext_lazy("Fetch a mod's details"))
def mod_details(progress: Progress, mod: int) -> Outcome:
    """Fetch all about one mod of the catalogue, since somebody opened its page."""
    wanted = Mod.objects.filter(pk=mod).first()
    if wanted is None:
        raise JobFailed(_("That mod is no longer known."))
    if error := catalogue.fetch_details(wanted, progress.stop):
        raise JobFailed(f"{wanted.name}: {error}", mod=wanted.mod_id)
    return Outcome(wanted.name, {"mod": wanted.mod_id})


def plan_operation(operation_id: int) -> None:
    """Make the plan of a change that somebody asked for. Never raises."""
    _work_on(operation_id, lambda progress: operations.plan(_get(operation_id), stop=progress.stop))


def run_operation(operation_id: int) -> None:
    """Carry out a change that somebody confirmed. Never raises."""
    _work_on(operation_id, lambda progress: operations.run(operation_id, stop=progress.stop))


def _get(operation_id: int) -> Operation:
    return Operation.objects.select_related("server").get(pk=operation_id)


def _work_on(operation_id: int, work: Callable[[Progress], object]) -> None:
    """What goes wrong with the change is in its row; this is for what not even that could be written of."""
    progress = Progress()
    try:
        with progress.watching():
            work(progress)
    except Exception as error:  # noqa: BLE001  # whatever it is: the minute job recovers it
        _log.exception("operation %d", operation_id)
        reason = f"{type(error).__name__}: {error}"[:500]
        logs.event("mod_change_failed", level=logging.ERROR, operation=operation_id, reason=reason)


def _scan(progress: Progress, server_id: int | None) -> Outcome:
    if server_id is None:
        _ensure_first_server()
    servers = GameServer.objects.all() if server_id is None else GameServer.objects.filter(pk=server_id)
    results = inventory.scan_all(servers, progress.report, progress.stop)
    if conf.REFRESH_INTERVAL.get() and refresh.never_asked():
        enqueue(REFRESH)
    missed = [result for result in results if result.unreachable]
    missed_words = " ".join(f"{result.server}: {result.unreachable.rstrip('.')}." for result in missed)
    if missed and len(missed) == len(results):
        raise JobFailed(missed_words, servers=len(results))
    found = sum(result.found for result in results)
    problems = sum(result.with_problems for result in results)
    parts = [ngettext("%d mod found", "%d mods found", found) % found]
    if changed := sum(result.read + result.removed for result in results):
        parts.append(ngettext("%d changed", "%d changed", changed) % changed)
    if problems:
        parts.append(ngettext("%d with a problem", "%d with a problem", problems) % problems)
    return Outcome(
        ". ".join([", ".join(parts), missed_words]) if missed else ", ".join(parts),
        {"servers": len(results), "found": found, "changed": changed, "unreachable": len(missed)},
    )


def _ensure_first_server() -> None:
    try:
        inventory.ensure_first_server()
    except serverdir.Unusable as error:
        logs.event("first_server_unusable", reason=str(error))
