"""`./run.sh`: what it sets up, when, and what it says where it can't. A stand-in plays Python: nothing is installed."""

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TOOLS = ("sh", "basename", "cat", "chmod", "cp", "dirname", "id", "mkdir", "mktemp", "readlink", "rm", "stat")

#: Plays python3: answers what run.sh asks of it, and writes down what it is told to do.
PYTHON = r"""#!/bin/sh
case "$*" in
    *"version_info < (3, 11)"*) [ "${FAKE_VERSION:-3.11}" != 3.9.2 ]; exit ;;
    *python_version*) echo "The one here is ${FAKE_VERSION:-3.11.2}."; exit ;;
    *"import venv, ensurepip"*) [ -z "${FAKE_NO_VENV:-}" ]; exit ;;
    "-m venv "*)
        shift 3
        echo "venv" >> "$LOG"
        rm -rf "$1"; mkdir -p "$1/bin"; cp "$0" "$1/bin/python"; exit ;;
    *"import pip"*) shift 2; echo "3 11 $(cat "$1")"; exit ;;
    *"-m pip uninstall"*) echo "without ${*##* }" >> "$LOG"; exit ;;
    *"-m pip install"*) echo "pip ${*##*/}" >> "$LOG"; exit "${FAKE_PIP:-0}" ;;
    *manage.py*)
        echo "manage$(printf ' <%s>' "$@")" >> "$LOG"
        echo "umask $(umask), ignore ${VSADMIN_IGNORE_DOTENV:-}, data ${VSADMIN_DATA_DIR:-}" >> "$LOG"
        exit "${FAKE_MANAGE:-0}" ;;
    *) echo "python $*" >> "$LOG"; case "$*" in *"${FAKE_FAILS:-nothing}"*) exit 3 ;; esac ;;
esac
"""


class Place:
    """A copy of run.sh in a folder with spaces, on a machine with nothing but the usual tools and our stand-in."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "a place with spaces"
        self.home.mkdir()
        self.log = folder / "log"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool) or f"/bin/{tool}")
        self.python = self.bin / "python3"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)
        shutil.copy(PROJECT / "run.sh", self.home)
        (self.home / "requirements.txt").write_text("runtime 1\n")
        (self.home / "requirements-dev.txt").write_text("development 1\n")

    def run(
        self,
        *arguments: str,
        script: str = "./run.sh",
        cwd: Path | None = None,
        user: int | None = None,
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [script, *arguments],
            cwd=cwd or self.home,
            env={"PATH": str(self.bin), "LOG": str(self.log), "TMPDIR": str(self.log.parent), **environment},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            user=user,
        )

    def did(self) -> list[str]:
        """What the stand-in was told to do since last asked, without the lines about its surroundings."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("umask")]


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="vsadmin-run-"))
    folder.chmod(0o755)  # unlike pytest's own, so that another user can be played
    yield Place(folder)
    shutil.rmtree(folder)


def up(place: Place) -> str:
    return f"manage <{place.home}/manage.py> <up>"


def test_the_first_start_sets_up_and_the_second_does_not(place: Place) -> None:
    assert place.run().returncode == 0
    assert place.did() == ["venv", "pip requirements.txt", "without setuptools", up(place)]
    done = place.run()
    assert place.did() == [up(place)]
    assert done.stdout == ""


def test_changed_requirements_are_installed(place: Place) -> None:
    place.run()
    place.did()
    (place.home / "requirements.txt").write_text("runtime 2\n")
    place.run()
    assert place.did() == ["pip requirements.txt", "without setuptools", up(place)]


def test_an_installation_that_failed_is_repeated(place: Place) -> None:
    done = place.run(FAKE_PIP="1")
    assert done.returncode == 1
    assert "Installing requirements.txt failed" in done.stderr
    assert "connection to the internet" in done.stderr
    assert place.did() == ["venv", "pip requirements.txt"]
    place.run()
    assert place.did() == ["pip requirements.txt", "without setuptools", up(place)]


def test_a_failed_update_is_repeated_too(place: Place) -> None:
    place.run()
    (place.home / "requirements.txt").write_text("runtime 2\n")
    place.run(FAKE_PIP="1")
    (place.home / "requirements.txt").write_text("runtime 1\n")
    place.did()
    place.run()
    assert place.did() == ["pip requirements.txt", "without setuptools", up(place)]


@pytest.mark.parametrize("broken", ["no python", "a dangling link", "an empty folder"])
def test_a_broken_environment_is_made_anew(place: Place, broken: str) -> None:
    place.run()
    place.did()
    python = place.home / ".venv" / "bin" / "python"
    if broken == "an empty folder":
        shutil.rmtree(python.parent)
    else:
        python.unlink()
    if broken == "a dangling link":
        python.symlink_to("/no/longer/there")
    assert place.run().returncode == 0
    assert place.did() == ["venv", "pip requirements.txt", "without setuptools", up(place)]


def test_python_too_old(place: Place) -> None:
    done = place.run(FAKE_VERSION="3.9.2")
    assert done.returncode == 1
    assert "vsadmin needs Python 3.11 or newer. The one here is 3.9.2." in done.stderr
    assert "sudo apt install python3" in done.stderr
    assert place.did() == []


def test_no_python(place: Place) -> None:
    place.python.unlink()
    done = place.run()
    assert done.returncode == 1
    assert "vsadmin needs Python 3.11 or newer. There is none here." in done.stderr


def test_a_newer_python_under_another_name_is_found(place: Place) -> None:
    newer = place.bin / "python3.12"
    shutil.copy(place.python, newer)
    place.python.write_text("#!/bin/sh\nexit 1\n")
    assert place.run().returncode == 0
    done = place.run("manage", "help", FAKE_NO_VENV="1")
    assert done.returncode == 0  # the environment is there already


def test_no_venv_module(place: Place) -> None:
    done = place.run(FAKE_NO_VENV="1")
    assert done.returncode == 1
    assert "venv module is missing" in done.stderr
    assert "sudo apt install python3-venv" in done.stderr
    assert not (place.home / ".venv").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="plays root in somebody's folder")
def test_nothing_is_installed_in_somebody_elses_environment(place: Place) -> None:
    place.run()
    place.did()
    (place.home / "requirements.txt").write_text("runtime 2\n")
    shutil.chown(place.home / ".venv", "nobody")
    done = place.run("manage", "scan_mods")
    assert done.returncode == 1
    assert f".venv belongs to nobody, and this is run by {getpass.getuser()}" in done.stderr
    assert f"sudo -u nobody '{place.home}/run.sh' manage scan_mods" in done.stderr
    shutil.chown(place.home / ".venv", "root")
    done = place.run(user=65534)
    assert f"sudo chown -Rh nobody '{place.home}/.venv'" in done.stderr
    assert place.did() == []


def test_a_folder_that_may_not_be_written(place: Place) -> None:
    if os.getuid() != 0:
        place.home.chmod(0o555)
    done = place.run(user=65534 if os.getuid() == 0 else None)
    place.home.chmod(0o755)
    assert done.returncode == 1
    assert f"may not write to {place.home}" in done.stderr
    assert "sudo chown" in done.stderr


@pytest.mark.parametrize("way", ["absolute", "link", "link to link", "by name"])
def test_from_anywhere(place: Place, way: str, tmp_path: Path) -> None:
    (place.home / "link").symlink_to("run.sh")
    (tmp_path / "vsadmin").symlink_to(place.home / "link")
    script = {
        "absolute": str(place.home / "run.sh"),
        "link": str(place.home / "link"),
        "link to link": str(tmp_path / "vsadmin"),
        "by name": "vsadmin",
    }[way]
    assert place.run(script=script, cwd=tmp_path, PATH=f"{place.bin}:{tmp_path}").returncode == 0
    assert place.did()[-1] == up(place)


def test_management_commands_get_their_arguments_and_give_their_exit_code(place: Place) -> None:
    done = place.run("manage", "list_mods", "--server", "my server", FAKE_MANAGE="7")
    assert done.returncode == 7
    assert place.did()[-1] == f"manage <{place.home}/manage.py> <list_mods> <--server> <my server>"


def test_service(place: Place) -> None:
    place.run("service")
    assert place.did()[-1] == f"manage <{place.home}/manage.py> <service>"


def test_what_it_makes_is_nobody_elses(place: Place) -> None:
    place.run()
    assert "umask 0077" in place.log.read_text()


@pytest.mark.parametrize("arguments", [["nonsense"], ["--nonsense"], ["up", "x"]])
def test_what_it_does_not_know(place: Place, arguments: list[str]) -> None:
    done = place.run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: ./run.sh")
    assert place.did() == []


def test_help(place: Place) -> None:
    done = place.run("help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: ./run.sh")


def test_tests_run_everything_on_a_folder_of_their_own(place: Place) -> None:
    done = place.run("test", "-k", "a name")
    assert done.returncode == 0
    surroundings = [line for line in place.log.read_text().splitlines() if line.startswith("umask")]
    assert place.did() == [
        "venv",
        "pip requirements-dev.txt",
        "without setuptools",
        "python -m ruff check .",
        "python -m ruff format --check .",
        "python -m mypy .",
        "manage <manage.py> <check>",
        "manage <manage.py> <makemigrations> <--check> <--dry-run>",
        "python -m pytest -n auto --dist loadgroup -k a name",
    ]
    assert "ignore 1" in surroundings[0]
    data = Path(surroundings[0].rpartition("data ")[2])
    assert data.parent == place.log.parent
    assert not data.exists()


def test_development_requirements_are_runtime_requirements_too(place: Place) -> None:
    place.run("test")
    place.did()
    place.run()
    assert place.did() == [up(place)]
    place.run("test")
    assert not [line for line in place.did() if line.startswith("pip")]


@pytest.mark.parametrize(
    ("fails", "code", "last"), [("ruff check", 3, "ruff check"), ("mypy", 3, "mypy"), ("pytest", 3, "pytest")]
)
def test_tests_stop_at_the_first_that_fails(place: Place, fails: str, code: int, last: str) -> None:
    done = place.run("test", FAKE_FAILS=fails)
    assert done.returncode == code
    assert last in place.did()[-1]
    assert "failed" in done.stderr


def test_a_failing_check_fails_the_tests(place: Place) -> None:
    assert place.run("test", FAKE_MANAGE="1").returncode == 1
    assert place.did()[-1] == "manage <manage.py> <check>"


def test_a_real_environment_is_recognised(place: Place) -> None:
    """With this Python, not the stand-in: what it asks of the environment is true of one."""
    bin_ = place.home / ".venv" / "bin"
    bin_.mkdir(parents=True)
    wrapper = bin_ / "python"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *"import pip"*) exec {sys.executable} "$@" ;; esac\nexec {place.python} "$@"\n'
    )
    wrapper.chmod(0o755)
    place.run()
    assert place.did() == ["pip requirements.txt", "without setuptools", up(place)]
    stamp = (place.home / ".venv" / ".installed-requirements.txt").read_text().split()
    assert stamp[:2] == [str(part) for part in sys.version_info[:2]]
    place.run()
    assert place.did() == [up(place)]


def test_the_demo_needs_the_installation_alone(place: Place) -> None:
    assert place.run("demo").returncode == 0
    assert place.did() == ["venv", "pip requirements.txt", "without setuptools", "python -m demo"]
