"""Every job: one at a time, recorded, logged, never raising, closed when its process is gone."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.models import OrmQ

from conftest import Events
from vsadmin.lib import locks
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db
calls: list[dict[str, Any]] = []


def work(progress: runner.Progress, **arguments: Any) -> runner.Outcome:
    """A job of the tests."""
    calls.append(arguments)
    progress.report(1, 2, "half")
    if arguments.get("fail") == "plainly":
        raise runner.JobFailed("no answer", failed=3)
    if arguments.get("fail"):
        raise ValueError("surprise")
    return runner.Outcome("2 things done", {"things": 2})


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    calls.clear()
    globals()["wrapped"] = runner.job("test_work", "Work")(work)
    yield
    del runner.registry["test_work"]


def test_a_run_is_recorded_and_logged(events: Events) -> None:
    run = runner.run_now("test_work", colour="red")
    assert (run.state, run.message) == (JobRun.State.DONE, "2 things done")
    assert run.started_at
    assert run.ended_at
    assert calls == [{"colour": "red"}]
    assert [event["event"] for event in events.all] == ["test_work_started", "test_work_completed"]
    assert events.all[1]["things"] == 2


def test_a_failure_is_said_in_its_own_words(events: Events) -> None:
    run = runner.run_now("test_work", fail="plainly")
    assert (run.state, run.message) == (JobRun.State.FAILED, "no answer")
    (event,) = events.named("test_work_failed")
    assert (event["reason"], event["failed"]) == ("no answer", 3)


def test_any_exception_ends_as_a_failed_run(events: Events) -> None:
    run = runner.run_now("test_work", fail="oddly")
    assert run.state == JobRun.State.FAILED
    assert "ValueError: surprise" in run.message
    assert events.named("test_work_failed")


def test_in_the_foreground_it_waits_for_one_that_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    held, waiting = threading.Event(), threading.Event()

    def hold() -> None:
        with locks.hold("job-test_work"):
            held.set()
            waiting.wait(30)
        connection.close()

    def heard(name: str, **_fields: Any) -> None:
        if name == "test_work_waiting":
            waiting.set()

    monkeypatch.setattr("vsadmin.lib.logs.event", heard)
    other = threading.Thread(target=hold)
    other.start()
    held.wait(30)
    run = runner.run_now("test_work", force=True)
    other.join()
    assert waiting.is_set()
    assert run.state == JobRun.State.DONE
    assert calls == [{"force": True}]


def test_what_could_not_run_is_not_recorded_as_done(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "WAIT_FOR_ANOTHER", 0)
    with locks.hold("job-test_work"):
        run = runner.run_now("test_work")
    assert run.state == JobRun.State.FAILED
    assert "running already" in run.message
    assert run.ended_at
    assert calls == []
    assert events.named("test_work_skipped")


def test_other_arguments_run_after_the_one_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_WORKER_WAITS", 0)
    with locks.hold("job-test_work"):
        asked = [runner.enqueue("test_work", server=number)[0] for number in (1, 2)]
        work_off()  # both find the other one under way
        assert [JobRun.objects.get(pk=run.pk).state for run in asked] == ["queued", "queued"]
        assert calls == []
    globals()["wrapped"]()  # another one ends, and calls the first, which calls the second
    work_off()
    assert calls == [{}, {"server": 1}, {"server": 2}]
    assert [JobRun.objects.get(pk=run.pk).state for run in asked] == ["done", "done"]


def test_one_that_is_only_due_is_left_out(events: Events) -> None:
    with locks.hold("job-test_work"):
        globals()["wrapped"]()
    assert calls == []
    assert not JobRun.objects.exists()
    assert events.named("test_work_skipped")


def work_off() -> None:
    """As the worker does: each task that waits, until none does."""
    while waiting := OrmQ.objects.order_by("pk").first():
        task = waiting.task
        waiting.delete()
        assert task["func"] == f"{__name__}.work"
        globals()["wrapped"](*task["args"], **task["kwargs"])


def test_asking_twice_queues_once() -> None:
    first, new = runner.enqueue("test_work")
    again, second_is_new = runner.enqueue("test_work")
    assert new
    assert not second_is_new
    assert again == first
    assert OrmQ.objects.count() == 1
    _other, other_is_new = runner.enqueue("test_work", server=1)
    assert other_is_new, "other arguments are another wish"


def test_a_run_that_cannot_be_handed_in_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_path: Any, **_arguments: Any) -> None:
        raise OperationalError("full")

    monkeypatch.setattr(runner, "async_task", fail)
    with pytest.raises(OperationalError):
        runner.enqueue("test_work")
    assert not JobRun.objects.exists()


def test_a_task_that_is_delivered_twice_runs_once() -> None:
    run = runner.run_now("test_work")
    runner.registry["test_work"].function(run_id=run.pk)
    assert len(calls) == 1


def test_what_a_killed_worker_had_fetched_is_delivered_again() -> None:
    runner.enqueue("test_work")
    OrmQ.objects.update(lock=timezone.now() + timedelta(hours=3))
    runner.deliver_again()
    assert OrmQ.objects.filter(lock__lte=timezone.now()).count() == 1


def test_a_second_delivery_leaves_a_running_run_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_WORKER_WAITS", 0)
    run = JobRun.objects.create(job="test_work", state=JobRun.State.RUNNING)
    with locks.hold("job-test_work"):
        runner.registry["test_work"].function(run_id=run.pk)
    run.refresh_from_db()
    assert run.state == JobRun.State.RUNNING
    assert calls == []


def test_a_run_whose_process_is_gone_is_closed() -> None:
    dead = JobRun.objects.create(job="test_work", state=JobRun.State.RUNNING)
    with locks.hold("job-test_work"):
        assert runner.recover_interrupted() == 0, "its process lives"
    assert runner.recover_interrupted() == 1
    dead.refresh_from_db()
    assert dead.state == JobRun.State.FAILED
    assert "interrupted" in dead.message


@pytest.mark.parametrize("age", [timedelta(minutes=2), timedelta(hours=23), -timedelta(hours=1)])
def test_a_waiting_run_whose_task_is_gone_is_handed_in_again(age: timedelta) -> None:
    """Its button isn't blocked; a negative age is a clock that was set back."""
    run = JobRun.objects.create(job="test_work", arguments={"server": 1}, queued_at=timezone.now() - age)
    assert runner.recover_interrupted() == 0
    assert runner.recover_interrupted() == 0
    assert [task.name() for task in OrmQ.objects.all()] == [f"test_work-{run.pk}"]
    work_off()
    run.refresh_from_db()
    assert run.state == JobRun.State.DONE
    assert calls == [{"server": 1}]


def test_one_that_somebody_is_about_to_hand_in_is_left_alone() -> None:
    JobRun.objects.create(job="test_work", queued_at=timezone.now() - timedelta(seconds=110))
    assert runner.recover_interrupted() == 0
    assert not OrmQ.objects.exists()


def test_a_run_that_nothing_fetched_for_a_day_is_closed() -> None:
    asked, _new = runner.enqueue("test_work")
    gone = JobRun.objects.create(job="test_work", arguments={"server": 1})
    unknown = JobRun.objects.create(job="of_an_older_version")
    JobRun.objects.filter(pk=unknown.pk).update(queued_at=timezone.now() - timedelta(minutes=3))
    JobRun.objects.exclude(pk=unknown.pk).update(queued_at=timezone.now() - timedelta(hours=25))
    assert runner.recover_interrupted() == 2
    for run in (asked, gone, unknown):
        run.refresh_from_db()
    assert (asked.is_over, gone.is_over, unknown.is_over) == (False, True, True), "the worker has the first one's task"


def test_old_runs_are_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "KEPT_RUNS", 3)
    for _ in range(5):
        newest = runner.run_now("test_work")
    assert JobRun.objects.count() == 3
    assert newest in JobRun.objects.all()


def test_a_running_job_hears_of_the_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bool] = []

    def waiting(progress: runner.Progress) -> runner.Outcome:
        runner.stop_all()
        heard.append(progress.stop.wait(10))
        return runner.Outcome("stopped")

    runner.job("test_waiting", "Wait")(waiting)
    try:
        runner.run_now("test_waiting")
    finally:
        runner._stopping.value = 0
        del runner.registry["test_waiting"]
    assert heard == [True]
