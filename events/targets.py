"""Notification targets in the panel: the list, adding, changing and deleting them, and sending a test."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from events import addresses, deliver, sending
from events.kinds import Kind
from events.models import Delivery, Target
from events.target_form import TargetForm
from vsadmin.lib import adminlog, times
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.modeladmin import PanelAdmin, tag

CHANGE = "events.change_target"
#: Deliveries that a target's page lists.
_LATEST = 10
_TONES = {Delivery.State.WAITING: "info", Delivery.State.SENT: "good", Delivery.State.FAILED: "bad"}


@admin.register(Target)
class TargetAdmin(PanelAdmin[Target]):
    """Where chosen events are sent."""

    form = TargetForm
    list_display = ("name", "form", "shown_address", "shown_kinds", "shown_active", "last")
    readonly_fields = ("shown_address", "shown_kinds")
    ordering = ("name",)

    def get_urls(self) -> list[URLPattern]:
        test = path("<int:pk>/test/", self.admin_site.admin_view(send_test), name="events_target_test")
        return [test, *super().get_urls()]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Not by the address: `?address__startswith=…` would tell it letter by letter."""
        if lookup.partition("__")[0] == "address":
            return False
        return super().lookup_allowed(lookup, value, request)  # type: ignore[arg-type]  # Django's own default is None

    # The list.

    def get_queryset(self, request: HttpRequest) -> QuerySet[Target]:
        latest = Delivery.objects.filter(target=OuterRef("pk")).order_by("-created_at", "-pk")
        return (
            super()
            .get_queryset(request)
            .annotate(
                last_state=Subquery(latest.values("state")[:1]),
                last_at=Subquery(latest.values("created_at")[:1]),
            )
        )

    @admin.display(description=gettext_lazy("where"))
    def shown_address(self, target: Target) -> str:
        return addresses.shown(target)

    @admin.display(description=gettext_lazy("told of"))
    def shown_kinds(self, target: Target) -> str:
        count = len(target.kinds)
        if count == len(Kind):
            return _("everything")
        return ngettext("%d kind of event", "%d kinds of events", count) % count

    @admin.display(description=gettext_lazy("on"), ordering="active")
    def shown_active(self, target: Target) -> SafeString:
        return tag("good", _("on")) if target.active else tag("calm", _("off"))

    @admin.display(description=gettext_lazy("last sent"))
    def last(self, target: Any) -> SafeString | str:
        if target.last_state is None:
            return _("nothing yet")
        state = Delivery.State(target.last_state)
        return format_html("{} {}", tag(_TONES[state], state.label), times.ago(target.last_at))

    # Its page.

    def get_fields(self, request: HttpRequest, obj: Target | None = None) -> Any:
        """Whoever may only look doesn't get to see the address."""
        if not (self.has_change_permission(request, obj) if obj else self.has_add_permission(request)):
            return ("name", "form", "shown_address", "shown_kinds", "active")
        return self.form.Meta.fields

    @method_decorator(sensitive_post_parameters("address"))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        target: Target | None = kwargs.get("obj")
        if target is not None:
            context |= _deliveries(target)
            context["may_test"] = self.has_change_permission(request, target)
            context["mail_missing"] = (
                sending.how_to_set_mail() if target.form == Target.Form.EMAIL and not sending.mail_is_set() else ""
            )
        return super().render_change_form(request, context, *args, **kwargs)

    def response_add(self, request: HttpRequest, obj: Target, post_url_continue: str | None = None) -> HttpResponse:
        messages.success(request, _("%s is saved. Send a test to see whether it works.") % obj.name)
        return HttpResponseRedirect(_page(obj))

    def response_change(self, request: HttpRequest, obj: Target) -> HttpResponse:
        messages.success(request, _("%s is saved.") % obj.name)
        return HttpResponseRedirect(_page(obj))

    def get_deleted_objects(
        self, objs: QuerySet[Any] | Iterable[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """What was sent isn't listed one by one."""
        targets: list[Any] = list(objs)
        sent = Delivery.objects.filter(target__in=targets).count()
        going = {
            ngettext("notification target", "notification targets", len(targets)): len(targets),
            ngettext("line on what was sent", "lines on what was sent", sent): sent,
        }
        return [str(target) for target in targets], going, set(), []


@require_POST
def send_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a test message; the worker sends it."""
    if not request.user.has_perm(CHANGE):
        raise PermissionDenied
    target = get_object_or_404(Target, pk=pk)
    deliver.send_test(target)
    adminlog.record(request.user, target, adminlog.CHANGE, _("Sent a test"))
    if not Worker.is_any_alive():
        messages.warning(request, _("The test is sent as soon as the background worker is back: it is silent."))
    else:
        messages.info(request, _("The test is on its way. Below you see what came of it."))
    return HttpResponseRedirect(_page(target))


def _page(target: Target) -> str:
    return reverse("admin:events_target_change", args=[target.pk])


def _deliveries(target: Target) -> dict[str, Any]:
    listed = list(target.deliveries.select_related("event")[:_LATEST])
    rows = [(one, _TONES.get(Delivery.State(one.state), "calm")) for one in listed]
    # A test, or something new: worth looking at again in a moment.
    return {"deliveries": rows, "goes_on": any(one.state == Delivery.State.WAITING and not one.tries for one in listed)}
