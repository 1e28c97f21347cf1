"""The panel as README.md says to deploy it, asked over HTTP: behind a proxy with TLS, at home without, and locally."""

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.conf import settings

from conftest import eventually
from vsadmin.tests import processes

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("deployments")]

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
PASSWORD = "of-the-deployment"
#: As README.md's "Deploy" has it.
BEHIND_A_PROXY = {"ALLOWED_HOSTS": "mods.example.com", "CSRF_TRUSTED_ORIGINS": "https://mods.example.com"}
AT_HOME = {"HOST": "0.0.0.0", "ALLOWED_HOSTS": "games.example.com", "VSADMIN_ALLOW_HTTP": "on"}
_PREPARE = """
import django
django.setup()
from django.core.management import call_command
from vsadmin import firstrun
call_command("migrate", verbosity=0)
firstrun.collect_static()
firstrun.ensure_administrator()
"""


def environment(data_dir: Path, **given: str) -> dict[str, str]:
    """SQLite, wherever the tests' own database is; and none of this machine's settings."""
    others = ("VS", "DATABASE_URL", "DJANGO_ALLOW_ASYNC_UNSAFE")  # the last is the browser tests'
    own = {name: text for name, text in os.environ.items() if not name.startswith(others)}
    return {
        **own,
        "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
        "VSADMIN_IGNORE_DOTENV": "1",
        "VSADMIN_DATA_DIR": str(data_dir),
        **given,
    }


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("deployed") / "data"
    subprocess.run(
        [sys.executable, "-c", _PREPARE],
        cwd=settings.BASE_DIR,
        env=environment(place, VSADMIN_ADMIN_PASSWORD=PASSWORD),
        check=True,
        timeout=120,
    )
    return place


class Browser:
    """Keeps cookies as browsers do: those marked secure are neither taken nor sent without TLS."""

    def __init__(self, port: int, host: str, *, tls: bool = False) -> None:
        self.port, self.host, self.tls = port, host, tls
        self.cookies: dict[str, str] = {}
        self.marks: dict[str, str] = {}

    def ask(
        self, path: str, form: dict[str, str] | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, str]:
        scheme = "https" if self.tls else "http"
        sent = {
            "Host": self.host,
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
            "Referer": f"{scheme}://{self.host}{path}",
            **({"X-Forwarded-Proto": "https", "X-Forwarded-For": "198.51.100.7"} if self.tls else {}),
            **headers,
        }
        body = None
        if form is not None:
            body = urlencode(form)
            sent |= {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": f"{scheme}://{self.host}",
                **headers,
            }
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("GET" if form is None else "POST", path, body, sent)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        for line in answer.headers.get_all("Set-Cookie", []):
            self._take(line)
        return answer.status, answer.headers, text

    def _take(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            self.marks[name] = line.partition(";")[2]
            if self.tls or not morsel["secure"]:
                self.cookies[name] = morsel.value

    def log_in(self, **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
        _status, _headers, page = self.ask("/admin/login/")
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found, page
        form = {"csrfmiddlewaretoken": found[1], "username": "admin", "password": PASSWORD, "next": "/admin/"}
        return self.ask("/admin/login/", form, **headers)


@contextmanager
def running(data_dir: Path, **given: str) -> Iterator[int]:
    """The web server with these settings; yields its port."""
    with processes.web_server(environment(data_dir, **given)) as (port, _process):
        yield port


@pytest.fixture(scope="module")
def behind_a_proxy(data_dir: Path) -> Iterator[int]:
    with running(data_dir, **BEHIND_A_PROXY) as port:
        eventually(lambda: Browser(port, "mods.example.com").ask("/healthz")[0] == 200)
        yield port


def test_behind_a_proxy_one_logs_in_with_secure_cookies(behind_a_proxy: int) -> None:
    browser = Browser(behind_a_proxy, "mods.example.com", tls=True)
    status, headers, _page = browser.log_in()
    assert (status, headers["Location"]) == (302, "/admin/")
    csrf, session = sorted(browser.marks)
    assert (csrf.partition("_")[0], session.partition("_")[0]) == ("csrftoken", "sessionid")
    for mark in browser.marks.values():
        assert "; Secure" in mark
        assert "SameSite=Lax" in mark
    assert "HttpOnly" in browser.marks[session]
    status, _headers, page = browser.ask("/admin/")
    assert status == 200
    assert "Unencrypted." not in page


def static_file(page: str) -> str:
    found = re.search(r'href="(/static/vsadmin/panel[^"]+\.css)"', page)
    assert found, page
    return found[1]


def test_every_answer_carries_the_headers(behind_a_proxy: int) -> None:
    browser = Browser(behind_a_proxy, "mods.example.com", tls=True)
    style = static_file(browser.ask("/admin/login/")[2])
    for path, expected in (
        ("/admin/login/", 200),
        ("/admin/", 302),
        ("/nothing", 404),
        (style, 200),
        ("/healthz", 200),
    ):
        status, headers, _page = browser.ask(path)
        assert status == expected, path
        assert headers["Content-Security-Policy"] == POLICY, path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Referrer-Policy"] == "same-origin", path
        assert headers["Strict-Transport-Security"] == "max-age=2592000", path
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", path
    assert browser.ask("/admin/login/")[1]["X-Frame-Options"] == "DENY"


def test_without_tls_one_is_sent_to_it(behind_a_proxy: int) -> None:
    browser = Browser(behind_a_proxy, "mods.example.com")
    status, headers, _page = browser.ask("/admin/?x=1")
    assert (status, headers["Location"]) == (301, "https://mods.example.com/admin/?x=1")
    assert browser.ask("/healthz")[0] == 200, "monitoring on this machine isn't"
    assert browser.ask("/readyz")[0] == 503


def test_other_names_and_other_sites_are_refused(behind_a_proxy: int) -> None:
    assert Browser(behind_a_proxy, "evil.example.net", tls=True).ask("/admin/")[0] == 400
    browser = Browser(behind_a_proxy, "mods.example.com", tls=True)
    assert browser.log_in(Origin="https://evil.example.net")[0] == 403


def test_at_home_without_tls_one_stays_logged_in(data_dir: Path) -> None:
    with running(data_dir, **AT_HOME) as port:
        eventually(lambda: Browser(port, "games.example.com:8000").ask("/healthz")[0] == 200)
        browser = Browser(port, "games.example.com:8000")
        status, headers, _page = browser.log_in()
        assert (status, headers["Location"]) == (302, "/admin/")
        for path in ("/admin/", "/admin/system/"):
            status, headers, page = browser.ask(path)
            assert status == 200, path
            assert "Unencrypted." in page, path
        assert "Strict-Transport-Security" not in headers
        assert "Cross-Origin-Opener-Policy" not in headers, "over plain HTTP browsers complain of it on each page"
        assert headers["Content-Security-Policy"] == POLICY


def test_on_this_machine_nothing_has_to_be_set(data_dir: Path) -> None:
    with running(data_dir) as port:
        eventually(lambda: Browser(port, "127.0.0.1").ask("/healthz")[0] == 200)
        browser = Browser(port, "127.0.0.1")
        assert browser.log_in()[0] == 302
        status, _headers, page = browser.ask("/admin/")
        assert status == 200
        assert "Unencrypted." not in page


def test_djangos_own_check_has_nothing_to_say(data_dir: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "DEBUG"],
        cwd=settings.BASE_DIR,
        env=environment(data_dir, **BEHIND_A_PROXY),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
