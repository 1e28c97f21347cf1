import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mods import gameversions, readiness
from mods.judging import Do, Verdict
from mods.management.common import BAD_USAGE, FAILURE, servers_named
from mods.readiness import Finding, Installed, Report
from vsadmin.lib.plaintext import one_line

_WORDS = {Verdict.READY: "ready", Verdict.NOT_VERIFIED: "not verified", Verdict.BLOCKING: "BLOCKING"}


class Command(BaseCommand):
    help = (
        "Tells of each server's mods whether they are ready for a game version, not verified, or blocking, and what "
        "to do. It goes by the last scan and refresh, asks nobody and changes nothing; the panel's page “Upgrade "
        "readiness” makes a plan of it. Exit code 0: nothing is blocking; 1: something is, or it failed; 2: it can't "
        "be understood."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("game_version", metavar="GAMEVERSION", help="exact, like 1.22.0")
        parser.add_argument("--server", metavar="NAME", help="this server only")
        parser.add_argument("--json", action="store_true", help="machine-readable: one list, an object for each server")

    def handle(self, *args: Any, **options: Any) -> None:
        game_version = readiness.readable(options["game_version"])
        if not game_version:
            text = f"{one_line(options['game_version'])} is no game version. Write it like 1.22.0 or 1.22.0-rc.1."
            raise CommandError(text, returncode=BAD_USAGE)
        servers = servers_named(options["server"])
        if not servers:
            raise CommandError("No server is known yet. Add one in the panel.", returncode=FAILURE)
        known = gameversions.known()
        if known and game_version not in known:
            self.stderr.write(f"The mod database doesn't know {game_version} (yet), so no mod can name it.")
        reports = readiness.of(servers, game_version)
        if options["json"]:
            self.stdout.write(json.dumps([describe(report) for report in reports], ensure_ascii=False, indent=2))
        else:
            for report in reports:
                self._print(report)
        unscanned = [one_line(server) for server in servers if server.scanned_at is None]
        if unscanned:
            self.stderr.write(f"Not scanned yet: {', '.join(unscanned)}. Run scan_mods first.")
        if unscanned or any(report.is_blocked for report in reports):
            raise SystemExit(FAILURE)

    def _print(self, report: Report) -> None:
        counts = ", ".join(f"{report.count(verdict)} {_WORDS[verdict].lower()}" for verdict in Verdict)
        now = f" (runs {one_line(report.server.game_version)})" if report.server.game_version else ""
        self.stdout.write(f"{one_line(report.server)}{now} for {report.game_version}: {counts}")
        for one in report.findings:
            if one.needs_something:
                name = one_line(f"{one.row} ({one.row.modid or one.row.file_name})")
                self.stdout.write(f"  {_WORDS[one.verdict]}: {name}: {_todo(one)}")
                self.stdout.write(f"      {one_line(one.judgement.why)}")


def _todo(one: Finding) -> str:
    match one.do:
        case Do.UPDATE:
            return f"update to {one_line(one.judgement.version)}" + (" by hand: it is a folder" if one.by_hand else "")
        case Do.GO_BACK if one.judgement.back is not None:
            return f"go back to {one_line(one.judgement.back.version)}, replace, disable or remove it"
        case Do.HOLD:
            return "hold it until then"
        case Do.UNHOLD:
            return "let go of the hold (unhold_mod), then update"
        case Do.REPLACE:
            return "replace, disable or remove it"
        case Do.INSTALL:
            return f"install {one_line(one.judgement.missing)}, which it needs"
        case Do.REMOVE:
            return "disable or remove it" if one.verdict is Verdict.BLOCKING else "remove this file"
    return "try it on a copy of the server"


def describe(report: Report) -> dict[str, Any]:
    """One server as the JSON that scripts read; unknown is null."""
    return {
        "server": report.server.name,
        "runs": report.server.game_version or None,
        "game_version": report.game_version,
        **{verdict.value: report.count(verdict) for verdict in Verdict},
        "mods": [_described(one, one.row) for one in report.findings],
    }


def _described(one: Finding, row: Installed) -> dict[str, Any]:
    return {
        "file": row.file_name,
        "modid": row.modid or None,
        "name": row.name,
        "version": row.version or None,
        "enabled": row.loads,
        "held": one.is_held,
        "state": one.verdict.value,
        "do": one.do.value,
        "to_version": one.judgement.version or None,
        "back_to": one.judgement.back.version if one.judgement.back else None,
        "prerelease": one.judgement.prerelease or None,
        "why": one.judgement.why,
    }
