"""Deciding about an alarm in the panel: one page tells what happened and what each decision means, then does it."""

import logging
from collections.abc import Callable

from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.models import CHANGE
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from cache import alarms, pages, wording
from cache.models import CacheEntry, KnownDigest
from vsadmin.lib import files, locks

DECIDE = "cache.decide_knowndigest"


def alarm_page(site: AdminSite) -> Callable[..., HttpResponse]:
    """Tell of the alarm and what each decision means; a POST decides."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        if not request.user.has_perm(DECIDE):
            raise PermissionDenied
        known = get_object_or_404(KnownDigest, pk=pk)
        if request.method == "POST":
            return _decide(request, known)
        if known.refused_at is None:
            messages.info(request, _("There is no alarm about %s any more.") % known.name)
            return pages.back(request)
        context = {
            "title": _("Other content was offered for %s") % known.name,
            "alarm": known,
            "can_accept": alarms.can_accept(known),
            "kept": CacheEntry.objects.filter(key=known.key).exclude(sha256=known.refused_sha256).first(),
            "cancel_url": pages.home(request),
        }
        return pages.render(site, request, "alarm", context)

    return view


def _decide(request: HttpRequest, known: KnownDigest) -> HttpResponse:
    """Carry the decision out, write it into the admin log, and answer with a message."""
    decisions = {"dismiss": _dismiss, "accept": _accept} if alarms.can_accept(known) else {"dismiss": _dismiss}
    decide = decisions.get(request.POST.get("decision", ""))
    if decide is None:
        raise SuspiciousOperation("no such decision")
    try:
        decide(request, known, request.POST.get("refused", ""))
    except alarms.Outdated:
        messages.warning(
            request,
            _("Nothing was changed: the alarm about %s isn't the one you were shown. Look at it again.") % known.name,
        )
    except locks.Busy:
        messages.error(request, _("Others kept changing the cache for two minutes. Nothing was accepted; try again."))
    except OSError as error:
        messages.error(request, files.in_words(error))
    except DatabaseError:
        logging.getLogger(__name__).exception("decide about an alarm")
        messages.error(
            request, _("The database can't be written just now. Check that its disk isn't full, then try again.")
        )
    return pages.back(request)


def _dismiss(request: HttpRequest, known: KnownDigest, refused_sha256: str) -> None:
    alarms.dismiss(known, refused_sha256)
    pages.record(request, CHANGE, _("Dismissed the alarm about %s") % known.name)
    messages.success(
        request, _("The alarm about %s is dismissed. The other content goes on being refused.") % known.name
    )


def _accept(request: HttpRequest, known: KnownDigest, refused_sha256: str) -> None:
    gone = alarms.accept(known, refused_sha256)
    if gone.failed:
        pages.record(request, CHANGE, _("Tried to accept the new content of %s") % known.name)
        messages.error(request, " ".join([_("Nothing was accepted."), wording.done(gone)]))
        return
    digests = {"name": known.name, "old": known.sha256[:12], "new": refused_sha256[:12]}
    pages.record(
        request, CHANGE, _("Accepted the new content of %(name)s: SHA-256 %(new)s… instead of %(old)s…") % digests
    )
    messages.success(request, _("The new content of %s is accepted; the next download takes it.") % known.name)
