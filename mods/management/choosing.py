"""Which server and which mods somebody means who typed names."""

import difflib
from collections.abc import Sequence

from django.core.management.base import CommandError

from mods import inventory
from mods.management.common import BAD_USAGE, servers_named
from mods.models import GameServer, InstalledMod
from mods.wishes import Target


def the_server(name: str | None) -> GameServer:
    """The server of that name, or the only one there is. Anything else ends the command with exit code 2."""
    found = servers_named(name)
    if len(found) == 1:
        return found[0]
    if not found:
        text = "No server is known yet. Add one in the panel, or set VS_SERVER_DATA_DIR and run scan_mods."
    else:
        text = f"There are several servers; say which with --server: {', '.join(one.name for one in found)}."
    raise CommandError(text, returncode=BAD_USAGE)


def installed_mods(server: GameServer, names: Sequence[str]) -> list[InstalledMod]:
    """One file for each of `names`, which are mod ids or file names; of several with one id an enabled one.

    Looks into the folders anew for one that isn't known. One that isn't installed ends the command with exit code 2.
    """
    known = _by_name(server)
    if any(_find(name, known) is None for name in names):
        inventory.scan(server)
        known = _by_name(server)
    found = {name: _find(name, known) for name in names}
    if missing := [name for name, row in found.items() if row is None]:
        ids = sorted({row.modid_key or row.file_name for row in known.values()})
        raise CommandError(" ".join(_not_installed(name, server, ids) for name in missing), returncode=BAD_USAGE)
    return list({row.pk: row for row in found.values() if row is not None}.values())


def _by_name(server: GameServer) -> dict[str, InstalledMod]:
    rows = list(InstalledMod.objects.filter(server=server).order_by("enabled", "file_name"))
    by_file = {row.file_name: row for row in rows}
    return by_file | {row.modid_key: row for row in rows if row.modid_key}


def _find(name: str, known: dict[str, InstalledMod]) -> InstalledMod | None:
    return known.get(name) or known.get(name.lower())


def targets(rows: Sequence[InstalledMod]) -> tuple[Target, ...]:
    """Those mods as a wish names them; a file without a mod id by its row."""
    return tuple(Target(modid=row.modid) if row.modid else Target(row=row.pk) for row in rows)


def _not_installed(name: str, server: GameServer, known: list[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=3)
    hint = f"Do you mean {' or '.join(close)}?" if close else "list_mods shows what is."
    return f"{name} isn't installed on {server}. {hint}"
