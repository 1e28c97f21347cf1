"""The Cache page in the panel: what is in the cache and what it did, each file's page, and the way to the actions."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cache import alarm_pages, filters, overview, pages, wording
from cache.models import CacheEntry, CacheEntryQuerySet, KnownDigest
from vsadmin.lib import html, times
from vsadmin.lib.modeladmin import ReadOnlyAdmin, tag

#: Where a narrow column may break an address.
_MAY_BREAK = SafeString("<wbr>")


@admin.register(CacheEntry)
class CacheEntryAdmin(ReadOnlyAdmin[CacheEntry]):
    """The cached files. Rights: `view` to see them, `evict` to remove some, `clear` to remove all."""

    page_template = "admin/cache/cacheentry/page.html"
    list_display = (
        "shown_title", "shown_version", "shown_file", "shown_size", "stored", "accessed", "used", "shown_source",
    )  # fmt: skip
    list_filter = (filters.UseFilter, filters.StateFilter)
    search_fields = ("title", "version", "file_name", "source")
    search_help_text = gettext_lazy("Search by title, file, version or source")
    ordering = ("-last_accessed_at", "-pk")
    actions = ("evict_selected",)  # type: ignore[assignment]  # the base has none

    @property
    def media(self) -> Media:
        """Nothing: the list's template loads the one script it needs, where htmx loads it anew with the list."""
        return Media()

    def get_urls(self) -> list[URLPattern]:
        views = (
            ("clear/", pages.clear_page, "clear"),
            ("trim/", pages.trim_page, "trim"),
            ("verify/", pages.verify_page, "verify"),
            ("what-would-go/", pages.preview_page, "preview"),
        )
        own = [
            path(address, self.admin_site.admin_view(view(self.admin_site)), name=f"cache_cacheentry_{name}")
            for address, view, name in views
        ]
        alarm = path(
            "alarms/<int:pk>/",
            self.admin_site.admin_view(alarm_pages.alarm_page(self.admin_site)),
            name="cache_cacheentry_alarm",
        )
        return [*own, alarm, *super().get_urls()]

    def has_evict_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(pages.EVICT)

    def get_queryset(self, request: HttpRequest) -> CacheEntryQuerySet:
        return CacheEntry.objects.with_alarm()

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> CacheEntry | None:
        return self.get_queryset(request).filter(pk=int(object_id) if _is_pk(object_id) else 0).first()

    # The list.

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if request.method == "POST":
            if not self.has_evict_permission(request):
                raise PermissionDenied
            if not all(map(_is_pk, request.POST.getlist(admin.helpers.ACTION_CHECKBOX_NAME))):
                raise SuspiciousOperation("a file is chosen by its number")
            return super().changelist_view(request, extra_context)
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().changelist_view(request, {**overview.context(request), **(extra_context or {})})

    @admin.action(permissions=["evict"], description=gettext_lazy("Remove the selected files"))
    def evict_selected(self, request: HttpRequest, queryset: QuerySet[CacheEntry]) -> HttpResponse:
        return pages.evict_selected(self.admin_site, request, queryset)

    @admin.display(description=gettext_lazy("mod"), ordering="title")
    def shown_title(self, entry: CacheEntry) -> SafeString:
        marks = []
        if entry.alarm_at is not None:  # type: ignore[attr-defined]  # annotated
            marks.append(tag("bad", _("alarm")))
        if not entry.checked:
            marks.append(tag("calm", _("adopted, not checked yet")))
        shown = format_html("<b>{}</b>", entry.title)
        for mark in marks:
            shown = format_html("{} {}", shown, mark)
        return shown

    @admin.display(description=gettext_lazy("version"))  # not sorted: as text, 1.10 would come before 1.9
    def shown_version(self, entry: CacheEntry) -> SafeString:
        if not entry.version:
            return format_html('<span class="quiet">{}</span>', "–")
        return format_html('<span class="version">{}</span>', entry.version)

    @admin.display(description=gettext_lazy("file"), ordering="file_name")
    def shown_file(self, entry: CacheEntry) -> SafeString:
        return format_html('<span class="path">{}</span>', entry.file_name)

    @admin.display(description=gettext_lazy("size"), ordering="size")
    def shown_size(self, entry: CacheEntry) -> str:
        return wording.size(entry.size)

    @admin.display(description=gettext_lazy("stored"), ordering="stored_at")
    def stored(self, entry: CacheEntry) -> SafeString | str:
        return times.ago(entry.stored_at)

    @admin.display(description=gettext_lazy("last accessed"), ordering="last_accessed_at")
    def accessed(self, entry: CacheEntry) -> SafeString | str:
        return times.ago(entry.last_accessed_at)

    @admin.display(description=gettext_lazy("used"), ordering="times_used")
    def used(self, entry: CacheEntry) -> str:
        return f"{entry.times_used}×"

    @admin.display(description=gettext_lazy("source"), ordering="source")
    def shown_source(self, entry: CacheEntry) -> SafeString:
        if not entry.source:
            return format_html('<span class="quiet">{}</span>', "–")
        parts = format_html_join(_MAY_BREAK, "{}", ((part,) for part in _at_dots(wording.source(entry.source))))
        return format_html('<span class="path" title="{}">{}</span>', entry.source, parts)

    # A file's page.

    def page_context(self, request: HttpRequest, obj: CacheEntry) -> dict[str, Any]:
        return {
            "title": obj.title,
            "known": KnownDigest.objects.filter(key=obj.key).first(),
            "size": wording.size(obj.size),
            "source_link": html.web_link(obj.source),
            "unused_for": times.span(timezone.now() - obj.last_accessed_at),
            "may_evict": self.has_evict_permission(request),
            "may_decide": request.user.has_perm(alarm_pages.DECIDE),
        }


def _is_pk(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _at_dots(text: str) -> list[str]:
    """The text in pieces, each after the first beginning with a dot, where a narrow column may break it."""
    head, *tail = text.split(".")
    return [head, *("." + piece for piece in tail)]
