"""`./run.sh demo`: vsadmin with made-up servers and mods, in a folder that is deleted when it stops.

The mod database is a process of its own; the panel and its worker are started by vsadmin's own `up`, in this process.
Of the caller's settings only HOST and PORT are taken over; without them nothing but this machine can reach it, and it
reaches nothing else itself.
"""

import argparse
import contextlib
import getpass
import io
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TextIO
from urllib.parse import urlsplit

from demo import throwaway, world

HOME = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
#: Without a PORT, the first that is free is taken; if none is, any.
PORTS = range(8000, 8020)

#: All that is taken over of the caller's environment: where programs are, and how texts and times are written.
KEPT = ("PATH", "LD_LIBRARY_PATH", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "PYTHONDONTWRITEBYTECODE")

_TELL = """
The demo is running: {url}
  user: demo   password: demo   (viewer and operator, with the same password, may do less)
  From another computer: ssh -L {port}:{place} {user}@{machine}
  then open http://localhost:{port}/ there.

What to try first:
  1. The overview says what needs doing. See the updates of Public, let them be planned, read the plan, carry it out.
  2. In the catalogue, look for Windwright and install it on Public: what it needs comes along.
  3. Under Changes, open the latest one of Public and roll it back.
  4. Let Public crash after an update, scan it, and put back what ran before:
     {python} -m demo.crash FOLDER   (its data folder, as its page names it)

Every minute or two something new is released. Ctrl-C ends the demo and deletes all of it.
"""
_TAIL = 15  # lines of the log that are shown where the demo fails


class Ended(Exception):
    """A signal asked for the end while things were still being prepared."""


class Failed(Exception):
    """The demo can't run; the text says why."""


def environment(caller: Mapping[str, str], folder: Path) -> dict[str, str]:
    """The whole environment of a demo in `folder`, but for the mod database's address and the port."""
    data = str(folder / "vsadmin")
    host = caller.get("HOST", "").strip() or HOST
    names = {"ALLOWED_HOSTS": f"{HOST},localhost"}
    if host != HOST:
        # Whoever sets HOST wants it to be reached from elsewhere, by whatever name, and there is no TLS.
        names = {"ALLOWED_HOSTS": "*", "VSADMIN_ALLOW_HTTP": "on"}
    return {name: caller[name] for name in KEPT if name in caller} | {
        "HOME": str(folder),
        "LOGNAME": "demo",
        "DJANGO_SETTINGS_MODULE": "vsadmin.settings",
        "PYTHONUNBUFFERED": "1",
        "VSADMIN_IGNORE_DOTENV": "1",
        "VSADMIN_DATA_DIR": data,
        # Only where it names that very data folder is a panel labelled as a demo's.
        "VSADMIN_DEMO": data,
        "HOST": host,
        **names,
        "VS_MOD_LIST_REFRESH_INTERVAL": "60",
        "VS_MOD_SCAN_INTERVAL": "60",
        "VS_MOD_CATALOGUE_INTERVAL": "120",
        "VS_MOD_CACHE_CHECK_INTERVAL": "300",
        "VS_MOD_CACHE_MAX_SIZE_MB": "32",
    }


def main() -> int:
    argparse.ArgumentParser(
        prog="./run.sh demo", description="Runs vsadmin with made-up servers and mods."
    ).parse_args()
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup
            signal.signal(number, _end)
    os.umask(0o077)
    code, last_words = 0, "The demo has ended; nothing of it is left."
    try:
        with throwaway.folder() as folder:
            try:
                _run(folder, terminal)
            except Ended:
                pass
            except Exception as error:  # noqa: BLE001  # whatever it is, it is told, and the folder goes
                why = str(error) if isinstance(error, (Failed, OSError)) else f"{type(error).__name__}: {error}"
                code, last_words = 1, f"The demo can't run: {why}\n{_log_tail(folder)}".rstrip()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # nothing keeps the folder from being deleted
    except OSError as error:
        code, last_words = 1, f"The demo can't run: {error}"
    _say(terminal, last_words)
    return code


def _end(_number: int, _frame: FrameType | None) -> None:
    raise Ended


def _run(folder: Path, terminal: TextIO) -> None:
    """From the first preparation to the end that somebody asked for. Raises Ended, Failed, OSError."""
    _say(terminal, "Preparing the demo: made-up servers and mods, in a folder that is deleted at the end …")
    user = _user_name()
    wanted = os.environ.get("PORT", "").strip()
    clean = environment(os.environ, folder)
    os.environ.clear()
    os.environ.update(clean)
    os.chdir(HOME)
    _log_into(folder / "log")
    ports = [_port(wanted)] if wanted else [*PORTS, 0]
    _free_port(ports)  # said at once if there is none
    now = datetime.now(UTC).replace(microsecond=0)
    with _mod_database(now) as database:
        _prepare(now, folder, database)
        os.environ["PORT"] = str(_free_port(ports))

        def tell(url: str) -> None:
            place, python = urlsplit(url).netloc, os.path.relpath(sys.executable)
            port = os.environ["PORT"]
            words = _TELL.format(
                url=url, place=place, port=port, user=user, machine=socket.gethostname(), python=python
            )
            _say(terminal, words)

        _up(_Announcer(tell))


def _prepare(now: datetime, folder: Path, database: "subprocess.Popen[bytes]") -> None:
    """Everything that is there before anybody looks. The database gets its world ready meanwhile."""
    import django
    from django.core.management import CommandError, call_command
    from django.db import Error, connection

    try:
        django.setup()
        with _static_files_beside():
            call_command("migrate", interactive=False, verbosity=0)
            of = world.build(now)
            os.environ["VS_MODDB_URL"] = os.environ["VS_MODDB_FILE_ORIGINS"] = _address_of(database)
            from demo import past  # it needs Django

            past.live(of, folder / "servers")
            connection.close()
    except (CommandError, Error) as error:
        raise Failed(str(error)) from error


@contextlib.contextmanager
def _static_files_beside() -> Iterator[None]:
    """In a process beside, do what `up` would do later, and will where this fails: it saves a second and a half."""
    from django.utils.module_loading import import_string

    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            import_string("vsadmin.firstrun.collect_static")()
        os._exit(0)
    try:
        yield
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.waitpid(child, 0)


def _up(announcer: "_Announcer") -> None:
    """The panel and its worker, until somebody asks for the end. Raises Failed."""
    from django.core.management import call_command

    try:
        call_command("up", stdout=announcer, stderr=announcer)
    except SystemExit as ended:
        if ended.code:
            raise Failed("the panel ended by itself.") from None


class _Announcer(io.TextIOBase):
    """What `up` says goes into the log; once it says where the panel is running, `tell` is called."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell: Callable[[str], None] | None = tell

    def write(self, text: str, /) -> int:
        sys.stdout.write(text)
        found = re.search(r"is running: (http://\S+)", text)
        if self._tell is not None and found:
            tell, self._tell = self._tell, None
            tell(found[1])
        return len(text)


@contextlib.contextmanager
def _mod_database(now: datetime) -> Iterator["subprocess.Popen[bytes]"]:
    """The mod database's process. Its standard input ends with this process, and it ends with that."""
    with subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "demo.happenings", now.isoformat()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for this process alone
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()


def _address_of(database: "subprocess.Popen[bytes]") -> str:
    assert database.stdout is not None
    address = database.stdout.readline().decode().strip()
    if not address.startswith("http://"):
        raise Failed("its mod database didn't start.")
    return address


def _port(wanted: str) -> int:
    """The caller's PORT. Raises Failed if it isn't one."""
    if not (wanted.isascii() and wanted.isdigit() and 0 < int(wanted) < 65536):
        raise Failed(f"PORT is {wanted!r}; a port is between 1 and 65535.")
    return int(wanted)


def _free_port(ports: Iterable[int]) -> int:
    """The first of them on which HOST can be listened on; 0 stands for any. Raises Failed."""
    host = os.environ["HOST"].strip("[]")
    why = ""
    for port in ports:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, port))
            except OSError as error:
                why = f"{host}, port {port}: {error.strerror}"
            else:
                found: int = trial.getsockname()[1]
                return found
    raise Failed(f"it can't listen there ({why}). Set HOST and PORT to an address of this machine and a free port.")


def _log_into(path: Path) -> None:
    """From here on standard output and error, of this process and all it starts, go into a file."""
    sys.stdout.flush()
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _log_tail(folder: Path) -> str:
    try:
        return "\n".join((folder / "log").read_text(errors="replace").splitlines()[-_TAIL:])
    except OSError:
        return ""


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "user"


def _say(terminal: TextIO, text: str) -> None:
    """To the person who started it; where nobody reads any more, the demo goes on."""
    with contextlib.suppress(OSError):
        terminal.write(f"{text}\n")
        terminal.flush()


if __name__ == "__main__":
    sys.exit(main())
