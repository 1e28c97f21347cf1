"""The log: JSON lines, one per event, named in snake_case."""

import logging
from typing import Any

from pythonjsonlogger.json import JsonFormatter

_logger = logging.getLogger("vsadmin.events")


def event(name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Write `{"event": name, **fields}` as one line of the log.

    Field values are JSON-able; control characters in them come out escaped. Never pass secrets.
    """
    _logger.log(level, {"event": name, **fields})


class JsonLines(JsonFormatter):
    """One JSON object a line, the event's name first; other programs' messages are the event `log`."""

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        name = log_data.pop("event", "log")
        if name != "log":
            log_data.pop("message", None)
        return {"event": name, **log_data}
