"""A crash in words, and the buttons that do something about it: for its page, its server's and the overview."""

from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import crashes, rights, versions
from mods.causes import Story, Suspect
from mods.models import ServerStart
from vsadmin.lib import times

#: Suspects that a line names before it says "and 3 more".
_NAMED = 3


@dataclass(frozen=True)
class Button:
    """A form with one button, sent by POST."""

    url: str
    label: str
    fields: dict[str, str] = field(default_factory=dict)
    kind: str = ""
    #: What else screen readers say of it.
    more: str = ""


def headline(story: Story) -> SafeString:
    """Such as "Public crashed at 23:41. The game names deepmining 0.9.4 (updated 23:38)."."""
    crash = story.crash
    words = format_html(_("{} crashed at {}."), crash.server.name, times.clock(crash.happened_at))
    if not crash.blamed:
        return words
    named = next((one for one in story.suspects if one.is_named), None)
    if named is None or not (named.changed_at or named.is_new):
        return format_html("{} {}", words, _("The game names %s.") % crashes.blamed_in_words(crash))
    said = (crashes.blamed_in_words(crash), *([times.clock(named.changed_at)] if named.changed_at else []))
    return format_html("{} {}", words, format_html(_how_it_came(named), *said))


def _how_it_came(named: Suspect) -> str:
    """A sentence with a place for the mod that the game names, and one for when vsadmin placed it, if it did."""
    if not named.changed_at:
        return _("The game names {} (new since the last good start).")
    if named.is_new or not named.replaced:
        return _("The game names {} (installed {}).")
    if versions.newer(named.version, named.replaced):
        return _("The game names {} (updated {}).")
    return _("The game names {} (changed {}).")


def detail(story: Story) -> SafeString:
    """What else to know, in a line: the error, what changed where the game names none, what is left to do."""
    parts = [crashes.first_line(story.crash), *([] if story.crash.blamed and not story.game else [changed(story)])]
    if story.open_ones > 1:
        more = story.open_ones - 1
        parts.append(ngettext("It crashed %d time before, too.", "It crashed %d times before, too.", more) % more)
    if story.is_put_back and story.good is not None:
        when = times.weekday(story.good.started_at)
        parts.append(format_html(_("Its mods are those of {} again: restart it."), when))
        parts.append(story.crash.server.restart_note.strip())
    return format_html_join(" ", "{}", ((part,) for part in parts if part))


def changed(story: Story) -> SafeString:
    """What changed since the last good start, those in the stack first."""
    words, values = _changed(story)
    return format_html(words, times.weekday(story.good.started_at), *values) if story.good else format_html("{}", words)


def changed_in_words(story: Story) -> str:
    """That as plain text, with the time in the machine's zone."""
    words, values = _changed(story)
    return words.format(times.weekday_in_words(story.good.started_at), *values) if story.good else words


def _changed(story: Story) -> tuple[str, list[str]]:
    """A sentence with a place for the time, where a good start is known, and for what follows; and what follows."""
    if story.good is None:
        return _("No good start from before is known, so nothing can be said of what changed."), []
    changes = [suspect_in_words(one) for one in story.suspects if one.is_changed]
    if story.game:
        changes.insert(0, _("the game %s → %s") % (story.game.before[:30], story.game.after[:30]))
    if not changes:
        return _("Nothing was changed since the last good start ({})."), []
    if story.game and story.game.unlisted:
        unlisted = (story.game.after[:30], _few([name[:60] for name in story.game.unlisted]))
        return _("Changed since the last good start ({}): {}. Not listed for {}: {}."), [_few(changes), *unlisted]
    return _("Changed since the last good start ({}): {}."), [_few(changes)]


def _few(names: list[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(names) - _NAMED
    words = ", ".join(names[:_NAMED])
    return words + (", " + ngettext("and %d more", "and %d more", more) % more if more > 0 else "")


def suspect_in_words(suspect: Suspect) -> str:
    """Such as "Deep Mining 0.9.3 → 0.9.4 (in the stack)"."""
    name = suspect.name[:60]
    if suspect.before and suspect.version and suspect.before != suspect.version:
        words = f"{name} {suspect.before[:30]} → {suspect.version[:30]}"
    elif suspect.version and not suspect.before:
        words = _("%s (new)") % f"{name} {suspect.version[:30]}"
    elif suspect.before and not suspect.version:
        words = _("%s (removed or disabled)") % f"{name} {suspect.before[:30]}"
    else:
        words = f"{name} {suspect.version[:30]}".strip()
    return _("%s, in the stack") % words if suspect.is_involved else words


def buttons(request: HttpRequest, story: Story) -> list[Button]:
    """What this person may do about it, best first."""
    found = []
    chief = _chief(story)
    if chief is not None:
        found += of_suspect(request, story, chief, kind="main")
    wanted = rights.to_put_back(story.then, story.now)
    if story.good is not None and story.can_be_put_back and request.user.has_perms(wanted):
        found.append(put_back(story.good, kind="" if found else "main"))
    if story.crash.dismissed_at is None and request.user.has_perm(rights.DISMISS_CRASHES):
        url = reverse("admin:mods_crash_dismiss", args=[story.crash.pk])
        found.append(Button(url, _("Dismiss"), more=_("the crash of %s") % story.crash.server.name))
    return found


def _chief(story: Story) -> Suspect | None:
    """The mod to do something about: the one that the game names, else the first in the stack, else the only change."""
    if story.crash.blamed_key:
        return next((one for one in story.suspects if one.is_named), None)
    suspects = [one for one in story.suspects if one.is_involved][:1]
    if not suspects and not story.game:
        suspects = list(story.suspects)
    return suspects[0] if len(suspects) == 1 else None


def of_suspect(request: HttpRequest, story: Story, suspect: Suspect, *, kind: str = "") -> list[Button]:
    """What this person may do about one mod, best first: back to the version from before, or do without it."""
    if suspect.can_go_back:
        return [roll_back(story, suspect, kind=kind)] if request.user.has_perm(rights.UPDATE) else []
    if not suspect.can_be_disabled or not (suspect.is_named or suspect.is_new):
        return []
    offered = [
        (rights.REMOVE, "admin:mods_crash_remove", _("Remove %s")) if suspect.is_new else None,
        (rights.TOGGLE, "admin:mods_crash_disable", _("Disable %s")),
    ]
    found: list[Button] = []
    for right, address, label in filter(None, offered):
        if request.user.has_perm(right):
            url = reverse(address, args=[story.crash.pk])
            found.append(Button(url, label % suspect.name[:40], {"modid": suspect.key}, "" if found else kind))
    return found


def roll_back(story: Story, suspect: Suspect, *, kind: str = "") -> Button:
    """To the version that a mod had at the last good start."""
    label = _("Put %s back") % (suspect.before if suspect.is_named else f"{suspect.name[:40]} {suspect.before}")
    url = reverse("admin:mods_crash_roll_back", args=[story.crash.pk])
    return Button(url, label, {"modid": suspect.key}, kind, more=suspect.name if suspect.is_named else "")


def put_back(start: ServerStart, *, kind: str = "", name: str = "") -> Button:
    """To the whole set of mods of a start."""
    label = format_html(_("Put back {}"), times.weekday(start.started_at))
    return Button(reverse("admin:mods_serverstart_put_back", args=[start.pk]), label, {}, kind, more=name)
