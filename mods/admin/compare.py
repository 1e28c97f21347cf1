"""Two servers side by side, and the plan that makes the one like the other."""

from typing import Any

from django.contrib.admin import AdminSite
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from mods import comparing, rights
from mods.admin import asking, pks
from mods.admin.deciding import View
from mods.comparing import Relation
from mods.models import GameServer

TONES = {
    Relation.SAME: "calm",
    Relation.NEWER: "info",
    Relation.OLDER: "warn",
    Relation.DIFFERENT: "warn",
    Relation.ONLY_LEFT: "info",
    Relation.ONLY_RIGHT: "calm",
}
#: Differences on one page.
_ROWS = 100
_RIGHTS = (rights.INSTALL, rights.UPDATE, rights.TOGGLE)


def page(site: AdminSite) -> View:
    """GET: `left` and `right` beside each other. POST: plan to make the right one like the left for the ticked mods;
    with `others`, for those too that weren't `shown` (removals aside).
    """

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        rights.require(request, rights.VIEW_SERVERS, rights.VIEW_MODS)
        servers = list(GameServer.objects.all())
        given = request.POST if request.method == "POST" else request.GET
        left, right = (_of(servers, given.get(side, "")) for side in ("left", "right"))
        if request.method != "POST":
            if len(servers) > 1:  # a choice that wasn't made is made
                left = left or next(server for server in servers if server != right)
                right = right or next(server for server in servers if server != left)
            return _render(site, request, servers, left, right)
        if left is None or right is None or left == right:
            return HttpResponseRedirect(reverse("admin:mods_gameserver_compare"))
        others = set(request.POST.getlist("shown")) if "others" in request.POST else None
        wish = comparing.wish(left, right, set(request.POST.getlist("key")), all_but=others)
        rights.require(request, *rights.needed(wish))
        if not wish.targets:
            asking.nothing_chosen(request)
            query = urlencode({"left": left.pk, "right": right.pk})
            return HttpResponseRedirect(f"{reverse('admin:mods_gameserver_compare')}?{query}")
        return asking.ask(request, [(right, wish)])

    return view


def _of(servers: list[GameServer], given: str) -> GameServer | None:
    return next((server for server in servers if server.pk == pks.read(given)), None)


def _render(
    site: AdminSite,
    request: HttpRequest,
    servers: list[GameServer],
    left: GameServer | None,
    right: GameServer | None,
) -> HttpResponse:
    rows = list(comparing.compare(left, right)) if left and right and left != right else []
    differing = [row for row in rows if row.relation is not Relation.SAME]
    page = Paginator(differing, _ROWS).get_page(request.GET.get("page"))
    user = request.user
    context: dict[str, Any] = {
        **site.each_context(request),
        "title": _("Compare two servers"),
        "servers": servers,
        "left": left,
        "right": right,
        "is_same_server": left is not None and left == right,
        "rows": [(row, TONES[row.relation]) for row in page],
        "page": page,
        "elsewhere": len(differing) - len(page),
        "same": len(rows) - len(differing),
        "may_align": user.has_perms(_RIGHTS),
        "may_remove": user.has_perm(rights.REMOVE),
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/mods/gameserver/compare.html", context)
