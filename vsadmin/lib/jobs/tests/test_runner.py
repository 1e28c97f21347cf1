"""Every job: one at a time, recorded, logged, never raising, closed when its process is gone."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from django_q.models import OrmQ

from conftest import Events
from vsadmin.lib import locks
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun, Worker

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


def test_a_second_run_meanwhile_says_so(events: Events, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "WAIT_FOR_ANOTHER", 0)
    with locks.hold("job-test_work"):
        run = runner.run_now("test_work")
    assert "running already" in run.message
    assert calls == []
    assert events.named("test_work_skipped")


def test_asking_twice_queues_once() -> None:
    first, new = runner.enqueue("test_work")
    again, second_is_new = runner.enqueue("test_work")
    assert new
    assert not second_is_new
    assert again == first
    assert OrmQ.objects.count() == 1
    _other, other_is_new = runner.enqueue("test_work", server=1)
    assert other_is_new, "other arguments are another wish"


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
    monkeypatch.setattr(runner, "WAIT_FOR_ANOTHER", 0)
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


def test_a_run_that_nothing_fetched_for_a_day_is_closed() -> None:
    JobRun.objects.create(job="test_work", queued_at=timezone.now() - timedelta(hours=23))
    lost = JobRun.objects.create(job="test_work", queued_at=timezone.now() - timedelta(hours=25))
    assert runner.recover_interrupted() == 1
    lost.refresh_from_db()
    assert lost.is_over


def test_old_runs_are_pruned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "KEPT_RUNS", 3)
    for _ in range(5):
        newest = runner.run_now("test_work")
    assert JobRun.objects.count() == 3
    assert newest in JobRun.objects.all()


def test_a_long_task_stamps_the_heartbeat() -> None:
    assert Worker.load().is_silent
    runner.run_now("test_work")
    assert not Worker.load().is_silent


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
