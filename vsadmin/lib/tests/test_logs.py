"""The log is JSON lines, the event's name first."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from vsadmin.lib import logs
from vsadmin.lib.logs import JsonLines


def formatter() -> JsonLines:
    formatters: Any = settings.LOGGING["formatters"]
    return JsonLines(**{key: value for key, value in formatters["json"].items() if key != "()"})


def line(message: object, level: int = logging.INFO, **kwargs: object) -> str:
    record = logging.LogRecord("vsadmin.events", level, __file__, 1, message, (), None)
    record.__dict__.update(kwargs)
    return formatter().format(record)


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


def test_what_is_told_together_is_a_line_each_in_few_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[str] = []
    monkeypatch.setattr(
        logging.getLogger("vsadmin.events"), "handle", lambda record: writes.append(formatter().format(record))
    )
    with logs.together("gone") as tell:
        for number in range(25):
            tell(file=f"{number}\n.zip")
    lines = "\n".join(writes).split("\n")
    assert [json.loads(line)["file"] for line in lines] == [f"{number}\n.zip" for number in range(25)]
    assert {json.loads(line)["event"] for line in lines} == {"gone"}
    assert json.loads(lines[0]).keys() == {"event", "file", "time", "level", "logger"}
    assert len(writes) == 3


def test_a_warning_of_python_is_a_line_of_the_log(tmp_path: Path) -> None:
    told = "import django, warnings; django.setup(); warnings.warn('odd zip')"
    done = subprocess.run(
        [sys.executable, "-c", told],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "vsadmin.settings", "VSADMIN_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert "odd zip" in json.loads(done.stdout)["message"]
