"""Who may change which account: superusers are for superusers, so that no right to edit users leads to every right."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext as _

from vsadmin.lib import adminlog


class GuardedUsers(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's takes its argument for type checkers only
    """Goes before Django's own page of users."""

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[Any, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else (*fields, "is_superuser")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            obj.is_staff = True  # there is nothing here but the panel
        super().save_model(request, obj, form, change)


def _may_touch(request: HttpRequest, user: User | None) -> bool:
    return user is None or not user.is_superuser or bool(request.user.is_superuser)


def record_own_password(request: HttpRequest) -> None:
    """A line of the admin log, which Django leaves out where people change their own password."""
    assert isinstance(request.user, User)  # the site lets nobody else in
    adminlog.record(request.user, request.user, adminlog.CHANGE, _("Changed their own password"))
