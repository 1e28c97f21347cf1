"""The page that says how each part of vsadmin is, why, and what to do: the doctor in the browser."""

from collections.abc import Callable

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_safe

from vsadmin import doctor
from vsadmin.doctor import Report
from vsadmin.findings import State

RIGHT = "jobs.view_jobrun"


def page(site: admin.AdminSite) -> Callable[[HttpRequest], HttpResponse]:
    """Looks anew each time it is opened, for a few seconds at most."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(RIGHT):
            raise PermissionDenied
        report = doctor.examine(patience=doctor.PAGE_PATIENCE)
        context = {**site.each_context(request), "title": heading(report), "report": report}
        request.current_app = site.name
        return TemplateResponse(request, "panel/condition.html", context)

    return view


def heading(report: Report) -> str:
    """All of it in a few words."""
    bad, warned = report.count(State.NOT_OK), report.count(State.WARNING)
    if bad:
        return ngettext("%d part is not OK", "%d parts are not OK", bad) % bad
    if warned:
        return ngettext("All works; %d part to look at", "All works; %d parts to look at", warned) % warned
    return _("Everything is OK")
