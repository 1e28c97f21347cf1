"""Installed mods: the list of every server's mods, and a page of each."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mods import rights, versions, wording
from mods.admin import cells, history, holds, mod_page, pks, selected
from mods.admin.filters import HeldFilter, ServerFilter, SideFilter, StateFilter
from mods.models import GameServer, InstalledMod, Operation, Release
from vsadmin.lib import times
from vsadmin.lib.modeladmin import ReadOnlyAdmin, tag

# What the list shows; the long texts of thousands of rows stay where they are.
_LISTED = (
    "name", "modid", "modid_key", "version", "file_name", "problems", "latest", "recommended", "compatibility",
    "outdated", "retracted", "gone", "back_to", "newer", "newer_why", "server__game_version", "side",
    "enabled", "disabled_by_config", "server__name", "lookup__state", "lookup__error", "lookup__checked_at",
)  # fmt: skip


@admin.register(InstalledMod)
class InstalledModAdmin(ReadOnlyAdmin[InstalledMod]):
    """Every server's mods, and a page of each."""

    page_template = "admin/mods/installedmod/page.html"
    list_display = (
        "mod", "server_name", "installed", "recommended_version", "latest_version", "fits", "shown_side", "is_on",
        "checked",
    )  # fmt: skip
    list_filter = (StateFilter, ServerFilter, SideFilter, HeldFilter)
    actions = ("update", "enable", "disable", "hold", "unhold", "remove")  # type: ignore[assignment]  # the base has none
    search_fields = ("name", "modid", "authors", "file_name", "lookup__mod__author")
    search_help_text = gettext_lazy("Search by name, mod id, author or file")

    @property
    def media(self) -> Media:
        """Nothing: the list's template loads the one script it needs, where htmx loads it anew with the list."""
        return Media()

    def get_urls(self) -> list[URLPattern]:
        views = (
            ("update-all/", selected.update_all, "update_all"),
            ("<int:pk>/roll-back/", selected.roll_back, "roll_back"),
            ("<int:pk>/changes/", history.mod_page(self.admin_site), "changes"),
        )
        own = [
            path(address, self.admin_site.admin_view(view), name=f"mods_installedmod_{name}")
            for address, view, name in views
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[InstalledMod]:
        return InstalledMod.objects.select_related("server", "lookup").only(*_LISTED)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> InstalledMod | None:
        return InstalledMod.objects.for_pages().filter(pk=pks.read(object_id)).first()

    # Rights and actions.

    def has_update_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(rights.UPDATE)

    def has_toggle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(rights.TOGGLE)

    def has_hold_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(rights.HOLD)

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(rights.REMOVE)

    @admin.action(permissions=["update"], description=gettext_lazy("Update"))
    def update(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> HttpResponse:
        return selected.wish(request, Operation.Kind.UPDATE, queryset)

    @admin.action(permissions=["toggle"], description=gettext_lazy("Enable"))
    def enable(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> HttpResponse:
        return selected.wish(request, Operation.Kind.ENABLE, queryset)

    @admin.action(permissions=["toggle"], description=gettext_lazy("Disable"))
    def disable(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> HttpResponse:
        return selected.wish(request, Operation.Kind.DISABLE, queryset)

    @admin.action(permissions=["hold"], description=gettext_lazy("Hold"))
    def hold(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> HttpResponse:
        return holds.hold_selected(self.admin_site, request, queryset)

    @admin.action(permissions=["hold"], description=gettext_lazy("Let go"))
    def unhold(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> HttpResponse:
        return holds.unhold_selected(request, queryset)

    @admin.action(permissions=["remove"], description=gettext_lazy("Remove"))
    def remove(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> HttpResponse:
        return selected.wish(request, Operation.Kind.REMOVE, queryset)

    # The list.

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "POST":
            if _asked_for(request) not in self.get_actions(request):
                raise PermissionDenied
            if not all(map(pks.read, selected.given_pks(request))):
                raise SuspiciousOperation("a mod is chosen by its number")
        servers = GameServer.objects.filter(installed_mods__outdated=True).distinct()
        updatable = servers if request.method != "POST" and self.has_update_permission(request) else servers.none()
        return super().changelist_view(request, {"updatable": updatable, **(extra_context or {})})

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        rows = list(changelist.result_list)
        held = holds.of_rows(rows)
        for row in rows:
            row.hold = held.get((row.server_id, row.modid_key))
        changelist.result_list = rows
        return changelist

    @admin.display(description=gettext_lazy("mod"), ordering="name")
    def mod(self, row: InstalledMod) -> SafeString:
        problem = str(row.problems[0]) if row.problems else ""
        return format_html(
            "<b>{}</b>{}{}{}",
            row.name,
            holds.mark(getattr(row, "hold", None)),
            format_html("<small>{}</small>", row.modid if row.modid else row.file_name),
            format_html(
                '<small class="is-bad"><span class="visually-hidden">{} </span>{}</small>', _("Problem:"), problem
            )
            if problem
            else "",
        )

    @admin.display(description=gettext_lazy("server"), ordering="server__name")
    def server_name(self, row: InstalledMod) -> str:
        return row.server.name

    # The database would sort versions as text, 1.10 before 1.9, and those of different mods have no order that told
    # anybody anything: these columns aren't sorted. "Recommended" puts the updates together.

    @admin.display(description=gettext_lazy("installed"))
    def installed(self, row: InstalledMod) -> SafeString:
        version = cells.version(row.version) if row.version else cells.quiet(_("unknown"))
        if row.gone:
            return format_html("{} {}", version, tag("warn", _("gone")))
        return format_html("{} {}", version, tag("bad", _("retracted"))) if row.retracted else version

    @admin.display(description=gettext_lazy("recommended"), ordering="outdated")
    def recommended_version(self, row: InstalledMod) -> SafeString:
        if row.outdated:
            shown = format_html(
                '<span class="update"><span aria-hidden="true">→</span> {}</span>', cells.version(row.recommended)
            )
        elif row.back_to:
            shown = tag("warn", _("back to %s?") % row.back_to)
        elif not row.recommended:
            shown = cells.quiet("–")
        elif versions.same(row.recommended, row.version):
            shown = cells.quiet(_("up to date"))
        else:
            shown = cells.quiet(row.recommended, "version")
        reason = wording.newer_reason(row)
        return format_html("{}<small>{}</small>", shown, reason) if reason else shown

    @admin.display(description=gettext_lazy("latest"))
    def latest_version(self, row: InstalledMod) -> SafeString:
        return cells.version(row.latest) if row.latest else cells.quiet("–")

    @admin.display(description=gettext_lazy("compatibility"), ordering="compatibility")
    def fits(self, row: InstalledMod) -> SafeString:
        return tag(wording.compatibility_tone(row), row.get_compatibility_display())

    @admin.display(description=gettext_lazy("side"), ordering="side")
    def shown_side(self, row: InstalledMod) -> SafeString | str:
        return cells.side_words(row.side) or cells.quiet("–")

    @admin.display(description=gettext_lazy("enabled"), ordering="enabled")
    def is_on(self, row: InstalledMod) -> SafeString | str:
        if row.enabled and not row.disabled_by_config:
            return _("yes")
        return tag("calm", _("disabled"))

    @admin.display(description=gettext_lazy("checked"), ordering="lookup__checked_at")
    def checked(self, row: InstalledMod) -> SafeString:
        fresh = wording.freshness(row)
        age = times.ago(fresh.checked_at) if fresh.checked_at else ""
        if not fresh.state:
            return format_html("{}", age)
        words = format_html('<span class="{}">{}</span>', "is-bad" if fresh.tone == "bad" else "quiet", fresh.state)
        return format_html("{} <small>{}</small>", words, age) if age else words

    # Its page.

    def page_context(self, request: HttpRequest, obj: InstalledMod) -> dict[str, Any]:
        mod = obj.lookup.mod if obj.lookup else None
        releases = list(Release.objects.filter(mod=mod)) if mod else []
        carrying = [release for release in releases if release.modid_key == obj.modid_key]
        carrying.sort(key=lambda release: versions.sort_key(release.version), reverse=True)
        held = holds.of_rows([obj]).get((obj.server_id, obj.modid_key))
        return {
            **mod_page.doings(request, obj),
            **history.of_mod(request, obj),
            "hold": held,
            "title": obj.name,
            "mod": mod,
            "fresh": wording.freshness(obj),
            "is_off": not obj.enabled or obj.disabled_by_config,
            "side": cells.side_words(obj.side),
            "compatibility_tone": wording.compatibility_tone(obj),
            "compatibility_reason": wording.compatibility_reason(obj),
            "recommendation_reason": wording.recommendation_reason(obj),
            "newer_reason": wording.newer_reason(obj),
            "nothing_recommended": wording.nothing_recommended(obj),
            "absence": wording.absence(obj),
            "dependencies": mod_page.dependencies(obj),
            "releases": list(mod_page.shown_releases(obj, carrying)),
            "other_modids": sorted(
                {release.modid for release in releases if release.modid_key != obj.modid_key} - {""}
            ),
            "elsewhere": mod_page.elsewhere(obj),
            "links": mod_page.links(obj),
            "author": (mod.author if mod else "") or obj.authors,
            "tags": [str(one) for one in mod.tags if one] if mod and isinstance(mod.tags, list) else [],
        }


def _asked_for(request: HttpRequest) -> str:
    """The action whose button was pressed: a form names several, and `index` says which of them."""
    named = request.POST.getlist("action")
    number = pks.read(request.POST.get("index", "0"))
    return named[number] if number < len(named) else ""
