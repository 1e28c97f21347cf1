"""A change asked for at a real terminal: the question, the progress bar, Ctrl-C."""

import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from conftest import ServerDir
from mods.models import GameServer, Operation

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parent.parent.parent


class Terminal:
    """A command running at a pseudo-terminal."""

    def __init__(self, env: dict[str, str], *command: str) -> None:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), *command],
            stdin=slave, stdout=slave, stderr=slave, env={**env, "TERM": "xterm"}, start_new_session=True,
            preexec_fn=_take_terminal,
        )  # fmt: skip
        os.close(slave)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        while text not in self.shown:
            assert self._read(), f"{text!r} never came: {self.shown}"

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def press_ctrl_c(self) -> None:
        """Once, or again where it came in the moment before the command began to wait, when no program notices it."""
        for _try in range(5):
            self.type("\x03")
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
                return

    def end(self) -> int:
        """The exit code, once all is shown."""
        while self._read():
            pass
        return self._process.wait(60)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def _read(self) -> bool:
        if not select.select([self._master], [], [], 60)[0]:
            return False
        try:
            some = os.read(self._master, 65536)
        except OSError:  # Linux says so when the other side has closed
            return False
        self.shown += some.decode(errors="replace")
        return bool(some)


def _take_terminal() -> None:
    """In the child: standard input is its controlling terminal, so that Ctrl-C reaches it."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def server(server_dir: Callable[..., ServerDir]) -> ServerDir:
    made = server_dir()
    GameServer.objects.create(name="Public", data_dir=str(made.path))
    made.add_zip("homemade.zip", modid="homemade")
    return made


@pytest.fixture
def terminal(server: ServerDir, process_env: dict[str, str]) -> Iterator[Terminal]:
    made = Terminal(process_env, "remove_mod", "homemade")
    yield made
    made.close()


def test_it_asks_and_shows_how_far_it_is(server: ServerDir, terminal: Terminal) -> None:
    terminal.wait_for("Carry it out? [y/N] ")
    assert "1. remove homemade 1.0.0" in terminal.shown
    assert (server.mods / "homemade.zip").exists()
    terminal.type("y\n")
    assert terminal.end() == 0, terminal.shown
    assert not (server.mods / "homemade.zip").exists()
    assert "[########################]" in terminal.shown


def test_ctrl_c_at_the_question_ends_it_without_a_traceback(server: ServerDir, terminal: Terminal) -> None:
    terminal.wait_for("Carry it out? [y/N] ")
    terminal.press_ctrl_c()
    assert terminal.end() == 1
    assert "Nothing was changed." in terminal.shown
    assert "Traceback" not in terminal.shown
    assert (server.mods / "homemade.zip").exists()
    assert Operation.objects.get().state == Operation.State.CANCELLED
