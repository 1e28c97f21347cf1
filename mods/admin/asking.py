"""From a wish in the browser to its plan's page."""

from collections.abc import Sequence

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import operations, rights
from mods.models import GameServer, Operation
from mods.wishes import Wish
from vsadmin.lib import adminlog


def ask(request: HttpRequest, wishes: Sequence[tuple[GameServer, Wish]]) -> HttpResponseRedirect:
    """Make a change of each wish, have it planned, and go to the plan: or to the list, where there are several.

    Raises PermissionDenied, before anything is asked for, where a right is lacking.
    """
    if not all(rights.may(request, wish) for _server, wish in wishes):
        raise PermissionDenied
    made = [operations.ask(server, wish, user=request.user) for server, wish in wishes]
    for operation in made:
        text = _("Asked for a plan on %s") % operation.server.name
        adminlog.record(request.user, operation, adminlog.ADDITION, text)
        operations.plan_in_background(operation)
    if len(made) == 1:
        return HttpResponseRedirect(page_of(made[0]))
    words = ngettext(
        "%d plan is being made, one for each server. Look through each of them below, then carry it out.",
        "%d plans are being made, one for each server. Look through each of them below, then carry them out.",
        len(made),
    )
    messages.info(request, words % len(made))
    return HttpResponseRedirect(reverse("admin:mods_operation_changelist"))


def page_of(operation: Operation) -> str:
    return reverse("admin:mods_operation_change", args=[operation.pk])


def back(request: HttpRequest, otherwise: str) -> HttpResponseRedirect:
    """To the page that the form names as `next`; to `otherwise` where that is none of ours."""
    page = request.POST.get("next", "")
    allowed = url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(page if allowed and page.startswith("/") else otherwise)


def nothing_chosen(request: HttpRequest) -> None:
    messages.warning(request, _("Nothing was chosen, so there is nothing to do."))
