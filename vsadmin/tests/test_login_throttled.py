"""Five failed logins with one name from one address, and that pair waits; nobody else does."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.utils import timezone

from conftest import Events
from vsadmin.login import address_of

pytestmark = pytest.mark.django_db

LOGIN = "/admin/login/"


@pytest.fixture
def admin() -> User:
    return User.objects.create_superuser("admin", "", "the right one")


def attempt(password: str = "wrong", name: str = "admin", **meta: str) -> Any:
    return Client().post(LOGIN, {"username": name, "password": password, "next": "/admin/"}, **meta)  # type: ignore[arg-type]  # WSGI's names


def fail(times: int, **meta: str) -> None:
    for _number in range(times):
        assert attempt(**meta).status_code in (200, 429)


def test_the_sixth_waits_even_with_the_right_password(admin: User, events: Events) -> None:
    for _number in range(4):
        answer = attempt()
        assert answer.status_code == 200
        assert "errornote" in answer.text
    assert attempt().status_code == 429
    answer = attempt("the right one")
    assert answer.status_code == 429
    assert "closed for 10 more minutes" in answer.text
    assert "./run.sh manage axes_reset" in answer.text
    assert answer.text.count("<h1>") == 1
    assert "style=" not in answer.text
    assert answer["Retry-After"] == "600"
    assert "no-store" in answer["Cache-Control"]
    assert "form-action 'self'" in answer["Content-Security-Policy"]
    (event,) = events.named("login_throttled")
    assert event["user"] == "admin"
    assert event["address"] == "127.0.0.1"


def test_it_ends_by_itself_and_trying_does_not_prolong_it(admin: User) -> None:
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        fail(5)
        clock.shift(timedelta(minutes=7))
        assert "closed for 3 more minutes" in attempt("the right one").text
        clock.shift(timedelta(minutes=3, seconds=1))
        assert attempt("the right one").headers["Location"] == "/admin/"


def test_four_failures_are_forgotten_by_a_login(admin: User) -> None:
    fail(4)
    assert attempt("the right one").status_code == 302
    fail(4)
    assert attempt("the right one").status_code == 302


def test_others_are_not_kept_waiting(admin: User) -> None:
    User.objects.create_superuser("other", "", "another")
    fail(5)
    assert attempt("another", "other").status_code == 302
    assert attempt("the right one", REMOTE_ADDR="192.0.2.9").status_code == 302


def test_another_browser_is_no_other_pair(admin: User) -> None:
    for number in range(5):
        attempt(HTTP_USER_AGENT=f"Browser {number}")
    assert attempt("the right one", HTTP_USER_AGENT="A sixth").status_code == 429


def test_a_name_that_nobody_has_looks_the_same(admin: User, events: Events) -> None:
    fail(5, name="nobody")
    unknown = attempt(name="nobody").text
    fail(5)
    assert attempt().text == unknown
    assert [event["user"] for event in events.named("login_throttled")] == ["", "admin"]


def test_it_can_be_lifted(admin: User) -> None:
    fail(6)
    call_command("axes_reset")
    assert attempt("the right one").status_code == 302


def test_neither_passwords_nor_logins_are_kept(admin: User) -> None:
    fail(2)
    (row,) = AccessAttempt.objects.all()
    assert "wrong" not in row.post_data
    assert attempt("the right one").status_code == 302
    assert not AccessAttempt.objects.exists()


def test_the_pages_of_the_counter_are_not_offered(admin_client: Client) -> None:
    for address in ("", "accessattempt/", "accesslog/", "accessfailurelog/"):
        assert admin_client.get(f"/admin/axes/{address}").status_code == 404


# --- whose address


def address(remote: str, forwarded: str | None = None) -> str | None:
    meta = {} if forwarded is None else {"HTTP_X_FORWARDED_FOR": forwarded}
    return address_of(RequestFactory().get("/", REMOTE_ADDR=remote, **meta))  # type: ignore[arg-type]  # WSGI's names


def test_without_a_proxy_nobody_says_who_they_are() -> None:
    assert address("127.0.0.1", "192.0.2.1") == "127.0.0.1"
    assert address("192.0.2.7", "192.0.2.1") == "192.0.2.7"


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("::1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.66, 192.0.2.1", "192.0.2.1"),  # the first is what the asker wrote
        ("192.0.2.7", "192.0.2.1", "192.0.2.7"),  # past the proxy
        ("127.0.0.1", None, "127.0.0.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, nonsense", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1, 127.0.0.1", "192.0.2.1"),
        ("127.0.0.1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("127.0.0.1", "fe80::1%eth0", "fe80::"),
        ("::ffff:127.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
        ("", "192.0.2.1", None),
    ],
)
def test_behind_a_proxy(settings: Any, remote: str, forwarded: str | None, expected: str | None) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://mods.example.com"]
    assert address(remote, forwarded) == expected


def test_a_proxy_on_another_machine(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://mods.example.com"]
    monkeypatch.setenv("VSADMIN_TRUSTED_PROXIES", "192.0.2.7")
    assert address("192.0.2.7", "198.51.100.1") == "198.51.100.1"
    assert address("192.0.2.8", "198.51.100.1") == "192.0.2.8"


def test_a_forged_header_opens_nothing(admin: User, settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://mods.example.com"]
    for number in range(5):
        attempt(HTTP_X_FORWARDED_FOR=f"198.51.100.{number}, 192.0.2.1")
    assert attempt("the right one", HTTP_X_FORWARDED_FOR="198.51.100.99, 192.0.2.1").status_code == 429
    assert attempt("the right one", HTTP_X_FORWARDED_FOR="192.0.2.2").status_code == 302
