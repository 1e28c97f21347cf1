"""The versions of the game that the mod database knows: learnt with each refresh, and an event where one is new.

They are asked for beside a refresh, by a question of their own: what it comes to changes nothing of the refresh.
"""

import logging
import threading
from collections.abc import Iterable

from django.db import DatabaseError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from events.kinds import Kind
from events.record import record
from mods import fits, moddb, refresh, versions
from mods.models import GameServer, GameVersion
from vsadmin.lib import logs

#: Seconds for the question. Nobody waits for its answer.
_DEADLINE = 10.0
#: So many are stored at most; the game has had some three hundred in ten years.
_MOST = 3000
#: Where more are new at once, the list itself is another one: only the newest of them are told of.
_MOST_EVENTS = 10


def learn(stop: threading.Event | None = None) -> str:
    """Ask the mod database which versions there are, and store those that are new; one request.

    Returns why that failed, "" where it went well. Raises nothing.
    """
    try:
        with refresh.client(stop, deadline=_DEADLINE, retries=0) as database:
            note(database.game_versions())
    except moddb.Cancelled as failure:
        return failure.text
    except moddb.ModDBError as failure:
        logs.event("game_versions_failed", level=logging.WARNING, reason=failure.text)
        return failure.text
    except DatabaseError as failure:
        logs.event("game_versions_failed", level=logging.WARNING, reason=str(failure))
        return _("The game versions couldn't be stored.")
    return ""


def note(found: Iterable[str]) -> list[str]:
    """Store those that aren't known yet, and record an event of each, unless they are the very first; newest first.

    What is no version that the game could have (0.0.0, garbage) is left out. Raises DatabaseError.
    """
    given = {text for one in found if (text := fits.exact(one)) and fits.series(text)}
    with transaction.atomic():
        before = set(GameVersion.objects.values_list("version", flat=True))
        room = max(0, _MOST - len(before))
        new = sorted(given - before, key=versions.sort_key, reverse=True)[:room]
        now = timezone.now()
        GameVersion.objects.bulk_create(
            (GameVersion(version=version, first_seen_at=now) for version in new), ignore_conflicts=True
        )
        for version in new[:_MOST_EVENTS] if before else ():
            record(Kind.GAME_VERSION, version, _title(version))
    return new


def _title(version: str) -> str:
    if versions.is_prerelease(version):
        return _("Game version %s is out: a prerelease") % version
    return _("Game version %s is out") % version


def known() -> list[str]:
    """All that are known, the servers' own ones among them, newest first; two queries."""
    stored = set(GameVersion.objects.values_list("version", flat=True))
    of_servers = {fits.exact(one) for one in GameServer.objects.values_list("game_version", flat=True)}
    return sorted((stored | of_servers) - {""}, key=versions.sort_key, reverse=True)


def newest(known_ones: Iterable[str]) -> str:
    """The highest one that is no prerelease; where all are, the highest; "" where there is none."""
    listed = sorted(known_ones, key=versions.sort_key, reverse=True)
    return next((one for one in listed if not versions.is_prerelease(one)), listed[0] if listed else "")
