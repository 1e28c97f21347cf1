"""The made-up mod database as a program of its own."""

import signal
import subprocess
import sys
from pathlib import Path

import requests


def test_it_prints_its_address_serves_and_stops_on_a_signal() -> None:
    command = [sys.executable, "-m", "demo.moddb", "--mods", "5", "--releases", "2"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert len(requests.get(f"{url}/api/mods", timeout=10).json()["mods"]) == 5
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
