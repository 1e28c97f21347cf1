"""The log is JSON lines, the event's name first."""

import json
import logging
import sys
from typing import Any

from django.conf import settings

from vsadmin.lib.logs import JsonLines


def line(message: object, level: int = logging.INFO, **kwargs: object) -> str:
    formatters: Any = settings.LOGGING["formatters"]
    options = {key: value for key, value in formatters["json"].items() if key != "()"}
    record = logging.LogRecord("vsadmin.events", level, __file__, 1, message, (), None)
    record.__dict__.update(kwargs)
    return JsonLines(**options).format(record)


def test_an_event_comes_first_with_its_fields() -> None:
    written = line({"event": "cache_evicted", "file": "a.zip", "size_bytes": 3, "reason": "size_limit"})
    assert written.startswith('{"event": "cache_evicted", ')
    found = json.loads(written)
    assert (found["file"], found["size_bytes"], found["level"]) == ("a.zip", 3, "INFO")
    assert found["time"].endswith("+0000")
    assert "message" not in found


def test_control_characters_are_escaped() -> None:
    written = line({"event": "x", "file": "a\nb\x1b[2J"})
    assert "\n" not in written
    assert "\x1b" not in written
    assert json.loads(written)["file"] == "a\nb\x1b[2J"


def test_other_messages_are_kept_with_their_traceback() -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        written = line("it broke", logging.ERROR, exc_info=sys.exc_info())
    found = json.loads(written)
    assert (found["event"], found["message"]) == ("log", "it broke")
    assert "ValueError: boom" in found["exc_info"]
