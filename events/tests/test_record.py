"""An event is written once, however often and by however many it is seen; each target that wants it gets a delivery."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from conftest import Events
from events import keeping
from events import record as recording
from events.kinds import ICONS, TONES, Kind
from events.models import Delivery, Event, Read, Target
from events.record import News, record, record_all
from events.tests.conftest import MakeTarget


@pytest.mark.django_db
def test_it_is_written_once(events: Events) -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    first = record(Kind.CRASHED, "1", "Public crashed", text="It broke.", at=at, forced=True)
    assert first is not None
    assert (first.title, first.text, first.at, first.forced) == ("Public crashed", "It broke.", at, True)
    assert record(Kind.CRASHED, "1", "Something else") is None
    assert record(Kind.STARTED, "1", "Another kind") is not None
    assert Event.objects.count() == 2
    assert [one["title"] for one in events.named("event_recorded")] == ["Public crashed", "Another kind"]


@pytest.mark.django_db
def test_long_keys_stay_different() -> None:
    long = "x" * 300
    assert record(Kind.GONE, f"{long}a", "a") is not None
    assert record(Kind.GONE, f"{long}b", "b") is not None
    assert record(Kind.GONE, f"{long}a", "a again") is None
    assert {len(key) for key in Event.objects.values_list("key", flat=True)} == {255}


@pytest.mark.django_db
def test_hostile_texts_are_stored() -> None:
    event = record(Kind.GONE, "a\0\ud800", "one\ntwo\0\ud800" + "x" * 400, text="y\0" * 20_000)
    assert event is not None
    event.refresh_from_db()
    assert event.title.startswith("one two")
    assert (len(event.title), len(event.text)) == (300, 10_000)
    assert record(Kind.GONE, "a\0\ud800", "again") is None


@pytest.mark.django_db
def test_many_at_once_take_a_few_statements(target: MakeTarget) -> None:
    target("http://127.0.0.1:9/")
    news = [News(Kind.GONE, str(number % 100), str(number)) for number in range(150)]
    with CaptureQueriesContext(connection) as many:
        written = record_all(news)
    assert len(written) == 100
    assert [event.title for event in written if event.key.endswith(":7")] == ["7"], "the first of two counts"
    assert len(many) <= 12
    assert Delivery.objects.count() == 100
    with CaptureQueriesContext(connection) as none:
        assert record_all(news) == []
    assert len(none) <= 3


@pytest.mark.django_db
def test_whoever_wants_it_gets_a_delivery(
    target: MakeTarget, asked: list[str], django_capture_on_commit_callbacks: object
) -> None:
    wants = target("http://127.0.0.1:9/", kinds=["server_crashed"])
    target("http://127.0.0.1:9/", kinds=["server_started"])
    target("http://127.0.0.1:9/", active=False)
    with django_capture_on_commit_callbacks(execute=True):  # type: ignore[operator]  # it is a context manager's maker
        event = record(Kind.CRASHED, "1", "Public crashed")
        record(Kind.GAME_VERSION, "1.22.0", "nobody wants this one")
    delivery = Delivery.objects.get()
    assert (delivery.target, delivery.event, delivery.state) == (wants, event, "waiting")
    assert asked == ["events.tasks.notifications_deliver"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_cant_be_asked_fails_nothing(target: MakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError("no queue")

    target("http://127.0.0.1:9/")
    monkeypatch.setattr(recording, "async_task", fail)
    assert record(Kind.CRASHED, "1", "Public crashed") is not None
    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_the_same_time_write_one(monkeypatch: pytest.MonkeyPatch, asked: list[str]) -> None:
    """Both have looked before either writes."""
    Target.objects.create(name="t", form="webhook", address="http://127.0.0.1:9/", kinds=list(Kind.values))
    results: list[Event | None] = []
    begin = threading.Barrier(4)

    def write() -> None:
        try:
            begin.wait()
            results.append(record(Kind.CRASHED, "1", "Public crashed"))
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([one for one in results if one is not None]) == 1
    assert (Event.objects.count(), Delivery.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_one_that_came_first_after_the_look_keeps_its_key(monkeypatch: pytest.MonkeyPatch, target: MakeTarget) -> None:
    """As on PostgreSQL, where another process may commit between our look and our write."""
    target("http://127.0.0.1:9/")
    whole = Event.objects.bulk_create

    def others_first(drafts: list[Event], **options: Any) -> list[Event]:
        Event(kind=drafts[0].kind, key=drafts[0].key, title="theirs").save()
        return whole(drafts, **options)

    monkeypatch.setattr(
        type(Event.objects), "bulk_create", lambda _self, drafts, **options: others_first(drafts, **options)
    )
    assert record(Kind.CRASHED, "1", "ours") is None
    assert Event.objects.get().title == "theirs"
    assert not Delivery.objects.exists()


@pytest.mark.django_db
def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MAX_EVENTS", 10)
    record_all(News(Kind.STARTED, f"{number:02}", str(number)) for number in range(25))
    assert keeping.prune() == 15
    assert {event.title for event in Event.objects.all()} == {str(number) for number in range(15, 25)}
    assert keeping.prune() == 0


def test_every_kind_has_its_tone_and_its_sign() -> None:
    assert set(ICONS) == set(Kind)
    assert len(set(ICONS.values())) == len(Kind), "colour alone never tells them apart"
    assert set(TONES.values()) <= {"good", "warn", "bad", "info"}


def test_they_name_themselves() -> None:
    assert str(Read(user_key=1, seen_up_to=7)) == "1: 7"
    assert repr(Target(name="Mine", address="https://example.com/secret")) == "<Target: Mine>"
