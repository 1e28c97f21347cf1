"""Names of the files on disk. Pure.

`primitivesurvival_3.7.2~moddb-24105.zip`: what a person recognises, `~`, the entry's key with `-` for `:`, an ending.
The key makes names unique, also where letter case doesn't count, and lets a file without a row be adopted.
"""

import re

_KEY = re.compile(r"[a-z0-9]{1,20}:[a-z0-9]{1,64}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}~([a-z0-9]{1,20})-([a-z0-9]{1,64})(?:\.[a-z0-9]{1,10})?")
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}")
MAX_STEM = 100


def file_name(key: str, name: str) -> str:
    """The name on disk for this key. Of `name` only harmless characters are used. ValueError: no such key."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"a key looks like moddb:123 or sha256:<hex>, not {key!r}")
    stem, dot, ending = name.rpartition(".")
    if not _ENDING.fullmatch(dot + ending):
        stem, ending = name, ""
    stem = _UNSAFE.sub("_", stem).lstrip("._+-")[:MAX_STEM] or "file"
    return f"{stem}~{key.replace(':', '-')}{'.' + ending.lower() if ending else ''}"


def key_of(file_name: str) -> str | None:
    """The key in a name made by `file_name`; None: the name is none of ours."""
    match = _FILE.fullmatch(file_name)
    return f"{match[1]}:{match[2]}" if match else None
