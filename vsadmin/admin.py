"""The panel: Django's admin site, with our navigation, overview and job pages in it."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django_htmx.http import HttpResponseClientRedirect

from events import reading
from mods import figures, rights
from vsadmin import dashboard, jobpages, settingspage, systempage
from vsadmin.lib import demo
from vsadmin.lib.jobs.models import Worker
from vsadmin.login import LoginForm
from vsadmin.users import GuardedUsers, PlainForms, record_own_password

#: Apps whose own admin pages aren't offered: a schedule of django-q2 may name any function, `os.system` included.
_UNREGISTERED_APPS = {"django_q"}
#: What other apps' pages do otherwise here: dates that nobody should write by hand are shown as text.
_ADJUSTED: dict[str, dict[str, Any]] = {
    "auth.User": {
        "readonly_fields": ("last_login", "date_joined"),
        "list_display": ("username", "email", "shown_role", "shown_state", "shown_login"),
    }
}
#: What goes before other apps' pages.
_GUARDS: dict[str, type[admin.ModelAdmin[Any]]] = {"auth.User": GuardedUsers, "auth.Group": PlainForms}
#: Where the address of a whole app leads.
_APP_PAGES = {
    "mods": "admin:mods_installedmod_changelist",
    "cache": "admin:cache_cacheentry_changelist",
    "events": "admin:events_event_changelist",
    "jobs": "admin:system",
    "auth": "admin:auth_user_changelist",
}


@dataclass(frozen=True)
class Place:
    """An entry of the navigation; `permission` is what seeing it takes: one of several (none: for anybody inside)."""

    label: str | Promise
    url_name: str
    #: The addresses that belong to it, by the beginnings of their names.
    covers: tuple[str, ...]
    icon: str = ""
    permission: str | tuple[str, ...] = ()


_PLACES = (
    Place(_("Overview"), "index", ("index",), "home"),
    Place(
        _("Servers"),
        "mods_gameserver_changelist",
        ("mods_gameserver_", "mods_crash_", "mods_serverstart_"),
        "server-stack",
        "mods.view_gameserver",
    ),
    Place(_("Mods"), "mods_installedmod_changelist", ("mods_installedmod_",), "puzzle-piece", "mods.view_installedmod"),
    Place(_("Catalogue"), "mods_mod_changelist", ("mods_mod_",), "book-open", "mods.view_mod"),
    Place(
        _("Changes"),
        "mods_operation_changelist",
        ("mods_operation_", "mods_keptcopy_", "events_event_"),
        "arrows-right-left",
        (*rights.SEE_CHANGES, rights.VIEW_KEPT, reading.RIGHT),
    ),
    Place(_("Cache"), "cache_cacheentry_changelist", ("cache_",), "archive-box", "cache.view_cacheentry"),
    Place(
        _("System"),
        "doctor",
        ("doctor", "system", "settings", "jobs_", "mods_refreshrun_", "events_target_", "auth_"),
        "cog-6-tooth",
        "jobs.view_jobrun",
    ),
)
_SERVER_TABS = (
    Place(
        _("Servers"),
        "mods_gameserver_changelist",
        tuple(f"mods_gameserver_{page}" for page in ("change", "add", "delete", "history", "compare", "lists")),
        "",
        "mods.view_gameserver",
    ),
    Place(_("Starts"), "mods_serverstart_changelist", ("mods_serverstart_",), "", rights.VIEW_STARTS),
    Place(_("Crashes"), "mods_crash_changelist", ("mods_crash_",), "", rights.VIEW_CRASHES),
    Place(_("Upgrade readiness"), "mods_gameserver_readiness", ("mods_gameserver_readiness",), "", rights.VIEW_MODS),
)
_CHANGE_TABS = (
    Place(_("Changes"), "mods_operation_changelist", ("mods_operation_",), "", rights.SEE_CHANGES),
    Place(_("Events"), "events_event_changelist", ("events_event_",), "", reading.RIGHT),
    Place(_("Kept copies"), "mods_keptcopy_changelist", ("mods_keptcopy_",), "", rights.VIEW_KEPT),
)
_SYSTEM_TABS = (
    Place(_("Condition"), "doctor", ("doctor",), "", "jobs.view_jobrun"),
    Place(_("Background jobs"), "system", ("system",), "", "jobs.view_jobrun"),
    Place(_("Runs"), "jobs_jobrun_changelist", ("jobs_jobrun_",), "", "jobs.view_jobrun"),
    Place(_("Refreshes"), "mods_refreshrun_changelist", ("mods_refreshrun_",), "", "mods.view_refreshrun"),
    Place(_("Settings"), "settings", ("settings",), "", "stored.view_storedsetting"),
    Place(_("Notifications"), "events_target_changelist", ("events_target_",), "", "events.view_target"),
    Place(_("Users"), "auth_user_changelist", ("auth_user_",), "", "auth.view_user"),
    Place(_("Groups"), "auth_group_changelist", ("auth_group_",), "", "auth.view_group"),
)


#: By the place that they belong to.
_TABS = {"mods_gameserver_changelist": _SERVER_TABS, "mods_operation_changelist": _CHANGE_TABS, "doctor": _SYSTEM_TABS}


class PanelSite(admin.AdminSite):
    """The panel."""

    site_header = site_title = "vsadmin"
    site_url = None
    enable_nav_sidebar = False
    login_form = LoginForm

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type[admin.ModelAdmin[Any]] | None = None,
        **options: Any,
    ) -> None:
        models = [model_or_iterable] if isinstance(model_or_iterable, type) else list(model_or_iterable)
        offered = [model for model in models if model._meta.app_label not in _UNREGISTERED_APPS]
        for model in offered:
            label = model._meta.label
            if admin_class is not None and label in _GUARDS:
                admin_class = type(admin_class.__name__, (_GUARDS[label], admin_class), {})
            super().register(model, admin_class, **{**_ADJUSTED.get(label, {}), **options})

    def get_urls(self) -> list[URLResolver | URLPattern]:
        own = [
            path("system/", self.admin_view(jobpages.system_page(self)), name="system"),
            path("system/condition/", self.admin_view(systempage.page(self)), name="doctor"),
            path("system/settings/", self.admin_view(settingspage.page(self)), name="settings"),
            path("jobs/start/<slug:name>/", self.admin_view(jobpages.start_run), name="start_run"),
            path("jobs/run/<int:pk>/box/", self.admin_view(jobpages.run_box), name="run_box"),
        ]
        return [*own, *super().get_urls()]

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """As Django's; besides, `?run=…` is taken off the address, and htmx is sent to the login as a whole page."""
        guarded = super().admin_view(view, cacheable)

        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if getattr(request, "htmx", False) and not self.has_permission(request):
                page = request.htmx.current_url_abs_path or reverse("admin:index")  # type: ignore[attr-defined]  # set by django-htmx
                return HttpResponseClientRedirect(redirect_to_login(page, reverse("admin:login")).url)
            if any("\0" in str(value) for values in request.GET.lists() for value in values[1]):
                raise BadRequest("NUL in the address")  # PostgreSQL raises on it wherever it gets to a query
            if "run" in request.GET:
                # Django's lists would take it for a filter.
                request.panel_run = request.GET["run"]  # type: ignore[attr-defined]  # ours
                kept = request.GET.copy()
                del kept["run"]
                request.GET = kept  # type: ignore[assignment]  # a mutable QueryDict is one as well
            response: HttpResponse = guarded(request, *args, **kwargs)
            return response

        return update_wrapper(inner, guarded)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        context["unencrypted"] = settings.ALLOW_HTTP.get() and not request.is_secure()
        context["demo"] = demo.folder() is not None
        if not context["has_permission"]:
            return context
        here = request.resolver_match.url_name or "" if request.resolver_match else ""
        context["places"] = _entries(_PLACES, request, here)
        for entry in context["places"]:
            if entry["current"] and entry["url_name"] in _TABS:
                context["tabs"] = _entries(_TABS[entry["url_name"]], request, here)
                context["tabs_of"] = entry["label"]
        context["worker"] = Worker.load()
        if request.user.has_perm(reading.RIGHT):
            context["unread"] = reading.unread(request.user)
        context["box"] = jobpages.box_of_page(request)
        context["may_scan"] = request.user.has_perm("mods.scan_gameserver")
        context["may_refresh"] = request.user.has_perm("mods.refresh_mod")
        context["this_page"] = request.get_full_path().partition("?")[0] + _query(request)
        return context

    def password_change(  # type: ignore[override]  # the stubs know no redirect
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        response = super().password_change(request, {"title": _("Change password"), **(extra_context or {})})
        if request.method == "POST" and response.status_code == 302:
            record_own_password(request)
        return response

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        # Django's own would ask about every model, for a list of them that isn't shown.
        request.current_app = self.name
        context = self.each_context(request)
        context |= dashboard.context(request, context["worker"])
        return TemplateResponse(request, "admin/index.html", {**context, **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Nobody sees Django's list of all models, and working it out would cost each page."""
        return []

    def app_index(  # type: ignore[override]  # a redirect takes the place of Django's page
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if app_label not in _APP_PAGES:
            raise Http404
        return HttpResponseRedirect(reverse(_APP_PAGES[app_label]))


def _query(request: HttpRequest) -> str:
    return f"?{request.GET.urlencode()}" if request.GET else ""


def _entries(places: Iterable[Place], request: HttpRequest, here: str) -> list[dict[str, Any]]:
    """The places that this person may see; the mods' one with how many need attention."""
    return [
        {
            "label": place.label,
            "url_name": place.url_name,
            "url": reverse(f"admin:{place.url_name}"),
            "icon": place.icon,
            "current": here.startswith(place.covers),
            "count": figures.needing_attention() if place.url_name == "mods_installedmod_changelist" else 0,
        }
        for place in places
        if _may_see(request, place)
    ]


def _may_see(request: HttpRequest, place: Place) -> bool:
    wanted = (place.permission,) if isinstance(place.permission, str) else place.permission
    return not wanted or any(request.user.has_perm(one) for one in wanted)
