"""The one-line progress bar of commands."""

import logging
from io import StringIO

import pytest

from vsadmin.lib import progressbar


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def terminal_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


def test_the_line_shows_how_far_it_is() -> None:
    assert progressbar.line(3, 12, "installing a", 80) == "[######------------------]  3/12  installing a"
    assert progressbar.line(12, 12, "", 80) == "[########################]  12/12"
    assert progressbar.line(0, 0, "planning", 80).endswith("]    planning")


def test_the_line_never_wraps_nor_breaks() -> None:
    assert len(progressbar.line(1, 2, "x" * 500, 40)) == 39
    assert "\x1b" not in progressbar.line(1, 2, "evil\x1b[2J", 80)
    assert "\n" not in progressbar.line(1, 2, "a\nb", 80)


def test_it_draws_on_a_terminal_and_leaves_nothing() -> None:
    stream = Terminal()
    with progressbar.shown(stream) as bar:
        assert bar is not None
        bar.report(1, 2, "one")
        bar.report(2, 2, "two")
    assert "1/2  one" in stream.getvalue()
    assert "2/2  two" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_it_does_not_draw_more_often_than_can_be_seen() -> None:
    stream = Terminal()
    with progressbar.shown(stream) as bar:
        assert bar is not None
        for number in range(10_000):
            bar.report(number, 20_000)
    assert stream.getvalue().count("#") + stream.getvalue().count("-") < 100 * 24


@pytest.mark.parametrize(("stream", "kind"), [(StringIO(), "xterm"), (Terminal(), "dumb")])
def test_without_a_terminal_there_is_none(stream: StringIO, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", kind)
    with progressbar.shown(stream) as bar:
        assert bar is None
    assert stream.getvalue() == ""


def test_warnings_do_not_run_into_it_and_the_rest_of_the_log_waits() -> None:
    terminal, file = Terminal(), StringIO()
    handlers: list[logging.Handler] = [logging.StreamHandler(terminal), logging.StreamHandler(file)]
    root, events = logging.getLogger(), logging.getLogger("vsadmin.events")
    for handler in handlers:
        root.addHandler(handler)
    try:
        with progressbar.shown(terminal) as bar:
            assert bar is not None
            bar.report(1, 2, "one")
            events.info("usual")
            events.warning("odd")
        events.info("after")
    finally:
        for handler in handlers:
            root.removeHandler(handler)
    assert "one\r\x1b[Kodd\n" in terminal.getvalue()
    assert "usual" not in terminal.getvalue()
    assert terminal.getvalue().endswith("after\n")
    assert file.getvalue() == "usual\nodd\nafter\n"
