"""The panel's pages of this app, one module for each subject; importing them registers them."""

from mods.admin import catalogue, crashes, installed, kept, operations, refreshes, servers

__all__ = ["catalogue", "crashes", "installed", "kept", "operations", "refreshes", "servers"]
