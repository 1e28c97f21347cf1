"""Who may change which account: superusers are for superusers, so that no right to edit users leads to every right."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission, User
from django.db.models import Model, QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from vsadmin.lib import adminlog, times
from vsadmin.lib.modeladmin import tag


class _PlainLabels:
    """Goes before a form: its labels end without a colon, as all of the panel's do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""


class _Rights(ModelMultipleChoiceField):  # type: ignore[type-arg]  # Django's takes its argument for type checkers only
    """Named by what they allow alone: with app and model before it, a phone shows nothing else."""

    def label_from_instance(self, obj: Model) -> str:
        assert isinstance(obj, Permission)
        return obj.name


class PlainForms(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's takes its argument for type checkers only
    """Goes before Django's own pages of accounts."""

    def get_form(self, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(*args, **kwargs)
        return type(form.__name__, (_PlainLabels, form), {})

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.related_model is Permission:
            kwargs["form_class"] = _Rights
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """As Django's; what is counted for the question is called by its name, and bare links aren't counted."""
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        models = {str(model._meta.verbose_name_plural): model._meta for model in apps.get_models()}
        told = {
            models[name].verbose_name if count == 1 else name: count for name, count in counts.items() if name in models
        }
        return deleted, told, lacking, protected


class GuardedUsers(PlainForms):
    """Goes before Django's own page of users."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    @admin.display(description=gettext_lazy("role"))
    def shown_role(self, user: User) -> str:
        groups = ", ".join(group.name for group in user.groups.all())
        return _("Superuser") if user.is_superuser else groups or "–"

    @admin.display(description=gettext_lazy("state"))
    def shown_state(self, user: User) -> SafeString:
        if not user.is_active:
            return tag("calm", _("switched off"))
        return tag("good", _("may log in")) if user.is_staff else tag("calm", _("may not log in"))

    @admin.display(description=gettext_lazy("last login"), ordering="last_login")
    def shown_login(self, user: User) -> SafeString | str:
        return times.ago(user.last_login)

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
