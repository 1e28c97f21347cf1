"""Making each step of an action fail, or die, in turn: the system calls that touch files, and SQL that writes."""

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from django.db import OperationalError, connection, connections

_CALLS = (
    (os, "open"),
    (os, "fsync"),
    (os, "replace"),
    (os, "unlink"),
    (os, "mkdir"),
    (os, "scandir"),
)

#: Reading doesn't change what is found after a crash, nor does a full disk stop it.
_WRITING = {"INSERT", "UPDATE", "DELETE"}

Fault = Callable[[bool], None]
"""What happens at the chosen step; told whether it is an SQL statement."""


class Steps:
    """Counts the steps of what runs inside `watched`, and calls `fault` before the one numbered `chosen`."""

    def __init__(self, chosen: int, fault: Fault) -> None:
        self.chosen = chosen
        self.names: list[str] = []
        self._fault = fault

    @property
    def reached(self) -> bool:
        return len(self.names) > self.chosen

    def _step(self, name: str, call: Callable[[], Any], sql: bool) -> Any:
        chosen = len(self.names) == self.chosen
        self.names.append(name)
        if chosen:
            self._fault(sql)
        return call()

    @contextmanager
    def watched(self) -> Iterator[None]:
        with ExitStack() as stack:
            for module, name in _CALLS:
                stack.enter_context(mock.patch.object(module, name, self._wrapped(name, getattr(module, name))))
            commit = connection._commit  # type: ignore[attr-defined]  # Django's own hook, which has no type
            stack.enter_context(mock.patch.object(connection, "_commit", self._wrapped("COMMIT", commit, sql=True)))
            stack.enter_context(connection.execute_wrapper(self._execute))
            yield

    def _wrapped(self, name: str, original: Callable[..., Any], *, sql: bool = False) -> Callable[..., Any]:
        return lambda *args, **kwargs: self._step(name, lambda: original(*args, **kwargs), sql)

    def _execute(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        verb = sql.split(" ", 1)[0]
        if verb not in _WRITING:
            return execute(sql, params, many, context)
        return self._step(verb, lambda: execute(sql, params, many, context), sql=True)


def fail(error: int) -> Fault:
    """The step is refused by the system with this errno; an SQL statement by the database."""

    def fault(sql: bool) -> None:
        if sql:
            raise OperationalError("database or disk is full")
        raise OSError(error, os.strerror(error))

    return fault


def die(sql: bool) -> None:
    """As `kill -9`."""
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(action: Callable[[], object]) -> int:
    """Run `action` in a process of its own, with its own connections; returns what `waitpid` says of it."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        except BaseException:  # noqa: BLE001  # pytest's own must not run in the child
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]
