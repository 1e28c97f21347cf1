"""What the panel's model pages have in common."""

from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin
else:

    class _ModelAdmin(admin.ModelAdmin):
        """Django's, made to take a type argument, which it does for type checkers only."""

        def __class_getitem__(cls, _model: Any) -> type:
            return cls


class PanelAdmin(_ModelAdmin[M]):
    """A list of 50 rows a page, without a second count and without bulk actions."""

    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = None

    def action_checkbox(self, obj: M) -> SafeString:
        """As Django's, without a template for each row: those took a third of a list's time."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" aria-label="{}" class="action-select">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            format_html(_("Select this object for an action - {}"), obj),
        )


class ReadOnlyAdmin(PanelAdmin[M]):
    """Rows that only services write: a list, and a page of each drawn by `page_template`."""

    page_template: str

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def page_context(self, request: HttpRequest, obj: M) -> dict[str, Any]:
        """What the page of `obj` shows besides the object itself."""
        return {}

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, obj):
            raise PermissionDenied
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined,no-any-return]  # missing in the stubs
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": str(obj),
            "object": obj,
            "original": obj,
            **self.page_context(request, obj),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, self.page_template, context)


def tag(tone: str, text: Any) -> SafeString:
    """A state as a coloured word. Tones: good, warn, bad, info, calm."""
    return format_html('<span class="tag {}">{}</span>', tone, text)
