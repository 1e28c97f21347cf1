"""What strangers wrote, made fit for a terminal."""

import pytest

from vsadmin.lib import plaintext


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", ""),
        ("<p></p>\n", ""),
        ("Fixed &amp; faster", "Fixed & faster"),
        ("<p>One\n  two</p><p>Three<br>four</p>", "One two\n\nThree\nfour"),
        ("<h3>1.2</h3><ul><li>a</li><li><p>b <b>c</b></p></li></ul><p>End</p>", "1.2\n\n- a\n- b c\n\nEnd"),
        ("<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>", "1. a\n  - b\n2. c"),
        ("x <pre>a\n    b</pre> y", "x\n\na\n    b\n\ny"),
        ('See <a href="https://example.com/x">the page</a>.', "See the page <https://example.com/x>."),
        ('<a href="https://example.com/x">https://example.com/x</a>', "https://example.com/x"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a  b\nc"),
    ],
)
def test_html_becomes_lines(text: str, wanted: str) -> None:
    assert plaintext.from_html(text) == wanted


def test_scripts_and_their_links_are_gone() -> None:
    text = '<script>alert(1)</script><style>p{}</style><a href="javascript:x()">click</a><img src=x onerror=y>'
    assert plaintext.from_html(text) == "click"


def test_no_control_character_comes_through() -> None:
    text = "a\x1b[2Jb\x07 &#27;[31m\N{RIGHT-TO-LEFT OVERRIDE}c\x9b"
    assert all(char.isprintable() or char == "\n" for char in plaintext.from_html(text))
    assert plaintext.one_line("a\x1b[2J\nb") == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b"


def test_odd_nesting_is_read() -> None:
    assert plaintext.from_html("</ul></li><li>a</ol><ul>" + "<ul>" * 200 + "<li>deep").splitlines()[0] == "- a"
