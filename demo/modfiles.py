"""Mod files made up for demonstrations and tests: small real zips, the same bytes each time."""

import io
import json
import random
import zipfile
from collections.abc import Mapping

_STAMP = (2025, 1, 1, 0, 0, 0)  # fixed: the same input must give the same bytes


def build_zip(files: Mapping[str, bytes]) -> bytes:
    """A zip with these files, stored rather than deflated: zlib's output differs between versions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _STAMP)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def build_mod(modinfo: Mapping[str, object], *, padding: int = 0, extra: Mapping[str, bytes] | None = None) -> bytes:
    """A mod file: modinfo.json at the root, `extra` files, and `padding` bytes that don't compress."""
    files = {"modinfo.json": json.dumps(modinfo, indent=2, ensure_ascii=False).encode()}
    files |= extra or {}
    if padding:
        files["assets/padding.bin"] = random.Random(padding).randbytes(padding)
    return build_zip(files)
