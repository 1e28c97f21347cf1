"""What people do to the cache, each behind a page that says first what goes: clear, evict, trim, verify.

Each is written into the admin log with who did it, and answered with a message.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.db.models import Count, QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from cache import conf, eviction, tasks, wording
from cache.eviction import Evicted, Preview
from cache.models import CacheEntry
from vsadmin.lib import adminlog, files, locks
from vsadmin.lib.jobs.runner import enqueue

VIEW = "cache.view_cacheentry"
EVICT = "cache.evict_cacheentry"
CLEAR = "cache.clear_cacheentry"

#: Files that the page before an eviction names.
_NAMED = 10

View = Callable[[HttpRequest], HttpResponse]


class LimitForm(forms.Form):
    """Another limit, to see what it would evict."""

    limit_mb = forms.IntegerField(
        label=gettext_lazy("Limit in MiB"),
        min_value=0,
        max_value=999_999_999,
        error_messages={
            "required": gettext_lazy("Write a limit in MiB, such as 300."),
            "invalid": gettext_lazy("That is not a whole number. Write a limit in MiB, such as 300."),
            "min_value": gettext_lazy("A limit can't be negative. Write a limit in MiB, such as 300."),
            "max_value": gettext_lazy("That is more than any disk holds. Write a limit in MiB, such as 300."),
        },
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off", "size": "9", "maxlength": "20"}),
    )

    def limit_bytes(self) -> int:
        return int(self.cleaned_data["limit_mb"]) * conf.MIB


# What would go.


def preview_page(site: AdminSite) -> View:
    """Type another limit and see which files it would evict; changes nothing."""

    @require_safe
    def view(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(VIEW):
            raise PermissionDenied
        given = {"limit_mb": request.GET.get("limit_mb", str(conf.MAX_SIZE_MB.get()))}
        return _preview(site, request, LimitForm(given))

    return view


def _preview(site: AdminSite, request: HttpRequest, form: LimitForm) -> HttpResponse:
    context: dict[str, Any] = {"title": _("What would go?"), "form": form, "may_evict": request.user.has_perm(EVICT)}
    if form.is_valid():
        going = eviction.preview(form.limit_bytes())
        context |= {
            "going": going,
            "limit_mb": form.cleaned_data["limit_mb"],
            "limit": wording.size(going.limit_bytes),
            "files": wording.files(going.files),
            "size": wording.size(going.bytes),
            "left": wording.size(going.bytes_left),
            "listed": [(entry, wording.size(entry.size)) for entry in going.entries],
            "unlisted": going.files - len(going.entries),
        }
    return render(site, request, "preview", context)


# Removing.


def clear_page(site: AdminSite) -> View:
    """Ask, then remove every file."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(CLEAR):
            raise PermissionDenied
        if request.method == "POST":
            return _carry_out(request, _("Cleared the cache"), eviction.clear)
        going = eviction.preview_clear()
        return _confirm(site, request, going, title=_("Clear the cache?"), button=_("Clear cache"), is_all=True)

    return view


def trim_page(site: AdminSite) -> View:
    """Ask, then evict the least recently used files until the rest is within a limit: the given one or the setting's.

    `limit_mb` is a parameter of the address (GET) or of the form (POST).
    """

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(EVICT):
            raise PermissionDenied
        data = request.POST if request.method == "POST" else request.GET
        form = LimitForm({"limit_mb": data.get("limit_mb", str(conf.MAX_SIZE_MB.get()))})
        if not form.is_valid():
            return _preview(site, request, form)
        limit = form.limit_bytes()
        words = wording.size(limit)
        if request.method == "POST":
            return _carry_out(request, _("Trimmed the cache to %s") % words, lambda: eviction.enforce_limit(limit))
        return _confirm(
            site,
            request,
            eviction.preview(limit, shown=_NAMED),
            title=_("Trim the cache to %s?") % words,
            button=_("Trim to %s") % words,
            hidden=[("limit_mb", str(form.cleaned_data["limit_mb"]))],
            limit=words,
        )

    return view


def evict_selected(site: AdminSite, request: HttpRequest, chosen: QuerySet[CacheEntry]) -> HttpResponse:
    """Ask, then remove the files chosen in the list."""
    if "confirmed" in request.POST:
        pks = list(chosen.order_by().values_list("pk", flat=True))
        names = list(chosen.order_by("title", "pk")[:_NAMED])
        what = _("Removed from the cache: %s") % ", ".join(str(entry) for entry in names)
        more = len(pks) - len(names)
        return _carry_out(
            request, what + (_(" and %d more") % more if more > 0 else ""), lambda: eviction.evict_selected(pks)
        )
    counted = chosen.order_by().aggregate(files=Count("pk"), bytes=Sum("size", default=0))
    going = Preview(0, counted["files"], counted["bytes"], 0, list(chosen.order_by("title", "pk")[:_NAMED]))
    across = request.POST.get("select_across") == "1"
    pks_given = request.POST.getlist(ACTION_CHECKBOX_NAME)
    hidden = [
        ("action", "evict_selected"),
        ("select_across", "1" if across else "0"),
        *((ACTION_CHECKBOX_NAME, pk) for pk in (pks_given[:1] if across else pks_given)),
    ]
    title = _("Remove %s from the cache?") % wording.files(going.files)
    return _confirm(site, request, going, title=title, button=_("Remove"), hidden=hidden)


def _carry_out(request: HttpRequest, what: str, act: Callable[[], Evicted]) -> HttpResponse:
    """Do it, write it into the admin log, and answer with a message on the page that it was asked from."""
    trouble = ""
    try:
        result = act()
    except locks.Busy:
        trouble = _("Others kept changing the cache for two minutes. Some files may still be there; try again.")
    except OSError as error:
        trouble = files.in_words(error)
    except DatabaseError:
        logging.getLogger(__name__).exception("%s", what)
        trouble = _("The database can't be written just now. Check that its disk isn't full, then try again.")
    if trouble:
        with suppress(DatabaseError):
            record(request, adminlog.DELETION, f"{what}: {trouble}")
        messages.error(request, trouble)
        return back(request)
    words = wording.done(result)
    record(request, adminlog.DELETION, f"{what}: {words}")
    if not result.files and not result.failed:
        messages.info(request, _("Nothing had to go: no file was removed."))
        return back(request)
    link = reverse("admin:cache_cacheentry_changelist") + "#doings"
    shown = format_html('{} <a href="{}">{}</a>', words, link, _("Who did what")) if may_view(request) else words
    messages.add_message(request, messages.WARNING if result.failed else messages.SUCCESS, shown)
    return back(request)


# Verifying.


def verify_page(site: AdminSite) -> View:
    """Ask, then read every file again in the background; the Cache page shows how far it is."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm(EVICT):
            raise PermissionDenied
        if request.method != "POST":
            return _confirm(
                site, request, eviction.preview_clear(), title=_("Verify the cache?"), button=_("Verify"), verify=True
            )
        try:
            run, is_new = enqueue(tasks.VERIFY, user=request.user)
            if is_new:
                record(request, adminlog.CHANGE, _("Started to verify the cache"))
        except DatabaseError:
            logging.getLogger(__name__).exception("verify the cache")
            messages.error(request, _("The database can't be written just now. Try again in a moment."))
            return back(request)
        if is_new:
            messages.success(request, _("Verifying has been asked for; how far it is stands below."))
        else:
            messages.info(request, _("A verification was under way already; how far it is stands below."))
        return back(request, f"?run={run.pk}")

    return view


# What they share.


def _confirm(
    site: AdminSite,
    request: HttpRequest,
    going: Preview,
    *,
    title: str,
    button: str,
    hidden: list[tuple[str, str]] | None = None,
    **more: Any,
) -> HttpResponse:
    context = {
        "title": title,
        "button": button,
        "going": going,
        "files": wording.files(going.files),
        "size": wording.size(going.bytes),
        "hidden": hidden or [],
        "named": going.entries[:_NAMED],
        "unnamed": going.files - len(going.entries[:_NAMED]) if going.entries else 0,
        "cancel_url": home(request),
        **more,
    }
    return render(site, request, "confirm", context)


def render(site: AdminSite, request: HttpRequest, name: str, context: dict[str, Any]) -> HttpResponse:
    request.current_app = site.name
    whole = {**site.each_context(request), "opts": CacheEntry._meta, "may_view": may_view(request), **context}
    return TemplateResponse(request, f"admin/cache/cacheentry/{name}.html", whole)


def record(request: HttpRequest, kind: int, text: str) -> None:
    """A line of the admin log. It names nothing that a row stands for: the rows are gone."""
    adminlog.record(request.user, CacheEntry, kind, text, name=_("Download cache"))


def may_view(request: HttpRequest) -> bool:
    return request.user.has_perm(VIEW)


def home(request: HttpRequest) -> str:
    """The Cache page, or the overview for who may act but not see it."""
    return reverse("admin:cache_cacheentry_changelist" if may_view(request) else "admin:index")


def back(request: HttpRequest, query: str = "") -> HttpResponseRedirect:
    return HttpResponseRedirect(home(request) + query)
