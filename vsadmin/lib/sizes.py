"""Sizes of files, in words: everywhere the same units, which are those of the settings (MiB)."""

from django.utils.formats import number_format
from django.utils.translation import ngettext

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def in_words(count: int) -> str:
    """Bytes as people read them: "512 bytes", "12.3 MiB"."""
    number, unit = scaled(count)
    return f"{number} {unit}"


def scaled(count: int) -> tuple[str, str]:
    """The number and its unit."""
    if count < 1024:
        return str(count), ngettext("byte", "bytes", count)
    amount = count / 1024
    for unit in _UNITS:
        if amount < 1023.5 or unit == _UNITS[-1]:
            break
        amount /= 1024
    digits = 0 if amount >= 99.95 or round(amount, 1) == int(round(amount, 1)) else 1
    return str(number_format(round(amount, digits), digits)), unit
