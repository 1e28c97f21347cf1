"""The three groups that a panel begins with, and the rights of each. What people make of them later is theirs.

`vsadmin/migrations` makes them, from texts of its own: what was landed there stays as it is, whatever changes here. A
new right is given by a new migration.
"""

VIEWER, OPERATOR, ADMINISTRATOR = "Viewer", "Operator", "Administrator"

_SEES = frozenset(
    {
        "mods.view_gameserver",
        "mods.view_installedmod",
        "mods.view_mod",
        "mods.view_refreshrun",
        "mods.view_operation",
        "mods.view_keptcopy",
        "mods.view_serverstart",
        "mods.view_crash",
        "cache.view_cacheentry",
        "cache.view_knowndigest",
        "jobs.view_jobrun",
        "events.view_event",
        "stored.view_storedsetting",
    }
)
#: Everyday work. Updating is rolling back too.
_OPERATES = frozenset(
    {
        "mods.refresh_mod",
        "mods.scan_gameserver",
        "mods.install_installedmod",
        "mods.update_installedmod",
        "mods.toggle_installedmod",
        "mods.hold_installedmod",
        "mods.dismiss_crash",
        "cache.evict_cacheentry",
    }
)
#: What can't be taken back, and whoever may come in.
_ADMINISTERS = frozenset(
    {
        "mods.remove_installedmod",
        "mods.delete_keptcopy",
        "mods.add_gameserver",
        "mods.change_gameserver",
        "mods.delete_gameserver",
        "cache.clear_cacheentry",
        "cache.decide_knowndigest",
        "stored.change_storedsetting",
        "events.view_target",
        "events.add_target",
        "events.change_target",
        "events.delete_target",
        "auth.view_user",
        "auth.add_user",
        "auth.change_user",
        "auth.delete_user",
        "auth.view_group",
        "auth.add_group",
        "auth.change_group",
        "auth.delete_group",
    }
)

#: Every right that some page asks for, by the group that has it: each has those of the one before.
TABLE: dict[str, frozenset[str]] = {
    VIEWER: _SEES,
    OPERATOR: _SEES | _OPERATES,
    ADMINISTRATOR: _SEES | _OPERATES | _ADMINISTERS,
}
