"""The panel's cookies have names of their own, and a session's key shows that it was made here."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.http import HttpResponse
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from tests.test_deployments import environment
from vsadmin import cookies
from vsadmin.cookies import MessageStorage, SessionStore

_NAMES = "from vsadmin import settings; print(settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME)"


def names(data_dir: Path, **given: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _NAMES],
        cwd=settings.BASE_DIR,
        env=environment(data_dir, **given),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_two_panels_of_a_host_share_no_name(tmp_path: Path) -> None:
    one = names(tmp_path / "one", PORT="8000")
    assert all(re.fullmatch(r"(sessionid|csrftoken)_[0-9a-f]{8}", name) for name in one)
    assert names(tmp_path / "one", PORT="8000") == one
    assert not set(one) & set(names(tmp_path / "one", PORT="8001")), "a copy of it on another port"
    assert not set(one) & set(names(tmp_path / "two", PORT="8000")), "another behind the same proxy"


def test_a_message_travels_in_a_cookie_of_this_panel() -> None:
    request = RequestFactory().get("/")
    request.session = SessionStore()
    storage = MessageStorage(request)
    storage.add(messages.INFO, "done")
    response = HttpResponse()
    storage.update(response)
    assert list(response.cookies) == [settings.MESSAGE_COOKIE_NAME]
    assert settings.MESSAGE_COOKIE_NAME != "messages"


@pytest.mark.django_db
def test_whoever_logged_in_is_known(client: Client) -> None:
    client.force_login(User.objects.create_user("a"))
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert len(key) == 40
    assert cookies.knows(f"other=1; {settings.SESSION_COOKIE_NAME}={key}")
    assert not cookies.knows(f"sessionid={key}")
    assert not cookies.knows("")
    assert Session.objects.get().pk == key


@pytest.mark.django_db
def test_a_key_that_was_made_up_is_nobodys(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    session = SessionStore()
    session.create()
    key = session.session_key
    assert key is not None
    assert cookies.is_ours(key)
    for other in (None, "", "a" * 40, key[:-1], key + "a", key[:-1] + ("a" if key[-1] != "a" else "b"), "é" * 40):
        assert not cookies.is_ours(other), other
        with django_assert_num_queries(0):
            assert SessionStore(other).session_key is None
    session["known"] = True
    session.save()
    assert SessionStore(key)["known"]
