"""vsadmin: a web panel for the mods of Vintage Story game servers."""

__version__ = "0.1.0"
