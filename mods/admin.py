"""The panel's pages of servers, installed mods and refreshes."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mods import conf, figures, inventory, serverdir, versions, wording
from mods.models import GameServer, InstalledMod, InstalledModQuerySet, Lookup, RefreshRun, Release
from vsadmin.lib import html, times
from vsadmin.lib.jobs.runner import enqueue
from vsadmin.lib.modeladmin import PanelAdmin, ReadOnlyAdmin, tag

#: Ids that stand for the base game; no file brings them.
BASE_GAME = frozenset({"game", "survival", "creative"})
#: Characters of changelogs that one page shows, strangers' HTML being slow to clean.
_CHANGELOGS = 256 * 1024


# Servers.


class GameServerForm(forms.ModelForm[GameServer]):
    """A server's name, folder and game version; the folder is looked at before it is taken."""

    #: What the folder holds, once it was looked at.
    found: serverdir.ServerFolder | None = None

    class Meta:
        model = GameServer
        fields = ("name", "data_dir", "game_version_by_hand")
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "data_dir": forms.TextInput(
                attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "/var/vintagestory/data"}
            ),
            "game_version_by_hand": forms.TextInput(attrs={"autocomplete": "off", "placeholder": "1.21.5"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        if "data_dir" in self.fields:  # not where the page is read only
            looking = {
                "hx-get": reverse("admin:mods_gameserver_look"),
                "hx-trigger": "input changed delay:400ms"
                + (", load" if self.initial.get("data_dir") and not self.instance.pk else ""),
                "hx-target": "#look",
                "hx-vals": json.dumps({"server": str(self.instance.pk or "")}),
                "hx-sync": "this:replace",
            }
            self.fields["data_dir"].widget.attrs.update(looking)

    def clean_data_dir(self) -> str:
        place = usable_path(self.cleaned_data["data_dir"])
        if self.instance.pk and str(place) == self.instance.data_dir:
            return str(place)  # an unreachable server can still be renamed
        self.found = look_at(place)
        return str(place)

    def clean_game_version_by_hand(self) -> str:
        text: str = self.cleaned_data["game_version_by_hand"].strip().removeprefix("v")
        if text and versions.parse(text) is None:
            raise forms.ValidationError(_("That is no game version. Write it like 1.21.5, or leave it empty."))
        return text


def usable_path(text: str) -> Path:
    """The folder that a person typed, `~` resolved; raises ValidationError where it isn't absolute."""
    try:
        place = Path(os.path.normpath(Path(text.strip()).expanduser()))
        usable = place.is_absolute() and "\0" not in text
    except (RuntimeError, ValueError):
        usable = False
    if not usable:
        raise forms.ValidationError(_("Write the whole path, beginning with / (or ~ for your home folder)."))
    return place


def look_at(place: Path) -> serverdir.ServerFolder:
    """What the data folder holds; raises ValidationError with the reason and the remedy."""
    try:
        return serverdir.read(place)
    except serverdir.Unusable as error:
        raise forms.ValidationError(format_html("{} {}", error.text, html.with_command(error.remedy))) from None


def found_words(folder: serverdir.ServerFolder) -> str:
    """What a data folder holds, in one sentence."""
    count = serverdir.count_mods(folder)
    mods = ngettext("%d mod", "%d mods", count) % count
    if folder.game_version:
        return _("game version %(version)s, %(mods)s") % {"version": folder.game_version, "mods": mods}
    return _("game version unknown yet, %s") % mods


@admin.register(GameServer)
class GameServerAdmin(PanelAdmin[GameServer]):
    """Servers: the list, adding one, and each one's page."""

    form = GameServerForm
    change_form_template = "admin/mods/gameserver/page.html"
    add_form_template = "admin/mods/gameserver/add.html"
    delete_confirmation_template = "admin/mods/gameserver/delete.html"
    list_display = ("shown_name", "shown_game_version", "mods", "updates", "attention", "shown_scan", "folder")
    search_fields = ("name", "data_dir")
    ordering = ("name",)

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Few people have so many servers that they must search."""
        return ("name", "data_dir") if "q" in request.GET or GameServer.objects.count() > 20 else ()

    def get_fieldsets(self, request: HttpRequest, obj: GameServer | None = None) -> Any:
        return [(None, {"fields": self.form.Meta.fields})]

    def get_urls(self) -> list[URLPattern]:
        look = path("look/", self.admin_site.admin_view(self.look_view), name="mods_gameserver_look")
        return [look, *super().get_urls()]

    # The list.

    def get_queryset(self, request: HttpRequest) -> QuerySet[GameServer]:
        return super().get_queryset(request).defer("notes", "disabled_mods")

    def get_changelist_instance(self, request: HttpRequest) -> ChangeList:
        changelist = super().get_changelist_instance(request)
        counted = figures.by_server()
        for server in changelist.result_list:
            server.figures = counted.get(server.pk, figures.Figures())
        return changelist

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, server: GameServer) -> SafeString | str:
        if not server.unreachable_since:
            return server.name
        return format_html("<b>{}</b> {}", server.name, tag("bad", _("can't be reached")))

    @admin.display(description=gettext_lazy("game version"), ordering="game_version")
    def shown_game_version(self, server: GameServer) -> SafeString:
        if not server.game_version:
            return tag("warn" if server.scanned_at else "calm", _("not known"))
        return format_html('<span class="version">{}</span>', server.game_version)

    @admin.display(description=gettext_lazy("mods"))
    def mods(self, server: GameServer) -> SafeString:
        return _count_link(server, server.figures.mods)  # type: ignore[attr-defined]  # set above

    @admin.display(description=gettext_lazy("updates"))
    def updates(self, server: GameServer) -> SafeString:
        return _count_link(server, server.figures.outdated, "outdated", "warn")  # type: ignore[attr-defined]  # set above

    @admin.display(description=gettext_lazy("need attention"))
    def attention(self, server: GameServer) -> SafeString:
        return _count_link(server, server.figures.attention, "attention", "warn")  # type: ignore[attr-defined]  # set above

    @admin.display(description=gettext_lazy("last scan"), ordering="scanned_at")
    def shown_scan(self, server: GameServer) -> SafeString | str:
        return times.ago(server.scanned_at)

    @admin.display(description=gettext_lazy("data folder"), ordering="data_dir")
    def folder(self, server: GameServer) -> SafeString:
        return format_html('<span class="path">{}</span>', server.data_dir)

    # Its page.

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        server = self.get_object(request, object_id)
        context = self._page_context(server) if server else {}
        return super().change_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def _page_context(self, server: GameServer) -> dict[str, Any]:
        mods_url = reverse("admin:mods_installedmod_changelist")
        counted = figures.of(server.installed_mods.all())
        states = (
            ("", counted.mods, ngettext("mod", "mods", counted.mods), ""),
            ("outdated", counted.outdated, ngettext("update", "updates", counted.outdated), "warn"),
            ("incompatible", counted.incompatible, _("incompatible"), "bad"),
            ("retracted", counted.retracted, _("retracted"), "bad"),
            ("problem", counted.problems, ngettext("problem", "problems", counted.problems), "bad"),
        )
        shared: dict[str, list[GameServer]] = {}
        for folder, other in inventory.sharing(server):
            shared.setdefault(folder, []).append(other)
        is_first = conf.SERVER_DATA_DIR.get() == Path(server.data_dir)
        return {
            "title": server.name,
            "counted": counted,
            "facts": [
                (count, label, tone, f"{mods_url}?server={server.pk}" + (f"&state={state}" if state else ""))
                for state, count, label, tone in states
            ],
            "folders": [(entry["path"], shared.get(entry["path"], ())) for entry in server.mod_folders],
            "by_environment": {
                "version": is_first and bool(conf.GAME_VERSION.get()),
                "folder": is_first,
            },
        }

    # Adding, changing, deleting.

    def look_view(self, request: HttpRequest) -> HttpResponse:
        """What the folder being typed holds, or why it can't serve: a fragment beneath the field."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        context: dict[str, Any] = {}
        text = request.GET.get("data_dir", "")
        if text.strip():
            try:
                place = usable_path(text)
                context["found"] = found_words(look_at(place))
                others = GameServer.objects.exclude(pk=self._given_pk(request))
                context["known"] = others.filter(data_dir=str(place)).first()
            except forms.ValidationError as error:
                context["errors"] = error.messages
        return TemplateResponse(request, "admin/mods/gameserver/look.html", context)

    @staticmethod
    def _given_pk(request: HttpRequest) -> int:
        """The server whose page asks; 0 for a new one."""
        given = request.GET.get("server", "")
        return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0

    def save_model(self, request: HttpRequest, obj: GameServer, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change or {"data_dir", "game_version_by_hand"} & set(form.changed_data):
            run, _is_new = enqueue("mod_scan", user=request.user, server=obj.pk)
            request.started_run = run  # type: ignore[attr-defined]  # read when answering
        if not change and form.found is not None:
            request.found_words = found_words(form.found)  # type: ignore[attr-defined]  # likewise

    def response_add(self, request: HttpRequest, obj: GameServer, post_url_continue: str | None = None) -> HttpResponse:
        found = getattr(request, "found_words", "")
        messages.success(request, _("%(name)s is added: %(found)s.") % {"name": obj.name, "found": found})
        return self._to_page(request, obj)

    def response_change(self, request: HttpRequest, obj: GameServer) -> HttpResponse:
        messages.success(request, _("%s is saved.") % obj.name)
        return self._to_page(request, obj)

    def _to_page(self, request: HttpRequest, obj: GameServer) -> HttpResponse:
        page = reverse("admin:mods_gameserver_change", args=[obj.pk])
        run = getattr(request, "started_run", None)
        return HttpResponseRedirect(f"{page}?run={run.pk}" if run else page)

    def get_deleted_objects(
        self, objs: QuerySet[Any] | Iterable[Any], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Only our own rows go; thousands of them aren't listed one by one."""
        servers = list(objs)
        count = InstalledMod.objects.filter(server__in=servers).count()
        going = {
            ngettext("server", "servers", len(servers)): len(servers),
            ngettext("mod in vsadmin's list", "mods in vsadmin's list", count): count,
        }
        return [str(server) for server in servers], going, set(), []


def _count_link(server: GameServer, count: int, state: str = "", tone: str = "") -> SafeString:
    url = reverse("admin:mods_installedmod_changelist") + f"?server={server.pk}" + (f"&state={state}" if state else "")
    if not count:
        return format_html('<span class="quiet">{}</span>', 0)
    return format_html('<a class="figure {}" href="{}">{}</a>', tone, url, count)


# Installed mods.


class ServerFilter(admin.SimpleListFilter):
    title = gettext_lazy("server")
    parameter_name = "server"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in GameServer.objects.values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> QuerySet[InstalledMod]:
        value = self.value()
        return queryset.filter(server=int(value)) if value and value in dict(self.lookup_choices) else queryset


class StateFilter(admin.SimpleListFilter):
    """What is the matter with a mod; shown as a row of tabs with counts."""

    title = gettext_lazy("state")
    parameter_name = "state"
    template = "panel/tabs_filter.html"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("attention", gettext_lazy("Need attention")),
            ("outdated", gettext_lazy("Updates")),
            ("incompatible", gettext_lazy("Incompatible")),
            ("retracted", gettext_lazy("Retracted")),
            ("problem", gettext_lazy("Problem")),
            ("disabled", gettext_lazy("Disabled")),
            ("absent", gettext_lazy("Not in the mod database")),
            ("failed", gettext_lazy("Check failed")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        rows: InstalledModQuerySet = queryset
        match self.value():
            case "attention":
                return rows.needing_attention()
            case "outdated":
                return rows.outdated()
            case "incompatible":
                return rows.incompatible()
            case "retracted":
                return rows.retracted()
            case "problem":
                return rows.with_problems()
            case "disabled":
                return rows.disabled()
            case "absent":
                return rows.filter(lookup__state=Lookup.State.ABSENT)
            case "failed":
                return rows.failed_checks()
        return rows

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        counts = self.get_facet_queryset(changelist)
        for number, choice in enumerate(super().choices(changelist)):
            count = counts[f"{number - 1}__c"] if number else None
            yield {**choice, "count": count, "display": choice["display"] if number else _("All")}


class SideFilter(admin.SimpleListFilter):
    title = gettext_lazy("side")
    parameter_name = "side"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(key, word) for key, word in _SIDES.items() if key]

    def queryset(self, request: HttpRequest, queryset: QuerySet[InstalledMod]) -> QuerySet[InstalledMod]:
        value = self.value()
        return queryset.filter(side__iexact=value) if value else queryset


_SIDES = {
    "universal": gettext_lazy("both"),
    "server": gettext_lazy("server"),
    "client": gettext_lazy("client"),
    "": "",
}


# What the list shows; the long texts of thousands of rows stay where they are.
_LISTED = (
    "name", "modid", "version", "file_name", "problems", "latest", "recommended", "compatibility", "outdated",
    "retracted", "side", "enabled", "disabled_by_config", "server__name", "lookup__state", "lookup__error",
    "lookup__checked_at",
)  # fmt: skip


def side_words(side: str) -> str:
    return str(_SIDES.get(side.lower(), side))


@dataclass(frozen=True)
class Dependency:
    """What a mod needs, and how the server meets it."""

    modid: str
    minimum: str
    is_base_game: bool
    met_by: InstalledMod | None
    #: "met", "missing", "too_old" or "disabled"
    state: str


@dataclass(frozen=True)
class ShownRelease:
    """A release as a mod's page shows it."""

    release: Release
    game_versions: str
    changelog: SafeString | str
    marks: list[tuple[str, str]]
    #: Left out because the page would get too long.
    is_cut: bool


@admin.register(InstalledMod)
class InstalledModAdmin(ReadOnlyAdmin[InstalledMod]):
    """Every server's mods, and a page of each."""

    page_template = "admin/mods/installedmod/page.html"
    list_display = (
        "mod", "server_name", "installed", "recommended_version", "latest_version", "fits", "shown_side", "is_on",
        "checked",
    )  # fmt: skip
    list_filter = (StateFilter, ServerFilter, SideFilter)
    search_fields = ("name", "modid", "authors", "file_name", "lookup__mod__author")
    search_help_text = gettext_lazy("Search by name, mod id, author or file")

    def get_queryset(self, request: HttpRequest) -> QuerySet[InstalledMod]:
        return InstalledMod.objects.select_related("server", "lookup").only(*_LISTED)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> InstalledMod | None:
        given = object_id if object_id.isascii() and object_id.isdigit() and len(object_id) < 19 else "0"
        return InstalledMod.objects.for_pages().filter(pk=int(given)).first()

    # The list.

    @admin.display(description=gettext_lazy("mod"), ordering="name")
    def mod(self, row: InstalledMod) -> SafeString:
        problem = str(row.problems[0]) if row.problems else ""
        return format_html(
            "<b>{}</b>{}{}",
            row.name,
            format_html("<small>{}</small>", row.modid if row.modid else row.file_name),
            format_html(
                '<small class="is-bad"><span class="visually-hidden">{} </span>{}</small>', _("Problem:"), problem
            )
            if problem
            else "",
        )

    @admin.display(description=gettext_lazy("server"), ordering="server__name")
    def server_name(self, row: InstalledMod) -> str:
        return row.server.name

    @admin.display(description=gettext_lazy("installed"), ordering="version")
    def installed(self, row: InstalledMod) -> SafeString:
        version = _version(row.version) if row.version else _quiet(_("unknown"))
        return format_html("{} {}", version, tag("bad", _("retracted"))) if row.retracted else version

    @admin.display(description=gettext_lazy("recommended"), ordering="outdated")
    def recommended_version(self, row: InstalledMod) -> SafeString:
        if not row.recommended:
            return _quiet("–")
        if not row.outdated:
            return _quiet(_("up to date")) if row.recommended == row.version else _quiet(row.recommended, "version")
        return format_html(
            '<span class="update"><span aria-hidden="true">→</span> {}</span>', _version(row.recommended)
        )

    @admin.display(description=gettext_lazy("latest"), ordering="latest")
    def latest_version(self, row: InstalledMod) -> SafeString:
        return _version(row.latest) if row.latest else _quiet("–")

    @admin.display(description=gettext_lazy("compatibility"), ordering="compatibility")
    def fits(self, row: InstalledMod) -> SafeString:
        return tag(wording.compatibility_tone(row), row.get_compatibility_display())

    @admin.display(description=gettext_lazy("side"), ordering="side")
    def shown_side(self, row: InstalledMod) -> SafeString | str:
        return side_words(row.side) or _quiet("–")

    @admin.display(description=gettext_lazy("enabled"), ordering="enabled")
    def is_on(self, row: InstalledMod) -> SafeString | str:
        if row.enabled and not row.disabled_by_config:
            return _("yes")
        return tag("calm", _("disabled"))

    @admin.display(description=gettext_lazy("checked"), ordering="lookup__checked_at")
    def checked(self, row: InstalledMod) -> SafeString:
        fresh = wording.freshness(row)
        age = times.ago(fresh.checked_at) if fresh.checked_at else ""
        if not fresh.state:
            return format_html("{}", age)
        words = format_html('<span class="{}">{}</span>', "is-bad" if fresh.tone == "bad" else "quiet", fresh.state)
        return format_html("{} <small>{}</small>", words, age) if age else words

    # Its page.

    def page_context(self, request: HttpRequest, obj: InstalledMod) -> dict[str, Any]:
        mod = obj.lookup.mod if obj.lookup else None
        releases = list(Release.objects.filter(mod=mod)) if mod else []
        carrying = [release for release in releases if release.modid_key == obj.modid_key]
        carrying.sort(key=lambda release: versions.sort_key(release.version), reverse=True)
        dependencies = _dependencies(obj)
        return {
            "title": obj.name,
            "mod": mod,
            "fresh": wording.freshness(obj),
            "is_off": not obj.enabled or obj.disabled_by_config,
            "side": side_words(obj.side),
            "compatibility_tone": wording.compatibility_tone(obj),
            "compatibility_reason": wording.compatibility_reason(obj),
            "recommendation_reason": wording.recommendation_reason(obj),
            "dependencies": dependencies,
            "unmet": [one for one in dependencies if one.state != "met"],
            "releases": list(_shown(obj, carrying)),
            "other_modids": sorted(
                {release.modid for release in releases if release.modid_key != obj.modid_key} - {""}
            ),
            "elsewhere": _elsewhere(obj),
            "links": _links(obj),
            "author": (mod.author if mod else "") or obj.authors,
            "tags": [str(one) for one in mod.tags if one] if mod and isinstance(mod.tags, list) else [],
        }


def _version(text: str) -> SafeString:
    return format_html('<span class="version">{}</span>', text)


def _quiet(text: str, extra: str = "") -> SafeString:
    return format_html('<span class="quiet {}">{}</span>', extra, text)


def _dependencies(row: InstalledMod) -> list[Dependency]:
    """What the mod needs, the base game first; one query."""
    wanted = {str(modid): str(minimum or "") for modid, minimum in row.dependencies.items()}
    keys = {modid.lower() for modid in wanted} - BASE_GAME
    here: dict[str, list[InstalledMod]] = {}
    for one in InstalledMod.objects.filter(server=row.server, modid_key__in=keys).exclude(pk=row.pk):
        here.setdefault(one.modid_key, []).append(one)
    found = [_dependency(row, modid, minimum, here) for modid, minimum in wanted.items()]
    return sorted(found, key=lambda one: (not one.is_base_game, one.modid.lower()))


def _dependency(row: InstalledMod, modid: str, minimum: str, here: dict[str, list[InstalledMod]]) -> Dependency:
    shown = "" if minimum.strip() in {"", "*"} else minimum
    if modid.lower() in BASE_GAME:
        met = not row.server.game_version or versions.satisfies(row.server.game_version, minimum)
        return Dependency(modid, shown, True, None, "met" if met else "too_old")
    candidates = sorted(
        here.get(modid.lower(), ()),
        key=lambda one: (one.enabled and not one.disabled_by_config, versions.sort_key(one.version)),
        reverse=True,
    )
    if not candidates:
        return Dependency(modid, shown, False, None, "missing")
    best = candidates[0]
    if not best.enabled or best.disabled_by_config:
        return Dependency(modid, shown, False, best, "disabled")
    return Dependency(modid, shown, False, best, "met" if versions.satisfies(best.version, minimum) else "too_old")


def _shown(row: InstalledMod, releases: list[Release]) -> Iterator[ShownRelease]:
    left = _CHANGELOGS
    for release in releases:
        marks = []
        if release.pk == row.release_id:
            marks.append(("info", _("installed")))
        if release.pk == row.recommended_release_id and row.outdated:
            marks.append(("warn", _("recommended")))
        if release.version == row.latest:
            marks.append(("calm", _("latest")))
        if release.retracted:
            marks.append(("bad", _("retracted")))
        elif release.gone_since is not None:
            marks.append(("bad", _("no longer offered")))
        cost = min(len(release.changelog), html.MAX_LENGTH)
        is_cut = cost > left
        left -= 0 if is_cut else cost
        yield ShownRelease(
            release=release,
            game_versions=wording.game_versions(release.game_versions) or _("no game version named"),
            changelog="" if is_cut else html.sanitised(release.changelog),
            marks=marks,
            is_cut=is_cut,
        )


def _elsewhere(row: InstalledMod) -> list[InstalledMod]:
    if not row.modid_key:
        return []
    same = InstalledMod.objects.filter(modid_key=row.modid_key).exclude(pk=row.pk)
    return list(same.select_related("server").order_by("server__name", "file_name")[:20])


def _links(row: InstalledMod) -> list[tuple[str, str]]:
    """Where more is said of the mod: (label, address), web addresses only."""
    mod = row.lookup.mod if row.lookup else None
    found = []
    if mod and mod.asset_id:
        found.append((_("Page in the mod database"), f"{conf.MODDB_URL.get()}/show/mod/{mod.asset_id}"))
    if mod:
        found += [
            (_("Home page"), mod.homepage_url),
            (_("Source"), mod.source_url),
            (_("Report an issue"), mod.issues_url),
            (_("Wiki"), mod.wiki_url),
            (_("Video"), mod.video_url),
        ]
    found.append((_("Website named in the file"), row.website))
    seen: set[str] = set()
    links = []
    for label, url in found:
        usable = html.web_link(url)
        if usable and usable not in seen:
            seen.add(usable)
            links.append((label, usable))
    return links


# Refreshes.


@admin.register(RefreshRun)
class RefreshRunAdmin(ReadOnlyAdmin[RefreshRun]):
    """What each refresh asked and what came of it."""

    page_template = "admin/mods/refreshrun/page.html"
    list_display = ("when", "shown_state", "asked", "changed", "unchanged", "failed", "requests", "shown_bytes", "took")

    def page_context(self, request: HttpRequest, obj: RefreshRun) -> dict[str, Any]:
        failures = obj.failures if isinstance(obj.failures, dict) else {}
        keys = [str(modid).lower() for modid in failures]
        installed = dict(InstalledMod.objects.filter(modid_key__in=keys[:500]).values_list("modid_key", "pk"))
        return {
            "failures": [(modid, why, installed.get(str(modid).lower())) for modid, why in sorted(failures.items())],
            "took": _took(obj),
            "tone": _run_tone(obj),
        }

    @admin.display(description=gettext_lazy("started"), ordering="started_at")
    def when(self, run: RefreshRun) -> SafeString | str:
        return times.ago(run.started_at)

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def shown_state(self, run: RefreshRun) -> SafeString:
        return tag(_run_tone(run), run.get_state_display())

    @admin.display(description=gettext_lazy("received"), ordering="bytes")
    def shown_bytes(self, run: RefreshRun) -> str:
        return filesizeformat(run.bytes)

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: RefreshRun) -> str:
        return _took(run)


def _took(run: RefreshRun) -> str:
    return times.span(run.ended_at - run.started_at) if run.ended_at else ""


def _run_tone(run: RefreshRun) -> str:
    return {"completed": "warn" if run.failed else "good", "failed": "bad"}.get(run.state, "info")
