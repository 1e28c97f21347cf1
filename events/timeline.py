"""The timeline: what happened, newest first, each leading to what it is about; opening it marks it as read."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Max, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events import links, reading
from events.keeping import MAX_EVENTS
from events.kinds import ICONS, TONES, Kind
from events.models import Event
from vsadmin.lib import optional
from vsadmin.lib.modeladmin import ReadOnlyAdmin

_PERIODS = {
    "day": (gettext_lazy("last 24 hours"), timedelta(days=1)),
    "week": (gettext_lazy("last 7 days"), timedelta(days=7)),
    "month": (gettext_lazy("last 30 days"), timedelta(days=30)),
}

#: Noticed so much later than it happened, both are told.
_LATER = timedelta(minutes=1)


class _Filter(admin.SimpleListFilter):
    """One whose value is one of its choices, or none."""

    def value(self) -> str | None:
        given = super().value()
        return given if given in {str(key) for key, _label in self.lookup_choices} else None


class KindFilter(_Filter):
    title = gettext_lazy("what")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Kind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        value = self.value()
        return queryset if value is None else queryset.filter(kind=value)


class ServerFilter(_Filter):
    """By the key that the server had, which may be gone. What is about no one server is about each of them."""

    title = gettext_lazy("server")
    parameter_name = "server"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        named = Event.objects.exclude(server_key=None).order_by().values_list("server_key")
        return sorted(((str(key), name) for key, name in named.annotate(Max("server_name"))), key=lambda one: one[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        value = self.value()
        return queryset if value is None else queryset.filter(Q(server_key=int(value)) | Q(server_key=None))


class PeriodFilter(_Filter):
    title = gettext_lazy("when")
    parameter_name = "period"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, label) for name, (label, _length) in _PERIODS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        value = self.value()
        return queryset if value is None else queryset.filter(at__gte=timezone.now() - _PERIODS[value][1])


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin[Event]):
    """What happened: a list, and a page of each with whom it was sent to."""

    page_template = "admin/events/event/page.html"
    list_filter = (KindFilter, ServerFilter, PeriodFilter)
    search_fields = ("title", "text", "server_name")
    search_help_text = gettext_lazy("Search by mod, version, server or reason")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if self.has_view_permission(request) and request.method == "GET":
            request.seen_up_to = reading.seen_up_to(request.user)  # type: ignore[attr-defined]  # ours
            optional.write(lambda: reading.mark_read(request.user))
        return super().changelist_view(request, {"most": MAX_EVENTS, **(extra_context or {})})

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        events = list(changelist.result_list)
        found = links.addresses(self.admin_site, request, events)
        seen = getattr(request, "seen_up_to", 0)
        for event in events:
            _dress(event, found)
            event.is_new = reading.is_new(event, request.user, seen)
            event.day = _day(event)
        changelist.result_list = events
        return changelist

    def page_context(self, request: HttpRequest, obj: Event) -> dict[str, Any]:
        _dress(obj, links.addresses(self.admin_site, request, [obj]))
        may_see = request.user.has_perm("events.view_target")
        return {
            "noticed_later": obj.recorded_at - obj.at > _LATER,
            "deliveries": obj.deliveries.select_related("target").order_by("target__name") if may_see else [],
        }


def _dress(event: Event, found: dict[int, str]) -> None:
    """What the templates show besides its columns."""
    kind = Kind(event.kind) if event.kind in Kind.values else None
    event.icon = ICONS.get(kind, "bell") if kind else "bell"  # type: ignore[attr-defined]  # read by the templates
    event.tone = TONES.get(kind, "calm") if kind else "calm"  # type: ignore[attr-defined]  # likewise
    event.leads_to = found.get(event.pk, "")  # type: ignore[attr-defined]  # likewise


def _day(event: Event) -> str:
    """The day that it is listed under, in words."""
    day = timezone.localtime(event.at).date()
    apart = timezone.localdate() - day
    if apart == timedelta(0):
        return _("Today")
    return _("Yesterday") if apart == timedelta(days=1) else date_format(day, "l, j F Y")
