"""The page of the settings: what each is and why; those that the environment doesn't say are changed here."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from cache import conf as cache_conf
from cache import eviction, pages, wording
from cache.eviction import Preview
from events.kinds import Kind
from events.models import Target
from vsadmin import panelsettings
from vsadmin.lib import conf
from vsadmin.lib.stored.models import StoredSetting
from vsadmin.panelsettings import Given

VIEW = "stored.view_storedsetting"
CHANGE = "stored.change_storedsetting"
VIEW_TARGETS = "events.view_target"
#: How many of people's changes are listed.
_DOINGS = 8
_LIMIT = cache_conf.MAX_SIZE_MB.name

View = Callable[[HttpRequest], HttpResponse]


class SettingField(forms.CharField):
    """The text of a setting, checked by the setting itself; "" is its default."""

    def __init__(self, given: Given, **kwargs: Any) -> None:
        self.given = given
        default = given.face.setting.default
        widget = forms.TextInput(
            attrs={
                "inputmode": "numeric", "autocomplete": "off", "spellcheck": "false", "size": "11", "maxlength": "40",
                "placeholder": str(default), "aria-describedby": f"about-{given.face.name}",
            }
        )  # fmt: skip
        super().__init__(
            label=str(given.face.label),
            required=False,
            max_length=40,
            initial=given.stored if given.is_unreadable else str(given.value),
            disabled=given.is_locked,
            # Told apart from what somebody else changed meanwhile: only what was changed in the form is changed.
            show_hidden_initial=not given.is_locked,
            widget=widget,
            **kwargs,
        )

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        setting = self.given.face.setting
        if text and not self.disabled:
            try:
                setting.parse(text)
            except conf.Malformed as error:
                why = str(error)
                hint = setting.hint.replace(f"{setting.name}=", "")
                raise forms.ValidationError(f"{why[:1].upper()}{why[1:]} {hint}", "malformed") from None
        return text


class SettingsForm(forms.Form):
    """A field for each setting, by its name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.given = {one.face.name: one for one in panelsettings.given()}
        self.fields.update({name: SettingField(one) for name, one in self.given.items()})

    def rows(self) -> list[tuple[Given, forms.BoundField]]:
        return [(one, self[name]) for name, one in self.given.items()]

    def changed(self) -> dict[str, str]:
        """What the person changed, by name."""
        return {name: self.cleaned_data[name] for name in self.changed_data}

    def files_to_go(self) -> Preview | None:
        """What a lower limit of the cache would evict; None where nothing."""
        return _files_to_go(self.given[_LIMIT], self.changed())


def _files_to_go(now: Given, texts: dict[str, str]) -> Preview | None:
    """What these texts ("" for the default), by their settings' names, would evict by a lower limit of the cache.

    None where nothing. `now`: the limit as it is.
    """
    if now.is_locked or _LIMIT not in texts:
        return None
    limit = cache_conf.MAX_SIZE_MB.parse(texts[_LIMIT]) if texts[_LIMIT] else cache_conf.MAX_SIZE_MB.default
    if not limit or 0 < now.value <= limit:
        return None
    going = eviction.preview(limit * cache_conf.MIB, shown=0)
    return going if going.files else None


def page(site: admin.AdminSite) -> View:
    """See the settings; change them, after being asked where that lets files go."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        if request.method != "POST":
            return _render(site, request, SettingsForm())
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        if "default" in request.POST:
            return _back_to_default(site, request, request.POST["default"])
        form = SettingsForm(request.POST)
        if not form.is_valid() or "again" in request.POST:
            return _render(site, request, form)
        going = form.files_to_go()
        if going is not None and "confirmed" not in request.POST:
            names = [name for field in form for name in (field.html_name, field.html_initial_name)]
            return _ask(site, request, names, going)
        return _change(request, form.changed())

    return view


def _back_to_default(site: admin.AdminSite, request: HttpRequest, name: str) -> HttpResponse:
    now = next((one for one in panelsettings.given() if one.face.name == name), None)
    if now is None:
        raise BadRequest(_("There is no such setting."))
    if "again" in request.POST:
        return HttpResponseRedirect(reverse("admin:settings"))
    going = _files_to_go(now, {name: ""})
    if going is not None and "confirmed" not in request.POST:
        return _ask(site, request, ["default"], going)
    return _change(request, {name: ""})


def _change(request: HttpRequest, texts: dict[str, str]) -> HttpResponse:
    try:
        told = panelsettings.change(texts, request.user)
    except DatabaseError:
        logging.getLogger(__name__).exception("change the settings")
        messages.error(request, _("The database can't be written just now. Check its disk, then try again."))
    else:
        if told:
            words = _("Changed. It takes effect within a minute, without a restart.")
            messages.success(request, f"{words} {'; '.join(told)}")
        else:
            messages.info(request, _("Nothing was changed."))
    return HttpResponseRedirect(reverse("admin:settings"))


def _ask(site: admin.AdminSite, request: HttpRequest, names: list[str], going: Preview) -> HttpResponse:
    """Whether the limit is to be lowered although files go; what was typed into fields of these names comes along."""
    context = {
        **site.each_context(request),
        "title": _("Lower the cache's limit to %s?") % wording.size(going.limit_bytes),
        "files": wording.files(going.files),
        "count": going.files,
        "size": wording.size(going.bytes),
        "limit_mb": going.limit_bytes // cache_conf.MIB,
        "may_see_files": request.user.has_perm(pages.VIEW),
        "typed": [(name, request.POST[name]) for name in names if name in request.POST],
    }
    request.current_app = site.name
    return TemplateResponse(request, "panel/settings_confirm.html", context)


def _render(site: admin.AdminSite, request: HttpRequest, form: SettingsForm) -> HttpResponse:
    may_change = request.user.has_perm(CHANGE)
    locked = sum(one.is_locked for one in form.given.values())
    context = {
        **site.each_context(request),
        "title": _("Settings"),
        "form": form,
        "may_change": may_change,
        "all_locked": locked == len(form.given),
        "heading": _heading(locked, len(form.given), may_change=may_change),
        **_notifications(request),
        "doings": _doings(),
    }
    request.current_app = site.name
    return TemplateResponse(request, "panel/settings.html", context)


def _heading(locked: int, total: int, *, may_change: bool) -> str:
    if not may_change:
        return _("What vsadmin does by itself, and how often. Administrators change it.")
    if not locked:
        return _("What you change here takes effect within a minute, without a restart.")
    if locked == total:
        return _("The environment sets all of them, so none can be changed here.")
    words = ngettext(
        "The environment sets %d of them; the others are changed here and take effect within a minute.",
        "The environment sets %d of them; the others are changed here and take effect within a minute.",
        locked,
    )
    return words % locked


@dataclass(frozen=True)
class Rule:
    """A kind of event, and the names of those that are told of it."""

    label: str | Promise
    targets: list[str]


def _notifications(request: HttpRequest) -> dict[str, Any]:
    """Which kinds of events go where; the addresses are secrets. One query."""
    if not request.user.has_perm(VIEW_TARGETS):
        return {"may_see_targets": False}
    targets = list(Target.objects.only("name", "kinds", "active"))
    on = [target for target in targets if target.active]
    rules = [Rule(kind.label, [target.name for target in on if kind.value in target.kinds]) for kind in Kind]
    return {
        "may_see_targets": True,
        "rules": rules,
        "targets": len(targets),
        "off": [target.name for target in targets if not target.active],
    }


def _doings() -> list[LogEntry]:
    """What people last changed."""
    kind = ContentType.objects.get_for_model(StoredSetting)
    return list(LogEntry.objects.filter(content_type=kind).select_related("user")[:_DOINGS])
