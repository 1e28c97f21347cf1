"""Deliveries: sent at least once with one id, tried again, given up, and never again after they were received."""

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import time_machine
from django.db import connection

from conftest import Events
from events import deliver, sending
from events.kinds import Kind
from events.models import Delivery, Target
from events.record import record
from events.sending import Outcome, Result
from events.tasks import notifications_deliver
from events.tests.conftest import MakeTarget
from vsadmin.lib import locks
from vsadmin.lib.tests.loopback import Request, Server, answer, redirect, serving

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
PATH = "/hooks/S3CRET"


def happen(key: str = "1", **fields: Any) -> Delivery:
    event = record(Kind.CRASHED, key, "Public crashed", **fields)
    assert event is not None
    return event.deliveries.get()


def status_of(delivery: Delivery) -> tuple[str, int]:
    delivery.refresh_from_db()
    return delivery.state, delivery.tries


def bodies(server: Server) -> list[Any]:
    return [json.loads(body) for _headers, body in server.posted]


def test_a_webhook_gets_the_documented_json(target: MakeTarget) -> None:
    with serving({PATH: answer(b"", 204)}) as server:
        target(server.url + PATH)
        delivery = happen(text="It broke.", at=START)
        assert deliver.run() == 1
    assert status_of(delivery) == ("sent", 1)
    assert delivery.result == "Received: the answer was 204."
    assert delivery.ended_at is not None
    headers, _body = server.posted[0]
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Vsadmin-Event"] == "server_crashed"
    assert headers["X-Vsadmin-Delivery"] == str(delivery.delivery_id)
    assert headers["User-Agent"].startswith("vsadmin/")
    assert delivery.event is not None
    assert bodies(server) == [
        {
            "version": 1,
            "delivery_id": str(delivery.delivery_id),
            "test": False,
            "event": {
                "id": str(delivery.event.uid),
                "kind": "server_crashed",
                "kind_title": "A server crashed",
                "title": "Public crashed",
                "text": "It broke.",
                "forced": False,
                "at": "2026-03-01T12:00:00+00:00",
                "recorded_at": delivery.event.recorded_at.isoformat(),
                "server": None,
                "url": None,
            },
        }
    ]


def test_never_again_after_it_was_received(target: MakeTarget) -> None:
    with serving({PATH: answer()}) as server:
        target(server.url + PATH)
        delivery = happen()
        assert deliver.run() == 1
        assert deliver.run() == 0
        assert deliver.attempt(delivery.pk) is None
        assert len(server.posted) == 1


def test_a_failing_receiver_is_asked_again_later_and_later_then_given_up(target: MakeTarget, events: Events) -> None:
    with serving({PATH: answer(status=500)}) as server, time_machine.travel(START, tick=False) as clock:
        target(server.url + PATH)
        delivery = happen()
        tried_at: list[int] = []
        while status_of(delivery)[0] == "waiting":
            assert delivery.next_try_at is not None
            clock.move_to(delivery.next_try_at - timedelta(seconds=5))
            deliver.run()
            assert len(server.posted) == len(tried_at), "not before its time"
            clock.move_to(delivery.next_try_at)
            deliver.run()
            tried_at.append(int((datetime.now(UTC) - START).total_seconds() // 60))
    assert tried_at == [0, 1, 3, 8, 18, 38, 78, 138, 198, 258, 318]
    assert status_of(delivery) == ("failed", len(tried_at))
    assert delivery.result == "The answer was 500. Given up."
    assert {headers["X-Vsadmin-Delivery"] for headers, _body in server.posted} == {str(delivery.delivery_id)}
    assert len(events.named("notification_failed")) == len(tried_at)


def test_it_gets_through_once_the_receiver_is_back(target: MakeTarget) -> None:
    routes = {PATH: answer(status=503)}
    with serving(routes) as server, time_machine.travel(START, tick=False) as clock:
        target(server.url + PATH)
        delivery = happen()
        assert deliver.run() == 0
        routes[PATH] = answer()
        assert deliver.run() == 0, "not before its time"
        clock.shift(timedelta(minutes=1))
        assert deliver.run() == 1
    assert status_of(delivery) == ("sent", 2)


@pytest.mark.parametrize("said", ["1800", "Sun, 01 Mar 2026 12:30:00 GMT", "1800.0"])
def test_a_receiver_that_asks_for_quiet_gets_it(said: str, target: MakeTarget) -> None:
    routes = {PATH: answer(status=429, headers=f"Retry-After: {said}\r\n")}
    with serving(routes) as server, time_machine.travel(START, tick=False) as clock:
        target(server.url + PATH)
        first, second = happen("1"), happen("2")
        deliver.run()
        routes[PATH] = answer()
        clock.shift(timedelta(minutes=29))
        deliver.run()
        assert len(server.posted) == 1, "that goes for everything that it gets"
        clock.shift(timedelta(minutes=1))
        assert deliver.run() == 2
    assert (status_of(first), status_of(second)) == (("sent", 2), ("sent", 1))


def test_a_short_pause_pulls_nothing_forward(target: MakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for longer than the pause that was asked for goes on waiting; what is due sooner waits for it."""
    with serving({PATH: answer(status=429, headers="Retry-After: 2\r\n")}) as server:
        target(server.url + PATH)
        with time_machine.travel(START, tick=False):
            asked, later, sooner = happen("1"), happen("2"), happen("3")
            Delivery.objects.filter(pk=later.pk).update(next_try_at=START + timedelta(minutes=40))
            Delivery.objects.filter(pk=sooner.pk).update(next_try_at=START + timedelta(seconds=1))
            deliver.attempt(asked.pk)
    times = {one.pk: one.next_try_at for one in Delivery.objects.all()}
    soon = START + timedelta(seconds=2)
    assert times == {asked.pk: soon, later.pk: START + timedelta(minutes=40), sooner.pk: soon}


@pytest.mark.parametrize("created", [START - timedelta(days=1), datetime(1970, 1, 1, tzinfo=UTC)])
def test_what_waited_while_nothing_ran_or_the_clock_was_wrong_is_tried_a_few_times(
    created: datetime, target: MakeTarget
) -> None:
    assert tries_until_given_up(created, target) == deliver.LEAST_TRIES


def test_one_of_the_future_is_given_up_too(target: MakeTarget) -> None:
    """The clock was set back: its age says nothing for years."""
    assert tries_until_given_up(START.replace(year=2090), target) == deliver.MOST_TRIES


def tries_until_given_up(created: datetime, target: MakeTarget) -> int:
    with serving({PATH: answer(status=500)}) as server, time_machine.travel(START, tick=False) as clock:
        target(server.url + PATH)
        delivery = happen()
        Delivery.objects.update(created_at=created)
        while status_of(delivery)[0] == "waiting":
            assert delivery.next_try_at is not None
            clock.move_to(delivery.next_try_at)
            deliver.run()
    assert delivery.state == "failed"
    return delivery.tries


def test_a_pause_of_years_is_our_clocks_fault(target: MakeTarget) -> None:
    routes = {PATH: answer(status=429, headers="Retry-After: Sun, 01 Mar 2026 12:30:00 GMT\r\n")}
    with serving(routes) as server, time_machine.travel(datetime(1970, 1, 1, tzinfo=UTC), tick=False):
        target(server.url + PATH)
        delivery = happen()
        deliver.run()
    assert status_of(delivery) == ("waiting", 1)


def test_a_short_pause_is_waited_for_but_not_for_ever(target: MakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({PATH: answer(status=429, headers="Retry-After: 0\r\n")}) as server:
        target(server.url + PATH)
        happen()
        with time_machine.travel(START, tick=False) as clock:
            stop = threading.Event()
            monkeypatch.setattr(stop, "wait", lambda seconds: clock.shift(timedelta(seconds=seconds)))
            deliver.run(stop)
        assert len(server.posted) == 6


def test_one_that_asks_for_more_than_we_wait_is_given_up(target: MakeTarget) -> None:
    with serving({PATH: answer(status=429, headers="Retry-After: 99999999\r\n")}) as server:
        target(server.url + PATH)
        delivery = happen()
        deliver.run()
    assert status_of(delivery) == ("failed", 1)


@pytest.mark.parametrize(
    ("route", "words"),
    [
        (redirect("/elsewhere", 302), "leads elsewhere (302)"),
        (redirect("/elsewhere", 308), "leads elsewhere (308)"),
        (answer(status=404), "refuses it (404)"),
        (answer(status=401), "refuses it (401)"),
    ],
)
def test_what_will_never_work_ends_at_once(route: Any, words: str, target: MakeTarget) -> None:
    with serving({PATH: route, "/elsewhere": answer()}) as server:
        target(server.url + PATH)
        delivery = happen()
        deliver.run()
        assert server.paths == [PATH]
    assert status_of(delivery) == ("failed", 1)
    assert words in delivery.result


def test_private_addresses_are_refused_unless_allowed(target: MakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({PATH: answer()}) as server:
        target(server.url + PATH)
        monkeypatch.setenv("VSADMIN_ALLOW_PRIVATE_WEBHOOKS", "off")
        delivery = happen()
        deliver.run()
        assert server.connections <= 1
        assert server.posted == []
    assert status_of(delivery) == ("failed", 1)
    assert "VSADMIN_ALLOW_PRIVATE_WEBHOOKS=on" in delivery.result


def test_a_public_name_that_leads_home_is_refused_too(target: MakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving({PATH: answer()}) as server:
        port = server.server_address[1]
        found = [(2, 1, 6, "", ("127.0.0.1", port))]
        monkeypatch.setattr("socket.getaddrinfo", lambda *_arguments, **_options: found)
        monkeypatch.setenv("VSADMIN_ALLOW_PRIVATE_WEBHOOKS", "off")
        target(f"http://hooks.example.com:{port}{PATH}")
        delivery = happen()
        deliver.run()
        assert server.posted == []
    assert "no public address" in Delivery.objects.get(pk=delivery.pk).result


def test_a_receiver_that_never_comes_to_an_end_holds_up_nobody(
    target: MakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drip(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\n")
        request.drip(b"X")

    monkeypatch.setattr(sending, "DEADLINE", 1.5)
    with serving({"/slow": drip, PATH: answer()}) as server:
        target(server.url + "/slow", name="Slow")
        target(server.url + PATH, name="Quick")
        for key in "123":
            record(Kind.CRASHED, key, "Public crashed")
        assert deliver.run() == 3
    assert {one.target.name for one in Delivery.objects.filter(state="sent")} == {"Quick"}
    slow = Delivery.objects.filter(target__name="Slow").order_by("pk")
    assert [one.tries for one in slow] == [1, 0, 0], "one that fails has its others wait"
    assert (slow[0].state, "within 1.5 s" in slow[0].result) == ("waiting", True)


def test_an_endless_answer_of_2xx_is_one(target: MakeTarget) -> None:
    def flood(request: Request) -> None:
        request.write(b"HTTP/1.1 200 OK\r\n\r\n")
        request.drip(b"x" * 1000)

    with serving({PATH: flood}) as server:
        target(server.url + PATH)
        happen()
        assert deliver.run() == 1


@pytest.mark.django_db(transaction=True)
def test_two_claim_it_once(target: MakeTarget) -> None:
    with serving({PATH: answer()}) as server:
        target(server.url + PATH)
        delivery = happen()
        begin = threading.Barrier(4)
        results: list[Result | None] = []

        def send() -> None:
            try:
                begin.wait()
                results.append(deliver.attempt(delivery.pk))
            finally:
                connection.close()

        threads = [threading.Thread(target=send) for _number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(server.posted) == 1
    assert [one.outcome for one in results if one is not None] == [Outcome.SENT]


def test_one_whose_process_died_is_sent_again_with_its_id(target: MakeTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was killed between sending and writing that down."""
    with serving({PATH: answer()}) as server, time_machine.travel(START, tick=False) as clock:
        target(server.url + PATH)
        delivery = happen()
        with monkeypatch.context() as patch:
            patch.setattr(deliver, "_note", Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                deliver.run()
        assert deliver.run() == 0, "its claim still stands"
        clock.shift(deliver.CLAIM)
        assert deliver.run() == 1
        ids = [headers["X-Vsadmin-Delivery"] for headers, _body in server.posted]
    assert ids == [str(delivery.delivery_id)] * 2


def test_a_clock_that_was_put_back_stalls_nothing(target: MakeTarget) -> None:
    with serving({PATH: answer()}) as server, time_machine.travel(START, tick=False) as clock:
        target(server.url + PATH)
        delivery = happen()
        Delivery.objects.filter(pk=delivery.pk).update(claimed_until=START + timedelta(minutes=5))
        clock.shift(-timedelta(days=2))
        assert deliver.run() == 1


def test_one_process_at_a_time(target: MakeTarget) -> None:
    with serving({PATH: answer()}) as server:
        target(server.url + PATH)
        happen()
        results: list[int] = []
        with locks.hold("notifications"):
            thread = threading.Thread(target=lambda: results.append(deliver.run()))
            thread.start()
            thread.join()
        assert (results, server.posted) == ([0], [])


def test_a_target_that_is_off_gets_nothing_later_either(target: MakeTarget) -> None:
    with serving({PATH: answer()}) as server:
        mine = target(server.url + PATH)
        delivery = happen()
        Target.objects.update(active=False)
        deliver.run()
        assert status_of(delivery) == ("failed", 0)
        Target.objects.update(active=True)
        deliver.run()
        assert server.posted == []
        Target.objects.update(active=False)
        deliver.send_test(mine)
        assert deliver.run() == 1, "a test is asked for by a person"
        assert bodies(server)[0]["test"] is True
        assert bodies(server)[0]["event"]["id"] is None


def test_a_test_is_asked_for_once(target: MakeTarget) -> None:
    mine = target("http://127.0.0.1:9/")
    assert deliver.send_test(mine) == deliver.send_test(mine)


def test_stopping_ends_it(target: MakeTarget) -> None:
    with serving({PATH: answer()}) as server:
        target(server.url + PATH)
        happen()
        stop = threading.Event()
        stop.set()
        assert deliver.run(stop) == 0
        assert deliver.run(budget=0) == 0
        assert server.posted == []


def test_the_job_sends_and_forgets(target: MakeTarget) -> None:
    with serving({PATH: answer()}) as server:
        mine = target(server.url + PATH)
        happen()
        old = Delivery.objects.create(target=mine, created_at=START, state="sent")
        notifications_deliver()
        assert len(server.posted) == 1
    assert not Delivery.objects.filter(pk=old.pk).exists()


@pytest.mark.parametrize("form", ["webhook", "discord"])
def test_no_log_and_no_result_names_the_address(
    form: str, target: MakeTarget, events: Events, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever goes wrong: refused, an answer cut short, an unexpected error whose text has it."""

    def cut(request: Request) -> None:
        request.write(b"HTTP/1.1 2")
        request.close_connection = True

    caplog.set_level("WARNING")
    with serving({PATH: cut}) as server:
        mine = target(server.url + PATH, form)
        happen("1")
        deliver.run()
        Delivery.objects.all().delete()
        Target.objects.update(address=f"http://127.0.0.1:9{PATH}")
        happen("2")
        deliver.run()
        Delivery.objects.all().delete()

        def fail(*_arguments: object, **_options: object) -> None:
            raise RuntimeError(f"http://127.0.0.1{PATH}")

        monkeypatch.setattr(sending, "Client", fail)
        happen("3")
        deliver.run()
    results = [one["result"] for one in events.named("notification_failed")]
    assert len(results) == 3
    assert results[2] == "An unexpected error (RuntimeError)."
    told = caplog.text + repr(events.all) + repr(mine) + repr(list(Delivery.objects.values_list("result", flat=True)))
    assert "S3CRET" not in told
