"""A made-up mod database on loopback, speaking the real one's API faithfully, failures on demand included.

db = ModDatabase()
mod = db.add_mod(name="Better Ruins", modids=["betterruins"])
db.add_release(mod, "betterruins", "1.0.0", game_versions=["1.21.0"])
with db.serve() as url:
    …
"""

import argparse
import re
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256

from demo.moddb_api import Question, Reply, answer, file_reply
from demo.moddb_data import DemoMod, DemoRelease, Store, version_number
from demo.moddb_server import KINDS, Asked, Fault, Server

__all__ = ["DemoMod", "DemoRelease", "ModDatabase", "populate"]

FILES = "files"  # first part of every path on the file host


class ModDatabase:
    """Mods, releases and their files, served by `start` or `serve`. All of it may be changed while it serves.

    `log`: each request as "METHOD path?query", in order of arrival. `latency`: seconds before each answer.
    `separate_file_host`: files come from a second port, so from another origin, as with the real one.
    """

    def __init__(self, *, separate_file_host: bool = False, host: str = "127.0.0.1", port: int = 0) -> None:
        self.store = Store()
        self.log: list[str] = []
        self.latency = 0.0
        self._separate = separate_file_host
        self._address = (host, port)
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._file_server: Server | None = None

    # --- what it holds

    def add_mod(
        self,
        *,
        name: str,
        modids: Sequence[str] = (),
        author: str = "Example Author",
        summary: str = "",
        text: str | None = None,
        side: str | None = "both",
        type: str = "mod",
        alias: str | None = None,
        tags: Sequence[str] = (),
        status: str = "published",
        created: str | None = None,
        logo: str | None = None,
        homepage_url: str = "",
        source_url: str = "",
        downloads: int = 0,
        follows: int = 0,
        comments: int = 0,
        trending: int = 0,
    ) -> DemoMod:
        """A new mod. `modids` are those it means to release; the database tells only those it has released."""
        with self.store.lock:
            mod = DemoMod(
                mod_id=self.store.next_id(),
                asset_id=self.store.next_id(),
                name=name,
                modids=tuple(modids),
                author=author,
                author_id=self.store.author_id(author),
                summary=summary or f"Summary of {name}",
                text=f"<p>{name} description.</p>" if text is None else text,
                side=side,
                type=type,
                alias=alias,
                tags=tuple(tags),
                status=status,
                created=created or self.store.next_date(),
                logo=logo,
                homepage_url=homepage_url,
                source_url=source_url,
                downloads=downloads,
                follows=follows,
                comments=comments,
                trending=trending,
            )
            self.store.add_mod(mod)
        return mod

    def add_release(
        self,
        mod: DemoMod,
        modid: str | None,
        version: str,
        *,
        game_versions: Sequence[str] = (),
        changelog: str | None = None,
        dependencies: Mapping[str, str] | None = None,
        created: str | None = None,
        file_name: str | None = None,
        content: bytes | None = None,
        padding: int = 0,
        missing_file: bool = False,
        downloads: int = 0,
    ) -> DemoRelease:
        """A new release, with a real zip whose modinfo.json says the same; `padding` bytes make it larger.

        `modid` None: a tool's. `dependencies`: for modinfo.json, besides "game" (the first of `game_versions`).
        `content`: these bytes instead of the zip. ValueError: a version that the database wouldn't take.
        """
        number = version_number(version)
        if number is None:
            raise ValueError(f"{version} is no version that the mod database takes")
        with self.store.lock:
            release_id, file_id = self.store.next_id(), self.store.next_id()
            stem = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{modid or mod.name}_{version}")
            release = DemoRelease(
                release_id=release_id,
                mod=mod,
                modid=modid,
                version=version,
                number=number,
                game_versions=tuple(game_versions),
                changelog=changelog,
                created=created or self.store.next_date(),
                file_id=None if missing_file else file_id,
                file_name="" if missing_file else file_name or f"{modid or 'tool'}_{version}.zip",
                path=f"{FILES}/{stem}_{sha256(str(file_id).encode()).hexdigest()[:32]}.zip",
                dependencies={"game": next(iter(game_versions), "")} | dict(dependencies or {}),
                padding=padding,
                given=content,
                downloads=downloads,
            )
            self.store.add_release(release)
        return release

    def retract(self, release: DemoRelease, reason: str, by_moderator: bool = False) -> None:
        """Retract a release. `reason` is HTML. Its file stays on the file host."""
        with self.store.lock:
            release.retraction, release.by_moderator = reason, by_moderator

    def remove_mod(self, mod: DemoMod) -> None:
        """Take a mod away with all its releases and files, as if it had never been."""
        with self.store.lock:
            self.store.remove_mod(mod)

    # --- how it fails

    def fault(self, path_prefix: str, kind: str, times: int | None = None, *, seconds: float = 0.05) -> None:
        """Requests whose path starts so fail in this way, `times` times or until `clear_faults`.

        "500_html", "statuscode_500", "garbage", "200_html", "404", "429" (Retry-After of `seconds`): instead of the
        answer. "truncated": half of it, looking whole; "cut": half, then the connection ends; "slow": it comes after
        `seconds`; "wrong_bytes": a file with other contents. "endless": a byte every `seconds`; "flood": bytes as
        fast as can be; "redirect_loop"; "hang": no answer; "refuse": the connection is reset.
        """
        if kind not in KINDS:
            raise ValueError(f"no such fault: {kind}")
        with self._lock:
            self._faults.append(Fault(path_prefix, kind, times, seconds))

    def clear_faults(self) -> None:
        with self._lock:
            self._faults.clear()

    # --- serving

    @property
    def url(self) -> str:
        """Its address while it serves, without a slash at the end."""
        if self._server is None:
            raise RuntimeError("the mod database isn't started")
        return self._server.url

    @property
    def file_origin(self) -> str:
        """Where its files come from: its own address, or the separate file host's."""
        return self.url if self._file_server is None else self._file_server.url

    def start(self) -> str:
        """Serve in threads of its own until `stop`. Returns the address."""
        host, port = self._address
        self._server = self._new_server(host, port)
        self._file_server = self._new_server(host, 0) if self._separate else None
        for server in self._servers():
            server.start()
        return self.url

    def stop(self) -> None:
        """Close all connections, also those in the middle of a failure, and wait for the threads to end."""
        for server in self._servers():
            server.stop()
        self._server = self._file_server = None

    @contextmanager
    def serve(self) -> Iterator[str]:
        """The address, for as long as the block lasts."""
        try:
            yield self.start()
        finally:
            self.stop()

    def _servers(self) -> list[Server]:
        return [server for server in (self._server, self._file_server) if server is not None]

    def _new_server(self, host: str, port: int) -> Server:
        return Server(
            host,
            port,
            respond=self._respond,
            other_bytes=self._other_bytes,
            fault=self._due_fault,
            latency=lambda: self.latency,
            log=self._note,
        )

    def _note(self, line: str) -> None:
        self.log.append(line)

    def _respond(self, asked: Asked) -> Reply:
        path = asked.target.partition("?")[0].lstrip("/")
        if path.startswith(f"{FILES}/"):
            return file_reply(self.store, path)
        return answer(self.store, Question(asked.method, asked.target, asked.accept, asked.client, self.file_origin))

    def _other_bytes(self, target: str) -> bytes:
        return self.store.paths[target.partition("?")[0].lstrip("/")].other_content

    def _due_fault(self, target: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if target.startswith(fault.prefix) and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None


def populate(db: ModDatabase, mods: int, releases: int) -> list[DemoMod]:
    """`mods` made-up mods of `releases` releases each (modid demomod0001, versions 1.0.0, 1.1.0 …), always the same.

    The newest release lists the newest game versions, older ones older versions.
    """
    game_versions = [name for _number, name in db.store.sorted_game_versions()]
    made = []
    for index in range(1, mods + 1):
        modid = f"demomod{index:04d}"
        mod = db.add_mod(
            name=f"Demo Mod {index}",
            modids=[modid],
            author=f"Author {index % 50}",
            tags=["QoL", "Utility"][: index % 3],
            downloads=index * 37 % 5000,
            follows=index % 90,
        )
        for number in range(releases):
            newest = len(game_versions) - (releases - 1 - number) * 2
            db.add_release(
                mod,
                modid,
                f"1.{number}.0",
                game_versions=game_versions[max(newest - 3, 0) : max(newest, 1)],
                changelog=f"<p>Changes in 1.{number}.0</p>",
            )
        made.append(mod)
    return made


def main() -> None:
    """Serve a populated database in a process of its own; its address is the first line on standard output."""
    parser = argparse.ArgumentParser(prog="python -m demo.moddb", description=main.__doc__)
    parser.add_argument("--mods", type=int, default=300, help="how many mods (default: 300)")
    parser.add_argument("--releases", type=int, default=10, help="releases of each (default: 10)")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer (default: 0)")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    options = parser.parse_args()
    db = ModDatabase(port=options.port)
    db.latency = options.latency
    populate(db, options.mods, options.releases)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_args: stop.set())
    with db.serve() as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
