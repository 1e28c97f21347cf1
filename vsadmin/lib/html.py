"""HTML that strangers wrote, made harmless."""

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

#: Characters that are read; what comes after is left out.
MAX_LENGTH = 64 * 1024

_TAGS = {
    "a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "kbd",
    "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr",
    "u", "ul",
}  # fmt: skip


def sanitised(html: str) -> SafeString:
    """The text and plain formatting of `html`: no pictures, scripts, styles or forms; links to http(s) only."""
    return mark_safe(  # noqa: S308  # this is the one place where strangers' HTML is let through, cleaned
        nh3.clean(
            html[:MAX_LENGTH],
            tags=_TAGS,
            attributes={"a": {"href"}},
            url_schemes={"http", "https"},
            url_relative="deny",
            link_rel="noopener noreferrer nofollow",
        )
    )


def web_link(url: str) -> str:
    """`url` where it is an http(s) address that can stand in a link, else ""."""
    url = url.strip()
    usable = url.lower().startswith(("http://", "https://")) and len(url) <= 2000
    return url if usable and not any(character.isspace() for character in url) else ""


def with_command(text: str) -> SafeString | str:
    """A text whose second line, if it has one, is a command, which gets a block of its own that can be copied."""
    words, _line, command = text.partition("\n")
    return format_html("{} {}", words, command_block(command)) if command else words


def command_block(command: str) -> SafeString:
    """A command that can be copied."""
    return format_html('<span class="command"><code>{}</code></span>', command)
