"""Where events lead: to the page of what they are about, while it is there and this person may see it."""

from collections import defaultdict
from collections.abc import Iterable

from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from events.kinds import Kind
from events.models import Event

#: By label, pages that aren't the model's own one in the panel, and the right that each takes.
_OTHER_PAGES = {"cache.knowndigest": ("admin:cache_cacheentry_alarm", "cache.decide_knowndigest")}
#: By kind, the page of events that are about nothing that has one.
_KIND_PAGES = {
    Kind.WORKER_SILENT: ("admin:doctor", "jobs.view_jobrun"),
    Kind.OTHER_BYTES: ("admin:cache_cacheentry_changelist", "cache.view_cacheentry"),
    Kind.GAME_VERSION: ("admin:mods_gameserver_readiness", "mods.view_installedmod"),
}
_SERVER = "mods.gameserver"


def addresses(site: admin.AdminSite, request: HttpRequest, events: Iterable[Event]) -> dict[int, str]:
    """By the events' keys, the address that each leads to: what it is about, else its server, else its kind's page.

    One that leads nowhere isn't there. One query for each model among them.
    """
    listed = list(events)
    wanted: dict[str, set[str]] = defaultdict(set)
    for event in listed:
        for label, key in _candidates(event):
            wanted[label].add(key)
    known = {
        (label, key): address for label, keys in wanted.items() for key, address in _pages(site, request, label, keys)
    }
    found = {}
    for event in listed:
        pages = [known[one] for one in _candidates(event) if one in known]
        address = pages[0] if pages else _page_of_kind(request, event.kind)
        if address:
            found[event.pk] = address
    return found


def _candidates(event: Event) -> list[tuple[str, str]]:
    """What it may lead to, the best first."""
    found = [(event.about, event.about_key)] if event.about and event.about_key else []
    if event.server_key is not None:
        found.append((_SERVER, str(event.server_key)))
    return found


def _pages(site: admin.AdminSite, request: HttpRequest, label: str, keys: set[str]) -> list[tuple[str, str]]:
    """Of those of these rows that are there: key and address of its page. None where this person may not see them."""
    try:
        model: type[Model] = apps.get_model(label)
        name, right = _OTHER_PAGES.get(label, ("", ""))
        if name:
            may_see = request.user.has_perm(right)
        else:
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
            may_see = site.is_registered(model) and site.get_model_admin(model).has_view_permission(request)
        if not may_see:
            return []
        numbers = [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 19]
        there = model._default_manager.filter(pk__in=numbers).values_list("pk", flat=True)
        return [(str(pk), reverse(name, args=[pk])) for pk in there]
    except (LookupError, NoReverseMatch):  # of another version of vsadmin
        return []


def _page_of_kind(request: HttpRequest, kind: str) -> str:
    name, right = _KIND_PAGES.get(Kind(kind), ("", "")) if kind in Kind.values else ("", "")
    try:
        return reverse(name) if name and request.user.has_perm(right) else ""
    except NoReverseMatch:
        return ""
