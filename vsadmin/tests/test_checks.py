"""What is said of settings that can't be used: an id, what is wrong, what to write; never a traceback."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.checks import CheckMessage, run_checks

from mods import serverdir
from vsadmin import checks
from vsadmin.lib import conf

MALFORMED = [
    ("PORT", "80x"),
    ("PORT", "0"),
    ("PORT", "70000"),
    ("DEBUG", "perhaps"),
    ("VSADMIN_ALLOW_HTTP", "2"),
    ("VSADMIN_SHOW_LOGOS", "x"),
    ("VSADMIN_WORKERS", "many"),
    ("VSADMIN_ADMIN_USER", "a b"),
    ("VS_GAME_VERSION", "newest"),
    ("VS_MODDB_URL", "mods.vintagestory.at"),
    ("VS_MODDB_FILE_ORIGINS", "ftp://example.com"),
    ("VS_MOD_LIST_REFRESH_INTERVAL", "-1"),
    ("VS_MOD_LIST_REFRESH_INTERVAL", "1.5"),
    ("VS_MOD_LIST_REFRESH_INTERVAL", "soon"),
    ("VS_MOD_SCAN_INTERVAL", "99999999999"),
    ("VSADMIN_TRUSTED_PROXIES", "proxy.example.com"),
    ("VSADMIN_TRUSTED_PROXIES", "0.0.0.0/0"),
]


def ours() -> list[CheckMessage]:
    return run_checks(tags=[checks.TAG])


def test_nothing_is_wrong_with_the_defaults() -> None:
    assert ours() == []


@pytest.mark.parametrize(("name", "text"), MALFORMED)
def test_a_malformed_setting(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    (message,) = ours()
    assert message.id == "vsadmin.E001"
    assert message.msg.startswith(f"{name} is {text!r}")
    assert message.hint
    assert checks.errors_among([message]) == [message]


def test_a_closed_server_folder_comes_with_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise serverdir.Unusable("It can't be read.", serverdir.Remedy("Let it in:", "setfacl x"))

    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(serverdir, "check", refuse)
    assert [message.hint for message in ours()] == ["Let it in: setfacl x"]


def test_each_malformed_setting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("VS_MOD_SCAN_INTERVAL", "x")
    assert len(ours()) == 2


def test_a_server_folder_that_is_not_there_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(tmp_path / "unmounted"))
    (message,) = ours()
    assert message.id == checks.SERVER_FOLDER
    assert str(tmp_path / "unmounted") in message.msg
    assert message.hint
    assert checks.errors_among([message]) == []


def test_a_server_folder_that_serves(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "Mods").mkdir()
    monkeypatch.setenv("VS_SERVER_DATA_DIR", str(tmp_path))
    assert ours() == []


def test_login_without_tls_from_elsewhere(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True
    (message,) = ours()
    assert message.id == "vsadmin.W002"
    settings.CSRF_TRUSTED_ORIGINS = ["https://mods.example.com"]
    assert ours() == []


def test_listening_for_others_under_no_name_of_theirs(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    settings.ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
    (message,) = ours()
    assert message.id == "vsadmin.W003"
    settings.ALLOWED_HOSTS = ["mods.example.com"]
    assert ours() == []


@pytest.mark.parametrize("text", ["--8000", "+-8000", "8e3", "٣", "1" * 30])
def test_odd_numbers_are_no_numbers(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", text)
    (message,) = ours()
    assert message.id == "vsadmin.E001"


def test_explained_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "80x")
    assert checks.explain(ours()) == (
        "- PORT is '80x': that is not a whole number.\n  Write a free port, such as PORT=8000. (vsadmin.E001)"
    )


def test_the_example_file_names_every_setting() -> None:
    named = set(re.findall(r"^#([A-Z_]+)=", (settings.BASE_DIR / ".env.example").read_text(), re.MULTILINE))
    assert set(conf._declared) - named == set()


# --- the same, asked as a person would ----------------------------------------------------------------


def run(arguments: list[str], data_dir: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "VSADMIN_DATA_DIR": str(data_dir),
            "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


WEB_SERVER = ["-m", "vsadmin.webserver", "0"]


@pytest.mark.parametrize(
    "arguments",
    [["manage.py", "up"], ["manage.py", "qcluster"], ["manage.py", "check"], WEB_SERVER],
    ids=["up", "worker", "check", "web server"],
)
def test_it_refuses_to_start(arguments: list[str], tmp_path: Path) -> None:
    done = run(arguments, tmp_path, VS_MOD_LIST_REFRESH_INTERVAL="-5")
    said = done.stdout + done.stderr
    assert done.returncode not in (0, None)
    assert "VS_MOD_LIST_REFRESH_INTERVAL is '-5'" in said
    assert "or 0 to switch the refresh off" in said
    assert "vsadmin.E001" in said
    assert "Traceback" not in said


def test_a_data_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run(["manage.py", "up"], tmp_path / "file" / "data")
    assert done.returncode == 1
    assert f"The data folder {tmp_path / 'file' / 'data'} can't be used" in done.stderr
    assert "VSADMIN_DATA_DIR" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_database_address_that_cannot_be_used(tmp_path: Path) -> None:
    done = run(["manage.py", "up"], tmp_path, DATABASE_URL="mongodb://example.com")
    assert done.returncode == 1
    assert "DATABASE_URL can't be used" in done.stderr
    assert "vsadmin.E004" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
