"""Makes the pictures of docs/screenshots from a demo: `.venv/bin/python -m demo.screenshots [folder]`.

Needs what the tests need (requirements-dev.txt) and Debian's chromium. Where Debian's pngquant is installed too, the
pictures are a third of the size.
"""

import argparse
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

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
class Shot:
    """One picture: how to get from the overview to what it shows."""

    name: str
    go: Callable[[Page], object]
    dark: bool = False
    phone: bool = False


def _stay(_page: Page) -> None:
    """The overview itself."""


def _place(name: str) -> Callable[[Page], None]:
    def go(page: Page) -> None:
        page.get_by_role("navigation", name="Main").get_by_role("link", name=name).click()
        page.wait_for_load_state("networkidle")

    return go


def _catalogue(page: Page) -> None:
    """Once the list of all mods is there, which the worker fetches first of all."""
    _place("Catalogue")(page)
    for _attempt in range(30):
        if page.get_by_role("link", name="Windwright").count():
            return
        page.wait_for_timeout(1000)
        page.reload()
    raise AssertionError("the catalogue stays empty")


def _mod(page: Page) -> None:
    _catalogue(page)
    page.get_by_role("link", name="Windwright").first.click()
    expect(page.get_by_role("heading", name="Windwright")).to_be_visible()
    page.wait_for_load_state("networkidle")


def _plan(page: Page) -> None:
    _place("Servers")(page)
    page.get_by_role("link", name="Public").first.click()
    page.get_by_role("button", name="Update all…").click()
    expect(page.locator(".verdict-line")).to_contain_text("updates")


SHOTS = (
    Shot("overview", _stay),
    Shot("overview-dark", _stay, dark=True),
    Shot("overview-phone", _stay, phone=True),
    Shot("mods", _place("Mods")),
    Shot("mods-dark", _place("Mods"), dark=True),
    Shot("mods-phone", _place("Mods"), phone=True),
    Shot("catalogue", _catalogue),
    Shot("mod", _mod),
    Shot("plan", _plan),
    Shot("plan-phone", _plan, phone=True),
    Shot("cache-dark", _place("Cache"), dark=True),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.screenshots", description="Makes pictures of a demo.")
    parser.add_argument("folder", nargs="?", type=Path, default=HOME / "docs" / "screenshots")
    parser.add_argument("--only", metavar="NAME", help="those whose name begins so")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    with _demo() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[f"--{switch}" for switch in _SWITCHES.split()]
        )
        for shot in SHOTS:
            if not options.only or shot.name.startswith(options.only):
                path = options.folder / f"{shot.name}.png"
                _take(browser, url, shot, path)
                _shrink(path)
                sys.stdout.write(f"{path}: {path.stat().st_size / 1024:.0f} KiB\n")
        browser.close()


@contextmanager
def _demo() -> Iterator[str]:
    """A demo of our own, and its address."""
    with subprocess.Popen([sys.executable, "-m", "demo"], cwd=HOME, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            for line in demo.stdout:
                if found := re.search(r"http://\S+", line):
                    yield found[0]
                    break
            else:
                raise SystemExit("The demo didn't start.")
        finally:
            demo.send_signal(signal.SIGTERM)
            demo.communicate()


def _take(browser: Browser, url: str, shot: Shot, path: Path) -> None:
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
    page.goto(url)
    page.get_by_label("Username").fill("demo")
    page.get_by_label("Password").fill("demo")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_load_state("networkidle")
    shot.go(page)
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
