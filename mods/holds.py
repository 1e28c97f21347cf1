"""Holds: "leave this mod at this version on this server". The only writer of `Hold`."""

from django.contrib.auth.models import User
from django.utils.translation import gettext as _

from mods import status
from mods.models import GameServer, Hold, InstalledMod
from vsadmin.lib import adminlog, logs


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
    _judge_anew(server, held.modid_key)
    if user is not None:
        text = _("Held %(mod)s at %(version)s on %(server)s")
        words = {"mod": modid, "version": version or "?", "server": server.name}
        adminlog.record(user, held, adminlog.CHANGE, text % words)
    logs.event("mod_held", server=server.name, modid=modid, version=version, by=held.set_by_name)
    return held


def unhold(server: GameServer, modid: str, *, user: User | None = None, actor: str = "") -> bool:
    """Let the mod be updated again; False where it wasn't held. `actor` names who asked where there is no `user`."""
    held = Hold.objects.filter(server=server, modid_key=modid.lower()).first()
    if held is None:
        return False
    if user is not None:
        text = _("Let go of %(mod)s on %(server)s") % {"mod": modid, "server": server.name}
        adminlog.record(user, held, adminlog.DELETION, text)
    held.delete()
    _judge_anew(server, modid.lower())
    logs.event("mod_unheld", server=server.name, modid=modid, by=user.get_username() if user else actor)
    return True


def _judge_anew(server: GameServer, key: str) -> None:
    """What is held is no update. That somebody said so is no news."""
    status.update(InstalledMod.objects.filter(server=server, modid_key=key), tell=False)


def of(server: GameServer) -> dict[str, Hold]:
    """The server's holds by lower-case modid; one query."""
    return {held.modid_key: held for held in Hold.objects.filter(server=server)}
