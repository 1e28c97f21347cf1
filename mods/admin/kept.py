"""Kept copies: the list of them, putting one back, and deleting one for good."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from mods import keeping, rights
from mods.admin import asking, cells, pks
from mods.models import GameServer, KeptCopy, Operation
from mods.wishes import Target, Wish
from vsadmin.lib import files, locks, sizes, times
from vsadmin.lib.modeladmin import ReadOnlyAdmin

LIST = "admin:mods_keptcopy_changelist"
#: Copies that the page before a deletion names.
_NAMED = 12


class ServerNameFilter(admin.SimpleListFilter):
    """By the name that the server had: it may be gone."""

    title = gettext_lazy("server")
    parameter_name = "server"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = KeptCopy.objects.order_by("server_name").values_list("server_name", flat=True).distinct()
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[KeptCopy]) -> QuerySet[KeptCopy]:
        return queryset.filter(server_name=self.value()) if self.value() else queryset


class ChangeFilter(admin.SimpleListFilter):
    """Those that one change kept; only pages of changes link to it."""

    title = gettext_lazy("change")
    parameter_name = "change"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        operation = Operation.objects.filter(pk=pks.read(request.GET.get("change", ""))).only("title").first()
        return [(str(operation.pk), operation.title)] if operation else []

    def queryset(self, request: HttpRequest, queryset: QuerySet[KeptCopy]) -> QuerySet[KeptCopy]:
        return queryset.filter(operation=pks.read(self.value() or "")) if self.value() else queryset


@admin.register(KeptCopy)
class KeptCopyAdmin(ReadOnlyAdmin[KeptCopy]):
    """Replaced and removed files that can't be fetched again."""

    page_template = "admin/mods/keptcopy/page.html"
    list_display = ("mod", "shown_version", "server_name", "shown_why", "shown_size", "kept")
    list_filter = (ServerNameFilter, ChangeFilter)
    actions = ("delete_chosen",)  # type: ignore[assignment]  # the base has none
    search_fields = ("name", "modid", "version", "file_name", "sha256")
    search_help_text = gettext_lazy("Search by mod, mod id, version or file")

    def get_urls(self) -> list[URLPattern]:
        own = [
            path("<int:pk>/restore/", self.admin_site.admin_view(restore), name="mods_keptcopy_restore"),
            path("<int:pk>/remove/", self.admin_site.admin_view(self.remove_view), name="mods_keptcopy_remove"),
        ]
        return [*own, *super().get_urls()]

    @property
    def media(self) -> Media:
        """Nothing: the list's template loads the one script it needs, where htmx loads it anew with the list."""
        return Media()

    def has_remove_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(rights.DELETE_KEPT)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            if not self.has_remove_permission(request):
                raise PermissionDenied
            if not all(map(pks.read, request.POST.getlist(ACTION_CHECKBOX_NAME))):
                raise SuspiciousOperation("a copy is chosen by its number")
        count, size = keeping.total()
        total = {"kept_count": count, "kept_size": sizes.in_words(size)}
        return super().changelist_view(request, {**total, **(extra_context or {})})

    @admin.action(permissions=["remove"], description=gettext_lazy("Delete the selected…"))
    def delete_chosen(self, request: HttpRequest, queryset: QuerySet[KeptCopy]) -> HttpResponse:
        """Ask, then delete them for good: those that were on the page that asked, whatever is kept meanwhile."""
        if "confirmed" in request.POST:
            _delete_all(request, list(queryset))
            return HttpResponseRedirect(request.get_full_path())
        copies = list(queryset.order_by("name", "pk"))
        size = sizes.in_words(sum(copy.size for copy in copies))
        context = {
            **self.admin_site.each_context(request),
            "title": ngettext("Delete %d kept copy for good?", "Delete %d kept copies for good?", len(copies))
            % len(copies),
            "copies": copies,
            "size": size,
            "named": copies[:_NAMED],
            "unnamed": max(0, len(copies) - _NAMED),
            "cancel_url": request.get_full_path(),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mods/keptcopy/remove_chosen.html", context)

    @admin.display(description=gettext_lazy("mod"), ordering="name")
    def mod(self, copy: KeptCopy) -> SafeString:
        return format_html("<b>{}</b><small>{}</small>", copy.name, copy.modid or copy.file_name)

    @admin.display(description=gettext_lazy("version"))  # not sorted: as text, 1.10 would come before 1.9
    def shown_version(self, copy: KeptCopy) -> SafeString:
        return cells.version(copy.version) if copy.version else cells.quiet(_("unknown"))

    @admin.display(description=gettext_lazy("why kept"), ordering="why")
    def shown_why(self, copy: KeptCopy) -> str:
        return copy.why

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def shown_size(self, copy: KeptCopy) -> str:
        return sizes.in_words(copy.size)

    @admin.display(description=gettext_lazy("kept since"), ordering="kept_at")
    def kept(self, copy: KeptCopy) -> SafeString | str:
        return times.ago(copy.kept_at)

    def page_context(self, request: HttpRequest, obj: KeptCopy) -> dict[str, Any]:
        servers = list(GameServer.objects.all())
        wish = Wish(kind=Operation.Kind.RESTORE)
        return {
            "title": str(obj),
            "servers": servers,
            "home": next((server for server in servers if server.pk == obj.server_id), None),
            "may_restore": rights.may(request, wish),
            "may_delete": request.user.has_perm(rights.DELETE_KEPT),
            "may_see_changes": rights.may_see_changes(request),
        }

    def remove_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, then delete the copy for good."""
        rights.require(request, rights.DELETE_KEPT)
        copy = get_object_or_404(KeptCopy, pk=pk)
        may_view = self.has_view_permission(request)
        if request.method == "POST":
            _delete(request, copy)
            return HttpResponseRedirect(reverse(LIST if may_view else "admin:index"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("Delete %s for good?") % copy,
            "copy": copy,
            "cancel_url": reverse("admin:mods_keptcopy_change", args=[copy.pk]) if may_view else reverse("admin:index"),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mods/keptcopy/remove.html", context)


@require_POST
def restore(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan to put the copy back on the server given, else on the one that it comes from."""
    wish = Wish(kind=Operation.Kind.RESTORE, targets=(Target(kept=pk),))
    rights.require(request, *rights.needed(wish))
    copy = get_object_or_404(KeptCopy.objects.select_related("server"), pk=pk)
    given = request.POST.get("server", "")
    server = GameServer.objects.filter(pk=pks.read(given)).first() if given else copy.server
    if server is None:
        messages.error(request, _("Choose a server: the one that it comes from is no longer in vsadmin."))
        return HttpResponseRedirect(reverse("admin:mods_keptcopy_change", args=[copy.pk]))
    return asking.ask(request, [(server, wish)])


def _delete(request: HttpRequest, copy: KeptCopy) -> None:
    """Delete it (the service writes that into the admin log), and say so."""
    with _troubles_told(request):
        keeping.delete(copy, request.user)  # type: ignore[arg-type]  # nobody else gets in
        words = _("Deleted for good: %(mod)s, kept from %(server)s.")
        messages.success(request, words % {"mod": copy, "server": copy.server_name})


def _delete_all(request: HttpRequest, copies: list[KeptCopy]) -> None:
    """Delete them, and say what became of it."""
    with _troubles_told(request):
        done = keeping.delete_all(copies, request.user)  # type: ignore[arg-type]  # nobody else gets in
        if done.files:
            words = ngettext(
                "Deleted for good: %(n)d file, %(size)s.", "Deleted for good: %(n)d files, %(size)s.", done.files
            )
            messages.success(request, words % {"n": done.files, "size": sizes.in_words(done.bytes)})
        if done.why is not None:
            words = ngettext("%(n)d couldn't be deleted: %(why)s", "%(n)d couldn't be deleted: %(why)s", done.failed)
            messages.error(request, words % {"n": done.failed, "why": files.in_words(done.why)})


@contextmanager
def _troubles_told(request: HttpRequest) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        messages.error(request, files.in_words(error))
    except locks.Busy:
        messages.error(request, _("Others are busy with the kept copies. Try again in a minute."))
    except DatabaseError:
        logging.getLogger(__name__).exception("delete kept copies")
        messages.error(request, _("The database can't be written just now. Check its disk, then try again."))
