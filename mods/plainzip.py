"""One entry of a plain zip, read quickly. Whatever is unusual about a zip is left to `zipfile`, which says what it is.

`zipfile` makes an object of each entry, which takes longer than reading and hashing a whole mod. Format: PKWARE's
APPNOTE.TXT, 4.3.7 (local header), 4.3.12 (directory), 4.3.16 (its end) and 4.5 (extra fields).
"""

import struct
import zlib
from typing import NamedTuple

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s2xBx2H4x3L3H8xL")
_LOCAL = struct.Struct("<4s22x2H")
_EXTRA = struct.Struct("<2H")
_STORED, _DEFLATED = 0, 8
_UTF8 = 0x800
#: How it was deflated, sizes that follow the content, UTF-8 names: none of them changes how an entry is read.
_HARMLESS_FLAGS = _UTF8 | 0x0E
_NEWEST_VERSION = 63
_ZIP64 = 0xFFFFFFFF


class Found(NamedTuple):
    """The entry that was wanted. `unpacked`: bytes that all of the zip's entries say they would take."""

    content: bytes
    unpacked: int


class _Entry(NamedTuple):
    flags: int
    method: int
    crc: int
    packed: int
    unpacked: int
    start: int


def read(data: bytes, name: bytes, *, limit: int, most_entries: int) -> Found | None:
    """The only entry called `name` (lower-case, at the top), of at most `limit` bytes, its checksum verified.

    None where the zip isn't plain in every way that matters, or may have another entry of that name.
    """
    try:
        return _read(data, name, limit, most_entries)
    except (struct.error, zlib.error, UnicodeDecodeError):
        return None


def _read(data: bytes, name: bytes, limit: int, most_entries: int) -> Found | None:
    end = len(data) - _END.size
    signature, disk, first_disk, here, count, size, offset, comment = _END.unpack_from(data, max(0, end))
    if (signature, disk, first_disk, here, comment) != (b"PK\5\6", 0, 0, count, 0):
        return None
    if offset + size != end or count > most_entries:
        return None
    at, total, wanted = offset, 0, None
    for _number in range(count):
        (signature, version, flags, method, crc, packed, unpacked, name_length, extra_length, comment, start) = (
            _ENTRY.unpack_from(data, at)
        )
        names_end = at + _ENTRY.size + name_length
        called = data[at + _ENTRY.size : names_end]
        if signature != b"PK\1\2" or version > _NEWEST_VERSION or _ZIP64 in (packed, unpacked, start):
            return None
        if flags & _UTF8:
            called.decode()
        if extra_length and not _is_sound(data[names_end : names_end + extra_length]):
            return None
        if name in called.lower() and b"/" not in called:
            if called != name or wanted is not None:
                return None
            wanted = _Entry(flags, method, crc, packed, unpacked, start)
        total += unpacked
        at = names_end + extra_length + comment
    content = _content(data, name, wanted, limit) if wanted is not None and at == end else None
    return None if content is None else Found(content, total)


def _is_sound(extra: bytes) -> bool:
    at = 0
    while at + _EXTRA.size <= len(extra):
        _kind, length = _EXTRA.unpack_from(extra, at)
        at += _EXTRA.size + length
    return at <= len(extra)


def _content(data: bytes, name: bytes, entry: _Entry, limit: int) -> bytes | None:
    if entry.flags & ~_HARMLESS_FLAGS or entry.method not in (_STORED, _DEFLATED) or entry.unpacked > limit:
        return None
    signature, name_length, extra_length = _LOCAL.unpack_from(data, entry.start)
    names_end = entry.start + _LOCAL.size + name_length
    if signature != b"PK\3\4" or data[entry.start + _LOCAL.size : names_end] != name:
        return None
    begin = names_end + extra_length
    content = data[begin : begin + entry.packed]
    if entry.method == _DEFLATED:
        stream = zlib.decompressobj(-zlib.MAX_WBITS)
        content = stream.decompress(content, entry.unpacked + 1)
        if not stream.eof or stream.unused_data:
            return None
    return content if len(content) == entry.unpacked and zlib.crc32(content) == entry.crc else None
