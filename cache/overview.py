"""What the Cache page shows above its list: the state of the cache, its figures, charts and alarms."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db.models import OuterRef, Subquery
from django.http import HttpRequest
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from cache import alarm_pages, charts, conf, pages, statistics, wording
from cache.models import CacheEntry, KnownDigest
from cache.statistics import Day, Figures, Statistics
from vsadmin.lib import files

#: How many alarms are told one by one, and how many of people's doings are listed.
_ALARMS = 5
_DOINGS = 5


@dataclass(frozen=True)
class Row:
    """A line of the table of figures: today, in 30 days, ever."""

    label: str | Promise
    values: tuple[str, str, str]


def context(request: HttpRequest) -> dict[str, Any]:
    """The page's head, in a number of queries that no number of entries changes."""
    rights = {
        "may_evict": request.user.has_perm(pages.EVICT),
        "may_clear": request.user.has_perm(pages.CLEAR),
        "may_decide": request.user.has_perm(alarm_pages.DECIDE),
    }
    try:
        found = statistics.read()
    except OSError as error:
        logging.getLogger(__name__).exception("the cache's figures")
        return {**rights, "heading": _("The cache can't be read."), "unreadable": files.in_words(error)}
    days = statistics.by_day()
    return {
        **rights,
        "heading": wording.used(found),
        "found": found,
        "used": wording.size(found.total_size_bytes),
        "limit": wording.size(found.max_size_bytes) if found.max_size_bytes else "",
        "limit_setting": conf.MAX_SIZE_MB.name,
        "share": wording.share(found.used_share),
        "is_over": found.used_share is not None and found.used_share > 1,
        "left_over": wording.size(found.leftover_bytes) if found.leftover_bytes else "",
        "facts": _facts(found),
        "rows": _rows(found),
        "was_used": bool(found.file_count or found.ever.hits or found.ever.misses or found.ever.evicted_files),
        "sizes": charts.sizes(days, found.max_size_bytes),
        "rates": charts.hit_rates(days),
        "days": [_day(day) for day in reversed(days)],
        "alarms": _alarms() if found.alarms else [],
        "more_alarms": max(0, found.alarms - _ALARMS),
        "doings": _doings(),
    }


def _facts(found: Statistics) -> list[tuple[str, str]]:
    free = found.free_disk_bytes
    return [
        (_number(found.file_count), _("file") if found.file_count == 1 else _("files")),
        ("–" if free is None else wording.size(free), _("free on the disk")),
        (wording.share(found.last_30_days.hit_rate), _("hit rate, 30 days")),
        (wording.size(found.ever.saved_bytes), _("not downloaded again")),
    ]


def _rows(found: Statistics) -> list[Row]:
    spans = (found.today, found.last_30_days, found.ever)

    def row(label: str, words: Callable[[Figures], str]) -> Row:
        today, month, ever = (words(figures) for figures in spans)
        return Row(label, (today, month, ever))

    return [
        row(_("Hits"), lambda figures: _number(figures.hits)),
        row(_("Misses"), lambda figures: _number(figures.misses)),
        row(_("Hit rate"), lambda figures: wording.share(figures.hit_rate)),
        row(_("Saved"), lambda figures: wording.size(figures.saved_bytes)),
        row(_("Evicted"), lambda figures: wording.files(figures.evicted_files)),
        row(_("Freed"), lambda figures: wording.size(figures.evicted_bytes)),
    ]


def _number(count: int) -> str:
    return str(number_format(count, force_grouping=True))


def _day(day: Day) -> tuple[Any, str, str]:
    return day.day, wording.size(day.size_bytes), wording.share(day.figures.hit_rate)


def _alarms() -> list[KnownDigest]:
    """The newest alarms, each with the entry (`entry_id`) that is still kept under its key, if there is one."""
    entry = CacheEntry.objects.filter(key=OuterRef("key")).values("pk")[:1]
    return list(KnownDigest.objects.alarmed().annotate(entry_id=Subquery(entry)).order_by("-refused_at")[:_ALARMS])


def _doings() -> list[LogEntry]:
    """What people last did to the cache."""
    kind = ContentType.objects.get_for_model(CacheEntry)
    return list(LogEntry.objects.filter(content_type=kind).select_related("user")[:_DOINGS])
