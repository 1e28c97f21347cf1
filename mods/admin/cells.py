"""How the lists of this app write what many of them show."""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

SIDES = {
    "universal": gettext_lazy("both"),
    "server": gettext_lazy("server"),
    "client": gettext_lazy("client"),
    "": "",
}


def side_words(side: str) -> str:
    return str(SIDES.get(side.lower(), side))


def version(text: str) -> SafeString:
    return format_html('<span class="version">{}</span>', text)


def quiet(text: str, extra: str = "") -> SafeString:
    return format_html('<span class="quiet {}">{}</span>', extra, text)
