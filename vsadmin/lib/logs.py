"""The log: JSON lines, one per event, named in snake_case."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_logger = logging.getLogger("vsadmin.events")
_encode = json.JSONEncoder(default=str, check_circular=False).encode

#: Lines in one write: so few that a pipe takes them in one piece (4 KiB on Linux), whoever else writes into it.
_TOGETHER = 10


def event(name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write `{"event": name, **fields}` as one line of the log.

    Field values are JSON-able; control characters in them come out escaped. Never pass secrets.
    """
    _write(level, {"event": name, **fields})


@contextmanager
def together(name: str, *, level: int = logging.INFO) -> Iterator[Callable[..., None]]:
    """Gives a function that tells of this event as `event` does, but writes a few lines at a time: for thousands."""
    waiting: list[dict[str, Any]] = []

    def tell(**fields: Any) -> None:
        waiting.append({"event": name, **fields})
        if len(waiting) == _TOGETHER:
            _write(level, waiting.copy())
            waiting.clear()

    try:
        yield tell
    finally:
        if waiting:
            _write(level, waiting)


def _write(level: int, message: dict[str, Any] | list[dict[str, Any]]) -> None:
    if _logger.isEnabledFor(level):
        # less the search for the calling line, which nobody is told
        _logger.handle(logging.LogRecord(_logger.name, level, "", 0, message, None, None))


def _is_refusal(status: object) -> bool:
    """Whether it is a page that Django refused (403, 400, …). The exception says nothing more than the message."""
    return isinstance(status, int) and 400 <= status < 500


class JsonLines(JsonFormatter):
    """One JSON object a line, the event's name first; other programs' messages are the event `log`.

    Pages that were refused come without a traceback: whoever asked for them is at fault, not the program.
    """

    def format(self, record: logging.LogRecord) -> str:
        """As the base does, events of ours by a shorter way: thousands may come in one pass."""
        if record.name != _logger.name or not isinstance(record.msg, dict | list) or record.exc_info:
            return super().format(record)
        more = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
        }
        told = record.msg if isinstance(record.msg, list) else [record.msg]
        return "\n".join(_encode({**fields, **more}) for fields in told)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        name = log_data.pop("event", "log")
        if name != "log":
            log_data.pop("message", None)
        if _is_refusal(log_data.get("status_code")):
            log_data.pop("exc_info", None)
        return {"event": name, **log_data}
