"""The panel's pages of this app, one module for each subject; importing them registers them."""

from events import targets, timeline

__all__ = ["targets", "timeline"]
