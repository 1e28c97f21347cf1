"""The page that installs a mod: search in the known ones, or paste what names one; either leads to a plan."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from mods import conf, rights, versions, wishes
from mods.admin import asking, pks, search
from mods.admin.deciding import View
from mods.models import GameServer, InstalledMod, Mod, Operation
from mods.wishes import Target, Wish


class TargetForm(forms.Form):
    """What names a mod, and the version where it isn't to be the recommended one."""

    target = forms.CharField(
        label=gettext_lazy("Mod id, page or link"),
        max_length=500,
        error_messages={
            "required": gettext_lazy("Write a mod id, the address of a mod's page, or a one-click install link.")
        },
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "carryon@1.9.0"}),
    )
    version = forms.CharField(
        label=gettext_lazy("Version"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "recommended"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def clean_target(self) -> Target:
        try:
            return wishes.read_target(self.cleaned_data["target"], moddb_url=conf.MODDB_URL.get())
        except wishes.NotUnderstood as error:
            raise forms.ValidationError(str(error)) from None

    def clean_version(self) -> str:
        text: str = self.cleaned_data["version"].strip().removeprefix("v")
        if text and versions.parse(text) is None:
            raise forms.ValidationError(_("That is no version. Write it like 1.9.0, or leave it empty."))
        return text

    def wanted(self) -> Target:
        """The mod, in the version of its own field where that is filled."""
        target: Target = self.cleaned_data["target"]
        version = self.cleaned_data["version"] or target.version
        return Target(modid=target.modid, number=target.number, alias=target.alias, version=version)


def page(site: AdminSite) -> View:
    """GET: the page; `server`, `q` and `target` fill it. POST: plan one of the found mods, or what was pasted."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest) -> HttpResponse:
        rights.require(request, rights.INSTALL)
        servers = list(GameServer.objects.all())
        if request.method != "POST":
            return _render(site, request, servers, _chosen(servers, request.GET.get("server", "")), _prefilled(request))
        server = _chosen(servers, request.POST.get("server", ""), only_given=True)
        if server is None:
            messages.error(request, _("Choose the server first."))
            return _render(site, request, servers, None, TargetForm(request.POST), status=400)
        if "mod" in request.POST:
            target = _of_list(request.POST.get("mod", ""), request.POST.get("modid", ""))
            if target is not None:
                return _plan(request, server, target)
            messages.error(request, _("That mod is no longer in the list. Search again."))
            return _render(site, request, servers, server, TargetForm(), status=400)
        form = TargetForm(request.POST)
        if form.is_valid():
            return _plan(request, server, form.wanted())
        return _render(site, request, servers, server, form, status=400)

    return view


def _plan(request: HttpRequest, server: GameServer, target: Target) -> HttpResponse:
    return asking.ask(request, [(server, Wish(kind=Operation.Kind.INSTALL, targets=(target,)))])


def _chosen(servers: list[GameServer], given: str, *, only_given: bool = False) -> GameServer | None:
    """The server that is meant: the one given, else the only one (or, unless `only_given`, the first)."""
    named = next((server for server in servers if server.pk == pks.read(given)), None)
    if named is not None or not servers or (only_given and (given or len(servers) > 1)):
        return named
    return servers[0]


def _prefilled(request: HttpRequest) -> TargetForm:
    """An empty form, or one with what the address names: one-click links lead here."""
    given = request.GET.get("target", "").strip()
    if not given:
        return TargetForm()
    return TargetForm({"target": given[:500], "version": request.GET.get("version", "")})


def _of_list(pk: str, modid: str) -> Target | None:
    """A mod of the list, by the id chosen of those that it releases; None where it has gone meanwhile."""
    mod = Mod.objects.prefetch_related("claims").filter(pk=pks.read(pk)).first()
    if mod is None:
        return None
    claimed = sorted(claim.key for claim in mod.claims.all())
    if modid in claimed:
        return Target(modid=modid)
    return Target(modid=claimed[0]) if len(claimed) == 1 else Target(number=mod.asset_id or mod.mod_id)


def _render(
    site: AdminSite,
    request: HttpRequest,
    servers: list[GameServer],
    server: GameServer | None,
    form: TargetForm,
    status: int = 200,
) -> HttpResponse:
    text = request.GET.get("q", "")[:200]
    found, more = search.search(text, server)
    target = form.wanted() if form.is_bound and form.is_valid() else None
    context = {
        **site.each_context(request),
        "title": _("Install a mod"),
        "servers": servers,
        "server": server,
        "q": text,
        "found": found,
        "more": more,
        "knows_any": bool(found) or bool(text and Mod.objects.exists()),
        "form": form,
        "target": target,
        "target_here": _here(server, target),
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/mods/operation/install.html", context, status=status)


def _here(server: GameServer | None, target: Target | None) -> InstalledMod | None:
    """The installed mod that a filled-in target names."""
    if server is None or target is None or not target.modid:
        return None
    return InstalledMod.objects.filter(server=server, modid_key=target.modid.lower()).first()
