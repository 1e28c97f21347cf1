"""What the panel's templates say and draw with."""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from heroicons.templatetags.heroicons import heroicon_mini, heroicon_outline

from vsadmin.lib import html, sizes, times

register = template.Library()

register.filter("web_link", html.web_link)
register.filter("sanitised", html.sanitised)
register.filter("with_command", html.with_command)
register.filter("size", sizes.in_words)


@register.simple_tag
@cache
def icon(name: str, size: int = 20) -> str:
    """A heroicon beside a word; screen readers skip it. Pages have some thirty of them."""
    draw = heroicon_mini if size <= 20 else heroicon_outline
    return draw(name, size=size, **{"aria-hidden": "true", "class": "icon"})


@register.filter
def ago(moment: datetime | None, never: str = "") -> SafeString | str:
    return times.ago(moment, never)


@register.filter
def due(moment: datetime | None, never: str = "") -> SafeString | str:
    """When something runs next: relative, and "due now" once that time has come."""
    if moment is not None and moment <= timezone.now():
        return _("due now")
    return times.ago(moment, never)


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    return times.clock(moment) if moment else ""


@register.filter
def span(length: timedelta | None) -> str:
    return times.span(length)


@register.filter
def labelled(cell: SafeString, header: dict[str, Any]) -> SafeString:
    """A result cell of Django's list with its column's title as `data-label`, which phones show beside the value."""
    title = capfirst(str(header["text"]) + "")  # a plain text again, which is escaped
    if "<" in title:  # the box that ticks all rows
        return cell
    return mark_safe(cell[:3] + format_html(' data-label="{}"', title) + cell[3:])  # noqa: S308  # after "<td" or "<th"


@register.filter
def nth(items: list[Any], number: int) -> Any:
    return items[number]


@register.filter
def count_words(number: int) -> str:
    """Small numbers as words, for headings."""
    words = (
        _("Nothing"), _("One"), _("Two"), _("Three"), _("Four"), _("Five"), _("Six"), _("Seven"), _("Eight"),
        _("Nine"), _("Ten"), _("Eleven"), _("Twelve"),
    )  # fmt: skip
    return words[number] if 0 <= number < len(words) else str(number)


@register.filter
def suggested_name(found: Any) -> str:
    """A name for a server whose data folder was found: the folder's, or its parent's where that says nothing."""
    path = found.path
    return str(path.parent.name if path.name in {"data", "VintagestoryData"} else path.name) or str(path.name)
