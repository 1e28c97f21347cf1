"""Makes the pictures of docs/screenshots from a demo: `.venv/bin/python -m demo.screenshots [folder]`.

Needs what the tests need (requirements-dev.txt) and Debian's chromium. Where Debian's pngquant is installed too, the
pictures are a third of the size. The demo is its own, on a free port, and gone afterwards.
"""

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from demo import crash, throwaway

HOME = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
_SWITCHES = (
    "no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update "
    "disable-sync hide-scrollbars"
)
_WIDE: ViewportSize = {"width": 1280, "height": 800}
_PHONE: ViewportSize = {"width": 390, "height": 780}
_PATIENCE = 60_000  # milliseconds for a page, and for a plan in a demo that has just started


@dataclass(frozen=True)
class Demo:
    """The one that is running."""

    url: str
    #: The data folder of its first server, Public.
    public: Path


@dataclass(frozen=True)
class Shot:
    """One picture: how to get from the overview to what it shows."""

    name: str
    go: Callable[[Page, Demo], object]
    dark: bool = False
    phone: bool = False


def _stay(_page: Page, _demo: Demo) -> None:
    """The overview itself."""


def _place(name: str, tab: str = "") -> Callable[[Page, Demo], None]:
    def go(page: Page, _demo: Demo) -> None:
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
        if tab:
            page.get_by_role("navigation", name=name).get_by_role("link", name=tab).click()
        page.wait_for_load_state("networkidle")

    return go


def _catalogue(page: Page, demo: Demo) -> None:
    """Once the list of all mods is there, which the worker fetches first of all."""
    _place("Catalogue")(page, demo)
    _until(page, "Windwright")


def _until(page: Page, name: str) -> None:
    """Load the page again until a link of that name is there."""
    for _attempt in range(60):
        if page.get_by_role("link", name=name).count():
            return
        page.wait_for_timeout(1000)
        page.reload()
    raise AssertionError(f"there is no {name}")


def _mod(page: Page, demo: Demo) -> None:
    _catalogue(page, demo)
    page.get_by_role("link", name="Windwright").first.click()
    expect(page.get_by_role("heading", name="Windwright")).to_be_visible()
    page.wait_for_load_state("networkidle")


def _plan(page: Page, demo: Demo) -> None:
    """The plan that updates all of Public, made at the first look."""
    _place("Changes")(page, demo)
    made = page.get_by_role("link", name="Update all mods")
    if made.count():
        made.first.click()
    else:
        _place("Servers")(page, demo)
        page.get_by_role("link", name="Public").first.click()
        page.get_by_role("button", name="Update all…").click()
    expect(page.locator(".verdict-line")).to_contain_text("updates")
    page.wait_for_load_state("networkidle")


def _readiness(page: Page, demo: Demo) -> None:
    """Public, for the version that Creative has already."""
    _place("Servers", "Upgrade readiness")(page, demo)
    page.get_by_label("Server", exact=True).select_option("Public (1.21.5)")
    page.get_by_label("Game version").select_option("1.21.6")
    page.get_by_role("button", name="Show").click()
    page.wait_for_load_state("networkidle")


def _crashed(page: Page, demo: Demo) -> None:
    """The overview after Public was updated and crashed, which it does once."""
    if not (demo.public / "Logs" / "server-crash.log").exists():
        _plan(page, demo)
        page.get_by_role("button", name="Do it").click()
        expect(page.get_by_role("button", name="Roll back…")).to_be_visible()
        page.wait_for_timeout(8000)  # it will seem to have been started five seconds before: with the new mods
        crash.crash(demo.public, datetime.now().astimezone())
        page.goto(demo.url)
    _until(page, "See the crash")
    page.wait_for_load_state("networkidle")


def _crash(page: Page, demo: Demo) -> None:
    _crashed(page, demo)
    page.get_by_role("link", name="See the crash").click()
    page.wait_for_load_state("networkidle")


#: In the order in which they are taken: what changes something comes last.
SHOTS = (
    Shot("overview", _stay),
    Shot("overview-dark", _stay, dark=True),
    Shot("overview-phone", _stay, phone=True),
    Shot("mods", _place("Mods")),
    Shot("mods-dark", _place("Mods"), dark=True),
    Shot("mods-phone", _place("Mods"), phone=True),
    Shot("catalogue", _catalogue),
    Shot("mod", _mod),
    Shot("readiness", _readiness),
    Shot("readiness-phone", _readiness, phone=True),
    Shot("cache-dark", _place("Cache"), dark=True),
    Shot("plan", _plan),
    Shot("plan-phone", _plan, phone=True),
    Shot("crash-phone", _crashed, phone=True),
    Shot("crash", _crash),
    Shot("events", _place("Changes", "Events")),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.screenshots", description="Makes pictures of a demo.")
    parser.add_argument("folder", nargs="?", type=Path, default=HOME / "docs" / "screenshots")
    parser.add_argument("--only", metavar="NAME", help="those whose name begins so")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with _running() as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[f"--{switch}" for switch in _SWITCHES.split()]
        )
        for shot in SHOTS:
            if not options.only or shot.name.startswith(options.only):
                path = options.folder / f"{shot.name}.png"
                _take(browser, demo, shot, path)
                _shrink(path)
                sys.stdout.write(f"{path}: {path.stat().st_size / 1024:.0f} KiB\n")
        browser.close()


@contextmanager
def _running() -> Iterator[Demo]:
    """A demo of our own."""
    with (
        tempfile.TemporaryDirectory() as place,
        subprocess.Popen(
            [sys.executable, "-m", "demo"],
            cwd=HOME,
            env={**os.environ, "TMPDIR": place},
            stdout=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://\S+", line):
                    (folder,) = Path(place).glob(f"{throwaway.PREFIX}*")
                    yield Demo(found[0], folder / "servers" / "Public")
                    break
            else:
                raise SystemExit("The demo didn't start.")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate()


def _take(browser: Browser, demo: Demo, shot: Shot, path: Path) -> None:
    scheme: Literal["light", "dark"] = "dark" if shot.dark else "light"
    page = browser.new_page(
        viewport=_PHONE if shot.phone else _WIDE,
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        device_scale_factor=1,
    )
    page.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    page.goto(demo.url)
    page.get_by_label("Username").fill("demo")
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state("networkidle")
    shot.go(page, demo)
    page.mouse.move(0, 0)
    page.screenshot(path=path)
    page.context.close()


def _shrink(path: Path) -> None:
    """To 256 colours, which these pages hardly have."""
    if pngquant := shutil.which("pngquant"):
        command = [pngquant, "--force", "--skip-if-larger", "--strip", "--output", str(path), str(path)]
        subprocess.run(command, check=False)  # noqa: S603  # the system's program, on our own file


if __name__ == "__main__":
    main()
