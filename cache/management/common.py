"""What this app's commands share: sizes, arguments, and how they end."""

from argparse import ArgumentTypeError
from typing import NoReturn

from django.core.management.base import CommandError

from cache.conf import MIB
from cache.eviction import Evicted
from vsadmin.lib import conf

FAILURE = 1
BAD_USAGE = 2


def size(count: int) -> str:
    """Bytes for a terminal: `12.3 MiB`."""
    for unit, factor in (("GiB", 1024 * MIB), ("MiB", MIB), ("KiB", 1024)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def whole_mib(text: str) -> int:
    """An argument in MiB, as bytes."""
    try:
        return conf.whole_number(text) * MIB
    except conf.Malformed as error:
        raise ArgumentTypeError(f"{text!r}: {error} Write a whole number of MiB, such as 500.") from None


def removed(done: Evicted) -> str:
    """What a pass did, in one line. Ends the command with exit code 1 where a file couldn't be removed."""
    line = f"{files(done.files)} removed, {size(done.bytes_freed)} freed, {size(done.bytes_left)} left."
    if done.failed:
        fail(
            f"{line} {files(done.failed)} couldn't be removed; the log says which and why. "
            "Make them removable for the user running vsadmin."
        )
    return line


def fail(text: str) -> NoReturn:
    """End the command with exit code 1."""
    raise CommandError(text, returncode=FAILURE)
