"""The background jobs of this app: thin wrappers around the services."""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mods import answers, conf, inventory, moddb, refresh, serverdir
from mods.models import GameServer
from vsadmin.lib import logs
from vsadmin.lib.jobs.runner import JobFailed, Outcome, Progress, enqueue, job

SCAN = "mod_scan"
REFRESH = "mod_cache_refresh"
CATALOGUE = "mod_catalogue_refresh"


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
    return Outcome(run.summary, {**fields, "changed": run.changed, "updates": result.updates})


@job(CATALOGUE, gettext_lazy("Fetch the list of all mods"))
def mod_catalogue_refresh(progress: Progress) -> Outcome:
    """Store the mod database's whole list, without details: it tells which mods claim which id."""
    try:
        with refresh.client(progress.stop) as database:
            found = database.mods()
    except moddb.ModDBError as error:
        raise JobFailed(
            _("The list of all mods couldn't be fetched; the one from before stays. %s") % error.text
        ) from error
    count = answers.store_list(found)
    return Outcome(ngettext("%d mod listed", "%d mods listed", count) % count, {"mods": count})


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
