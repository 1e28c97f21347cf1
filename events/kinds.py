"""The kinds of events: what each is called, and how much it matters. This list is the whole vocabulary."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    """What may happen that somebody wants to hear of."""

    CRASHED = "server_crashed", _("A server crashed")
    STARTED = "server_started", _("A server started")
    RETRACTED = "release_retracted", _("An installed release was retracted")
    GONE = "mod_gone", _("An installed mod is gone from the mod database")
    OTHER_BYTES = "other_bytes", _("A release's file was exchanged")
    RECOMMENDED = "update_recommended", _("An update is recommended")
    GO_BACK = "go_back_proposed", _("Going back to an older version is proposed")
    FITS = "now_compatible", _("An installed release was marked compatible")
    FITS_NO_MORE = "no_longer_compatible", _("An installed release is no longer marked compatible")
    GAME_VERSION = "new_game_version", _("A new game version is out")
    CHANGE_DONE = "change_done", _("A change was carried out")
    CHANGE_FAILED = "change_failed", _("A change failed")
    WORKER_SILENT = "worker_silent", _("The background worker is silent")
    REFRESH_FAILING = "refresh_failing", _("The mod database hasn't answered for hours")


#: By kind, the colour of its line: good, warn (to do), bad, info (news); what isn't here is neutral.
TONES = {
    Kind.CRASHED: "bad",
    Kind.RETRACTED: "bad",
    Kind.GONE: "warn",
    Kind.OTHER_BYTES: "bad",
    Kind.RECOMMENDED: "warn",
    Kind.GO_BACK: "warn",
    Kind.FITS: "good",
    Kind.FITS_NO_MORE: "warn",
    Kind.GAME_VERSION: "info",
    Kind.CHANGE_DONE: "good",
    Kind.CHANGE_FAILED: "bad",
    Kind.WORKER_SILENT: "bad",
    Kind.REFRESH_FAILING: "bad",
}

#: By kind, its heroicon, so that colour is never all that tells them apart.
ICONS = {
    Kind.CRASHED: "fire",
    Kind.STARTED: "play",
    Kind.RETRACTED: "no-symbol",
    Kind.GONE: "eye-slash",
    Kind.OTHER_BYTES: "finger-print",
    Kind.RECOMMENDED: "arrow-up-circle",
    Kind.GO_BACK: "arrow-uturn-left",
    Kind.FITS: "check-badge",
    Kind.FITS_NO_MORE: "minus-circle",
    Kind.GAME_VERSION: "sparkles",
    Kind.CHANGE_DONE: "check-circle",
    Kind.CHANGE_FAILED: "x-circle",
    Kind.WORKER_SILENT: "signal-slash",
    Kind.REFRESH_FAILING: "cloud",
}

#: What a new target is told unless somebody chooses otherwise: what a person should look at. Updates can wait; that
#: something was retracted, which a way back follows from, is told by itself.
WORTH_A_CALL = tuple(
    kind for kind in Kind if TONES.get(kind) in {"bad", "warn"} and kind not in {Kind.RECOMMENDED, Kind.GO_BACK}
)
