"""`list_events` and `notify_test`."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from events.kinds import Kind
from events.record import record
from events.tests.conftest import MakeTarget
from mods.tests.rows import make_server
from vsadmin.lib.tests.loopback import answer, serving

pytestmark = pytest.mark.django_db


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_events_are_listed() -> None:
    server = make_server()
    record(Kind.CRASHED, "1", "Public crashed\x1b[31m", server=server, text="why")
    record(Kind.STARTED, "2", "long ago", at=timezone.now() - timedelta(days=10))
    text = run("list_events")
    assert text.index("Public crashed") < text.index("long ago")
    assert "\x1b" not in text
    assert "2 events" in text
    assert "long ago" not in run("list_events", "--server", "Public")
    assert "Public" not in run("list_events", "--kind", "server_started")
    since = (timezone.now() - timedelta(days=2)).date().isoformat()
    assert "long ago" not in run("list_events", "--since", since)
    (found,) = json.loads(run("list_events", "--kind", "server_crashed", "--json"))
    assert (found["kind"], found["server"], found["text"]) == ("server_crashed", "Public", "why")


@pytest.mark.parametrize("nonsense", ["yesterday", "2026-13-01", "2026-01-01T99:00"])
def test_what_is_no_date_is_refused(nonsense: str) -> None:
    with pytest.raises(CommandError) as caught:
        run("list_events", "--since", nonsense)
    assert caught.value.returncode == 2


def test_a_test_is_sent(target: MakeTarget) -> None:
    with serving({"/S3CRET": answer()}) as server:
        target(server.url + "/S3CRET", name="Ops")
        assert "Received" in run("notify_test", "Ops")
        assert len(server.posted) == 1


def test_a_test_that_fails_says_why(target: MakeTarget) -> None:
    with serving({"/S3CRET": answer(status=404)}) as server:
        target(server.url + "/S3CRET", name="Ops")
        with pytest.raises(CommandError) as caught:
            run("notify_test", "Ops")
    assert caught.value.returncode == 1
    assert "S3CRET" not in str(caught.value)
    with pytest.raises(CommandError) as caught:
        run("notify_test", "Nobody")
    assert (caught.value.returncode, "Known: Ops" in str(caught.value)) == (2, True)
