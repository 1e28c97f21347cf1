import json
from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from events.kinds import Kind
from events.models import Event
from vsadmin.lib.plaintext import one_line

BAD_USAGE = 2


class Command(BaseCommand):
    help = (
        "Lists what happened, newest first. --kind, --server and --since narrow the list; --json prints one list of "
        "objects. Exit code 2: it can't be understood."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--kind", choices=Kind.values, metavar="KIND", help=", ".join(Kind.values))
        parser.add_argument("--server", metavar="NAME", help="only what is about this server, by the name it had")
        parser.add_argument("--since", metavar="WHEN", help="a date or time, such as 2026-03-01 or 2026-03-01T20:00")
        parser.add_argument("--json", action="store_true", help="machine-readable")

    def handle(self, *args: Any, **options: Any) -> None:
        events = Event.objects.all()
        if options["kind"]:
            events = events.filter(kind=options["kind"])
        if options["server"]:
            events = events.filter(server_name=options["server"])
        if options["since"]:
            events = events.filter(at__gte=_moment(options["since"]))
        if options["json"]:
            self.stdout.write(json.dumps([describe(event) for event in events], ensure_ascii=False, indent=2))
            return
        for event in events:
            when = timezone.localtime(event.at).strftime("%Y-%m-%d %H:%M")
            self.stdout.write(f"{when}  {event.kind:<21}  {one_line(event.title)}")
        self.stdout.write(f"{len(events)} events")


def describe(event: Event) -> dict[str, Any]:
    """One event as the JSON that scripts read."""
    return {
        "id": str(event.uid),
        "kind": event.kind,
        "at": event.at.isoformat(),
        "title": event.title,
        "text": event.text,
        "forced": event.forced,
        "server": event.server_name or None,
    }


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
        day = None if found else parse_date(text)
    except ValueError:
        found = day = None
    if day is not None:
        found = datetime(day.year, day.month, day.day)  # noqa: DTZ001  # made aware below
    if found is None:
        raise CommandError(f"{text!r} is no date. Write one such as 2026-03-01.", returncode=BAD_USAGE)
    return found if timezone.is_aware(found) else timezone.make_aware(found)
