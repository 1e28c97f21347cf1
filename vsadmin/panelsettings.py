"""The settings that may be changed in the panel: what each is now and why, and changing them.

The environment wins: what it says can't be changed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cache import conf as cache_conf
from mods import conf as mods_conf
from vsadmin import schedules
from vsadmin.lib import adminlog, conf, logs, times
from vsadmin.lib.stored import store
from vsadmin.lib.stored.models import StoredSetting

SECONDS, MIB, DAYS = "seconds", "mib", "days"


@dataclass(frozen=True)
class Face:
    """How a setting looks to people. `off`: what 0 means."""

    setting: conf.Setting[int]
    label: str | Promise
    help: str | Promise
    unit: str
    off: str | Promise

    @property
    def name(self) -> str:
        return self.setting.name

    @property
    def unit_words(self) -> str:
        return {SECONDS: _("seconds"), MIB: _("MiB"), DAYS: _("days")}[self.unit]

    def words(self, value: int) -> str:
        """A value as people say it: "every 5 minutes", "500 MiB", "3 days"."""
        if not value:
            return str(self.off)
        if self.unit == SECONDS:
            return times.every(value)
        if self.unit == DAYS:
            return ngettext("%d day", "%d days", value) % value
        return _("%d MiB") % value


FACES = (
    Face(
        mods_conf.REFRESH_INTERVAL,
        gettext_lazy("Check for updates"),
        gettext_lazy("How often the mod database is asked about the installed mods."),
        SECONDS,
        gettext_lazy("only by hand"),
    ),
    Face(
        mods_conf.SCAN_INTERVAL,
        gettext_lazy("Read the mod folders"),
        gettext_lazy("How often the list is brought in line with what is on disk."),
        SECONDS,
        gettext_lazy("only at the start and by hand"),
    ),
    Face(
        mods_conf.CATALOGUE_INTERVAL,
        gettext_lazy("Fetch the list of all mods"),
        gettext_lazy("How often the catalogue is brought up to date."),
        SECONDS,
        gettext_lazy("never"),
    ),
    Face(
        cache_conf.CHECK_INTERVAL,
        gettext_lazy("Check the cache's size"),
        gettext_lazy("How often the download cache is brought within its limit, besides after each download."),
        SECONDS,
        gettext_lazy("only after downloads"),
    ),
    Face(
        cache_conf.MAX_SIZE_MB,
        gettext_lazy("Limit of the download cache"),
        gettext_lazy("Over it, the files that were not used for the longest time go."),
        MIB,
        gettext_lazy("no limit"),
    ),
    Face(
        mods_conf.SOAK_DAYS,
        gettext_lazy("Young releases"),
        gettext_lazy("For so many days a plan says of a release that it is young."),
        DAYS,
        gettext_lazy("nothing is said of it"),
    ),
)


@dataclass(frozen=True)
class Given:
    """What a setting is now, and who says so."""

    face: Face
    value: int
    #: The environment says it: it can't be changed here.
    is_locked: bool
    #: What is stored, "" for nothing, and who changed that when; it is of no effect where the environment says it.
    stored: str
    changed_by: str
    changed_at: datetime | None
    #: What is stored can't be read by this version.
    is_unreadable: bool

    @property
    def words(self) -> str:
        return self.face.words(self.value)

    @property
    def default_words(self) -> str:
        return self.face.words(self.face.setting.default)


def given() -> list[Given]:
    """Each of them as it is now, whoever changed it a moment ago; one query. Raises DatabaseError."""
    rows = store.rows(face.name for face in FACES)
    return [_given(face, rows.get(face.name)) for face in FACES]


def _given(face: Face, row: StoredSetting | None) -> Given:
    stored = row.text.strip() if row is not None else ""
    is_locked = face.setting.text() is not None
    kept = _read(face.setting, stored) if stored else None
    value = face.setting.get() if is_locked else face.setting.default if kept is None else kept
    return Given(
        face=face,
        value=value,
        is_locked=is_locked,
        stored=stored,
        changed_by=row.changed_by_name if row is not None else "",
        changed_at=row.changed_at if row is not None else None,
        is_unreadable=bool(stored) and kept is None,
    )


def _read(setting: conf.Setting[int], text: str) -> int | None:
    try:
        return setting.parse(text)
    except conf.Malformed:
        return None


def change(texts: Mapping[str, str], user: Any) -> list[str]:
    """Change these settings, by name: a text as for the environment, or "" for the default. Returns what was changed.

    It takes effect in this process at once, schedules included, and everywhere within ten seconds; who did it goes
    into the log and the admin log. What the environment says is left alone. Raises `conf.Malformed`, DatabaseError.
    """
    wanted: dict[str, str] = {}
    changed: list[tuple[Face, int, int]] = []
    for one in given():
        if one.is_locked or one.face.name not in texts:
            continue
        text = texts[one.face.name].strip()
        new = one.face.setting.parse(text) if text else one.face.setting.default
        stored = str(new) if text else ""
        if stored != one.stored:
            wanted[one.face.name] = stored
            changed.append((one.face, one.value, new))
    if not wanted:
        return []
    told = [_told(face, old, new, wanted[face.name]) for face, old, new in changed]
    with transaction.atomic():
        store.write(wanted, user.get_username())
        for (face, _old, _new), words in zip(changed, told, strict=True):
            adminlog.record(user, StoredSetting, adminlog.CHANGE, words, name=face.name)
    store.forget()  # only now others see it
    for face, old, new in changed:
        is_default = not wanted[face.name]
        logs.event("setting_changed", setting=face.name, old=old, new=new, default=is_default, by=user.get_username())
    schedules.sync()
    return told


def _told(face: Face, old: int, new: int, stored: str) -> str:
    words = {"label": face.label, "name": face.name, "old": old, "new": new}
    if stored:
        return _("%(label)s, %(name)s: %(old)d → %(new)d") % words
    return _("%(label)s, %(name)s: %(old)d → %(new)d, the default") % words
