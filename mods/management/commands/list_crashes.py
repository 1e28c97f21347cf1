import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from mods import causes, crash_words, crashes
from mods.causes import Story
from mods.management.common import servers_named
from mods.models import Crash
from vsadmin.lib.plaintext import one_line


class Command(BaseCommand):
    help = (
        "Lists what servers crashed of, as of the last scan, the latest first: when, which mod the game names, the "
        "error's first line, and what changed since the last good start. --open: only those that nobody dismissed "
        "and no good start followed. --json prints one list of objects, in which what isn't known is null."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--server", metavar="NAME", help="this server only")
        parser.add_argument("--open", action="store_true", help="only crashes that somebody should look at")
        parser.add_argument("--json", action="store_true", help="machine-readable")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = Crash.objects.filter(server__in=servers_named(options["server"]))
        found = causes.stories(wanted.open() if options["open"] else wanted)
        if options["json"]:
            self.stdout.write(json.dumps([_described(story) for story in found], ensure_ascii=False, indent=2))
            return
        for story in found:
            for line in _lines(story):
                self.stdout.write(line)
        self.stdout.write("1 crash" if len(found) == 1 else f"{len(found)} crashes")


def _lines(story: Story) -> list[str]:
    crash = story.crash
    named = f"the game names {crashes.blamed_in_words(crash)}" if crash.blamed else "the game names no mod"
    words = [crashes.first_line(crash), crash_words.changed_in_words(story)]
    when = f"{timezone.localtime(crash.happened_at):%Y-%m-%d %H:%M:%S}"
    return [one_line(f"{when}  {crash.server.name}: {named}"), *(f"  {one_line(one)}" for one in words if one)]


def _described(story: Story) -> dict[str, Any]:
    crash, good = story.crash, story.good
    return {
        "server": crash.server.name,
        "happened_at": crash.happened_at.isoformat(),
        "game_version": crash.game_version or None,
        "blamed": crash.blamed or None,
        "blamed_modid": crash.blamed_key or None,
        "blamed_version": crash.blamed_version or None,
        "error": crash.error or None,
        "loaded": crash.loaded,
        "involved": crash.involved,
        "started_at": crash.start.started_at.isoformat() if crash.start else None,
        "last_good_start": good.started_at.isoformat() if good else None,
        "game_version_before": story.game.before if story.game else None,
        "not_listed_for_it": list(story.game.unlisted) if story.game else [],
        "suspects": [
            {
                "modid": one.key, "name": one.name, "before": one.before or None, "version": one.version or None,
                "named": one.is_named, "in_stack": one.is_involved, "changed": one.is_changed,
            }
            for one in story.suspects
        ],
        "dismissed_at": crash.dismissed_at.isoformat() if crash.dismissed_at else None,
    }  # fmt: skip
