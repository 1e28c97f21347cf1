"""What the checks warn of is told once at a start, in the same words whoever tells it."""

import socket
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django_q.management.commands import qcluster

from vsadmin.tests import processes
from vsadmin.tests.test_up import Up


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, db: None) -> list[dict[str, Any]]:
    """The workers that were started, by their options; none really is."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(qcluster.Command, "handle", lambda self, *args, **options: found.append(options))
    monkeypatch.setattr(qcluster, "Cluster", qcluster.Cluster)  # put back what the command sets
    return found


def test_a_worker_started_alone_tells_it(
    started: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(tmp_path / "unmounted"))
    call_command("qcluster")
    assert len(started) == 1
    assert capsys.readouterr().err == (
        f"- VS_SERVER_DATA_DIR: There is no folder {tmp_path / 'unmounted'}.\n"
        "  Check the path; the data folder is what the server is started with as --dataPath. (vsadmin.W001)\n"
    )


def test_a_worker_with_settings_that_cannot_be_used_does_not_start(
    started: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "80x")
    with pytest.raises(SystemExit) as end:
        call_command("qcluster", "--no-warnings")
    assert end.value.code == 1
    assert "PORT is '80x'" in capsys.readouterr().err
    assert started == []


@pytest.mark.cluster
@pytest.mark.xdist_group("up")
def test_up_and_its_worker_tell_it_once(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    up = Up(tmp_path / "data", port, HOME=str(tmp_path), VS_SERVER_DATA_DIR=str(tmp_path / "unmounted"))
    try:
        up.wait_until_told()
        processes.wait_for(lambda: up.workers_row()[1])  # the worker is past its checks
        assert up.said().count("vsadmin.W001") == 1
    finally:
        up.process.terminate()
        up.process.wait(30)
