"""JSON as the game's reader (Newtonsoft.Json) takes it.

Besides strict JSON: comments, trailing commas, single quotes, bare keys, any white space, line breaks within
texts, whole numbers as 0x20 or 040. Such a document is rewritten to strict JSON token by token, in linear time, and
then read by the standard library. A JSON5 library isn't the same: it knows no line breaks within texts and no lone
surrogates, and turns the number 1.10 into 1.1.
"""

import json
import re


class Number(str):
    """A number, as it was written: ``1.10`` and ``1.1`` are different versions."""

    __slots__ = ()


_TOKEN = re.compile(
    r"""(?P<space>\s++)
    | (?P<comment>//[^\r\n]*+ | /\*.*?\*/)
    | (?P<text>"(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+')
    | (?P<word>[^\s"'{}\[\]:,/]++)
    | (?P<mark>[{}\[\]:,])
    """,
    re.VERBOSE | re.DOTALL,
)
_BARE_KEY = re.compile(r"[\w$]+")
_OTHER_BASE = re.compile(r"(0[xX][0-9a-fA-F]{1,16})|0([0-7]{1,20})")
_QUOTE = re.compile(r'\\.|"', re.DOTALL)


def loads(text: str) -> object:
    """Dicts, lists, str, `Number`, bool and None; of two equal keys the last wins.

    Raises json.JSONDecodeError (a ValueError; its line number is that of `text`) for what the game can't read
    either, and ValueError for text nested too deeply.
    """
    try:
        return _strict(text)
    except json.JSONDecodeError:
        return _strict(_rewrite(text))


def _strict(text: str) -> object:
    try:
        return json.loads(text, strict=False, parse_float=Number, parse_int=Number, parse_constant=Number)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _rewrite(text: str) -> str:
    """Strict JSON with the same meaning and the same lines, or still an error where the game has one."""
    out: list[str] = []
    # Indexes into `out`: of the last token that means something, and of the one before it.
    last = before = -1
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise json.JSONDecodeError("unfinished text or comment", text, position)
        found = match[0]
        position = match.end()
        if match.lastgroup in ("space", "comment"):
            out.append("\n" * found.count("\n") or " ")
            continue
        if found == ":" and last >= 0 and _BARE_KEY.fullmatch(out[last]):
            out[last] = f'"{out[last]}"'
        elif found in ("}", "]") and before >= 0 and out[last] == "," and out[before] not in ("{", "[", ","):
            out[last] = ""
        if match.lastgroup == "text":
            found = _double_quoted(found)
        elif other := _OTHER_BASE.fullmatch(found):
            found = str(int(other[1], 16) if other[1] else int(other[2], 8))
        out.append(found)
        last, before = len(out) - 1, last
    return "".join(out)


def _double_quoted(literal: str) -> str:
    return '"' + _QUOTE.sub(_requote, literal[1:-1]) + '"'


def _requote(match: re.Match[str]) -> str:
    return {'"': '\\"', "\\'": "'"}.get(match[0], match[0])
