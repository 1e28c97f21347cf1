"""Holds: "leave this mod at this version on this server". The only writer of `Hold`."""

from django.contrib.auth.models import User

from mods.models import GameServer, Hold
from vsadmin.lib import logs


def hold(
    server: GameServer,
    modid: str,
    *,
    version: str,
    reason: str = "",
    user: User | None = None,
    actor: str = "",
) -> Hold:
    """Hold the mod at its version; where it is held already, the reason and who set it are renewed.

    `actor` names who asked where there is no `user`.
    """
    held, _new = Hold.objects.update_or_create(
        server=server,
        modid_key=modid.lower(),
        defaults={
            "modid": modid,
            "version": version,
            "reason": reason.strip()[:2000],
            "set_by": user,
            "set_by_name": (user.get_username() if user else actor)[:150],
        },
    )
    logs.event("mod_held", server=server.name, modid=modid, version=version, by=held.set_by_name)
    return held


def unhold(server: GameServer, modid: str, *, actor: str = "") -> bool:
    """Let the mod be updated again; False where it wasn't held."""
    removed, _each = Hold.objects.filter(server=server, modid_key=modid.lower()).delete()
    if removed:
        logs.event("mod_unheld", server=server.name, modid=modid, by=actor)
    return bool(removed)


def of(server: GameServer) -> dict[str, Hold]:
    """The server's holds by lower-case modid; one query."""
    return {held.modid_key: held for held in Hold.objects.filter(server=server)}
