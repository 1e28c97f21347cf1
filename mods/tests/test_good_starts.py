"""A start is good after ten minutes without a crash and without another start; good ones are kept."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from conftest import ServerDir
from events.models import Event
from mods import starts
from mods.models import Crash, ServerStart
from mods.tests.rows import install
from mods.tests.test_starts import Watched, at
from vsadmin.lib import times

pytestmark = pytest.mark.django_db


class Judged(Watched):
    """As a scan does, starts are settled after each look."""

    def scan(self, minute: float, *, changed: bool = False) -> None:
        if changed:
            starts.note_set(self.server, now=at(minute), scanned_before=self.before)
        noted = starts.after_scan(self.server, now=at(minute), scanned_before=self.before)
        starts.settle(self.server, noted, now=at(minute))
        self.before = at(minute)

    def crashed(self, minute: float) -> Crash:
        start = ServerStart.objects.filter(server=self.server, started_at__lte=at(minute)).first()
        digest = f"{minute}"
        return Crash.objects.create(server=self.server, happened_at=at(minute), start=start, digest=digest)

    @property
    def good(self) -> list[bool | None]:
        return list(ServerStart.objects.order_by("started_at").values_list("good", flat=True))


@pytest.fixture
def judged(server_dir: Callable[..., ServerDir]) -> Judged:
    judged = Judged(server_dir())
    install(judged.server, "Carry", "1.0.0", sha256="a" * 64, side="universal")
    judged.scan(0, changed=True)
    return judged


def test_ten_minutes_make_a_start_good(judged: Judged) -> None:
    judged.started(1)
    judged.scan(5)
    assert judged.good == [None]
    judged.scan(10.9)
    assert judged.good == [None]
    judged.scan(11)
    assert judged.good == [True]
    assert list(starts.good_ones(judged.server)) == list(ServerStart.objects.all())


def test_a_crash_within_them_makes_it_none(judged: Judged) -> None:
    judged.started(1)
    judged.scan(5)
    judged.crashed(10.5)
    judged.scan(15)
    assert judged.good == [False]


def test_a_crash_after_them_leaves_it_good(judged: Judged) -> None:
    judged.started(1)
    judged.scan(5)
    judged.crashed(11.5)
    judged.scan(15)
    assert judged.good == [True]


def test_another_start_within_them_makes_it_none(judged: Judged) -> None:
    judged.started(1)
    judged.scan(2)
    judged.started(5.1)
    judged.scan(6)
    judged.scan(20)
    assert judged.good == [False, True]


def test_a_start_followed_by_a_later_one_is_decided_at_once(judged: Judged) -> None:
    judged.started(1)
    judged.scan(2)
    judged.started(20.1)
    judged.scan(21)
    assert judged.good == [True, None]


def test_a_clock_put_back_or_forward_stalls_nothing(judged: Judged) -> None:
    judged.started(1)
    judged.scan(2)
    judged.scan(-500)
    assert judged.good == [True]
    ServerStart.objects.update(good=None)
    judged.scan(9_000_000)
    assert judged.good == [True]


def test_a_start_whose_log_is_gone_is_decided_all_the_same(judged: Judged) -> None:
    judged.started(1)
    judged.scan(2)
    judged.path.unlink()
    judged.scan(15)
    assert judged.good == [True]


def test_a_scan_with_nothing_to_decide_asks_nothing_more(judged: Judged) -> None:
    judged.started(1)
    judged.scan(2)
    for minute in (5, 15, 30):
        judged.scan(minute)
    with CaptureQueriesContext(connection) as queries:
        judged.scan(35)
    assert len(queries) == 2


def test_good_starts_outlive_the_many_of_a_server_that_crashes_all_day(
    judged: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starts, "MAX_STARTS", 3)
    monkeypatch.setattr(starts, "GOOD_KEPT", 2)
    for number in range(4):  # good ones
        judged.started(number * 20 + 1.1)
        judged.scan(number * 20 + 2)
    for number in range(8):
        judged.started(81.2 + number)
        judged.scan(81.3 + number)
    kept = list(ServerStart.objects.order_by("started_at").values_list("started_at", "good"))
    assert kept == [
        (at(41.1), True),
        (at(61.1), True),
        (at(86.2), False),
        (at(87.2), False),
        (at(88.2), None),
    ]


def test_the_last_good_start_stays_though_its_mods_arent_known(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "MAX_STARTS", 1)
    judged.started(1)
    judged.scan(2)
    judged.scan(15)
    ServerStart.objects.update(mods=None)
    for number in range(3):
        judged.started(20.1 + number)
        judged.scan(20.2 + number)
    assert judged.good == [True, None]


def test_a_start_is_an_event_once(judged: Judged) -> None:
    judged.started(1)
    for minute in (2, 5, 15):
        judged.scan(minute)
    event = Event.objects.get()
    assert (event.kind, event.title, event.at) == ("server_started", "Public started.", at(1))
    assert event.about == "mods.serverstart"


def test_a_start_from_before_anybody_looked_is_no_event(server_dir: Callable[..., ServerDir]) -> None:
    judged = Judged(server_dir("old"))
    judged.started(-600)
    judged.scan(0, changed=True)
    assert ServerStart.objects.exists()
    assert not Event.objects.exists()


def test_what_people_call_a_start(judged: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    today = at(0).date()
    monkeypatch.setattr(timezone, "localdate", lambda: today)
    assert times.weekday_in_words(at(64)) == "21:04"
    assert times.weekday_in_words(at(64) - timedelta(days=5)) == "Tue 21:04"
    assert times.weekday_in_words(at(64) - timedelta(days=19)) == "3 Nov 21:04"
    assert times.weekday_in_words(at(64) - timedelta(days=400)) == "18 Oct 2025 21:04"
    assert starts.on_that_day(at(64) - timedelta(days=5)) == "Tue 17 Nov 21:04"
