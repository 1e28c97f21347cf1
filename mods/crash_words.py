"""A crash in words, and the buttons that do something about it: for its page, its server's and the overview."""

from dataclasses import dataclass, field

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from mods import crashes, rights
from mods.crashes import Story, Suspect
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
    updated = next((one.changed_at for one in story.suspects if one.is_named and one.changed_at), None)
    if updated is None:
        return format_html("{} {}", words, _("The game names %s.") % crashes.blamed_in_words(crash))
    named = format_html(_("The game names {} (updated {})."), crashes.blamed_in_words(crash), times.clock(updated))
    return format_html("{} {}", words, named)


def detail(story: Story) -> SafeString:
    """What else to know, in a line: the error, what changed where the game names none, what is left to do."""
    parts = [crashes.first_line(story.crash), *([] if story.crash.blamed else [changed(story)])]
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
    when = [times.weekday(story.good.started_at)] if story.good else []
    return format_html(words, *when, *values)


def changed_in_words(story: Story) -> str:
    """That as plain text, with the time in the machine's zone."""
    words, values = _changed(story)
    when = [times.weekday_in_words(story.good.started_at)] if story.good else []
    return words.format(*when, *values)


def _changed(story: Story) -> tuple[str, list[str]]:
    """A sentence with a place for the time, where a good start is known, and for what follows; and what follows."""
    if story.good is None:
        return _("No good start from before is known, so nothing can be said of what changed."), []
    changes = [one for one in story.suspects if one.is_changed]
    if not changes:
        return _("Nothing was changed since the last good start ({})."), []
    named = ", ".join(suspect_in_words(one) for one in changes[:_NAMED])
    more = len(changes) - _NAMED
    if more > 0:
        named += ", " + ngettext("and %d more", "and %d more", more) % more
    return _("Changed since the last good start ({}): {}."), [named]


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
    if chief is not None and request.user.has_perm(rights.UPDATE):
        found.append(roll_back(story, chief, kind="main"))
    wanted = rights.to_put_back(story.then, story.now)
    if story.good is not None and not story.is_put_back and request.user.has_perms(wanted):
        found.append(put_back(story.good, kind="" if found else "main"))
    if story.crash.dismissed_at is None and request.user.has_perm(rights.DISMISS_CRASHES):
        url = reverse("admin:mods_crash_dismiss", args=[story.crash.pk])
        found.append(Button(url, _("Dismiss"), more=_("the crash of %s") % story.crash.server.name))
    return found


def _chief(story: Story) -> Suspect | None:
    """The mod to go back with: the one that the game names, else the first in the stack, else the only one changed."""
    if story.crash.blamed_key:
        suspects = [one for one in story.suspects if one.is_named]
    else:
        suspects = [one for one in story.suspects if one.is_involved][:1] or list(story.suspects)
        suspects = suspects if len(suspects) == 1 else []
    return next((one for one in suspects if one.can_go_back), None)


def roll_back(story: Story, suspect: Suspect, *, kind: str = "") -> Button:
    """To the version that a mod had at the last good start."""
    label = _("Put %s back") % (suspect.before if suspect.is_named else f"{suspect.name[:40]} {suspect.before}")
    url = reverse("admin:mods_crash_roll_back", args=[story.crash.pk])
    return Button(url, label, {"modid": suspect.key}, kind, more=suspect.name if suspect.is_named else "")


def put_back(start: ServerStart, *, kind: str = "", name: str = "") -> Button:
    """To the whole set of mods of a start."""
    label = format_html(_("Put back {}"), times.weekday(start.started_at))
    return Button(reverse("admin:mods_serverstart_put_back", args=[start.pk]), label, {}, kind, more=name)
