"""The catalogue: every mod of the stored list, to search and to browse, as the chosen server would have it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mods import catalogue, fits, rights
from mods.admin import catalogue_page, pks
from mods.admin.catalogue_words import logo, shown_fit, type_words
from mods.catalogue import Known, Listed, Wanted
from mods.models import CatalogueEntry, GameServer, Mod
from vsadmin.lib.modeladmin import ReadOnlyAdmin

PER_PAGE = 24
SORTS: dict[str, str | Promise] = {
    catalogue.BEST: gettext_lazy("best match"),
    "trending": gettext_lazy("trending"),
    "updated": gettext_lazy("recently updated"),
    "newest": gettext_lazy("newest"),
    "downloads": gettext_lazy("downloads"),
    "name": gettext_lazy("name"),
}
#: The sides as the list has them, where files say "universal" for both.
_SIDES: dict[str, str | Promise] = {
    "both": gettext_lazy("both"),
    "client": gettext_lazy("client"),
    "server": gettext_lazy("server"),
}


@dataclass(frozen=True)
class Choice:
    """One line of a filter's menu, as `admin/filter.html` draws it."""

    display: str | Promise
    query_string: str
    selected: bool


@dataclass(frozen=True)
class Menu:
    """A filter. `is_on`: it leaves something out."""

    title: str | Promise
    choices: list[Choice]
    is_on: bool


@dataclass(frozen=True)
class Card:
    """A mod of the catalogue with its words."""

    listed: Listed
    #: Tone, word and reason of its compatibility, of the installed version where there is one; None without a server.
    fit: tuple[str, str, str] | None
    logo: str

    @property
    def initial(self) -> str:
        return next((letter for letter in self.listed.mod.name if letter.isalnum()), "?").upper()


class _Address:
    """The page's address with its parameters; links change one of them."""

    NAMES = ("q", "server", "gv", "side", "tag", "type", "new", "sort")

    def __init__(self, given: dict[str, str]) -> None:
        self._given = {name: given[name] for name in self.NAMES if given.get(name)}

    def to(self, **changed: str) -> str:
        return f"?{urlencode({name: value for name, value in {**self._given, **changed}.items() if value})}"

    def hidden(self) -> list[tuple[str, str]]:
        """What a search form must carry along."""
        return [(name, value) for name, value in self._given.items() if name != "q"]


@admin.register(Mod)
class CatalogueAdmin(ReadOnlyAdmin[Mod]):
    """The catalogue, and a page of each mod."""

    page_template = "admin/mods/mod/page.html"

    def get_urls(self) -> list[URLPattern]:
        views = (
            ("<int:pk>/install/", catalogue_page.install, "install"),
            ("<int:pk>/fetch/", catalogue_page.fetch, "fetch"),
        )
        own = [
            path(address, self.admin_site.admin_view(view), name=f"mods_mod_{name}") for address, view, name in views
        ]
        return [*own, *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Mod | None:
        return Mod.objects.filter(pk=pks.read(object_id)).first()

    def page_context(self, request: HttpRequest, obj: Mod) -> dict[str, Any]:
        return catalogue_page.context(request, obj)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Asked by its own banner whether the details have come, it says nothing until they have."""
        polled = getattr(request, "htmx", False) and request.htmx.trigger == "fetching"  # type: ignore[attr-defined]  # set by django-htmx
        if polled and self.has_view_permission(request) and catalogue_page.is_fetching(pks.read(object_id)):
            return HttpResponse(status=204)
        return super().change_view(request, object_id, form_url, extra_context)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method not in {"GET", "HEAD"} or not self.has_view_permission(request):
            raise PermissionDenied
        servers = list(GameServer.objects.all()) if request.user.has_perm(rights.VIEW_SERVERS) else []
        server = catalogue_page.chosen(servers, request.GET.get("server", ""))
        known = catalogue.known()
        found = _Found(request, servers, server, known)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": _("Catalogue"),
            **found.context(),
            "list": known.answer,
            "may_install": request.user.has_perm(rights.INSTALL),
            **(extra_context or {}),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/mods/mod/change_list.html", context)


class _Found:
    """What one address of the catalogue shows; a fixed number of queries."""

    def __init__(
        self, request: HttpRequest, servers: list[GameServer], server: GameServer | None, known: Known
    ) -> None:
        self.request, self.servers, self.server = request, servers, server
        self.heard, self.tags, self.types = known.heard, known.tags, known.types
        given = request.GET
        sort = given.get("sort", "")
        self.wanted = Wanted(
            text=given.get("q", "").strip()[:200],
            game_version=_of(given.get("gv", ""), [text for text in self.heard if text]),
            side=_of(given.get("side", ""), _SIDES),
            tag=_of(given.get("tag", ""), [tag for tag, _count in self.tags]),
            type=_of(given.get("type", ""), self.types),
            not_on=server if given.get("new") == "yes" else None,
            sort=sort if sort in SORTS else "",
        )
        if self.wanted.sort == catalogue.BEST and not self.wanted.text:
            self.wanted = replace(self.wanted, sort="")
        self.address = _Address(
            {
                "q": self.wanted.text,
                "server": str(server.pk) if server and len(servers) > 1 else "",
                "gv": self.wanted.game_version,
                "side": self.wanted.side,
                "tag": self.wanted.tag,
                "type": self.wanted.type,
                "new": "yes" if self.wanted.not_on else "",
                "sort": self.wanted.sort,
            }
        )

    def context(self) -> dict[str, Any]:
        total = CatalogueEntry.objects.count()
        entries = catalogue.search(self.wanted).values_list("pk", flat=True)
        page = Paginator(entries, PER_PAGE).get_page(self.request.GET.get("page"))
        menus = self._menus()
        return {
            "total": total,
            "page": page,
            "pages": _pages(page, self.address),
            "cards": self._cards(list(page.object_list)),
            "servers": [(one, self.address.to(server=str(one.pk)), one == self.server) for one in self.servers],
            "server": self.server,
            "wanted": self.wanted,
            "menus": menus,
            "sorting": self._sorting(),
            "hidden": self.address.hidden(),
            "is_narrowed": self.wanted.is_narrowed,
            "clear_url": _Address({"server": self._server_given()}).to(),
            "new_url": self.address.to(new="" if self.wanted.not_on else "yes"),
            "server_query": urlencode({"server": self._server_given()}) if self._server_given() else "",
        }

    def _server_given(self) -> str:
        return str(self.server.pk) if self.server and len(self.servers) > 1 else ""

    def _cards(self, found: Sequence[int]) -> list[Card]:
        listed = catalogue.listed(found, self.server, self.heard)
        return [Card(one, shown_fit(one.fit, one.installed, self.server), logo(one.mod)) for one in listed]

    def _menus(self) -> list[Menu]:
        wanted = self.wanted
        versions = [(text, text if fits.exact(text) else _("%s, any patch") % text) for text in self.heard if text]
        tags = [(tag, f"{tag} ({count})") for tag, count in self.tags]
        return [
            self._menu("gv", _("Game version"), wanted.game_version, versions),
            self._menu("tag", _("Tag"), wanted.tag, tags),
            self._menu("side", _("Side"), wanted.side, list(_SIDES.items())),
            self._menu("type", _("Type"), wanted.type, [(one, type_words(one)) for one in self.types]),
        ]

    def _menu(self, name: str, title: str, current: str, choices: Sequence[tuple[str, str | Promise]]) -> Menu:
        lines = [Choice(_("any"), self.address.to(**{name: ""}), not current)]
        lines += [Choice(words, self.address.to(**{name: value}), value == current) for value, words in choices]
        return Menu(title, lines, bool(current))

    def _sorting(self) -> Menu:
        default = catalogue.BEST if self.wanted.text else next(iter(catalogue.SORTS))
        current = self.wanted.sort or default
        offered = [name for name in SORTS if name != catalogue.BEST or self.wanted.text]
        lines = [
            Choice(SORTS[name], self.address.to(sort="" if name == default else name), name == current)
            for name in offered
        ]
        return Menu(_("Sorted by"), lines, is_on=False)


def _of(given: str, known: Any) -> str:
    """What was given, if it is one of those."""
    return given if given in known else ""


def _pages(page: Page[Any], address: _Address) -> list[tuple[int | str, str]]:
    """The numbers to choose from: (number or an ellipsis, address; "" for this page)."""
    if page.paginator.num_pages == 1:
        return []
    numbers = page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)
    return [
        (number, "" if number == page.number or isinstance(number, str) else f"{address.to()}&page={number}")
        for number in numbers
    ]
