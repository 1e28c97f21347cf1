"""The refresh: ask the mod database about the installed mods and have the answers stored.

Two batch questions (what is newest; what is recommended and retracted) tell which mods need their full details; the
oldest are renewed besides, so that all are within a day. What fails keeps its old data and its age. Nothing is written
inside a network wait, and no thread but the caller's touches the database.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import absences, answers, conf, moddb, news, pauses, refresh_targets, release_rows, status
from mods.models import ClaimedModId, InstalledMod, Lookup, RefreshRun
from mods.refresh_targets import Target
from vsadmin.lib import locks, logs
from vsadmin.lib.inturn import InTurn

CONNECTIONS = 4
#: Seconds for one call, retries and redirects included.
CALL_DEADLINE = 30.0
RETRIES = 2
#: Answers under way or waiting to be stored: each may be large.
_AT_ONCE = 2 * CONNECTIONS
#: How many failed ids the log line names.
NAMED_FAILURES = 50
#: Refreshes that are kept in the list.
KEPT_RUNS = 500

Report = Callable[[int, int, str], None]
Details = list[moddb.ModDetails]


@dataclass(frozen=True)
class RefreshResult:
    """What one refresh came to; `failures` has the reason for each failed modid, `updates` counts mods to update."""

    run: RefreshRun
    refreshed: int
    failures: dict[str, str]
    updates: int

    @property
    def no_answer(self) -> bool:
        """Nothing could be learnt at all."""
        return bool(self.failures) and self.refreshed == 0


def client(
    stop: threading.Event | None = None, *, deadline: float | None = None, retries: int = RETRIES
) -> moddb.ModDB:
    """The mod database that the settings name. `stop` ends its waits; `deadline`: seconds for one call,
    instead of the usual ones."""
    return moddb.ModDB(
        conf.MODDB_URL.get(),
        version=settings.VSADMIN_VERSION,
        file_origins=conf.MODDB_FILE_ORIGINS.get(),
        trusted_origins=conf.origins_written(),
        deadline=CALL_DEADLINE if deadline is None else deadline,
        max_connections=CONNECTIONS,
        retries=retries,
        stop=stop,
        paused_until=pauses.until(conf.MODDB_URL.get()),
        on_pause=lambda until: pauses.note(conf.MODDB_URL.get(), until),
    )


def refresh(*, force: bool = False, report: Report | None = None, stop: threading.Event | None = None) -> RefreshResult:
    """Ask about every installed mod; with `force`, renew all details. Doesn't raise for what the network does.

    `stop` ends it at the next safe point; what it learnt until then is kept.
    """
    previous = RefreshRun.objects.first()
    # The job's lock lets only one run at a time: an older one that is still running was killed.
    RefreshRun.objects.filter(state=RefreshRun.State.RUNNING).update(
        state=RefreshRun.State.FAILED, ended_at=timezone.now(), summary=_("It was interrupted.")
    )
    run = RefreshRun.objects.create(forced=force)
    try:
        ended_well = previous is not None and previous.state == RefreshRun.State.COMPLETED
        result = _Refresh(run, force, report, stop, previous_ended_well=ended_well).carry_out()
    except BaseException as error:
        run.state, run.ended_at = RefreshRun.State.FAILED, timezone.now()
        run.summary = _("It broke off: %s") % type(error).__name__
        run.save()
        news.of_refreshes()
        raise
    news.of_refreshes()
    return result


def never_asked() -> bool:
    """Whether a mod is installed that no refresh has asked about yet."""
    return Lookup.objects.filter(tried_at=None, installed_mods__isnull=False).exists()


def look_up(lookups: Sequence[Lookup], *, stop: threading.Event | None = None) -> dict[str, str]:
    """Ask for the details of these modids now, outside a refresh; returns by key why some couldn't be asked about."""
    asked_at = timezone.now()
    claimed_by: dict[str, list[int]] = defaultdict(list)
    claims = ClaimedModId.objects.filter(key__in=[one.key for one in lookups]).order_by("mod__mod_id")
    for key, number in claims.values_list("key", "mod__mod_id"):
        claimed_by[key].append(number)
    numbers = dict(Lookup.objects.filter(pk__in=[one.pk for one in lookups]).values_list("pk", "mod__mod_id"))
    troubles: dict[str, str] = {}
    found: set[int] = set()
    denied: list[Lookup] = []
    with client(stop) as database, ThreadPoolExecutor(CONNECTIONS) as pool:

        def ask(one: Lookup) -> Details:
            return _details(database, one.modid, claimed_by[one.key], numbers.get(one.pk))

        for lookup, future in InTurn(pool, ask, lookups, at_once=_AT_ONCE):
            was_there = lookup.mod_id if lookup.state == Lookup.State.FOUND else None
            try:
                stored = answers.store_details(lookup, future.result(), asked_at=asked_at)
            except moddb.NotFound:
                denied.append(lookup)
            except _UnaskableError:
                troubles[lookup.key] = _("The mod database can't be asked about such an id.")
            except moddb.ModDBError as error:
                troubles[lookup.key] = error.text
            else:
                if was_there is not None:
                    found.add(was_there)
                troubles |= {lookup.key: stored.doubt} if stored.doubt else {}
        for lookup, doubt, _changed in _settle_denied(database, denied, found):
            troubles |= {lookup.key: doubt} if doubt else {}
    return troubles


def _settle_denied(
    database: moddb.ModDB,
    denied: Sequence[Lookup],
    found: Collection[int],
    retracted: Mapping[int, Collection[str]] | None = None,
) -> Iterator[tuple[Lookup, str, bool]]:
    """Store that these are gone, or that this is doubted: each with the doubt and whether anything changed.

    `found`: as `absences.doubt` wants it. `retracted`: of each look-up the versions called retracted just now.
    """
    had = [one for one in denied if one.state == Lookup.State.FOUND]
    doubt = absences.doubt(database, had, found)
    for lookup in denied:
        if doubt and lookup in had and not absences.is_believed(lookup):
            answers.doubt_absence(lookup, doubt)
            yield lookup, doubt, False
        else:
            yield lookup, "", answers.mark_absent(lookup, (retracted or {}).get(lookup.pk, ()))


class _UnaskableError(moddb.ModDBError):
    """No question to the mod database can carry this id. That is no failure of the refresh."""


def _details(database: moddb.ModDB, modid: str, claimed_by: Sequence[int], number: int | None) -> Details:
    """All about the mods that claim the id, usually one. Raises `ModDBError`. Touches no database of ours.

    `number`: of the mod that it was until now. Its page may go on under another id, and is found by its number then.
    """
    if len(claimed_by) > 1:
        found = []
        for one in claimed_by:
            try:
                found.append(database.mod(one))
            except moddb.NotFound:
                continue
        if found:
            return found
        raise moddb.NotFound(_("It isn't in the mod database."))
    if number is None:
        number = next(iter(claimed_by), None)
    if moddb.can_ask_alone(modid):
        try:
            return [database.mod(modid)]
        except moddb.NotFound:
            if number is None:
                raise
    if number is None:
        raise _UnaskableError(modid)
    return [database.mod(number)]


_BATCH_FIELDS = ["tried_at", "error", "newest_file", "newest_version", "recommendations", "retractions"]
_UPDATES = "updates"
_INSTALL_INFORMATION = "install-information"


@dataclass(frozen=True)
class _Question:
    """One batch that was asked: (modid, version) pairs, the version "" where it doesn't matter."""

    name: str
    game_version: str
    batch: Sequence[tuple[str, str]]


class _Refresh:
    """One refresh: its targets, its connections, its counts."""

    def __init__(
        self,
        run: RefreshRun,
        force: bool,
        report: Report | None,
        stop: threading.Event | None,
        *,
        previous_ended_well: bool,
    ) -> None:
        self.run = run
        self.force = force
        self.report = report or (lambda *_: None)
        self.stop = stop or threading.Event()
        self.moddb = client(self.stop)
        self.targets = refresh_targets.find()
        self.previous_ended_well = previous_ended_well
        #: Primary keys of mods that were known before and are there.
        self.found: set[int] = set()
        self.denied: list[Target] = []

    def carry_out(self) -> RefreshResult:
        targets = list(self.targets.values())
        self.report(0, max(len(targets), 1), _("asking what is new"))
        _heal()
        refresh_targets.mark_due(targets, force=self.force)
        with self.moddb, ThreadPoolExecutor(CONNECTIONS) as pool:
            try:
                # Batches and the details that are due anyway share the first round trip.
                batches = self._submit_batches(pool)
                early = {id(target) for target in targets if target.wants_details}
                due = [target for target in targets if id(target) in early]
                details = InTurn(pool, self._fetch, due, at_once=_AT_ONCE)
                self._read_batches(batches)
                details.add(target for target in targets if target.wants_details and id(target) not in early)
                self._store_details(details)
                self._settle_denied()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        self._store_batches()
        judged = InstalledMod.objects.filter(lookup__isnull=False)
        if self.previous_ended_well:  # else it may have stored what it didn't come to judge
            judged = judged.filter(lookup__in=[target.lookup.pk for target in targets if target.changed])
        status.update(judged)
        return self._conclude()

    # The batch questions.

    def _submit_batches(self, pool: ThreadPoolExecutor) -> dict[Future[Any], _Question]:
        """Ask what is newest, and for each game version what is recommended and retracted there."""
        base_url = self.moddb.base_url
        batches, alone = moddb.batch_ids([target.asked_as for target in self.targets.values()], base_url=base_url)
        for one in alone:
            self.targets[one.lower()].wants_details = True
        asked: dict[Future[Any], _Question] = {}
        for batch in batches:
            future: Future[Any] = pool.submit(self.moddb.updates, batch)
            asked[future] = _Question(_UPDATES, "", [(modid, "") for modid in batch])
        for game_version, pairs in self._pairs().items():
            for wanted in moddb.batch_pairs(pairs, game_version, base_url=base_url)[0]:
                future = pool.submit(self.moddb.install_information, wanted, game_version)
                asked[future] = _Question(_INSTALL_INFORMATION, game_version, wanted)
        return asked

    def _pairs(self) -> dict[str, list[tuple[str, str]]]:
        """Of each game version: what is installed there. "" where the database can't know it: retractions alone."""
        pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for target in self.targets.values():
            for game_version, installed in target.installed.items():
                askable = game_version if moddb.is_game_version(game_version) else ""
                pairs[askable] += [(target.asked_as, version) for version in sorted(installed)]
        return pairs

    def _read_batches(self, asked: dict[Future[Any], _Question]) -> None:
        """Take the batches' answers; whom an answer or a failure sends to the details is marked."""
        known = refresh_targets.Known(self.targets.values())
        for future in as_completed(list(asked)):
            question = asked.pop(future)
            try:
                answer = future.result()
            except moddb.Cancelled:
                continue
            except moddb.ModDBError as error:
                logs.event("moddb_batch_failed", question=question.name, ids=len(question.batch), reason=error.text)
                for modid, _version in question.batch:
                    self.targets[modid.lower()].wants_details = True
                continue
            for modid, version in question.batch:
                key = modid.lower()
                if question.name == _UPDATES:
                    refresh_targets.take_newest(self.targets[key], answer.get(key))
                elif key in answer:
                    refresh_targets.take_info(self.targets[key], question.game_version, version, answer[key], known)

    # The details.

    def _fetch(self, target: Target) -> Details:
        """The mods that claim the id, usually one. Runs in a thread of the pool; raises `ModDBError`."""
        return _details(self.moddb, target.asked_as, target.claimed_by, target.number)

    def _store_details(self, asked: InTurn[Target, Details]) -> None:
        total = len(asked)
        for number, (target, future) in enumerate(asked, start=1):
            self.report(number, total, target.lookup.modid)
            was_there = target.lookup.mod_id if target.lookup.state == Lookup.State.FOUND else None
            try:
                stored = answers.store_details(
                    target.lookup, future.result(), asked_at=self.run.started_at, retracted=target.retracted
                )
            except moddb.Cancelled:
                continue
            except moddb.NotFound:
                self.denied.append(target)
            except _UnaskableError:
                target.unaskable = True
            except moddb.ModDBError as error:
                target.error = error.text
            except DatabaseError as error:  # whatever the answer had in it: the others are stored all the same
                target.lookup.refresh_from_db()
                target.error = _("What the mod database said couldn't be stored: %s") % error
            else:
                target.changed |= stored.changed
                target.error = stored.doubt
                target.answered = not stored.doubt
                if was_there is not None:
                    self.found.add(was_there)

    def _settle_denied(self) -> None:
        by_lookup = {target.lookup.pk: target for target in self.denied}
        retracted = {pk: target.retracted for pk, target in by_lookup.items()}
        lookups = [target.lookup for target in self.denied]
        for lookup, doubt, changed in _settle_denied(self.moddb, lookups, self.found, retracted):
            target = by_lookup[lookup.pk]
            target.error, target.answered = doubt, not doubt
            target.changed |= changed

    # Storing and summing up.

    def _store_batches(self) -> None:
        """Store what the batches said of the mods, and when each was tried."""
        now = timezone.now()
        confirmed, altered = [], []
        with transaction.atomic():
            for target in self.targets.values():
                if target.newest is not None and not target.wants_details:
                    target.answered = True
                    confirmed.append(target.lookup.pk)
                if refresh_targets.settle(target, now):
                    altered.append(target.lookup)
            # All that is new of most of them is when they were checked: one statement, not one value for each.
            Lookup.objects.filter(pk__in=confirmed).update(tried_at=now, checked_at=now, error="", doubted_since=None)
            Lookup.objects.bulk_update(altered, _BATCH_FIELDS, batch_size=50)

    def _conclude(self) -> RefreshResult:
        targets = self.targets.values()
        failures = {target.lookup.modid: target.error for target in targets if target.error}
        refreshed = sum(target.answered for target in targets)
        updates = InstalledMod.objects.outdated().count()
        run = self.run
        run.ended_at = timezone.now()
        run.asked = len(targets)
        run.changed = sum(target.changed and target.answered for target in targets)
        run.unchanged = refreshed - run.changed
        run.failed, run.failures = len(failures), failures
        run.requests, run.bytes = self.moddb.requests, self.moddb.bytes
        result = RefreshResult(run, refreshed, failures, updates)
        run.state = RefreshRun.State.FAILED if result.no_answer else RefreshRun.State.COMPLETED
        run.summary = _summary(result, stopped=self.stop.is_set())
        run.save()
        surplus = list(RefreshRun.objects.values_list("pk", flat=True)[KEPT_RUNS : KEPT_RUNS + 100])
        RefreshRun.objects.filter(pk__in=surplus).delete()
        self.report(1, 1, "")
        return result


def _heal() -> None:
    """Before anything is asked: what was read from files that releases no longer have is forgotten."""
    try:
        release_rows.heal()
    except (OSError, DatabaseError, locks.Busy) as error:  # the next refresh tries again
        logs.event("releases_not_healed", level=logging.WARNING, reason=str(error))


def _summary(result: RefreshResult, *, stopped: bool) -> str:
    """One sentence for people: what was checked, what there is to update, what failed and why."""
    parts = [ngettext("%d checked", "%d checked", result.refreshed) % result.refreshed]
    parts.append(ngettext("%d update", "%d updates", result.updates) % result.updates)
    if result.failures:
        reasons = sorted(set(result.failures.values()), key=list(result.failures.values()).count, reverse=True)
        parts.append(
            ngettext("%(count)d failed: %(why)s", "%(count)d failed: %(why)s", len(result.failures))
            % {"count": len(result.failures), "why": reasons[0].rstrip(".")}
        )
    if stopped:
        parts.append(_("stopped before the end; the rest follows next time"))
    return ", ".join(parts)
