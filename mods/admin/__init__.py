"""The panel's pages of this app, one module for each subject; importing them registers them."""

from mods.admin import installed, kept, operations, refreshes, servers

__all__ = ["installed", "kept", "operations", "refreshes", "servers"]
