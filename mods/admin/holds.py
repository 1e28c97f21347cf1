"""Holding mods at their version, with a reason, and letting go of them."""

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from mods import holds, rights
from mods.admin import asking
from mods.models import GameServer, Hold, InstalledMod

#: Mods that the page names before it says "and 3 more".
_NAMED = 12


class ReasonForm(forms.Form):
    """Why mods are to stay as they are."""

    reason = forms.CharField(
        label=gettext_lazy("Why?"),
        required=False,
        max_length=2000,
        help_text=gettext_lazy("Whoever wonders later reads it: such as “1.3 breaks our claims, waiting for a fix”."),
        widget=forms.Textarea(attrs={"rows": "3", "autofocus": True}),
    )


def hold_selected(site: AdminSite, request: HttpRequest, chosen: QuerySet[InstalledMod]) -> HttpResponse:
    """Ask for the reason, then hold each of the mods at the version that it has."""
    rights.require(request, rights.HOLD)
    rows = [row for row in chosen if row.modid_key]
    without_id = chosen.count() - len(rows)
    if not rows:
        messages.warning(request, _("Without a mod id a file can't be held: an update never touches it anyway."))
        return _back(request)
    form = ReasonForm(request.POST if "confirmed" in request.POST else None)
    if not form.is_bound or not form.is_valid():
        return _ask(site, request, rows, form)
    for row in rows:
        holds.hold(
            row.server,
            row.modid,
            version=row.version,
            reason=form.cleaned_data["reason"],
            user=request.user,  # type: ignore[arg-type]  # nobody else gets in
        )
    words = ngettext("%(name)s is held at %(version)s.", "%(count)d mods are held at their versions.", len(rows)) % {
        "name": rows[0].name,
        "version": rows[0].version or "?",
        "count": len(rows),
    }
    if without_id:
        words += (
            " "
            + ngettext(
                "%d file without a mod id can't be held.", "%d files without a mod id can't be held.", without_id
            )
            % without_id
        )
    messages.success(request, format_html('{} <a href="{}">{}</a>', words, _held_page(rows), _("See the hold")))
    return _back(request)


def _held_page(rows: list[InstalledMod]) -> str:
    if len(rows) == 1:
        return reverse("admin:mods_installedmod_change", args=[rows[0].pk])
    return reverse("admin:mods_installedmod_changelist") + "?held=yes"


def unhold_selected(request: HttpRequest, chosen: QuerySet[InstalledMod]) -> HttpResponse:
    rights.require(request, rights.HOLD)
    released = sum(
        holds.unhold(row.server, row.modid, user=request.user)  # type: ignore[arg-type]  # nobody else gets in
        for row in chosen
        if row.modid_key
    )
    _say_released(request, released)
    return _back(request)


@require_POST
def unhold(request: HttpRequest, pk: int) -> HttpResponse:
    """Let go of one mod of a server, whether its file is there or not."""
    rights.require(request, rights.HOLD)
    server = get_object_or_404(GameServer, pk=pk)
    modid = request.POST.get("modid", "")[:200]
    released = holds.unhold(server, modid, user=request.user)  # type: ignore[arg-type]  # nobody else gets in
    _say_released(request, int(released))
    return asking.back(request, reverse("admin:mods_gameserver_change", args=[server.pk]))


def of_rows(rows: list[InstalledMod]) -> dict[tuple[int, str], Hold]:
    """The holds on these mods, by server and modid; one query."""
    found = Hold.objects.filter(
        server__in={row.server_id for row in rows}, modid_key__in={row.modid_key for row in rows} - {""}
    )
    return {(hold.server_id, hold.modid_key): hold for hold in found}


def mark(hold: Hold | None) -> SafeString | str:
    """The mark of a held mod, with who, why and since when on hover; "" for one that isn't held."""
    if hold is None:
        return ""
    why = hold.reason or _("no reason given")
    words = _("Held at %(version)s by %(who)s: %(why)s") % {
        "version": hold.version or "?", "who": hold.set_by_name or "?", "why": why,
    }  # fmt: skip
    return format_html(' <span class="tag calm held" title="{}">{}</span>', words, _("held"))


def _ask(site: AdminSite, request: HttpRequest, rows: list[InstalledMod], form: ReasonForm) -> HttpResponse:
    title = ngettext("Hold %(name)s?", "Hold %(count)d mods?", len(rows)) % {"name": rows[0].name, "count": len(rows)}
    across = request.POST.get("select_across") == "1"
    given = request.POST.getlist(ACTION_CHECKBOX_NAME)
    hidden = [
        ("action", "hold"),
        ("index", "0"),
        ("select_across", "1" if across else "0"),
        ("next", request.POST.get("next", "")),
        *((ACTION_CHECKBOX_NAME, pk) for pk in (given[:1] if across else given)),
    ]
    context = {
        **site.each_context(request),
        "title": title,
        "form": form,
        "hidden": hidden,
        "named": rows[:_NAMED],
        "unnamed": len(rows) - len(rows[:_NAMED]),
        "cancel_url": request.get_full_path(),
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/mods/installedmod/hold.html", context)


def _say_released(request: HttpRequest, count: int) -> None:
    if count:
        words = ngettext("%d mod may be updated again.", "%d mods may be updated again.", count)
        updates = reverse("admin:mods_installedmod_changelist") + "?state=outdated"
        link = format_html(' <a href="{}">{}</a>', updates, _("See the updates"))
        messages.success(request, format_html("{}{}", words % count, link))
    else:
        messages.info(request, _("It wasn't held."))


def _back(request: HttpRequest) -> HttpResponseRedirect:
    return asking.back(request, request.get_full_path())
