"""What people do with the mods that they ticked, and with one from its page."""

from collections.abc import Iterable

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mods import rights, versions
from mods.admin import asking, pks
from mods.models import GameServer, InstalledMod, Operation
from mods.wishes import Target, Wish


def wish(request: HttpRequest, kind: Operation.Kind, chosen: QuerySet[InstalledMod]) -> HttpResponse:
    """Plan `kind` for the ticked mods: one change for each server."""
    wishes = [
        (server, Wish(kind=kind, targets=tuple(Target(row=row.pk) for row in rows)))
        for server, rows in by_server(chosen)
    ]
    if not wishes:
        asking.nothing_chosen(request)
        return HttpResponseRedirect(request.get_full_path())
    return asking.ask(request, wishes)


def by_server(chosen: Iterable[InstalledMod]) -> list[tuple[GameServer, list[InstalledMod]]]:
    """The rows of each server, in the servers' order."""
    found: dict[int, tuple[GameServer, list[InstalledMod]]] = {}
    for row in chosen:
        found.setdefault(row.server_id, (row.server, []))[1].append(row)
    return sorted(found.values(), key=lambda pair: pair[0].name)


@require_POST
def update_all(request: HttpRequest) -> HttpResponse:
    """Plan all updates of one server (`server`), or of every server that has some."""
    rights.require(request, rights.UPDATE)
    servers = GameServer.objects.filter(installed_mods__outdated=True).distinct()
    if request.POST.get("server"):
        servers = servers.filter(pk=pks.read(request.POST["server"]))
    wishes = [(server, Wish(kind=Operation.Kind.UPDATE)) for server in servers]
    if not wishes:
        messages.info(request, _("There is nothing to update."))
        return asking.back(request, reverse("admin:mods_installedmod_changelist"))
    return asking.ask(request, wishes)


@require_POST
def roll_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan the way of one mod to a version that it had before (`version`), or to a kept copy (`kept`)."""
    rights.require(request, rights.UPDATE)
    row = get_object_or_404(InstalledMod.objects.select_related("server"), pk=pk)
    version = request.POST.get("version", "").strip()
    if versions.parse(version) is None:
        messages.error(request, _("That is no version this mod had. Choose one of the list."))
        return HttpResponseRedirect(reverse("admin:mods_installedmod_change", args=[row.pk]))
    target = Target(row=row.pk, version=version)
    return asking.ask(request, [(row.server, Wish(kind=Operation.Kind.ROLL_BACK, targets=(target,)))])


def given_pks(request: HttpRequest) -> list[str]:
    return request.POST.getlist(ACTION_CHECKBOX_NAME)
