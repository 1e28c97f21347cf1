"""The systemd unit that `./run.sh service` prints."""

import io
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

from vsadmin.management.commands import service


def lines_of(unit: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))


def test_real_paths_and_user() -> None:
    found = lines_of(service.unit(Path("/srv/vsadmin"), Path("/srv/vsadmin/data"), "games"))
    assert found["User"] == "games"
    assert found["WorkingDirectory"] == "/srv/vsadmin"
    assert found["ExecStart"] == '"/srv/vsadmin/run.sh"'
    assert found["Restart"] == "on-failure"
    assert found["KillMode"] == "mixed"
    assert found["ReadWritePaths"] == '"-/srv/vsadmin"'


def test_a_data_folder_elsewhere_may_be_written() -> None:
    found = lines_of(service.unit(Path("/opt/vsadmin"), Path("/usr/local/state"), "games"))
    assert found["ReadWritePaths"] == '"-/opt/vsadmin" "-/usr/local/state"'


def test_odd_paths_are_escaped() -> None:
    found = lines_of(service.unit(Path('/srv/my 100% "mods" \\x'), Path("/srv"), "games"))
    assert found["WorkingDirectory"] == '/srv/my 100%% "mods" \\x'
    assert found["ExecStart"] == '"/srv/my 100%% \\"mods\\" \\\\x/run.sh"'


def test_systemd_takes_it(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    home = tmp_path / "a folder 100%"
    home.mkdir()
    (home / "run.sh").write_text("#!/bin/sh\n")
    (home / "run.sh").chmod(0o755)
    place = tmp_path / "vsadmin.service"
    place.write_text(service.unit(home, tmp_path / "data", "root"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(place)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "vsadmin.service" not in done.stderr, done.stderr


def test_the_unit_alone_is_on_standard_output() -> None:
    out, err = io.StringIO(), io.StringIO()
    call_command("service", stdout=out, stderr=err)
    assert out.getvalue().startswith("# vsadmin's service")
    assert "systemctl enable --now vsadmin" in err.getvalue()
    assert "systemctl" not in out.getvalue()


def test_under_sudo_it_is_for_whoever_called(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 0)
    monkeypatch.setenv("SUDO_USER", "games")
    assert service.user_name() == "games"
    monkeypatch.delenv("SUDO_USER")
    assert service.user_name() == "root"


def test_settings_that_the_service_would_not_have(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9000\n#VSADMIN_DATA_DIR=/x\n")
    environment = {"PORT": "9000", "VSADMIN_DATA_DIR": "/x", "DATABASE_URL": "postgres://", "HOME": "/home/games"}
    assert service.not_in_file(environment, tmp_path / ".env") == ["DATABASE_URL", "VSADMIN_DATA_DIR"]
    assert service.not_in_file({"HOME": "/home/games"}, tmp_path / "none") == []
