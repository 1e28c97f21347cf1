"""What strangers wrote, as text for a terminal: control characters are shown or dropped, never obeyed."""

import re
from html.parser import HTMLParser

from vsadmin.lib import html

_PARAGRAPHS = {"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table"}
_LINES = {"div", "li", "tr", "ul", "ol", "hr"}
_DEEPEST = 6

# Stand for breaks and kept spaces until the lines are put together; the text itself has no control characters.
_LINE, _PARAGRAPH, _SPACE = "\0", "\1", "\2"


def one_line(value: object) -> str:
    """`value` with whatever can't be printed, line breaks included, shown as a replacement character."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in str(value))


def from_html(text: str) -> str:
    """Paragraphs, lists and links of `text` as lines; "" where it says nothing. Read up to `html.MAX_LENGTH`."""
    reader = _Reader()
    reader.feed(html.sanitised(text))
    reader.close()
    return reader.lines()


class _Reader(HTMLParser):
    """Collects lines. A line is a list marker and the words after it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        #: Of each list that is open: how many of its items came, None where they aren't numbered.
        self._lists: list[int | None] = []
        self._marker = ""
        self._is_verbatim = False
        self._link = ""
        self._link_text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._break(tag)
        if tag in {"ul", "ol"}:
            self._lists.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._marker = self._next_marker()
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "pre":
            self._is_verbatim = True
        elif tag in {"td", "th"}:
            self._parts.append("  ")
        elif tag == "a":
            self._link, self._link_text = dict(attrs).get("href") or "", ""

    def handle_endtag(self, tag: str) -> None:
        if tag in {"ul", "ol"} and self._lists:
            self._lists.pop()
        elif tag == "pre":
            self._is_verbatim = False
        elif tag == "a" and self._link:
            if self._link_text.strip() != self._link:
                self._parts.append(f" <{self._link}>")
            self._link = ""
        self._break(tag)

    def handle_data(self, data: str) -> None:
        words = data.expandtabs(4) if self._is_verbatim else re.sub(r"\s+", " ", data)
        words = "".join(char for char in words if char.isprintable() or char == "\n")
        if self._is_verbatim:
            words = words.replace(" ", _SPACE)
        if self._marker and words.strip():
            words, self._marker = self._marker + words.lstrip(), ""
        self._link_text += words
        self._parts.append(words)

    def _break(self, tag: str) -> None:
        if tag in _PARAGRAPHS and not self._lists:
            self._parts.append(_PARAGRAPH)
        elif tag in _PARAGRAPHS or tag in _LINES:
            self._parts.append(_LINE)

    def _next_marker(self) -> str:
        indent = _SPACE * 2 * min(len(self._lists) - 1, _DEEPEST)
        number = self._lists[-1] if self._lists else None
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number + 1}. "

    def lines(self) -> str:
        """Without trailing spaces, and with one empty line at most between paragraphs."""
        text = re.sub(r"\s*[\0\1][\s\0\1]*", _one_break, "".join(self._parts))
        lines = (line.strip().replace(_SPACE, " ").rstrip() for line in text.split("\n"))
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _one_break(run: re.Match[str]) -> str:
    return "\n\n" if _PARAGRAPH in run[0] else "\n"
