"""EMAIL_URL: where e-mail goes out; nowhere without it, and a plain word where it can't be used."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from vsadmin.lib import mail
from vsadmin.lib.conf import Malformed


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "smtp+tls://me%40example.com:p%2Fw@mail.example.com",
            {
                "EMAIL_HOST": "mail.example.com",
                "EMAIL_PORT": 587,
                "EMAIL_HOST_USER": "me@example.com",
                "EMAIL_HOST_PASSWORD": "p/w",
                "EMAIL_USE_TLS": True,
            },
        ),
        (
            "smtp+ssl://mail.example.com:465",
            {"EMAIL_HOST": "mail.example.com", "EMAIL_PORT": 465, "EMAIL_USE_SSL": True},
        ),
        ("smtp://localhost", {"EMAIL_HOST": "localhost"}),
    ],
)
def test_a_mail_server(url: str, expected: dict[str, Any]) -> None:
    assert mail.settings_of(url) == {"EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend", **expected}


def test_the_terminal() -> None:
    assert mail.settings_of("consolemail://") == {"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "smpt://me:topsecret@example.com",
        "smtp://",
        "smtp://host:topsecret",
        "smtp://[",
        "filemail://",
    ],
)
def test_one_that_cannot_be_used(url: str) -> None:
    with pytest.raises(Malformed, match=r"^it .*\.$") as told:
        mail.settings_of(url)
    assert "topsecret" not in str(told.value)


# --- as the settings of a process ---------------------------------------------------------------------

DUMP = """
import json, django
from django.conf import settings
from django.core.checks import run_checks
django.setup()
told = {name: getattr(settings, name) for name in dir(settings) if name.startswith("EMAIL_")}
print(json.dumps([told, [[one.id, one.msg, one.hint] for one in run_checks(tags=["vsadmin"])]]))
"""


def process(data_dir: Path, url: str) -> tuple[dict[str, Any], list[list[str]]]:
    """The e-mail settings of a process with that EMAIL_URL, and what its checks say."""
    done = subprocess.run(
        [sys.executable, "-c", DUMP],
        cwd=settings.BASE_DIR,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
            "VSADMIN_DATA_DIR": str(data_dir),
            "EMAIL_URL": url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told, problems = json.loads(done.stdout)
    return told, problems


def test_unset_sends_nothing(tmp_path: Path) -> None:
    told, problems = process(tmp_path, " ")
    assert told["EMAIL_BACKEND"] == "django.core.mail.backends.dummy.EmailBackend"
    assert problems == []


def test_it_is_read(tmp_path: Path) -> None:
    told, problems = process(tmp_path, "smtp+tls://mail.example.com")
    assert (told["EMAIL_HOST"], told["EMAIL_PORT"], told["EMAIL_TIMEOUT"]) == ("mail.example.com", 587, 10)
    assert problems == []


def test_a_mistake_is_said_with_what_to_write(tmp_path: Path) -> None:
    told, ((number, text, hint),) = process(tmp_path, "mail.example.com")
    assert number == "vsadmin.E008"
    assert text.startswith("EMAIL_URL can't be used: ")
    assert "EMAIL_URL=smtp+tls://" in hint
    assert told["EMAIL_BACKEND"] == "django.core.mail.backends.dummy.EmailBackend"
