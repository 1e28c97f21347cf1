"""Changes: the list of them, and a page of each, which is its plan first and its result later."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from mods import restart, rights, wishes
from mods.admin import cells, changes, deciding, install, pks, plan_page
from mods.admin.filters import ServerFilter, TabsFilter
from mods.models import Operation, Step
from vsadmin.lib import sizes, times
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.modeladmin import ReadOnlyAdmin, tag

#: htmx stops asking on this answer.
_STOP_ASKING = 286

_State = Operation.State
TONES = {
    _State.PLANNING: "info",
    _State.PLANNED: "warn",
    _State.QUEUED: "info",
    _State.RUNNING: "info",
    _State.DONE: "good",
    _State.FAILED: "bad",
    _State.CANCELLED: "calm",
    _State.UNDONE: "calm",
}
#: Those in which something goes on by itself.
LIVE = (_State.PLANNING, _State.QUEUED, _State.RUNNING)
_TABS = {
    "waiting": (gettext_lazy("Waiting for you"), (_State.PLANNED,)),
    "under_way": (gettext_lazy("Under way"), LIVE),
    "done": (gettext_lazy("Done"), (_State.DONE, _State.UNDONE)),
    "failed": (gettext_lazy("Failed"), (_State.FAILED,)),
    "cancelled": (gettext_lazy("Cancelled"), (_State.CANCELLED,)),
}


class StateFilter(TabsFilter):
    """How far a change is."""

    conditions = {name: Q(state__in=states) for name, (_label, states) in _TABS.items()}
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(name, label) for name, (label, _states) in _TABS.items()]


class KindFilter(admin.SimpleListFilter):
    title = gettext_lazy("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(Operation.Kind.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Operation]) -> QuerySet[Operation]:
        return queryset.filter(kind=self.value()) if self.value() in Operation.Kind.values else queryset


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin[Operation]):
    """What people asked to be changed, and what came of it."""

    page_template = "admin/mods/operation/page.html"
    list_display = ("what", "shown_state", "server_name", "by", "when", "result")
    list_filter = (StateFilter, ServerFilter, KindFilter)
    search_fields = ("title", "asked_by_name", "steps__name", "steps__modid")
    search_help_text = gettext_lazy("Search by mod, mod id or person")

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("install/", self.admin_site.admin_view(install.page(self.admin_site)), name="mods_operation_install"),
            path("<int:pk>/box/", self.admin_site.admin_view(box), name="mods_operation_box"),
            *(
                path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"mods_operation_{name}")
                for name, view in deciding.VIEWS.items()
            ),
        ]
        return [*own, *super().get_urls()]

    def has_view_permission(self, request: HttpRequest, obj: Operation | None = None) -> bool:
        return rights.may_see_changes(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Operation]:
        return Operation.objects.select_related("server").defer("plan", "wish")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Operation | None:
        found = Operation.objects.select_related("server", "asked_by", "undoes")
        return found.filter(pk=pks.read(object_id)).first()

    # The list.

    @admin.display(description=gettext_lazy("what"), ordering="title")
    def what(self, operation: Operation) -> SafeString:
        return format_html("<b>{}</b><small>{}</small>", operation.title, operation.get_kind_display())

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def shown_state(self, operation: Operation) -> SafeString:
        return state_tag(operation)

    @admin.display(description=gettext_lazy("server"), ordering="server__name")
    def server_name(self, operation: Operation) -> str:
        return operation.server.name

    @admin.display(description=gettext_lazy("by"), ordering="asked_by_name")
    def by(self, operation: Operation) -> SafeString | str:
        return operation.asked_by_name or cells.quiet("–")

    @admin.display(description=gettext_lazy("when"), ordering="asked_at")
    def when(self, operation: Operation) -> SafeString | str:
        return times.ago(operation.asked_at)

    @admin.display(description=gettext_lazy("result"))
    def result(self, operation: Operation) -> SafeString | str:
        if operation.state == _State.PLANNED:
            return _("Look at the plan, then say yes or no.")
        if operation.state in LIVE and operation.total:
            return _("%(done)d of %(total)d") % {"done": operation.done, "total": operation.total}
        return operation.message or cells.quiet("–")

    # The page.

    def page_context(self, request: HttpRequest, obj: Operation) -> dict[str, Any]:
        plan = plan_page.read_plan(obj)
        rows = [] if obj.state in (_State.PLANNING, _State.PLANNED) else list(obj.steps.all())
        steps = plan_page.planned_steps(plan, rows)
        passages = [(step.modid.lower(), step.from_version, step.to_version) for step, _row in steps]
        groups = plan_page.groups(steps, changes.read(passages))
        changed_something = any(row.state in (Step.State.PLACED, Step.State.DONE) for row in rows)
        undone_by = obj.undone_by.exclude(state__in=(_State.CANCELLED, _State.FAILED)).first()
        return {
            "title": obj.title,
            "operation": obj,
            "plan": plan,
            "groups": groups,
            "nothing_to_do": obj.state == _State.DONE and not groups,
            "offers": plan_page.offer_groups(plan) if obj.state == _State.PLANNED else (),
            "together": any(group.is_together for group in groups),
            "counted": plan_page.in_words(step for step, _row in steps),
            "downloads": plan_page.downloads_in_words(plan, sizes.in_words(plan.download_bytes)) if plan else "",
            "tone": TONES[_State(obj.state)],
            "is_live": obj.state in LIVE,
            "took": times.span(obj.ended_at - obj.started_at) if obj.started_at and obj.ended_at else "",
            "undone_by": undone_by,
            "can_be_undone": changed_something and obj.is_over and obj.state != _State.UNDONE and not undone_by,
            "kept": obj.kept_copies.count() if obj.state in (_State.DONE, _State.FAILED, _State.UNDONE) else 0,
            "may_decide": _may_decide(request, obj),
            "may_undo": rights.may(request, wishes.Wish(kind=Operation.Kind.UNDO, operation=obj.pk)),
            "may_see_kept": request.user.has_perm(rights.VIEW_KEPT),
            "difference": restart.restart_needed(obj.server) if obj.is_over and changed_something else None,
            "server": obj.server,
        }


def state_tag(operation: Operation) -> SafeString:
    return tag(TONES[_State(operation.state)], operation.get_state_display())


def _may_decide(request: HttpRequest, operation: Operation) -> bool:
    wish = deciding.wish_of(operation)
    return wish is not None and rights.may(request, wish)


@require_safe
def box(request: HttpRequest, pk: int) -> HttpResponse:
    """The progress of a change alone, asked for every second while something goes on.

    `state` is what the page shows: where that is past, the page is told to load itself anew.
    """
    if not rights.may_see_changes(request):
        raise PermissionDenied
    operation = Operation.objects.defer("plan", "wish").filter(pk=pk).first()
    if operation is None:
        return HttpResponse(status=_STOP_ASKING)
    context = {"operation": operation, "is_live": operation.state in LIVE, "worker": Worker.load()}
    response = TemplateResponse(request, "admin/mods/operation/box.html", context)
    if operation.state != request.GET.get("state"):
        response["HX-Trigger-After-Settle"] = "run-finished"
    return response
