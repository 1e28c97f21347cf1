"""How the catalogue words what is known of a mod."""

from collections.abc import Sequence

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mods import conf, fits, wording
from mods.fits import Fit
from mods.models import GameServer, InstalledMod, Mod
from vsadmin.lib.http import origin

_TYPES: dict[str, str | Promise] = {
    "mod": gettext_lazy("mod"),
    "externaltool": gettext_lazy("tool outside the game"),
    "other": gettext_lazy("other"),
}


def type_words(kind: str) -> str | Promise:
    return _TYPES.get(kind.lower(), kind)


def fit_words(fit: Fit, game_version: str) -> tuple[str, str, str]:
    """Tone, word and reason."""
    words = {"version": game_version, "series": fits.series(game_version)}
    if not words["series"]:
        return "calm", _("not known"), _("The server's game version isn't known.")
    match fit:
        case Fit.COMPATIBLE:
            return "good", _("compatible"), _("A release names %(version)s exactly.") % words
        case Fit.NOT_VERIFIED:
            reason = _("No release names %(version)s, but one names another patch of %(series)s, or no version at all.")
            return "calm", _("not verified"), reason % words
        case Fit.INCOMPATIBLE:
            return "bad", _("incompatible"), _("No release names %(version)s or another patch of %(series)s.") % words
    return "calm", _("not known"), _("Nothing is known yet of the game versions that its releases name.")


def shown_fit(
    fit: Fit | None, installed: Sequence[InstalledMod], server: GameServer | None
) -> tuple[str, str, str] | None:
    """Tone, word and reason as all lists of mods have them: of the installed version where there is one; None without
    a server."""
    if server is None:
        return None
    if installed:
        row = installed[0]
        words = _("Of the installed version with %s.") % (server.game_version or server.name)
        return wording.compatibility_tone(row), row.get_compatibility_display(), words
    return fit_words(fit or Fit.UNKNOWN, server.game_version)


def logo(mod: Mod) -> str:
    """The address of its picture, where pictures are shown and it comes from where they may; else ""."""
    if not settings.SHOW_LOGOS.get() or not mod.logo_url:
        return ""
    try:
        return mod.logo_url if origin(mod.logo_url) in conf.MODDB_FILE_ORIGINS.get() else ""
    except ValueError:
        return ""
