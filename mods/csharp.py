"""Assembly attributes of a C# source, read without compiling or running anything.

A tokenizer knows comments, every kind of text, and ``#if``; symbols count as undefined unless the file
defines them. Each character is looked at a bounded number of times: hostile sources cost no more than long ones.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

Value = str | bool | tuple[str, ...] | None
"""Of an argument: a text, a truth value, a list of texts; None for null and for what would have to be compiled."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """``[assembly: Name(positional, …, Named = …)]``; the name without namespace and without "Attribute"."""

    name: str
    positional: tuple[Value, ...] = ()
    named: dict[str, Value] = field(default_factory=dict)


def assembly_attributes(source: str) -> Iterator[Attribute]:
    """In the order of the source, up to its first type or namespace: C# allows none after that."""
    tokens = _Tokens(source)
    while (token := tokens.take()) is not None:
        if token.text in _TYPES:
            return
        if token.text == "[" and tokens.take_if("assembly") and tokens.take_if(":"):
            yield from _attribute_list(tokens)


_TYPES = frozenset({"namespace", "class", "struct", "enum", "interface", "delegate"})
_OPENING = frozenset("([{")
_CLOSING = frozenset(")]}")


# --- From tokens to attributes


def _attribute_list(tokens: "_Tokens") -> Iterator[Attribute]:
    """What stands between ``[assembly:`` and ``]``."""
    name = ""
    while (token := tokens.take()) is not None:
        if token.text == "(":
            yield _attribute(name, tokens)
            name = ""
        elif token.text in ("]", ","):
            if name:
                yield Attribute(name)
            name = ""
            if token.text == "]":
                return
        elif token.is_name:
            name = token.text.removesuffix("Attribute")


def _attribute(name: str, tokens: "_Tokens") -> Attribute:
    """`tokens` stand behind the opening parenthesis, and afterwards behind the closing one."""
    positional: list[Value] = []
    named: dict[str, Value] = {}
    for argument in _arguments(tokens):
        if len(argument) > 1 and argument[0].is_name and argument[1].text in ("=", ":"):
            named[argument[0].text] = _value(argument[2:])
        else:
            positional.append(_value(argument))
    return Attribute(name, tuple(positional), named)


def _arguments(tokens: "_Tokens") -> Iterator[list["_Token"]]:
    """The tokens of each argument, split at the commas that no bracket encloses."""
    argument: list[_Token] = []
    depth = 0
    while (token := tokens.take()) is not None:
        if token.text in _CLOSING:
            depth -= 1
        if depth < 0 or (depth == 0 and token.text == ","):
            if argument:
                yield argument
            argument = []
            if depth < 0:
                return
            continue
        if token.text in _OPENING:
            depth += 1
        argument.append(token)
    if argument:
        yield argument


def _value(tokens: list["_Token"]) -> Value:
    if tokens and tokens[0].text in ("new", "["):
        opening = next((at for at, token in enumerate(tokens) if token.text == "{"), 0)
        return _texts(tokens[opening + 1 : -1])
    return _scalar(tokens)


def _texts(tokens: list["_Token"]) -> tuple[str, ...]:
    """The items of a list, less those that would have to be compiled."""
    items: list[str] = []
    item: list[_Token] = []
    for token in (*tokens, _COMMA):
        if token.text != ",":
            item.append(token)
            continue
        if isinstance(value := _scalar(item), str):
            items.append(value)
        item = []
    return tuple(items)


def _scalar(tokens: list["_Token"]) -> str | bool | None:
    """A text, texts joined by +, true or false."""
    operands = [token for token in tokens if token.text not in ("(", ")", "+")]
    if operands and all(token.literal is not None for token in operands):
        return "".join(token.literal or "" for token in operands)
    if len(operands) == 1 and operands[0].text in ("true", "false"):
        return operands[0].text == "true"
    return None


# --- From text to tokens


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    """Of a literal: empty, so that it is never taken for a mark or a name."""
    literal: str | None = None
    is_name: bool = False


_COMMA = _Token(",")

_TOKEN = re.compile(
    r"""(?P<space>\s++ | //[^\r\n]*+ | /\*.*?\*/)
    | (?P<directive>\#[^\r\n]*+)
    | (?P<raw>\${0,8}"{3,}+)
    | (?P<verbatim>(?:@\$?|\$@)"(?:[^"]|"")*+")
    | (?P<text>\$?"(?:[^"\\\r\n]|\\.)*+")
    | (?P<char>'(?:[^'\\\r\n]|\\.)*+')
    | (?P<name>@?[^\W\d]\w*+)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_UNFINISHED = ("/*", '"', '@"', '$"', "$@", "@$", "'")
# Attributes stand at the top: no real source comes near this many tokens before its first type.
_MAX_TOKENS = 30_000


class _Tokens:
    """The tokens that a compiler would see, one at a time."""

    def __init__(self, source: str) -> None:
        self._source = source.replace("\r\n", "\n").replace("\r", "\n")
        self._position = 0
        self._left = _MAX_TOKENS
        self._defined: set[str] = set()
        self._next: _Token | None = None

    def take(self) -> _Token | None:
        """The next token, or None at the end, which an unfinished text or comment is, too."""
        token, self._next = self._next, None
        while token is None and self._position < len(self._source):
            token = self._read()
        return token

    def take_if(self, text: str) -> bool:
        """Take the next token when it is `text`."""
        token = self.take()
        if token is not None and token.text == text:
            return True
        self._next = token
        return False

    def _read(self) -> _Token | None:
        """Step over one token; None where it means nothing to a compiler."""
        self._left -= 1
        match = _TOKEN.match(self._source, self._position) if self._left >= 0 else None
        if match is None or (match.lastgroup == "mark" and self._source.startswith(_UNFINISHED, match.start())):
            self._position = len(self._source)
            return None
        self._position = match.end()
        text = match[0]
        match match.lastgroup:
            case "name":
                return _Token(text.removeprefix("@"), is_name=True)
            case "mark":
                return _Token(text)
            case "text":
                return _literal(text, _unescaped(text[text.index('"') + 1 : -1]))
            case "verbatim":
                return _literal(text, text[text.index('"') + 1 : -1].replace('""', '"'))
            case "raw":
                return self._read_raw(text)
            case "directive":
                self._obey(text)
        return None

    def _read_raw(self, opening: str) -> _Token | None:
        quotes = opening.lstrip("$")
        end = self._source.find(quotes, self._position)
        if end < 0:
            self._position = len(self._source)
            return None
        body = self._source[self._position : end]
        self._position = end + len(quotes)
        return _literal(opening, _unindented(body))

    # Conditional compilation: when a branch is over, what follows up to its #endif is skipped; when a condition doesn't
    # hold, up to the branch that is taken.

    def _obey(self, line: str) -> None:
        keyword, rest = _directive(line)
        if keyword == "define":
            self._defined.add(rest)
        elif keyword == "undef":
            self._defined.discard(rest)
        elif keyword == "if" and not _holds(rest, self._defined):
            self._skip(find_branch=True)
        elif keyword in ("elif", "else"):
            self._skip(find_branch=False)

    def _skip(self, *, find_branch: bool) -> None:
        depth = 0
        for match in _DIRECTIVE_LINE.finditer(self._source, self._position):
            self._left -= 1
            if self._left < 0:
                break
            keyword, rest = _directive(match[1])
            if keyword == "if":
                depth += 1
                continue
            if depth == 0:
                wanted = keyword == "else" or (keyword == "elif" and _holds(rest, self._defined))
                if keyword == "endif" or (find_branch and wanted):
                    self._position = match.end()
                    return
            if keyword == "endif":
                depth -= 1
        self._position = len(self._source)


_SYMBOL = re.compile(r"\w+")
_GROUP = re.compile(r"\(([^()]*)\)")
_EQUALITY = re.compile(r"([!=]=)")
_DIRECTIVE_LINE = re.compile(r"^[ \t]*+(#[^\r\n]*+)", re.MULTILINE)
# Beyond any real condition; they bound the time that hostile ones take.
_CONDITION_LENGTH = 200
_CONDITION_NESTING = 8


def _directive(line: str) -> tuple[str, str]:
    """Keyword and the rest of a line that begins with ``#``."""
    keyword, _, rest = line[1:].partition("//")[0].strip().replace("\t", " ").partition(" ")
    if not keyword.isalpha():  # `#if(DEBUG)`, `#if!DEBUG`
        match = re.match(r"[a-z]*", keyword)
        length = match.end() if match else 0
        keyword, rest = keyword[:length], keyword[length:] + rest
    return keyword, rest.strip()


def _holds(condition: str, defined: set[str]) -> bool:
    """Evaluate ``A && !(B || C) == true``; what is longer or deeper than any real condition may count as false."""
    if len(condition) > _CONDITION_LENGTH:
        return False
    facts = {*defined, "true"} - {"false"}
    text = _SYMBOL.sub(lambda name: "1" if name[0] in facts else "0", condition)
    text = "".join(text.split())
    for _ in range(_CONDITION_NESTING if "(" in text else 0):
        text = _GROUP.sub(lambda group: "01"[_holds_flat(group[1])], text)
    return _holds_flat(text)


def _holds_flat(text: str) -> bool:
    """Without parentheses, names replaced by 0 and 1."""
    return any(all(_equals(operand) for operand in term.split("&&")) for term in text.split("||"))


def _equals(text: str) -> bool:
    first, *others = _EQUALITY.split(text)
    value = _negated(first)
    for operator, operand in zip(others[::2], others[1::2], strict=True):
        value = (value == _negated(operand)) == (operator == "==")
    return value


def _negated(text: str) -> bool:
    return (text.lstrip("!") == "1") != (text.count("!") % 2 == 1)


# --- Texts


def _literal(token: str, content: str) -> _Token:
    """An interpolated text with holes would have to be compiled."""
    computed = "$" in token[:2] and "{" in content
    return _Token("", None if computed else content)


_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{1,4})|(.))", re.DOTALL)
_NAMED_ESCAPES = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "e": "\x1b",
}


def _unescaped(body: str) -> str:
    if "\\" not in body:
        return body
    units = _ESCAPE.sub(_escape, body)
    # Two \u escapes may be the halves of one character.
    return units.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escape(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits is None:
        return _NAMED_ESCAPES.get(match[4], match[4])
    code = int(digits, 16)
    return chr(code) if code <= 0x10FFFF else "\ufffd"


def _unindented(body: str) -> str:
    """Of a raw text over several lines: without its first and last line break and the indentation of its last line."""
    lines = body.split("\n")
    if len(lines) < 3 or lines[0].strip() or lines[-1].strip():
        return body
    return "\n".join(line.removeprefix(lines[-1]) for line in lines[1:-1])
