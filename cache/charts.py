"""The geometry of the Cache page's charts: bars in an SVG that is stretched to its place. Whole numbers only."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from cache import wording
from cache.statistics import Day

#: Of the drawing, in its own units; a day's slot, and the bar in it.
HEIGHT = 120
_SLOT = 20
_BAR = 14


@dataclass(frozen=True)
class Bar:
    """A day's bar; `height` 0: nothing to show. `words` says the day and its value."""

    slot: int
    x: int
    y: int
    height: int
    words: str


@dataclass(frozen=True)
class Chart:
    """A chart: its bars, what its upper edge stands for ("": nothing), and in `summary` what it shows, in words."""

    bars: list[Bar]
    top: str
    summary: str
    first: str
    last: str
    #: Where the line of the limit is; None: above the chart, or no limit.
    limit_y: int | None = None

    @property
    def width(self) -> int:
        return len(self.bars) * _SLOT


def sizes(days: Sequence[Day], limit_bytes: int) -> Chart:
    """The cache's size at each day's end. The limit is drawn once a quarter of it was in use."""
    largest = max(day.size_bytes for day in days)
    with_limit = bool(limit_bytes) and largest * 4 >= limit_bytes
    top = max(largest, limit_bytes if with_limit else 0)
    values = [(day.day, day.size_bytes / (top or 1), wording.size(day.size_bytes)) for day in days]
    summary = _("Size by day: %(first)s at first, %(last)s now, %(most)s at most.") % {
        "first": wording.size(days[0].size_bytes),
        "last": wording.size(days[-1].size_bytes),
        "most": wording.size(largest),
    }
    limit_y = HEIGHT - round(limit_bytes / top * (HEIGHT - 2)) if with_limit else None
    return _chart(values, wording.size(top) if top else "", summary, limit_y)


def hit_rates(days: Sequence[Day]) -> Chart:
    """The hit rate of each day; days on which nothing was asked for have no bar."""
    values = [(day.day, day.figures.hit_rate, wording.share(day.figures.hit_rate)) for day in days]
    asked = [rate for _day, rate, _words in values if rate is not None]
    if asked:
        summary = _("Hit rate by day: from %(least)s to %(most)s.") % {
            "least": wording.share(min(asked)),
            "most": wording.share(max(asked)),
        }
    else:
        summary = _("Hit rate by day: nothing was asked for.")
    return _chart(values, wording.share(1), summary)


def _chart(
    values: Sequence[tuple[date, float | None, str]], top: str, summary: str, limit_y: int | None = None
) -> Chart:
    bars = []
    for number, (day, part, words) in enumerate(values):
        height = round((part or 0) * (HEIGHT - 2))
        if part is not None:
            height = max(height, 1)  # a day on which it was little isn't one without a figure
        bar_at = number * _SLOT + (_SLOT - _BAR) // 2
        bars.append(Bar(number * _SLOT, bar_at, HEIGHT - height, height, f"{_short(day)}: {words}"))
    return Chart(bars, top, summary, _short(values[0][0]), _short(values[-1][0]), limit_y)


def _short(day: date) -> str:
    return date_format(day, "j M")
