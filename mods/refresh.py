"""The refresh: ask the mod database about the installed mods and have the answers stored.

Two batch questions (what is newest; what is recommended and retracted) tell which mods need their full details; the
oldest are renewed besides, so that all are within a day. What fails keeps its old data and its age. Nothing is written
inside a network wait, and no thread but the caller's touches the database.
"""

import math
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import answers, conf, moddb, news, status, versions
from mods.models import ClaimedModId, InstalledMod, Lookup, RefreshRun, Release
from vsadmin.lib import logs

CONNECTIONS = 4
#: Seconds for one call, retries and redirects included.
CALL_DEADLINE = 30.0
RETRIES = 2
#: After so many failures in a row without any answer before, or without a connection, the rest isn't asked.
GIVE_UP_AFTER = 8
#: Details are renewed within a day, in seconds.
RENEWED_WITHIN = 86_400
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


@dataclass(eq=False)
class _Target:
    """One modid to ask about, and what this run has learnt of it."""

    lookup: Lookup
    #: The id in the mod database's own letter case, where known.
    asked_as: str
    #: Of each game version among the servers that have it: the versions installed there.
    installed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    #: Numbers of the mods that claim the id, as far as known.
    claimed_by: list[int] = field(default_factory=list)
    wants_details: bool = False
    answered: bool = False
    changed: bool = False
    error: str = ""
    unaskable: bool = False
    newest: tuple[int | None, str] | None = None
    infos: list[tuple[str, str, moddb.InstallInfo]] = field(default_factory=list)


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
    claimed_by: dict[str, list[int]] = defaultdict(list)
    claims = ClaimedModId.objects.filter(key__in=[one.key for one in lookups]).order_by("mod__mod_id")
    for key, number in claims.values_list("key", "mod__mod_id"):
        claimed_by[key].append(number)
    troubles = {}
    with client(stop) as database, ThreadPoolExecutor(CONNECTIONS) as pool:
        asked = {pool.submit(_details, database, one.modid, claimed_by[one.key]): one for one in lookups}
        for future in as_completed(asked):
            lookup = asked[future]
            try:
                answers.store_details(lookup, future.result())
            except moddb.NotFound:
                answers.mark_absent(lookup)
            except _UnaskableError:
                troubles[lookup.key] = _("The mod database can't be asked about such an id.")
            except moddb.ModDBError as error:
                troubles[lookup.key] = error.text
    return troubles


class _UnaskableError(moddb.ModDBError):
    """No question to the mod database can carry this id. That is no failure of the refresh."""


def _details(database: moddb.ModDB, modid: str, claimed_by: Sequence[int]) -> Details:
    """All about the mods that claim the id, usually one. Raises `ModDBError`. Touches no database of ours."""
    if len(claimed_by) > 1:
        found = []
        for number in claimed_by:
            try:
                found.append(database.mod(number))
            except moddb.NotFound:
                continue
        if found:
            return found
        raise moddb.NotFound(_("It isn't in the mod database."))
    if moddb.can_ask_alone(modid):
        return [database.mod(modid)]
    if claimed_by:
        return [database.mod(claimed_by[0])]
    raise _UnaskableError(modid)


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
        self.targets = _targets()
        self.previous_ended_well = previous_ended_well
        self.failures_in_a_row = 0
        self.succeeded = False
        self.gave_up: moddb.ModDBError | None = None

    def carry_out(self) -> RefreshResult:
        targets = list(self.targets.values())
        self.report(0, max(len(targets), 1), _("asking what is new"))
        _mark_oldest(targets, self.force)
        with self.moddb, ThreadPoolExecutor(CONNECTIONS) as pool:
            try:
                # Batches and the details that are due anyway share the first round trip.
                batches = self._submit_batches(pool)
                early = [target for target in targets if target.wants_details]
                asked = {pool.submit(self._fetch, target): target for target in early}
                self._read_batches(batches)
                late = [target for target in targets if target.wants_details and target not in early]
                asked |= {pool.submit(self._fetch, target): target for target in late}
                self._store_details(asked)
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
        known = self._known_versions()
        for future in as_completed(asked):
            question = asked[future]
            try:
                answer = future.result()
            except moddb.Cancelled:
                continue
            except moddb.ModDBError as error:
                self._note_failure(error)
                logs.event("moddb_batch_failed", question=question.name, ids=len(question.batch), reason=error.text)
                for modid, _version in question.batch:
                    self.targets[modid.lower()].wants_details = True
                continue
            self._note_success()
            for modid, version in question.batch:
                key = modid.lower()
                if question.name == _UPDATES:
                    _take_newest(self.targets[key], answer.get(key))
                elif key in answer:
                    _take_info(self.targets[key], question.game_version, version, answer[key], known)

    def _known_versions(self) -> dict[int | None, set[str]]:
        mods = [target.lookup.mod_id for target in self.targets.values() if target.lookup.mod_id]
        known: dict[int | None, set[str]] = defaultdict(set)
        for mod, version in Release.objects.filter(mod__in=mods).values_list("mod_id", "version"):
            known[mod].add(version)
        return known

    # The details.

    def _fetch(self, target: _Target) -> Details:
        """The mods that claim the id, usually one. Runs in a thread of the pool; raises `ModDBError`."""
        if self.gave_up:
            raise self.gave_up
        return _details(self.moddb, target.asked_as, target.claimed_by)

    def _store_details(self, asked: dict[Future[Details], _Target]) -> None:
        for number, future in enumerate(as_completed(asked), start=1):
            target = asked[future]
            self.report(number, len(asked), target.lookup.modid)
            try:
                target.changed |= answers.store_details(target.lookup, future.result())
            except moddb.Cancelled:
                continue
            except moddb.NotFound:
                retracted = {version for _game_version, version, info in target.infos if info.retracted}
                target.changed |= answers.mark_absent(target.lookup, retracted)
            except _UnaskableError:
                target.unaskable = True
                continue
            except moddb.ModDBError as error:
                self._note_failure(error)
                target.error = error.text
                continue
            except DatabaseError as error:  # whatever the answer had in it: the others are stored all the same
                target.lookup.refresh_from_db()
                target.error = _("What the mod database said couldn't be stored: %s") % error
                continue
            self._note_success()
            target.answered = True

    # Failing as a whole.

    def _note_success(self) -> None:
        self.succeeded = True
        self.failures_in_a_row = 0

    def _note_failure(self, error: moddb.ModDBError) -> None:
        """Give up where asking on is pointless: an outage must not be asked about once for each mod."""
        self.failures_in_a_row += 1
        hopeless = isinstance(error, moddb.Unreachable) or not self.succeeded
        if hopeless and self.failures_in_a_row >= GIVE_UP_AFTER:
            self.gave_up = self.gave_up or error

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
                if self._take_batches(target, now):
                    altered.append(target.lookup)
            # All that is new of most of them is when they were checked: one statement, not one value for each.
            Lookup.objects.filter(pk__in=confirmed).update(tried_at=now, checked_at=now, error="")
            Lookup.objects.bulk_update(altered, _BATCH_FIELDS, batch_size=50)

    def _take_batches(self, target: _Target, now: datetime) -> bool:
        """Set on the look-up (unsaved) what the batches and failures said; returns whether anything changed."""
        lookup = target.lookup
        before = (lookup.tried_at, lookup.error, lookup.newest_file, lookup.newest_version)
        if target.error:
            lookup.tried_at, lookup.error = now, target.error
        elif target.unaskable:
            lookup.tried_at, lookup.error = now, _("The mod database can't be asked about such an id.")
        if target.newest is not None and target.answered:
            lookup.newest_file, lookup.newest_version = target.newest
        said = False
        recommended: dict[str, str] = {}
        for game_version, version, info in target.infos:
            said |= answers.take_retraction(lookup, version, info)
            # Only what is newer than the version asked about is recommended: the oldest one installed hears of it.
            recommended[game_version] = max(recommended.get(game_version, ""), info.recommended, key=versions.sort_key)
        for game_version in recommended.keys() - {""}:
            if lookup.recommendations.get(game_version, "") != recommended[game_version]:
                lookup.recommendations[game_version] = recommended[game_version]
                said = True
        target.changed |= said
        return said or before != (lookup.tried_at, lookup.error, lookup.newest_file, lookup.newest_version)

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


def _targets() -> dict[str, _Target]:
    """What to ask about, by lower-case modid."""
    targets: dict[str, _Target] = {}
    installed = InstalledMod.objects.filter(lookup__isnull=False)
    lookups = {one.pk: one for one in Lookup.objects.filter(installed_mods__isnull=False).distinct()}
    for pk, version, game_version in installed.values_list("lookup", "version", "server__game_version"):
        lookup = lookups.get(pk)
        if lookup is None:  # a scan has just added it; the next refresh knows it
            continue
        target = targets.setdefault(lookup.key, _Target(lookup, lookup.modid))
        target.installed[game_version].add(version)
    canonical = Release.objects.filter(modid_key__in=targets, gone_since=None).exclude(modid="")
    for key, modid in canonical.values_list("modid_key", "modid").distinct():
        if modid.lower() == key:
            targets[key].asked_as = modid
    claims = ClaimedModId.objects.filter(key__in=targets).order_by("mod__mod_id")
    for key, number in claims.values_list("key", "mod__mod_id"):
        targets[key].claimed_by.append(number)
    return targets


def _mark_oldest(targets: Collection[_Target], force: bool) -> None:
    """Mark whose details are due whatever the batches say: all, or the new ones and today's share of the oldest."""
    known = [target for target in targets if target.lookup.fetched_at is not None]
    known.sort(key=lambda target: (target.lookup.fetched_at or timezone.now(), target.lookup.pk))
    interval = min(conf.REFRESH_INTERVAL.get() or RENEWED_WITHIN, RENEWED_WITHIN)
    due = {id(target) for target in known[: math.ceil(len(targets) * interval / RENEWED_WITHIN)]}
    for target in targets:
        target.wants_details = force or target.lookup.fetched_at is None or id(target) in due


def _take_newest(target: _Target, newest: moddb.ReleaseInfo | None) -> None:
    target.newest = (newest.file_id, newest.version) if newest else (None, "")
    if target.newest != (target.lookup.newest_file, target.lookup.newest_version):
        target.wants_details = True


def _take_info(
    target: _Target,
    game_version: str,
    version: str,
    info: moddb.InstallInfo,
    known_versions: dict[int | None, set[str]],
) -> None:
    target.infos.append((game_version, version, info))
    if info.recommended and info.recommended not in known_versions[target.lookup.mod_id]:
        target.wants_details = True


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
