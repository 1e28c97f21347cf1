"""Requests that can't be read: what is wrong with one, said on its page."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest, DisallowedHost, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, QueryDict
from django.template import loader
from django.utils.translation import gettext as _

_TOO_MUCH = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


class NulCharactersMiddleware:
    """Refuse a NUL character anywhere in an address or a form: no page has a use for one, and PostgreSQL takes none."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: dict[str, Any]) -> None:
        """Called when the page is known; raises BadRequest, which becomes the answer."""
        if "\0" in request.path_info or _has_nul(request.GET) or (request.method == "POST" and _has_nul(request.POST)):
            raise BadRequest(_("It has a character in it that can't be part of any text (NUL). Type it anew."))


def _has_nul(given: QueryDict) -> bool:
    return any("\0" in text for name, values in given.lists() for text in (name, *values))


def page(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The answer 400."""
    if isinstance(exception, BadRequest):
        why = str(exception)
    elif isinstance(exception, DisallowedHost):
        why = _("If you came by another name than localhost, that name must be in ALLOWED_HOSTS.")
    elif isinstance(exception, _TOO_MUCH):
        why = _("There is too much in it. Choose fewer at once, then try again.")
    else:
        why = _("It isn't what a page of vsadmin sends. Go back, load the page anew, and try again.")
    return HttpResponseBadRequest(loader.render_to_string("400.html", {"why": why}))
