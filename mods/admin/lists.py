"""A server's list of mods as text: to take away, to bring in, and to give to players."""

import json
from typing import Any

from django import forms
from django.contrib.admin import AdminSite
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from mods import exchange, rights
from mods.admin import asking
from mods.admin.deciding import View
from mods.models import GameServer, Operation
from mods.wishes import Target, Wish


class ImportForm(forms.Form):
    """A list of mods, pasted or as a file."""

    text = forms.CharField(
        label=gettext_lazy("Paste a list"),
        required=False,
        max_length=exchange.MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": "6", "spellcheck": "false", "placeholder": "carryon@1.9.0\nxskills"}),
    )
    file = forms.FileField(label=gettext_lazy("Or choose a file"), required=False, allow_empty_file=True)
    remove_others = forms.BooleanField(label=gettext_lazy("Remove mods that the list doesn't have"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        text = cleaned.get("text", "")
        if given := cleaned.get("file"):
            if text.strip():
                raise forms.ValidationError(_("Paste a list or choose a file, not both."))
            text = self._content(given)
        try:
            cleaned["targets"] = exchange.read(text)
        except exchange.Unreadable as error:
            raise forms.ValidationError(str(error)) from None
        return cleaned

    @staticmethod
    def _content(given: Any) -> str:
        if given.size > exchange.MAX_LENGTH:
            raise forms.ValidationError(_("That file is too big for a list of mods."))
        try:
            return str(given.read(), "utf-8")
        except UnicodeDecodeError:
            raise forms.ValidationError(_("That file isn't text (UTF-8). Choose an exported list.")) from None

    @property
    def targets(self) -> tuple[Target, ...]:
        found: tuple[Target, ...] = self.cleaned_data["targets"]
        return found


def page(site: AdminSite) -> View:
    """The lists of one server. POST: plan to bring it in line with a list."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, pk: int) -> HttpResponse:
        rights.require(request, rights.VIEW_SERVERS, rights.VIEW_MODS)
        server = get_object_or_404(GameServer, pk=pk)
        if request.method != "POST":
            return _render(site, request, server, ImportForm())
        rights.require(request, rights.INSTALL, rights.UPDATE)
        form = ImportForm(request.POST, request.FILES)
        if not form.is_valid():
            return _render(site, request, server, form, status=400)
        wish = Wish(kind=Operation.Kind.ALIGN, targets=form.targets, remove_others=form.cleaned_data["remove_others"])
        return asking.ask(request, [(server, wish)])

    return view


@require_safe
def download(request: HttpRequest, pk: int, form: str) -> HttpResponse:
    """The list as a file: `json` or `txt`."""
    rights.require(request, rights.VIEW_SERVERS, rights.VIEW_MODS)
    server = get_object_or_404(GameServer, pk=pk)
    if form == "json":
        text = json.dumps(exchange.export_json(server), indent=2, ensure_ascii=False) + "\n"
        kind = "application/json"
    elif form == "txt":
        text, kind = exchange.export_lines(server), "text/plain; charset=utf-8"
    else:
        raise Http404
    name = f"mods-{slugify(server.name) or server.pk}.{form}"
    return HttpResponse(text, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def _render(
    site: AdminSite, request: HttpRequest, server: GameServer, form: ImportForm, status: int = 200
) -> HttpResponse:
    markdown = request.GET.get("format") == "markdown"
    context = {
        **site.each_context(request),
        "title": _("Lists of %s") % server.name,
        "server": server,
        "form": form,
        "markdown": markdown,
        "for_players": exchange.players_list(server, "markdown" if markdown else "text"),
        "may_import": request.user.has_perms((rights.INSTALL, rights.UPDATE)),
        "may_remove": request.user.has_perm(rights.REMOVE),
    }
    request.current_app = site.name
    return TemplateResponse(request, "admin/mods/gameserver/lists.html", context, status=status)
