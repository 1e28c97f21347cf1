"""What a person types of a target. A webhook's address goes in and never comes out again."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events import addresses, conf, sending
from events.kinds import WORTH_A_CALL, Kind
from events.models import Target


class SecretInput(forms.TextInput):
    """Shows what is typed, and never what was."""

    def format_value(self, value: Any) -> str | None:
        return None


class TargetForm(forms.ModelForm[Target]):
    """A target's name, form, address and events. An address left empty stays as it is."""

    address = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        max_length=2000,
        widget=SecretInput(attrs={"autocomplete": "off", "spellcheck": "false", "class": "vTextField"}),
    )
    kinds = forms.MultipleChoiceField(
        label=gettext_lazy("What it is told of"),
        choices=Kind.choices,
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = Target
        fields = ("name", "form", "address", "kinds", "active")
        error_messages = {"name": {"unique": gettext_lazy("Another target has this name already. Choose another one.")}}
        widgets = {"name": forms.TextInput(attrs={"autocomplete": "off", "class": "vTextField"})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self._stored = self.instance.address
        self.initial["address"] = ""
        if self.instance.pk is None:
            self.initial.setdefault("kinds", list(WORTH_A_CALL))
        if "address" in self.fields:  # not where the page is read only
            self.fields["address"].help_text = self._address_help()
        if "form" in self.fields:
            self.fields["form"].widget.choices = Target.Form.choices
            if not sending.mail_is_set():
                self.fields["form"].help_text = sending.how_to_set_mail()

    def _address_help(self) -> str:
        parts = [_("The webhook's whole address, or an e-mail address.")]
        if self.instance.pk:
            parts = [_("Now: %s. Left empty, it stays as it is.") % addresses.shown(self.instance)]
        parts.append(_("A webhook's address is a secret: it is stored, and never shown again."))
        if not conf.ALLOW_PRIVATE.get():
            parts.append(_("Webhooks on this machine or in a private network need VSADMIN_ALLOW_PRIVATE_WEBHOOKS=on."))
        return " ".join(parts)

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        form, given = cleaned.get("form"), cleaned.get("address", "")
        if not form or "address" in self.errors:
            return cleaned
        if not given and not self._stored:
            self.add_error("address", _("Write where to send it."))
            return cleaned
        try:
            cleaned["address"] = addresses.check(form, given or self._stored)
        except ValueError as error:
            self.add_error("address", str(error))
        return cleaned
