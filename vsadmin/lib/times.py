"""Points in time and spans of it, in words for pages."""

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

#: From here on a date says more than "43 days ago".
_DATE_AFTER = timedelta(days=30)


def relative(moment: datetime, now: datetime | None = None) -> str:
    """How long ago, or in how long: "12 min ago", "in 3 h", and the date where that is far off."""
    apart = (now or timezone.now()) - moment
    away = abs(apart)
    if away > _DATE_AFTER:
        return date_format(timezone.localtime(moment), "j M Y")
    if away < timedelta(seconds=10):
        return _("just now") if apart >= timedelta(0) else _("in a moment")
    amount = _amount(away)
    return _("%s ago") % amount if apart >= timedelta(0) else _("in %s") % amount


def _amount(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    if seconds < 60:
        return ngettext("%d s", "%d s", seconds) % seconds
    if seconds < 3600:
        return ngettext("%d min", "%d min", seconds // 60) % (seconds // 60)
    if seconds < 2 * 86400:
        return ngettext("%d h", "%d h", seconds // 3600) % (seconds // 3600)
    return ngettext("%d day", "%d days", seconds // 86400) % (seconds // 86400)


def exact(moment: datetime) -> str:
    """Date, time and zone, as a tooltip shows it; the page's script puts the reader's own zone in its place."""
    return date_format(timezone.localtime(moment), "j M Y H:i:s T")


def ago(moment: datetime | None, never: str = "") -> SafeString | str:
    """A `<time>` element that reads relative and shows the exact time on hover; `never` where there is none."""
    if moment is None:
        return never or _("never")
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), exact(moment), relative(moment))


def clock(moment: datetime) -> SafeString:
    """A `<time>` element with the time of day; the page's script shows it in the reader's own zone."""
    local = timezone.localtime(moment)
    today = local.date() == timezone.localdate()
    text = date_format(local, "H:i T" if today else "j M H:i T")
    return format_html(
        '<time datetime="{}" title="{}" data-clock="{}">{}</time>',
        moment.isoformat(),
        exact(moment),
        "time" if today else "date",
        text,
    )


def weekday(moment: datetime) -> SafeString:
    """The same with the day: "21:04" of today, "Tue 21:04" of the last days, "3 Nov 21:04" of others."""
    return format_html(
        '<time datetime="{}" title="{}" data-clock="weekday">{}</time>',
        moment.isoformat(),
        exact(moment),
        weekday_in_words(moment),
    )


def weekday_in_words(moment: datetime) -> str:
    """That as plain text, in the machine's zone."""
    local = timezone.localtime(moment)
    days = (timezone.localdate() - local.date()).days
    if days == 0:
        return date_format(local, "H:i")
    return date_format(local, "D H:i" if 0 < days < 7 else "j M H:i" if abs(days) < 300 else "j M Y H:i")


def span(length: timedelta | None) -> str:
    """A span of time: "0.4 s", "12 s", "3 min 12 s", "1 h 4 min"; "" where there is none."""
    if length is None:
        return ""
    seconds = max(0.0, length.total_seconds())
    if seconds < 10:
        return _("%s s") % f"{seconds:.1f}"
    whole = round(seconds)
    if whole < 60:
        return _("%d s") % whole
    if whole < 3600:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": whole // 60, "seconds": whole % 60}
    return _("%(hours)d h %(minutes)d min") % {"hours": whole // 3600, "minutes": whole % 3600 // 60}


def every(seconds: int) -> str:
    """An interval as people say it: "every 5 minutes", "every hour"; "" for 0."""
    minutes = -(-seconds // 60)
    if minutes <= 0:
        return ""
    if minutes % (24 * 60) == 0:
        days = minutes // (24 * 60)
        return ngettext("every day", "every %d days", days) % (() if days == 1 else days)
    if minutes % 60 == 0:
        hours = minutes // 60
        return ngettext("every hour", "every %d hours", hours) % (() if hours == 1 else hours)
    return ngettext("every minute", "every %d minutes", minutes) % (() if minutes == 1 else minutes)
