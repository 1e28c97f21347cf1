"""Times in words, and strangers' HTML made harmless in bounded time."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from vsadmin.lib import html, times

NOW = datetime(2026, 8, 14, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=44), "44 s ago"),
        (timedelta(minutes=12), "12 min ago"),
        (timedelta(hours=29), "29 h ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(days=40), "5 Jul 2026"),
        (-timedelta(seconds=3), "in a moment"),
        (-timedelta(minutes=12), "in 12 min"),
    ],
)
def test_relative(apart: timedelta, words: str) -> None:
    assert times.relative(NOW - apart, NOW) == words


def test_a_time_shows_the_exact_one_on_hover() -> None:
    assert str(times.ago(NOW)).startswith(
        '<time datetime="2026-08-14T12:00:00+00:00" title="14 Aug 2026 12:00:00 UTC">'
    )
    assert times.ago(None) == "never"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, ""), (60, "every minute"), (61, "every 2 minutes"), (300, "every 5 minutes"), (3600, "every hour"),
        (7200, "every 2 hours"), (86400, "every day"), (172800, "every 2 days"),
    ],
)  # fmt: skip
def test_intervals(seconds: int, words: str) -> None:
    assert times.every(seconds) == words


@pytest.mark.parametrize(
    ("length", "words"),
    [(None, ""), (0.42, "0.4 s"), (12, "12 s"), (192, "3 min 12 s"), (3840, "1 h 4 min"), (-5, "0.0 s")],
)
def test_spans(length: float | None, words: str) -> None:
    assert times.span(None if length is None else timedelta(seconds=length)) == words


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("<b>x</b>", "<b>x</b>"),
        ("a<script>alert(1)</script>b", "ab"),
        ("<img src=x onerror=alert(1)>", ""),
        ('<a href="javascript:alert(1)">x</a>', '<a rel="noopener noreferrer nofollow">x</a>'),
        ('<a href="/admin/logout/">x</a>', '<a rel="noopener noreferrer nofollow">x</a>'),
        ('<a href="//evil.example.com">x</a>', '<a rel="noopener noreferrer nofollow">x</a>'),
        ('<p id="x" class="y" style="z" onclick="w">x</p>', "<p>x</p>"),
        ("<style>p{}</style><svg onload=alert(1)><math>", ""),
        ("", ""),
    ],
)
def test_strangers_html(dirty: str, clean: str) -> None:
    assert html.sanitised(dirty) == clean


@pytest.mark.parametrize("piece", ["<div>", "<b>", "<p><b><i>", "<table><tr><td>", "&", "<", "<a href=x>"])
def test_hostile_html_is_cut_and_cleaned_soon(piece: str) -> None:
    began = time.process_time()
    html.sanitised(piece * 200_000)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        ("https://example.com/x?y=1", True), ("HTTP://example.com", True), ("javascript:alert(1)", False),
        ("//example.com", False), ("https://a b", False), ("", False), ("data:text/html,x", False),
        ("https://" + "a" * 3000, False),
    ],
)  # fmt: skip
def test_web_links(url: str, usable: bool) -> None:
    assert html.web_link(url) == (url if usable else "")


def test_a_command_stands_in_a_block_of_its_own() -> None:
    assert html.with_command("Do:\nmount '<y>'") == (
        'Do: <span class="command"><code>mount &#x27;&lt;y&gt;&#x27;</code></span>'
    )
    assert html.with_command("Check the path; sudo won't help.") == "Check the path; sudo won't help."
