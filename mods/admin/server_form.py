"""What a person types of a server; its folder is looked at before it is taken."""

import json
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mods import looking, serverdir, versions
from mods.models import GameServer
from vsadmin.lib import html


class GameServerForm(forms.ModelForm[GameServer]):
    """A server's name, folder and game version; the folder is looked at before it is taken."""

    #: What the folder holds, once it was looked at.
    found: serverdir.ServerFolder | None = None

    class Meta:
        model = GameServer
        fields = ("name", "data_dir", "game_version_by_hand", "restart_note")
        error_messages = {
            "name": {"unique": gettext_lazy("Another server has this name already. Choose another one.")},
            "data_dir": {"unique": gettext_lazy("Another server has this folder already.")},
        }
        widgets = {
            "name": forms.TextInput(attrs={"autocomplete": "off"}),
            "data_dir": forms.TextInput(
                attrs={"autocomplete": "off", "spellcheck": "false", "placeholder": "/var/vintagestory/data"}
            ),
            "game_version_by_hand": forms.TextInput(attrs={"autocomplete": "off", "placeholder": "1.21.5"}),
            "restart_note": forms.Textarea(
                attrs={"rows": "2", "spellcheck": "false", "placeholder": "sudo systemctl restart vintagestory"}
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        if "data_dir" in self.fields:  # not where the page is read only
            looking = {
                "hx-get": reverse("admin:mods_gameserver_look"),
                "hx-trigger": "input changed delay:400ms",
                "hx-target": "#look",
                "hx-vals": json.dumps({"server": str(self.instance.pk or "")}),
                "hx-sync": "this:replace",
            }
            self.fields["data_dir"].widget.attrs.update(looking)

    def clean_data_dir(self) -> str:
        try:
            place = looking.usable_path(self.cleaned_data["data_dir"])
            if self.instance.pk and str(place) == self.instance.data_dir:
                return str(place)  # an unreachable server can still be renamed
            self.found = looking.read(place)
            other = GameServer.objects.exclude(pk=self.instance.pk).filter(data_dir=str(place)).first()
            if other is not None:
                raise forms.ValidationError(_("%s has this folder already.") % other.name)
        except serverdir.Unusable as error:
            raise _refused(error) from None
        return str(place)

    def clean_game_version_by_hand(self) -> str:
        text: str = self.cleaned_data["game_version_by_hand"].strip().removeprefix("v")
        if text and versions.parse(text) is None:
            raise forms.ValidationError(_("That is no game version. Write it like 1.21.5, or leave it empty."))
        return text


def _refused(error: serverdir.Unusable) -> forms.ValidationError:
    """The reason and the remedy, as the form shows them."""
    words = f"{error.text} {error.remedy}".strip()
    said = format_html("{} {}", words, html.command_block(error.command)) if error.command else words
    return forms.ValidationError(said)
