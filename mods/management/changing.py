"""From a wish on the command line to a change carried out: plan, show, ask, do. Commands only say what they wish."""

import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any, ClassVar

from django.core.management.base import CommandError
from django.db import connection

from mods import operations, plans, restart
from mods.management import planwords
from mods.management.answering import Answer, ServerCommand, actor, can_ask
from mods.management.choosing import installed_mods, targets
from mods.management.common import BAD_USAGE, FAILURE
from mods.models import GameServer, Operation, Step
from mods.plans import Plan
from mods.wishes import Wish
from vsadmin.lib import locks, progressbar, stopping
from vsadmin.lib.plaintext import one_line

#: Seconds between two looks at a change that waits, or that the worker carries out.
_LOOK_EVERY = 0.5

POLICY = (
    "First shows the plan: what is replaced by what, why, its size, and what to know. Nothing changes before you "
    "say yes. Where something that is needed can't be had, the plan is refused unless --go-on. Ctrl-C stops after "
    "the step under way. "
)


class ChangeCommand(ServerCommand):
    """A command whose `wish` is planned, shown, asked about and carried out here, in the foreground."""

    #: Whether it can bring files of releases, and so retracted ones; whether it can go back to older ones by itself.
    brings: ClassVar[bool] = True
    goes_back: ClassVar[bool] = False
    blank: ClassVar[dict[str, Any]] = {"operation": None, "state": None, "message": "", "plan": None, "steps": []}
    dry_run_help = "only show the plan"
    yes_help = "don't ask, carry the plan out"

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--go-on", action="store_true", help="carry out what can be, even where something needed can't be had"
        )
        if self.goes_back:
            text = "also go back to an older version if the installed one was retracted and nothing newer fits"
            parser.add_argument("--allow-downgrades", action="store_true", help=text)
        if self.brings:
            text = "also bring releases that were retracted; without it they are left out, and the exit code is 1"
            parser.add_argument("--allow-retracted", action="store_true", help=text)

    def wish(self, server: GameServer, options: dict[str, Any]) -> Wish:
        """What is asked for. Raises CommandError, with exit code 2, for what can't be understood."""
        raise NotImplementedError

    def show_more(self, plan: Plan, options: dict[str, Any]) -> dict[str, Any]:
        """Print what this command says of a plan besides the plan; returns its fields of the JSON document."""
        return {}

    def answer(self, server: GameServer, options: dict[str, Any]) -> Answer:
        self._is_quiet = options["json"] and (options["yes"] or options["dry_run"])
        self._words = self.stderr if options["json"] else self.stdout
        try:
            wish = replace(
                self.wish(server, options),
                allow_downgrades=options.get("allow_downgrades", False),
                allow_retracted=options.get("allow_retracted", False),
            )
        except operations.NotNow as error:
            raise CommandError(str(error), returncode=FAILURE) from None
        if not (options["yes"] or options["dry_run"] or can_ask()):
            text = "There is nobody to ask. Run it with --dry-run to see the plan, or with --yes to carry it out."
            raise CommandError(text, returncode=BAD_USAGE)
        operation = operations.ask(server, wish, actor=actor())
        try:
            return self._change(operation, options)
        except operations.NotNow as error:
            _give_up(operation)
            return _answer(operation, str(error), FAILURE)
        except locks.Busy:
            _give_up(operation)
            return _answer(operation, "Another plan is being made for too long. Try again.", FAILURE)
        except KeyboardInterrupt:
            _give_up(operation)
            operations.recover()  # what a second Ctrl-C interrupted
            operation.refresh_from_db()
            return _answer(operation, _stopped(operation), FAILURE)

    def say(self, text: str = "") -> None:
        """A line for a person; with --json beside the document, and only where somebody is asked."""
        if not self._is_quiet:
            self._words.write(text, style_func=str)

    def _change(self, operation: Operation, options: dict[str, Any]) -> Answer:
        with self._watched(operation) as (report, stop):
            operations.plan(operation, report=report, stop=stop)
        operation.refresh_from_db()  # a signal may have cancelled it at the last moment
        plan = plans.plan_from_json(operation.plan) if operation.plan else None
        if plan is not None and not operation.is_over:
            self._show(operation, plan)
        more = self.show_more(plan or Plan(), options)
        verdict = _before_asking(operation, plan, options)
        if verdict is None and not options["yes"] and not self._agreed():
            verdict = "Nothing was changed.", FAILURE
        if verdict is not None:
            _give_up(operation)
            return _answer(operation, *verdict, **more)
        operations.confirm(operation, go_on=options["go_on"])
        with self._watched(operation) as (report, stop):
            operation = _carried_out(operation, report, stop)
        return _result(operation, **more)

    def _show(self, operation: Operation, plan: Plan) -> None:
        game = f" (game version {plan.game_version})" if plan.game_version else ""
        self.say(f"{one_line(operation.title)} on {one_line(operation.server)}{game}")
        for line in planwords.lines(plan):
            self.say(line)

    def _agreed(self) -> bool:
        where = self._words if self._words.isatty() else self.stderr
        where.write("Carry it out? [y/N] ", style_func=str, ending="")
        where.flush()
        try:
            return input().strip().lower() in {"y", "yes"}
        except EOFError:
            return False

    @contextmanager
    def _watched(self, operation: Operation) -> Iterator[tuple[operations.Report | None, threading.Event]]:
        with stopping.on_signals(lambda: _cancel(operation.pk)) as stop, progressbar.shown(sys.stderr) as bar:
            yield bar.report if bar else None, stop


class ModsCommand(ChangeCommand):
    """A change to mods that are installed: `kind` says which."""

    kind: ClassVar[Operation.Kind]
    brings = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("mods", nargs="+", metavar="MODID", help="mods; a file name where there is no id")

    def wish(self, server: GameServer, options: dict[str, Any]) -> Wish:
        return Wish(self.kind, targets(installed_mods(server, options["mods"])), go_on=options["go_on"])


def _before_asking(operation: Operation, plan: Plan | None, options: dict[str, Any]) -> tuple[str, int] | None:
    """Why it ends here, with the exit code; None where the plan may be carried out."""
    if operation.state == Operation.State.DONE:
        return operation.message or "There is nothing to do.", 0
    if operation.state == Operation.State.CANCELLED:
        return "Cancelled. Nothing was changed.", FAILURE
    if operation.is_over or plan is None:
        return operation.message or "The plan couldn't be made.", FAILURE
    if not plan.may_run:
        only_older = not (plan.unmet or plan.obstacles) and all(one.kind == plans.OLDER for one in plan.offers)
        return planwords.refusal(plan), 0 if only_older else FAILURE
    if options["dry_run"] and (plan.lost or plans.RETRACTED in {one.kind for one in plan.offers}):
        return "Nothing was changed: this was a dry run. Not all of it can be fetched: see what is left alone.", FAILURE
    if options["dry_run"]:
        return "Nothing was changed: this was a dry run.", 0
    return None


def _carried_out(operation: Operation, report: operations.Report | None, stop: threading.Event) -> Operation:
    """Carry it out here, when no other change of the server is under way; the worker may take it up before us."""
    while True:
        operation = operations.run(operation.pk, report=report, stop=stop)
        if operation.is_over:
            return operation
        if report is not None:
            is_waiting = operation.state == Operation.State.QUEUED
            doing = "waiting for another change of this server" if is_waiting else operation.doing
            report(operation.done, operation.total, doing)
        time.sleep(_LOOK_EVERY)


def _cancel(number: int) -> None:
    """On a signal, in a thread whose database connection nobody else closes."""
    try:
        with suppress(operations.NotNow):
            operations.cancel(Operation.objects.get(pk=number))
    finally:
        connection.close()


def _give_up(operation: Operation) -> None:
    """Leave no plan behind that waits for somebody."""
    operation.refresh_from_db()
    if not operation.is_over:
        with suppress(operations.NotNow):
            operations.cancel(operation)
        operation.refresh_from_db()


def _stopped(operation: Operation) -> str:
    if operation.steps.carried_out().exists():
        return f"Stopped. {operation.message}\n{_steps_left(operation)}".rstrip()
    return "Stopped. Nothing was changed."


def _result(operation: Operation, **more: Any) -> Answer:
    left = _steps_left(operation)
    lost = _lost(operation)
    failed = operation.state != Operation.State.DONE or bool(left or lost)
    restart = _restart(operation)
    text = "\n".join(part for part in (operation.message, left, lost, restart) if part)
    more["restart_needed"] = bool(restart)
    return _answer(operation, text or str(operation.get_state_display()), FAILURE if failed else 0, **more)


def _restart(operation: Operation) -> str:
    """What the server still has to be restarted for; "" where that is nothing, or not known."""
    summary = restart.restart_needed(operation.server).summary()
    if not summary:
        return ""
    note = operation.server.restart_note.strip()
    return f"Restart the server to load it: {summary}." + (f"\n{note}" if note else "")


def _lost(operation: Operation) -> str:
    """What was asked for and isn't in the plan, one a line: it couldn't be fetched, or was retracted."""
    plan = plans.plan_from_json(operation.plan) if operation.plan else Plan()
    retracted = [planwords.offer(one) for one in plan.offers if one.kind == plans.RETRACTED]
    return "\n".join(f"  - not done: {one}" for one in (*plan.lost, *retracted))


def _steps_left(operation: Operation) -> str:
    """The steps that weren't carried out, one a line, with why where the operation's message doesn't say it."""
    left = operation.steps.filter(state__in=(Step.State.FAILED, Step.State.SKIPPED))
    return "\n".join(
        f"  - not done: {planwords.what(step.action, step.name, step.from_version, step.to_version)}"
        + (f": {step.message}" if step.message and step.message not in operation.message else "")
        for step in left
    )


def _answer(operation: Operation, message: str, code: int, **more: Any) -> Answer:
    plan = plans.plan_from_json(operation.plan) if operation.plan else None
    document = {
        "operation": operation.pk,
        "server": operation.server.name,
        "title": operation.title,
        "state": operation.state,
        "message": message,
        "plan": plan and {**plans.to_json(plan), "may_run": plan.may_run, "download_bytes": plan.download_bytes},
        "steps": [_described(step) for step in operation.steps.all()],
        **more,
    }
    return Answer(document, message, code)


def _described(step: Step) -> dict[str, Any]:
    fields = ("action", "modid", "name", "from_version", "to_version", "why", "state", "message")
    return {field: getattr(step, field) for field in fields}
