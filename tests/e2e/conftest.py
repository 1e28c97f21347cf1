"""A real browser on the real panel: Debian's Chromium, the live server, and a worker that the test runs by hand."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django.utils.module_loading import import_string
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, WebError, expect
from pytest_django.live_server_helper import LiveServer

from mods import turns
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import Worker

# Playwright keeps an event loop in this thread, in which Django would refuse to touch the database.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

#: The shell without a window takes half the processor time, where it is installed.
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium") or "/usr/bin/chromium"
_REQUIRED = os.environ.get("VSADMIN_BROWSER_TESTS") == "required"

expect.set_options(timeout=20_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where there is no Chromium these tests are skipped, unless VSADMIN_BROWSER_TESTS=required, which fails them."""
    skip = pytest.mark.skip(reason=f"no Chromium at {CHROMIUM} (apt-get install chromium)")
    for item in items:
        if item.get_closest_marker("browser") and not os.access(CHROMIUM, os.X_OK) and not _REQUIRED:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    if not os.access(CHROMIUM, os.X_OK):
        pytest.fail(f"VSADMIN_BROWSER_TESTS=required, but there is no Chromium at {CHROMIUM}.")
    switches = (
        "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update "
        "disable-sync"
    )
    return {"executable_path": CHROMIUM, "args": [f"--{switch}" for switch in switches.split()]}


@pytest.fixture(scope="session")
def shared_page(browser: Browser) -> Iterator[Page]:
    """One for all tests of this process: its renderer stays, and styles and scripts are fetched and compiled once."""
    context = browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(shared_page: Page, live_server: LiveServer) -> Iterator[Page]:
    """As new: nothing opened, no cookies, nothing stored; only the browser's cache of static files stays."""
    shared_page.context.clear_cookies()
    yield shared_page
    shared_page.context.new_cdp_session(shared_page).send(
        "Storage.clearDataForOrigin", {"origin": live_server.url, "storageTypes": "local_storage"}
    )
    shared_page.goto("about:blank")  # nothing asks the server between two tests, not even for an icon
    shared_page.set_viewport_size({"width": 1280, "height": 720})
    shared_page.emulate_media(color_scheme="light")


@pytest.fixture
def context(page: Page) -> BrowserContext:
    return page.context


@pytest.fixture
def complaints(context: BrowserContext, live_server: LiveServer) -> Iterator[list[str]]:
    """What the browser complains of: errors and warnings of the console (CSP among them), errors in scripts, dialogs,
    and whatever it loads from elsewhere.

    Any that is left at the end fails the test; one that expects some takes them off the list.
    """
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            found.append(f"{message.type}: {message.text}")

    def hear_error(error: WebError) -> None:
        found.append(f"script: {error.error}")

    def hear_dialog(dialog: Dialog) -> None:
        found.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def hear_request(request: Request) -> None:
        if not request.url.startswith((live_server.url, "data:")):
            found.append(f"from elsewhere: {request.url}")

    listeners = {"console": hear, "weberror": hear_error, "dialog": hear_dialog, "request": hear_request}
    for name, listener in listeners.items():
        context.on(name, listener)  # type: ignore[call-overload]  # each name goes with its own listener
    yield found
    for name, listener in listeners.items():
        context.remove_listener(name, listener)
    assert not found


def log_in(context: BrowserContext, user: User, url: str) -> None:
    """Give the browser a session of theirs; typing the password is `test_main_job`'s business."""
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": url}])


@pytest.fixture
def panel(live_server: LiveServer, complaints: list[str], page: Page) -> Page:
    """A page of somebody who may do everything, logged in; nothing is opened in it yet."""
    Worker.write(beat_at=timezone.now())
    log_in(page.context, User.objects.create_superuser("admin", "", "a good password"), live_server.url)
    return page


@pytest.fixture
def visit(panel: Page, live_server: LiveServer) -> Callable[[str], Page]:
    """Opens an address of the panel: `visit("/admin/system/")`."""

    def go(address: str) -> Page:
        response = panel.goto(live_server.url + address)
        assert response is not None
        assert response.ok, f"{address}: {response.status}"
        return panel

    return go


class HandWorker:
    """Stands for the background worker: what is asked for waits until the test says `work()`."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def take(self, path: str, *arguments: Any, q_options: dict[str, Any], **named: Any) -> None:
        self._waiting.append((path, arguments, named))

    def work(self) -> None:
        """Do everything that waits, and what that asks for in turn."""
        while self._waiting:
            path, arguments, named = self._waiting.pop(0)
            import_string(path)(*arguments, **named)


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> HandWorker:
    hand = HandWorker()
    monkeypatch.setattr(runner, "async_task", hand.take)
    monkeypatch.setattr(turns, "async_task", hand.take)
    return hand
