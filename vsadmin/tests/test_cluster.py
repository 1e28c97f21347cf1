"""A real worker: it scans and refreshes on schedule, through an outage, and stops when told to."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import Schedule

from conftest import eventually
from mods.models import InstalledMod, RefreshRun
from vsadmin.lib.jobs.models import Worker

pytestmark = pytest.mark.cluster


@pytest.fixture
def cluster_env(process_env: dict[str, str], server_dir: Any, mod_database: Any) -> dict[str, str]:
    folder = server_dir()
    folder.add_zip("alpha.zip", modid="alpha", version="1.0.0")
    mod = mod_database.add_mod(name="Alpha", modids=["alpha"])
    mod_database.add_release(mod, "alpha", "1.1.0", game_versions=["1.21.5"])
    return {
        **process_env,
        "VS_MODDB_URL": os.environ["VS_MODDB_URL"],
        "VS_SERVER_DATA_DIR": str(folder.path),
        "VS_MOD_CATALOGUE_INTERVAL": "0",
    }


@pytest.fixture
def cluster(cluster_env: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    log = tmp_path / "cluster.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "qcluster"],
            cwd=settings.BASE_DIR,
            env=cluster_env,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def runs() -> int:
    return RefreshRun.objects.exclude(state=RefreshRun.State.RUNNING).count()


def members_of(group: int) -> list[int]:
    """The processes of a group that still live."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == group and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def make_due() -> None:
    """Move the refresh's next run into the past, as an hour gone by would."""
    Schedule.objects.filter(name="mod_cache_refresh").update(next_run=timezone.now() - timedelta(seconds=1))


def test_the_schedule_is_kept_through_an_outage(
    cluster: subprocess.Popen[bytes], mod_database: Any, tmp_path: Path
) -> None:
    eventually(lambda: InstalledMod.objects.outdated().exists(), within=90)
    mod = InstalledMod.objects.get()
    assert (mod.modid, mod.recommended) == ("alpha", "1.1.0")
    assert not Worker.load().is_silent
    with pytest.raises(BlockingIOError), (tmp_path / "state" / "locks" / "running.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # nothing is restored under it
    assert Schedule.objects.filter(name="mod_cache_refresh").count() == 1
    eventually(lambda: runs() >= 1)

    seen = runs()
    mod_database.fault("/", "500_html")
    make_due()
    eventually(lambda: runs() > seen, within=90)
    failed = RefreshRun.objects.first()
    assert failed is not None
    assert failed.state == RefreshRun.State.FAILED
    assert InstalledMod.objects.get().recommended == "1.1.0"

    mod_database.clear_faults()
    make_due()
    eventually(
        lambda: RefreshRun.objects.filter(pk__gt=failed.pk, state=RefreshRun.State.COMPLETED).exists(), within=90
    )

    os.kill(cluster.pid, signal.SIGTERM)
    cluster.wait(timeout=30)
    eventually(lambda: not members_of(cluster.pid), within=10)
    with (tmp_path / "state" / "locks" / "running.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
