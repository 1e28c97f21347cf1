"""The command `readiness`: what it prints, and how it ends."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from mods.models import GameServer, GameVersion
from mods.tests.rows import install, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output, standard error with the message of the end."""
    out, err = StringIO(), StringIO()
    try:
        call_command("readiness", *arguments, stdout=out, stderr=err)
    except CommandError as error:
        return error.returncode, out.getvalue(), err.getvalue() + str(error)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture(autouse=True)
def servers() -> None:
    public, testing = make_server("Public"), make_server("Testing", game_version="1.22.0")
    for modid, versions in {
        "ready": {"1.0.0": "1.22.0"},
        "newer": {"1.0.0": "1.21.5", "2.0.0": "1.22.0"},
        "stuck": {"1.0.0": "1.21.5"},
    }.items():
        mod = make_mod(modid)
        for version, game_version in versions.items():
            make_release(mod, version, game_versions=[game_version])
        install(public, modid, file_name=f"{modid}.zip")
    install(public, "evil", file_name="evil.zip", name="Evil\x1b[2J")
    install(testing, "ready", file_name="ready.zip")


def test_what_people_read() -> None:
    code, out, err = run("1.22.0")
    assert code == 1, "something is blocking"
    assert out.splitlines() == [
        "Public (runs 1.21.5) for 1.22.0: 2 ready, 1 not verified, 1 blocking",
        "  BLOCKING: Stuck 1.0.0 (stuck): replace, disable or remove it",
        "      1.0.0 names 1.21.5 only, not the series of 1.22.0. No other release is for 1.22.0 yet.",
        "  not verified: Evil\N{REPLACEMENT CHARACTER}[2J 1.0.0 (evil): try it on a copy of the server",
        "      The mod database wasn't asked about it yet. Check for updates first.",
        "  ready: Newer 1.0.0 (newer): update to 2.0.0",
        "      2.0.0 names 1.22.0 exactly. 1.0.0 names 1.21.5 only, not the series of 1.22.0.",
        "Testing (runs 1.22.0) for 1.22.0: 1 ready, 0 not verified, 0 blocking",
    ]
    assert err == ""


def test_where_nothing_blocks_it_ends_with_0() -> None:
    assert run("v1.22.0", "--server", "Testing")[0] == 0


def test_what_scripts_read() -> None:
    code, out, _err = run("1.22.0", "--json")
    assert code == 1
    public, testing = json.loads(out)
    assert (testing["server"], testing["runs"], testing["ready"], testing["blocking"]) == ("Testing", "1.22.0", 1, 0)
    newer = next(one for one in public["mods"] if one["modid"] == "newer")
    assert newer == {
        "file": "newer.zip", "modid": "newer", "name": "Newer", "version": "1.0.0", "enabled": True, "held": False,
        "state": "ready", "do": "update", "to_version": "2.0.0", "back_to": None,
        "prerelease": None,
        "why": "2.0.0 names 1.22.0 exactly. 1.0.0 names 1.21.5 only, not the series of 1.22.0.",
    }  # fmt: skip


@pytest.mark.parametrize("arguments", [("latest",), ("1.22",), ("0.0.0",), ("1.22.0", "--server", "Nowhere")])
def test_bad_usage_is_2(arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    assert err


def test_without_a_server_and_before_the_first_scan_nothing_can_be_told() -> None:
    GameServer.objects.update(scanned_at=None)
    code, _out, err = run("1.22.0", "--server", "Testing")
    assert (code, err) == (1, "Not scanned yet: Testing. Run scan_mods first.\n")
    GameServer.objects.all().delete()
    code, _out, err = run("1.22.0")
    assert (code, "No server is known yet" in err) == (1, True)


def test_a_version_that_the_mod_database_does_not_know() -> None:
    GameVersion.objects.create(version="1.22.0")
    assert run("1.22.0", "--server", "Testing")[2] == ""
    assert "doesn't know 1.99.0" in run("1.99.0", "--server", "Testing")[2]
