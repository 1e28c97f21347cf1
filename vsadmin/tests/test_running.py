"""What needs vsadmin stopped asks whether it runs, and keeps it from being started; a stop counts at once."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from mods.models import GameServer
from vsadmin import backup, running
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.stored.models import StoredSetting
from vsadmin.management.commands import qcluster, up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def saved(settings: Settings, tmp_path: Path) -> Path:
    """A backup in which one setting was changed in the panel; it was put back since."""
    settings.VSADMIN_DATA_DIR = tmp_path / "data"
    settings.VSADMIN_DATA_DIR.mkdir()
    StoredSetting.objects.create(name="VS_MOD_SOAK_DAYS", text="9", changed_by_name="ann")
    backup.make(tmp_path / "backup.tar.gz")
    StoredSetting.objects.update(text="1")
    return tmp_path / "backup.tar.gz"


def test_nothing_is_restored_while_it_runs(saved: Path) -> None:
    with running.running(), pytest.raises(CommandError, match=r"vsadmin is running\. Stop it first"):
        call_command("restore", str(saved), "--yes")
    assert StoredSetting.objects.get().text == "1"


@pytest.mark.skipif(connection.vendor != "sqlite", reason="elsewhere a worker may be on another machine")
def test_a_stop_counts_at_once_and_the_settings_come_back(saved: Path) -> None:
    with running.running():
        Worker.write(beat_at=timezone.now())
    call_command("restore", str(saved), "--yes")
    row = StoredSetting.objects.get()
    assert (row.name, row.text, row.changed_by_name) == ("VS_MOD_SOAK_DAYS", "9", "ann")


def test_where_workers_may_be_elsewhere_the_heartbeat_counts_too(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "connection", type("Elsewhere", (), {"vendor": "postgresql"}))
    Worker.write(beat_at=timezone.now())
    with pytest.raises(running.NotNow, match="perhaps on another machine"), running.stopped():
        pass
    Worker.write(beat_at=timezone.now() - timedelta(minutes=4))
    with running.stopped():
        pass


@pytest.fixture
def restoring(settings: Settings, tmp_path: Path) -> Iterator[None]:
    settings.VSADMIN_DATA_DIR = tmp_path
    with ExitStack() as stack:
        stack.enter_context(running.stopped())
        yield


@pytest.mark.parametrize("command", [up.Command, qcluster.Command])
def test_nothing_is_started_while_a_backup_is_restored(
    restoring: None, command: type, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_check", lambda self, **options: None)
    monkeypatch.setattr(os, "umask", lambda mask: mask)  # else this process would have it from now on
    with pytest.raises(SystemExit) as ended:
        call_command(command())
    assert ended.value.code == 1
    assert "A backup is being restored" in capsys.readouterr().err
    assert not GameServer.objects.exists()
