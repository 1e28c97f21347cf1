"""What was changed: on a mod's page, and the pages of a mod and of a server that tell all of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from mods import history, rights
from mods.admin import changes
from mods.admin.changes import Changes
from mods.admin.deciding import View
from mods.admin.plan_page import ACTIONS
from mods.models import GameServer, InstalledMod, Step, StepQuerySet
from mods.versions import newer

#: On a mod's own page.
_LATEST = 8
_PER_PAGE = 50


@dataclass(frozen=True)
class Line:
    """One step of the past."""

    step: Step
    changes: Changes

    @property
    def action(self) -> tuple[str, str | Promise]:
        action = self.step.action
        if action == Step.Action.REPLACE and newer(self.step.to_version, self.step.from_version):
            action = "update"
        elif action == Step.Action.REPLACE and newer(self.step.from_version, self.step.to_version):
            action = "back"
        return ACTIONS.get(action, ("calm", action))

    @property
    def who(self) -> str:
        return self.step.operation.asked_by_name


def lines(steps: Sequence[Step]) -> list[Line]:
    """Steps with what they changed; two queries for all of them."""
    passages = [(step.modid_key, step.from_version, step.to_version) for step in steps]
    read = changes.read(passages)
    return [Line(step, read.get(place, Changes())) for place, step in enumerate(steps)]


def of_mod(request: HttpRequest, row: InstalledMod) -> dict[str, Any]:
    """The mod's latest changes, and the versions that it had before, for its page."""
    if not row.modid_key:
        return {"history": [], "had": [], "more_history": False}
    steps = list(history.of_mod(row.server, row.modid_key)[: _LATEST + 1])
    return {
        "history": lines(steps[:_LATEST]),
        "more_history": len(steps) > _LATEST,
        "had": history.versions_had(row.server, row.modid_key),
        "may_see_changes": rights.may_see_changes(request),
    }


def mod_page(site: AdminSite) -> View:
    """All that was ever done with one mod on its server."""

    @require_safe
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        rights.require(request, rights.VIEW_MODS)
        row = get_object_or_404(InstalledMod.objects.select_related("server"), pk=pk)
        steps = history.of_mod(row.server, row.modid_key) if row.modid_key else Step.objects.none()
        title = _("History of %s") % row.name
        return _render(site, request, steps, {"title": title, "row": row, "server": row.server})

    return view


def server_page(site: AdminSite) -> View:
    """All that was ever done with the mods of one server."""

    @require_safe
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        rights.require(request, rights.VIEW_SERVERS, rights.VIEW_MODS)
        server = get_object_or_404(GameServer, pk=pk)
        title = _("History of %s") % server.name
        return _render(site, request, history.of_server(server), {"title": title, "server": server})

    return view


def _render(site: AdminSite, request: HttpRequest, steps: StepQuerySet, context: dict[str, Any]) -> HttpResponse:
    page = Paginator(steps, _PER_PAGE).get_page(request.GET.get("page"))
    whole = {
        **site.each_context(request),
        "page": page,
        "lines": lines(list(page.object_list)),
        "may_see_changes": rights.may_see_changes(request),
        **context,
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/mods/history.html", whole)
