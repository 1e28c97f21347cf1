"""Servers: the list, adding one, and each one's page."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mods import conf, figures, inventory, looking, restart, rights
from mods import holds as holding
from mods.admin import compare, crashes, history, holds, lists, readiness
from mods.admin.server_form import GameServerForm
from mods.models import GameServer, Hold, InstalledMod
from vsadmin.lib import times
from vsadmin.lib.jobs.runner import enqueue
from vsadmin.lib.modeladmin import PanelAdmin, tag


@admin.register(GameServer)
class GameServerAdmin(PanelAdmin[GameServer]):
    """Servers: the list, adding one, and each one's page."""

    form = GameServerForm
    change_form_template = "admin/mods/gameserver/page.html"
    add_form_template = "admin/mods/gameserver/add.html"
    delete_confirmation_template = "admin/mods/gameserver/delete.html"
    list_display = ("shown_name", "shown_game_version", "mods", "updates", "attention", "shown_scan", "folder")
    search_fields = ("name", "data_dir")
    ordering = ("name",)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Few people have so many servers that they must search."""
        return ("name", "data_dir") if "q" in request.GET or GameServer.objects.count() > 20 else ()

    def get_fieldsets(self, request: HttpRequest, obj: GameServer | None = None) -> Any:
        return [(None, {"fields": self.form.Meta.fields})]

    def get_urls(self) -> list[URLPattern]:
        site = self.admin_site
        views = (
            ("look/", self.look_view, "look"),
            ("compare/", compare.page(site), "compare"),
            ("readiness/", readiness.page(site), "readiness"),
            ("<int:pk>/changes/", history.server_page(site), "changes"),
            ("<int:pk>/lists/", lists.page(site), "lists"),
            ("<int:pk>/mods.<slug:form>", lists.download, "export"),
            ("<int:pk>/unhold/", holds.unhold, "unhold"),
        )
        own = [path(address, site.admin_view(view), name=f"mods_gameserver_{name}") for address, view, name in views]
        return [*own, *super().get_urls()]

    # The list.

    def get_queryset(self, request: HttpRequest) -> QuerySet[GameServer]:
        return super().get_queryset(request).defer("notes", "disabled_mods")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        counted = figures.by_server()
        servers = list(changelist.result_list)
        differences = restart.for_servers(servers)
        for server in servers:
            server.figures = counted.get(server.pk, figures.Figures())
            server.restart_needed = differences[server.pk].any
        changelist.result_list = servers
        return changelist

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may_compare = request.user.has_perms((rights.VIEW_SERVERS, rights.VIEW_MODS))
        return super().changelist_view(request, {"may_compare": may_compare, **(extra_context or {})})

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, server: GameServer) -> SafeString | str:
        if server.unreachable_since:
            return format_html("<b>{}</b> {}", server.name, tag("bad", _("can't be reached")))
        if server.restart_needed:  # type: ignore[attr-defined]  # set above
            return format_html("<b>{}</b> {}", server.name, tag("warn", _("restart needed")))
        return server.name

    @admin.display(description=gettext_lazy("game version"))
    def shown_game_version(self, server: GameServer) -> SafeString:
        if not server.game_version:
            return tag("warn" if server.scanned_at else "calm", _("not known"))
        return format_html('<span class="version">{}</span>', server.game_version)

    @admin.display(description=gettext_lazy("mods"))
    def mods(self, server: GameServer) -> SafeString:
        return _count_link(server, server.figures.mods)  # type: ignore[attr-defined]  # set above

    @admin.display(description=gettext_lazy("updates"))
    def updates(self, server: GameServer) -> SafeString:
        return _count_link(server, server.figures.outdated, "outdated", "warn")  # type: ignore[attr-defined]  # set above

    @admin.display(description=gettext_lazy("need attention"))
    def attention(self, server: GameServer) -> SafeString:
        return _count_link(server, server.figures.attention, "attention", "warn")  # type: ignore[attr-defined]  # set above

    @admin.display(description=gettext_lazy("last scan"), ordering="scanned_at")
    def shown_scan(self, server: GameServer) -> SafeString | str:
        return times.ago(server.scanned_at)

    @admin.display(description=gettext_lazy("data folder"), ordering="data_dir")
    def folder(self, server: GameServer) -> SafeString:
        return format_html('<span class="path">{}</span>', server.data_dir)

    # Its page.

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        server = self.get_object(request, object_id)
        context = self._page_context(request, server) if server else {}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _page_context(self, request: HttpRequest, server: GameServer) -> dict[str, Any]:
        mods_url = reverse("admin:mods_installedmod_changelist")
        counted = figures.of(server.installed_mods.all())
        states = (
            ("", counted.mods, ngettext("mod", "mods", counted.mods), ""),
            ("outdated", counted.outdated, ngettext("update", "updates", counted.outdated), "warn"),
            ("back", counted.to_go_back, _("to go back"), "warn"),
            ("incompatible", counted.incompatible, _("incompatible"), "bad"),
            ("retracted", counted.retracted, _("retracted"), "bad"),
            ("problem", counted.problems, ngettext("problem", "problems", counted.problems), "bad"),
        )
        shared: dict[str, list[GameServer]] = {}
        for folder, other in inventory.sharing(server):
            shared.setdefault(folder, []).append(other)
        is_first = conf.SERVER_DATA_DIR.get() == Path(server.data_dir)
        return {
            "title": server.name,
            "server": server,
            **crashes.of_server(request, server),
            "difference": restart.restart_needed(server),
            "holds": _named(holding.of(server), server),
            "may_hold": request.user.has_perm(rights.HOLD),
            "may_update": request.user.has_perm(rights.UPDATE),
            "may_install": request.user.has_perm(rights.INSTALL),
            "may_see_mods": request.user.has_perms((rights.VIEW_SERVERS, rights.VIEW_MODS)),
            "several_servers": GameServer.objects.count() > 1,
            "counted": counted,
            "facts": [
                (count, label, tone, f"{mods_url}?server={server.pk}" + (f"&state={state}" if state else ""))
                for state, count, label, tone in states
                if count or state != "back"
            ],
            "folders": [(entry["path"], shared.get(entry["path"], ())) for entry in server.mod_folders],
            "by_environment": {
                "version": is_first and bool(conf.GAME_VERSION.get()),
                "folder": is_first,
            },
        }

    # Adding, changing, deleting.

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """What the folder being typed holds, or why it can't serve: a fragment beneath the field."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        look = looking.look(request.GET.get("data_dir", ""), but=self._given_pk(request))
        return TemplateResponse(request, "admin/mods/gameserver/look.html", {"look": look})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        may_look = request.method == "GET" and self.has_add_permission(request)
        look = looking.look(request.GET.get("data_dir", "")) if may_look else None
        return super().add_view(request, form_url, {"look": look, **(extra_context or {})})

    @staticmethod
    def _given_pk(request: HttpRequest) -> int:
        """The server whose page asks; 0 for a new one."""
        given = request.GET.get("server", "")
        return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0

    def save_model(self, request: HttpRequest, obj: GameServer, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or {"data_dir", "game_version_by_hand"} & set(form.changed_data):
            run, _is_new = enqueue("mod_scan", user=request.user, server=obj.pk)
            request.started_run = run  # type: ignore[attr-defined]  # read when answering
        if not change and form.found is not None:
            request.found_words = looking.in_words(form.found)  # type: ignore[attr-defined]  # likewise

    def response_add(self, request: HttpRequest, obj: GameServer, post_url_continue: str | None = None) -> HttpResponse:
        found = getattr(request, "found_words", "")
        messages.success(request, _("%(name)s is added: %(found)s.") % {"name": obj.name, "found": found})
        return self._to_page(request, obj)

    def response_change(self, request: HttpRequest, obj: GameServer) -> HttpResponse:
        messages.success(request, _("%s is saved.") % obj.name)
        return self._to_page(request, obj)

    def _to_page(self, request: HttpRequest, obj: GameServer) -> HttpResponse:
        page = reverse("admin:mods_gameserver_change", args=[obj.pk])
        run = getattr(request, "started_run", None)
        return HttpResponseRedirect(f"{page}?run={run.pk}" if run else page)

    def get_deleted_objects(
        self, objs: QuerySet[Any] | Iterable[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Only our own rows go; thousands of them aren't listed one by one."""
        servers = list(objs)
        count = InstalledMod.objects.filter(server__in=servers).count()
        going = {
            ngettext("server", "servers", len(servers)): len(servers),
            ngettext("mod in vsadmin's list", "mods in vsadmin's list", count): count,
        }
        return [str(server) for server in servers], going, set(), []


def _named(held: dict[str, Hold], server: GameServer) -> list[Hold]:
    """The holds with their mods' names; what isn't installed now goes by its id."""
    names = dict(server.installed_mods.filter(modid_key__in=held).values_list("modid_key", "name"))
    for key, hold in held.items():
        hold.name = names.get(key, hold.modid)  # type: ignore[attr-defined]  # for the page
    return list(held.values())


def _count_link(server: GameServer, count: int, state: str = "", tone: str = "") -> SafeString:
    url = reverse("admin:mods_installedmod_changelist") + f"?server={server.pk}" + (f"&state={state}" if state else "")
    if not count:
        return format_html('<span class="quiet">{}</span>', 0)
    return format_html('<a class="figure {}" href="{}">{}</a>', tone, url, count)
