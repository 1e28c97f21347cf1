"""A lock that several have together, beside one holder alone: on one machine, across processes."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pytest_django import Settings

from vsadmin.lib import locks

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _folder(settings: Settings, tmp_path: Path) -> None:
    settings.VSADMIN_DATA_DIR = tmp_path


def test_many_share_and_nobody_holds_meanwhile() -> None:
    with locks.share("x"):
        with locks.share("x"):
            assert not locks.is_free("x")
        assert not locks.is_free("x")
        with pytest.raises(locks.Busy), locks.hold("x"):
            pass
    assert locks.is_free("x")


def test_whoever_holds_it_shares_with_nobody() -> None:
    with locks.hold("x"), pytest.raises(locks.Busy), locks.share("x"):
        pass
    with locks.share("x"):
        pass


def test_it_is_free_once_its_process_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "x.lock"
    with locks.share("x"):
        pass
    assert path.stat().st_mode & 0o777 == 0o600
    program = (
        f"import fcntl, sys; f = open({str(path)!r}); fcntl.flock(f, fcntl.LOCK_SH); print(1, flush=True); input()"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert not locks.is_free("x")
    process.kill()
    process.communicate()
    assert locks.is_free("x")


def test_another_program_does_not_take_it_along() -> None:
    with locks.share("x"):
        process = subprocess.Popen(
            [sys.executable, "-c", "print(1, flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            close_fds=False,
        )
        assert process.stdout is not None
        process.stdout.readline()
    assert locks.is_free("x")
    process.communicate(b"\n")


def test_a_wish_to_stop_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    tries: list[float] = []

    def busy(name: str, *, timeout: float) -> None:
        tries.append(timeout)
        assert len(tries) <= 3, "it goes on though it was asked to stop"
        if len(tries) == 3:
            stop.set()
        raise locks.Busy(name)

    monkeypatch.setattr(locks, "hold", busy)
    with pytest.raises(locks.Busy), locks.wait_for("x", 1e9, stop):
        pass
    assert len(tries) == 3
    assert max(tries) <= 1, "and no try outlasts a second"
