"""Where a missing file comes from."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vsadmin.lib.files import open_regular
from vsadmin.lib.http import Client

_CHUNK = 256 * 1024


class Arriving(Protocol):
    """A file's bytes on their way. `total`: how many there will be, where that is known."""

    @property
    def total(self) -> int | None: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Source(Protocol):
    """Something that a file can be had from. `description` is shown to people."""

    @property
    def description(self) -> str: ...

    def open(self) -> AbstractContextManager[Arriving]:
        """Begin. Raises HttpError or OSError, here and while iterating."""
        ...


@dataclass(frozen=True)
class HttpSource:
    """A download. `deadline`: seconds for all of it; `max_bytes`: where to stop."""

    url: str
    client: Client
    deadline: float
    max_bytes: int

    @property
    def description(self) -> str:
        return self.url

    def open(self) -> AbstractContextManager[Arriving]:
        return self.client.stream(self.url, deadline=self.deadline, max_bytes=self.max_bytes)


@dataclass(frozen=True)
class FileSource:
    """A file of this machine, which is copied."""

    path: Path
    description: str

    @contextmanager
    def open(self) -> Iterator[Arriving]:
        with open_regular(self.path) as file:
            yield _Chunks(path_size(self.path), iter(lambda: file.read(_CHUNK), b""))


@dataclass(frozen=True)
class _Chunks:
    total: int
    chunks: Iterator[bytes]

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks


def path_size(path: Path) -> int:
    return path.stat().st_size
