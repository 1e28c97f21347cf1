"""What people decide about a change: carry it out or not, stop it, roll it back, plan it again. All by POST."""

from collections.abc import Callable
from contextlib import suppress

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mods import operations, rights, wishes
from mods.admin import asking, plan_page
from mods.models import Operation
from mods.wishes import Wish
from vsadmin.lib import adminlog

View = Callable[..., HttpResponse]


def wish_of(operation: Operation) -> Wish | None:
    """What was asked for; None where another version of vsadmin wrote it."""
    with suppress(KeyError, TypeError):
        return wishes.from_json(operation.wish)
    return None


def _asked(request: HttpRequest, pk: int) -> tuple[Operation, Wish]:
    """The change and its wish. Raises PermissionDenied for whoever couldn't have asked for it, Http404 for none."""
    if not rights.may_see_changes(request):
        raise PermissionDenied
    operation = get_object_or_404(Operation.objects.select_related("server"), pk=pk)
    wish = wish_of(operation)
    if wish is None or not rights.may(request, wish):
        raise PermissionDenied
    return operation, wish


@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Carry the plan out."""
    operation, _wish = _asked(request, pk)
    go_on = request.POST.get("go_on") == "yes"
    plan = plan_page.read_plan(operation)
    if operation.plan and plan is None:
        messages.error(request, _("Another version of vsadmin made this plan. Plan it again."))
        return _to(operation)
    if plan and plan.unmet and not plan.go_on and not go_on:
        messages.warning(request, _("Something this needs can't be had. Tick “Go on anyway” if it is to be done so."))
        return _to(operation)
    try:
        operations.confirm(operation, go_on=go_on, planned=request.POST.get("planned", ""))
    except operations.NotNow as no:
        messages.error(request, str(no))
        return _to(operation)
    adminlog.record(request.user, operation, adminlog.CHANGE, _("Said yes to the plan"))
    operations.run_in_background(operation)
    return _to(operation)


@require_POST
def agree(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan it again, with what was ticked of its offers."""
    operation, _wish = _asked(request, pk)
    try:
        operations.agree(operation, request.POST.getlist("agreed"))
    except operations.NotNow as no:
        messages.warning(request, str(no))
        return _to(operation)
    adminlog.record(request.user, operation, adminlog.CHANGE, _("Ticked what is only done by hand"))
    operations.plan_in_background(operation)
    return _to(operation)


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Don't do it; stop after the current step where it runs already."""
    operation, _wish = _asked(request, pk)
    try:
        operations.cancel(operation)
    except operations.NotNow as no:
        messages.error(request, str(no))
        return _to(operation)
    adminlog.record(request.user, operation, adminlog.CHANGE, _("Cancelled it"))
    operation.refresh_from_db()
    if not operation.is_over:  # else its page says so
        messages.info(request, _("It stops after its current step."))
    return _to(operation)


@require_POST
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan the way back."""
    rights.require(request, *rights.needed(Wish(kind=Operation.Kind.UNDO, operation=pk)))
    operation = get_object_or_404(Operation.objects.select_related("server"), pk=pk)
    try:
        wish = operations.undo_wish(operation)
    except operations.NotNow as no:
        messages.error(request, str(no))
        return _to(operation)
    return asking.ask(request, [(operation.server, wish)])


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan the same wish anew, as things are now."""
    operation, wish = _asked(request, pk)
    return asking.ask(request, [(operation.server, wish)])


def _to(operation: Operation) -> HttpResponseRedirect:
    return HttpResponseRedirect(asking.page_of(operation))


#: By the last part of their addresses.
VIEWS: dict[str, View] = {"confirm": confirm, "agree": agree, "cancel": cancel, "undo": undo, "again": again}
