"""The mod database's client: its public API asked politely, its answers as dataclasses. No ORM.

Facts about the API that shape this: v1 answers HTTP 200 with the true status inside; one bad entry fails a batch of
/api/updates; `[]` stands for an empty map; a release without game versions is not in /api/updates at all, so that
only /api/mod can say that a mod doesn't exist.
"""

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

from mods import moddb_json
from mods.moddb_answers import (
    MAX_MODS,
    InstallInfo,
    ModDetails,
    ModSummary,
    ReleaseInfo,
    parse_details,
    parse_game_versions,
    parse_install_information,
    parse_summaries,
    parse_updates,
)
from mods.moddb_batches import (
    INSTALL_INFORMATION,
    UPDATES,
    batch_ids,
    batch_pairs,
    can_ask_alone,
    install_entry,
    update_entry,
)
from mods.moddb_patience import Patience
from vsadmin.lib.http import Answer, Client, HttpError, origin

__all__ = [
    "BadAnswer",
    "BadRequest",
    "Cancelled",
    "InstallInfo",
    "ModDB",
    "ModDBError",
    "ModDetails",
    "ModSummary",
    "NotFound",
    "ReleaseInfo",
    "Unreachable",
    "batch_ids",
    "batch_pairs",
    "can_ask_alone",
    "is_game_version",
]

_GAME_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(-(dev|pre|rc)\.[0-9]+)?")
_SERIES = re.compile(r"[0-9]+\.[0-9]+")
#: The most that an answer can honestly need: details and batches, the list of all mods, that of the game versions.
MAX_BYTES = 4 * 1024 * 1024
MAX_LIST_BYTES = 32 * 1024 * 1024
MAX_GAME_VERSION_BYTES = 1024 * 1024

T = TypeVar("T")

_SEPARATORS = frozenset(",@")  # percent-encoding doesn't help: the server decodes first, then splits


def is_game_version(text: str) -> bool:
    """Whether the mod database could know such a game version: others make it refuse the whole batch."""
    return bool(_GAME_VERSION.fullmatch(text))


class ModDBError(Exception):
    """The mod database could not be asked or understood. `text` says what happened, in plain words."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Unreachable(ModDBError):
    """No HTTP answer at all: refused, unknown name, TLS, timeout."""


class BadAnswer(ModDBError):
    """An answer that can't be used: an error of the server, damaged or endless data, no such endpoint."""


class BadRequest(ModDBError):
    """The mod database, or this client for it, refused what was asked; a batch may hold one bad entry."""


class NotFound(ModDBError):
    """This mod is not in the mod database; only `mod` says so."""


class Cancelled(ModDBError):
    """Stopped by us, because the program is shutting down."""


class ModDB:
    """One mod database. Share it among threads: `max_connections` requests run at a time, the others wait.

    `file_origins`: further origins that redirects may lead to. `trusted_origins`: those that may be on a private
    address; all by default. `deadline`: seconds for one call, its retries included. `version`: ours, for the
    User-Agent. `stop`: set it to end all calls. `paused_until`: nothing is asked before; `on_pause` hears at the end,
    in the thread that closes it, until when the mod database wants to be left alone from now on.
    """

    def __init__(
        self,
        base_url: str,
        *,
        file_origins: Collection[str] = (),
        trusted_origins: Collection[str] | None = None,
        deadline: float = 30.0,
        stop: threading.Event | None = None,
        version: str = "",
        max_connections: int = 4,
        retries: int = 2,
        backoff: float = 0.5,
        paused_until: datetime | None = None,
        on_pause: Callable[[datetime], None] | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._deadline = deadline
        self._patience = Patience(paused_until)
        self._paused_until = paused_until
        self._on_pause = on_pause
        configured = {origin(base_url), *file_origins}
        self._client = Client(
            user_agent=f"vsadmin/{version or '0'} (manages the mods of Vintage Story servers)",
            allowed_origins=configured,
            trusted_private_origins=configured if trusted_origins is None else trusted_origins,
            max_connections=max_connections,
            retries=retries,
            backoff=backoff,
            stop=stop,
            gate=self._patience,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept-alive connections."""
        self._client.close()
        until = self._patience.until
        if until is not None and until != self._paused_until and self._on_pause is not None:
            self._on_pause(until)

    @property
    def requests(self) -> int:
        """HTTP requests sent so far, retries and redirects included."""
        return self._client.requests

    @property
    def bytes(self) -> int:
        """Bytes of answers received so far."""
        return self._client.bytes

    def updates(self, ids: Sequence[str]) -> dict[str, ReleaseInfo]:
        """The newest release of each id, prereleases included, by id in lower case.

        An id that is missing may still be in the database: releases without game versions are left out here. One
        batch of `batch_ids`, or one id that goes alone. Raises BadRequest when one entry spoiled the batch.
        """
        _require_separable(ids)

        def read(answer: Answer) -> dict[str, ReleaseInfo]:
            data = _v1(answer)
            if not isinstance(data.get("updates"), Mapping | list):
                raise BadAnswer("The mod database's answer about updates has no list of updates in it.")
            return parse_updates(data["updates"], ids)

        return self._ask(UPDATES + ",".join(map(update_entry, ids)), read)

    def install_information(self, pairs: Sequence[tuple[str, str]], game_version: str) -> dict[str, InstallInfo]:
        """What is recommended and retracted for installed (id, version) pairs, by id in lower case.

        One batch of `batch_pairs`; ids are sent in the letter case given, which should be the database's own.
        `game_version`: exact, like 1.21.5; "" leaves recommendations out. Raises BadRequest when it is none.
        """
        _require_separable([modid for modid, _version in pairs])
        if game_version and not is_game_version(game_version):
            raise BadRequest("The mod database knows no such game version: it must look like 1.21.5.")

        def read(answer: Answer) -> dict[str, InstallInfo]:
            return parse_install_information(_install_data(answer), [modid for modid, _version in pairs])

        query = ",".join(install_entry(modid, version) for modid, version in pairs)
        return self._ask(INSTALL_INFORMATION + query + (f"&gv={game_version}" if game_version else ""), read)

    def mod(self, key: str | int) -> ModDetails:
        """All about one mod, by modid (`can_ask_alone`) or by its number. Raises NotFound when there is none."""
        if isinstance(key, str) and not can_ask_alone(key):
            raise BadRequest("The mod database can't be asked for a modid with these characters.")

        def read(answer: Answer) -> ModDetails:
            data = _object(answer)
            status = _status(data)
            if status in (404, 410):  # said inside: a 404 of the web server alone is no word about this mod
                raise NotFound("This mod is not in the mod database.")
            if status == 400:
                raise BadRequest("The mod database refused the question about this mod.")
            _require_success(status)
            details = parse_details(data.get("mod"))
            if details is None or (isinstance(key, int) and details.mod_id != key):
                raise BadAnswer("The mod database's answer about this mod has no such mod in it.")
            return details

        return self._ask(f"/api/mod/{key}", read)

    def mods(self, game_version: str = "") -> Iterator[ModSummary]:
        """Every published mod (about 330 bytes each, one answer), each mod number once; read as they are taken.

        `game_version`: only those with a release for it, either exact (1.21.5) or any of a series (1.21). Raises
        BadRequest when it is neither. What is wrong with the answer is raised here, not while they are taken.
        """
        query = ""
        if _SERIES.fullmatch(game_version):
            query = f"?gameversion={game_version}"
        elif is_game_version(game_version):
            query = f"?gv={game_version}"
        elif game_version:
            raise BadRequest("The mod database knows no such game version: it must look like 1.21.5 or 1.21.")

        def read(answer: Answer) -> Iterator[ModSummary]:
            data = _v1(answer, lambda body: moddb_json.top_level(body, "mods", most=MAX_MODS))
            if data.get("mods") is not list:
                raise BadAnswer("The mod database's answer has no list of mods in it.")
            return parse_summaries(moddb_json.items(answer.body, "mods"))

        return self._ask("/api/mods" + query, read, max_bytes=MAX_LIST_BYTES)

    def game_versions(self) -> list[str]:
        """All versions of the game that the mod database knows, oldest first."""

        def read(answer: Answer) -> list[str]:
            data = _v1(answer)
            if not isinstance(data.get("gameversions"), list):
                raise BadAnswer("The mod database's answer has no list of game versions in it.")
            return parse_game_versions(data["gameversions"])

        return self._ask("/api/gameversions", read, max_bytes=MAX_GAME_VERSION_BYTES)

    def _ask(self, path: str, read: Callable[[Answer], T], *, max_bytes: int = MAX_BYTES) -> T:
        """What `read` makes of the answer. Raises ModDBError, as `read` does."""
        try:
            answer = self._client.get(self.base_url + path, deadline=self._deadline, max_bytes=max_bytes)
        except HttpError as error:
            raise _translated(error) from error
        try:
            with moddb_json.reading(answer.body):
                found = read(answer)
        except BadAnswer as error:
            self._patience.failed(HttpError(error.text, "garbage", status=answer.status, answered=True))
            raise
        except (BadRequest, NotFound):
            self._patience.succeeded()
            raise
        self._patience.succeeded()
        return found


def _require_separable(ids: Sequence[str]) -> None:
    if not ids or any(not modid or _SEPARATORS & set(modid) for modid in ids):
        raise BadRequest("The mod database can't be asked for a modid that is empty or has a comma or @ in it.")


def _v1(answer: Answer, load: Callable[[bytes], Any] = moddb_json.load) -> Mapping[str, Any]:
    """The object in a v1 answer whose status, inside or outside, is success."""
    if answer.status in (400, 414):
        raise BadRequest("The mod database refused the question.")
    _require_success(answer.status)
    data = _object(answer, load)
    status = _status(data)
    if status == 400:
        raise BadRequest("The mod database refused the question.")
    _require_success(status)
    return data


def _install_data(answer: Answer) -> object:
    """The entries in an answer of install-information; those of a refusal too, if it says what is wrong with each."""
    if answer.status not in (200, 400, 414):
        raise BadAnswer(f"The mod database can't tell about installed versions (status {answer.status}).")
    try:
        found = _object(answer).get("data")
    except BadAnswer:
        if answer.status == 200:
            raise
        found = None
    if answer.status != 200 and not isinstance(found, Mapping):
        raise BadRequest("The mod database refused the question about installed versions.")
    if not isinstance(found, Mapping | list):
        raise BadAnswer("The mod database's answer about installed versions has no data in it.")
    return found


def _object(answer: Answer, load: Callable[[bytes], Any] = moddb_json.load) -> Mapping[str, Any]:
    try:
        data = load(answer.body)
    except moddb_json.BadJson as error:
        raise BadAnswer(f"The mod database sent {error} (status {answer.status}).") from error
    if not isinstance(data, dict):
        raise BadAnswer("The mod database sent data of an unknown form.")
    return data


def _status(data: Mapping[str, Any]) -> int:
    """The status inside a v1 answer, a string there; 0 where there is none."""
    status = data.get("statuscode")
    text = str(status) if isinstance(status, str | int) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else 0


def _require_success(status: int) -> None:
    if status != 200:
        shown = status or "none"
        raise BadAnswer(f"The mod database reports an error of its own (status {shown}). Try again later.")


def _translated(error: HttpError) -> ModDBError:
    if error.kind == "cancelled":
        return Cancelled(error.text)
    if error.kind == "garbage":
        return BadAnswer(error.text)
    if error.kind == "paused":
        return BadAnswer(f"The mod database isn't asked just now. {error.text}")
    if error.answered:
        return BadAnswer(f"The mod database's answer can't be used. {error.text}")
    return Unreachable(f"The mod database can't be reached. {error.text}")
