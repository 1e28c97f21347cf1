"""`doctor`: how each part of vsadmin is."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from vsadmin import doctor
from vsadmin.doctor import Part
from vsadmin.findings import Finding, State

_MARKS = {State.OK: "ok", State.WARNING: "WARNING", State.NOT_OK: "NOT OK"}


class Command(BaseCommand):
    help = (
        "Looks at each part of vsadmin and says how it is, why, and what to do: database, worker, schedules, mod "
        "database, each server's folder, cache, kept copies, disk space, clock, settings, versions. Changes nothing. "
        "Exit code 1 where a part is not OK; warnings alone are 0."
    )
    #: It says itself what is wrong with the settings.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="machine-readable")
        parser.add_argument("--online", action="store_true", help="also ask the mod database one question")

    def handle(self, *args: Any, **options: Any) -> None:
        report = doctor.examine(online=options["online"])
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(), indent=2))
        else:
            for part in report.parts:
                self._tell(part)
        if report.state is State.NOT_OK:
            raise SystemExit(1)

    def _tell(self, part: Part) -> None:
        self.stdout.write(f"{_MARKS[part.state]:8} {part.title}")
        for finding in part.findings:
            self._tell_finding(finding)

    def _tell_finding(self, finding: Finding) -> None:
        mark = "" if finding.state is State.OK else f"{_MARKS[finding.state]}: "
        self.stdout.write(" " * 9 + mark + finding.text)
        if finding.remedy or finding.command:
            self.stdout.write(" " * 9 + _("→ %s") % " ".join(filter(None, (finding.remedy, finding.command))))
