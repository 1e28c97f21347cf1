"""Crashes and starts of servers: the lists, a page of each, and what people do about them."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from mods import causes, crash_words, crashes, modset, restart, rights, starts
from mods.admin import asking, cells, pks
from mods.admin.filters import ServerFilter
from mods.models import Crash, Operation, ServerStart
from mods.wishes import Target, Wish
from vsadmin.lib import adminlog, times
from vsadmin.lib.modeladmin import ReadOnlyAdmin, tag


@admin.register(Crash)
class CrashAdmin(ReadOnlyAdmin[Crash]):
    """What servers crashed of."""

    page_template = "admin/mods/crash/page.html"
    list_display = ("when", "server_name", "culprit", "shown_error", "shown_state")
    list_filter = (ServerFilter,)
    search_fields = ("blamed", "error")
    search_help_text = gettext_lazy("Search by mod or error")

    def get_urls(self) -> list[URLPattern]:
        own = [
            path(f"<int:pk>/{address}/", self.admin_site.admin_view(view), name=f"mods_crash_{name}")
            for address, view, name in (
                ("dismiss", dismiss, "dismiss"),
                ("roll-back", roll_back, "roll_back"),
                ("remove", remove, "remove"),
                ("disable", disable, "disable"),
            )
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Crash]:
        later = ServerStart.objects.filter(server=OuterRef("server"), good=True, started_at__gt=OuterRef("happened_at"))
        return Crash.objects.select_related("server").defer("loaded", "involved").annotate(is_over=Exists(later))

    @admin.display(description=gettext_lazy("when"), ordering="happened_at")
    def when(self, crash: Crash) -> SafeString | str:
        return times.ago(crash.happened_at)

    @admin.display(description=gettext_lazy("server"), ordering="server__name")
    def server_name(self, crash: Crash) -> str:
        return crash.server.name

    @admin.display(description=gettext_lazy("named by the game"), ordering="blamed")
    def culprit(self, crash: Crash) -> SafeString | str:
        return crashes.blamed_in_words(crash) if crash.blamed else cells.quiet(_("no mod"))

    @admin.display(description=gettext_lazy("error"))
    def shown_error(self, crash: Crash) -> SafeString | str:
        return crashes.first_line(crash) or cells.quiet("–")

    @admin.display(description=gettext_lazy("state"), ordering="dismissed_at")
    def shown_state(self, crash: Crash) -> SafeString:
        return state_tag(crash, is_over=crash.is_over)  # type: ignore[attr-defined]  # annotated above

    def page_context(self, request: HttpRequest, obj: Crash) -> dict[str, Any]:
        story = causes.story_of(obj)
        later = ServerStart.objects.filter(server=obj.server_id, good=True, started_at__gt=obj.happened_at)
        suspects = [
            (one, crash_words.suspect_in_words(one), crash_words.of_suspect(request, story, one))
            for one in story.suspects
        ]
        return {
            "title": _("Crash of %s") % obj.server.name,
            "story": story,
            "headline": crash_words.headline(story),
            "changed_words": crash_words.changed(story),
            "good_words": times.weekday(story.good.started_at) if story.good else "",
            "suspects": suspects,
            "buttons": crash_words.buttons(request, story),
            "state": state_tag(obj, is_over=later.exists()),
            "loaded": sorted(obj.loaded or [], key=lambda pair: str(pair[0]).lower()),
            "may_see_starts": request.user.has_perm(rights.VIEW_STARTS),
            "may_see_servers": request.user.has_perm(rights.VIEW_SERVERS),
        }


def state_tag(crash: Crash, *, is_over: bool) -> SafeString:
    if crash.dismissed_at is not None:
        return tag("calm", _("dismissed") if crash.dismissed_by_name else _("past"))
    return tag("good", _("over")) if is_over else tag("bad", _("open"))


@require_POST
def dismiss(request: HttpRequest, pk: int) -> HttpResponse:
    """Nothing more is to be done about it, nor about those of its server before it."""
    rights.require(request, rights.DISMISS_CRASHES)
    crash = get_object_or_404(Crash.objects.select_related("server"), pk=pk)
    count = crashes.dismiss(crash, by=request.user.get_username())
    if count:
        adminlog.record(request.user, crash, adminlog.CHANGE, _("Dismissed it"), name=f"{crash.server.name} {crash}")
        words = ngettext("The crash is dismissed.", "%d crashes are dismissed.", count)
        messages.success(request, words % count if count > 1 else words)
    else:
        messages.info(request, _("It was dismissed already."))
    return asking.back(request, _back(request))


def _back(request: HttpRequest) -> str:
    """Where there is no other page to go to: the list, for those who may see it."""
    return reverse("admin:mods_crash_changelist" if request.user.has_perm(rights.VIEW_CRASHES) else "admin:index")


@require_POST
def roll_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan the way of one mod (`modid`) back to its version at the last good start."""
    rights.require(request, rights.UPDATE)
    story, suspect = _suspect(request, pk)
    if suspect is None or not suspect.can_go_back:
        messages.info(request, _("It is what it was at the last good start already, or no such start is known."))
        return asking.back(request, _back(request))
    wish = Wish(Operation.Kind.ROLL_BACK, (Target(modid=suspect.key, version=suspect.before),))
    return asking.ask(request, [(story.crash.server, wish)])


@require_POST
def remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan to remove one mod (`modid`) that wasn't there at the last good start."""
    rights.require(request, rights.REMOVE)
    return _without(request, pk, Operation.Kind.REMOVE)


@require_POST
def disable(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan to disable one mod (`modid`)."""
    rights.require(request, rights.TOGGLE)
    return _without(request, pk, Operation.Kind.DISABLE)


def _without(request: HttpRequest, pk: int, kind: Operation.Kind) -> HttpResponse:
    story, suspect = _suspect(request, pk)
    if suspect is None or not suspect.can_be_disabled:
        messages.info(request, _("The server wouldn't load it at its next start: nothing needs to be done."))
        return asking.back(request, _back(request))
    return asking.ask(request, [(story.crash.server, Wish(kind, (Target(modid=suspect.key),)))])


def _suspect(request: HttpRequest, pk: int) -> tuple[causes.Story, causes.Suspect | None]:
    """The crash's story, and of its suspects the one that the button names."""
    story = causes.story_of(get_object_or_404(Crash, pk=pk))
    modid = request.POST.get("modid", "")[:200].lower()
    return story, next((one for one in story.suspects if one.key == modid), None)


# --- starts


@admin.register(ServerStart)
class StartAdmin(ReadOnlyAdmin[ServerStart]):
    """When servers started, and whether it went well."""

    page_template = "admin/mods/serverstart/page.html"
    list_display = ("when", "server_name", "shown_version", "verdict", "crashed")
    list_filter = (ServerFilter,)

    def get_urls(self) -> list[URLPattern]:
        own = path("<int:pk>/put-back/", self.admin_site.admin_view(put_back), name="mods_serverstart_put_back")
        return [own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ServerStart]:
        known = ServerStart.objects.select_related("server").defer("mods", "loaded", "failures")
        return known.annotate(crash_count=Count("crashes"))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ServerStart | None:
        return ServerStart.objects.select_related("server").filter(pk=pks.read(object_id)).first()

    @admin.display(description=gettext_lazy("started"), ordering="started_at")
    def when(self, start: ServerStart) -> SafeString | str:
        return format_html("{} <small>{}</small>", times.clock(start.started_at), times.ago(start.started_at))

    @admin.display(description=gettext_lazy("server"), ordering="server__name")
    def server_name(self, start: ServerStart) -> str:
        return start.server.name

    @admin.display(description=gettext_lazy("game version"), ordering="game_version")
    def shown_version(self, start: ServerStart) -> SafeString:
        return cells.version(start.game_version) if start.game_version else cells.quiet(_("unknown"))

    @admin.display(description=gettext_lazy("how it went"), ordering="good")
    def verdict(self, start: ServerStart) -> SafeString:
        return verdict_tag(start)

    @admin.display(description=gettext_lazy("crashes"))
    def crashed(self, start: ServerStart) -> SafeString | str:
        count: int = start.crash_count  # type: ignore[attr-defined]  # annotated above
        return tag("bad", count) if count else cells.quiet("–")

    def page_context(self, request: HttpRequest, obj: ServerStart) -> dict[str, Any]:
        now = starts.sets_now([obj.server])[obj.server_id]
        then = modset.from_json(obj.mods) if obj.mods is not None else None
        is_there = then is not None and modset.same(then, now)
        may = then is not None and request.user.has_perms(rights.to_put_back(then, now))
        return {
            "title": _("Start of %s") % obj.server.name,
            "verdict": verdict_tag(obj),
            "mods": sorted(then or (), key=lambda one: (one.name or one.file_name).lower()),
            "is_known": then is not None,
            "is_there": is_there,
            "since": restart.between(obj.started_at, then, now) if then is not None else None,
            "crashes": list(obj.crashes.defer("loaded", "involved")[:20]),
            "button": crash_words.put_back(obj, kind="main") if may and not is_there else None,
            "may_see_crashes": request.user.has_perm(rights.VIEW_CRASHES),
            "may_see_servers": request.user.has_perm(rights.VIEW_SERVERS),
        }


def verdict_tag(start: ServerStart) -> SafeString:
    if start.good is None:
        return tag("info", _("ten minutes not over"))
    return tag("good", _("good")) if start.good else tag("bad", _("not good"))


@require_POST
def put_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Plan to have the mods of that start again."""
    start = get_object_or_404(ServerStart.objects.select_related("server").defer("mods"), pk=pk)
    return asking.ask(request, [(start.server, Wish(Operation.Kind.PUT_BACK, start=start.pk))])


def of_server(request: HttpRequest, server: Any) -> dict[str, Any]:
    """For a server's page: its latest starts, and the crash that somebody should look at."""
    found = causes.latest_open([server])
    latest = list(server.starts.defer("mods", "loaded", "failures")[:4])
    return {
        "latest_starts": [(start, verdict_tag(start)) for start in latest],
        "crash": found[0].crash if found else None,
        "crash_headline": crash_words.headline(found[0]) if found else "",
        "crash_detail": crash_words.detail(found[0]) if found else "",
        "crash_buttons": crash_words.buttons(request, found[0]) if found else [],
        "may_see_starts": request.user.has_perm(rights.VIEW_STARTS),
        "may_see_crashes": request.user.has_perm(rights.VIEW_CRASHES),
    }


__all__ = ["CrashAdmin", "StartAdmin", "disable", "of_server", "put_back", "remove", "roll_back"]
