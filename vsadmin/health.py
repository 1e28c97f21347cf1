"""What monitoring asks: does it live (`/healthz`), does it do its work (`/readyz`).

Anybody may ask, so nothing private is told.
"""

import logging
from datetime import timedelta

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from mods import conf as mods_conf
from mods.models import RefreshRun
from vsadmin import firstrun
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.stored import store

_log = logging.getLogger(__name__)

#: How long beyond two intervals the last refresh may be ago.
REFRESH_LEEWAY = timedelta(minutes=5)


@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """200 while this process and the database answer, else 503."""
    answers = _database_answers()
    return _answer({"status": "ok" if answers else "database unavailable"}, good=answers)


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 while the panel does what it is for, else 503: migrations applied, worker alive, refreshes attempted."""
    checks = {"migrations": False, "worker": False, "refresh": False}
    try:
        checks["migrations"] = _Migrations.applied()
        if checks["migrations"]:
            checks["worker"] = not Worker.load().is_silent
            checks["refresh"] = _refresh_attempted()
    except Error:
        _log.warning("readyz: the database doesn't answer", exc_info=True)
    ready = all(checks.values())
    return _answer({"ready": ready, "checks": checks}, good=ready)


def _answer(content: dict[str, object], *, good: bool) -> JsonResponse:
    return JsonResponse(content, status=200 if good else 503, headers={"Cache-Control": "no-store"})


def _database_answers() -> bool:
    """Whether the database can be read; SQLite answers a plain SELECT 1 even when its file can't be."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA schema_version" if connection.vendor == "sqlite" else "SELECT 1")
            cursor.fetchone()
    except Error:
        _log.warning("healthz: the database doesn't answer", exc_info=True)
        return False
    return True


class _Migrations:
    """Whether they are applied. Once they are, this process needn't look again: new ones come with a restart."""

    _known = False

    @classmethod
    def applied(cls) -> bool:
        cls._known = cls._known or not firstrun.pending_migrations()
        return cls._known


def _refresh_attempted() -> bool:
    """Whether a refresh was begun within two intervals and a bit; true where refreshing is switched off.

    An interval that was changed since then gets its own time first.
    """
    interval = mods_conf.REFRESH_INTERVAL.get()
    if not interval:
        return True
    within = 2 * timedelta(seconds=interval) + REFRESH_LEEWAY
    last = RefreshRun.objects.first()
    if last is not None and abs(timezone.now() - last.started_at) <= within:
        return True
    return store.was_changed_within(mods_conf.REFRESH_INTERVAL.name, within)
