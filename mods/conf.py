"""Settings of this app; README.md's table describes them."""

from urllib.parse import urlsplit

from vsadmin.lib import conf


def _http_origin(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.username is None
        usable = usable and not parts.query and not parts.fragment and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise conf.Malformed("that is no web address.")
    return text.rstrip("/")


def _origins(text: str) -> tuple[str, ...]:
    return tuple(_http_origin(one.strip()) for one in text.split(",") if one.strip())


def _game_version(text: str) -> str:
    from mods import versions

    cleaned = text.removeprefix("v")
    if len(cleaned) > 50 or versions.parse(cleaned) is None:
        raise conf.Malformed("that is no game version.")
    return cleaned


SERVER_DATA_DIR = conf.declare(
    "VS_SERVER_DATA_DIR",
    None,
    conf.path,
    "Write the path of a server's data folder, the one that holds its Mods folder.",
)
GAME_VERSION = conf.declare("VS_GAME_VERSION", "", _game_version, "Write a version such as VS_GAME_VERSION=1.21.5.")
MODDB_URL = conf.declare(
    "VS_MODDB_URL",
    "https://mods.vintagestory.at",
    _http_origin,
    "Write an address such as VS_MODDB_URL=https://mods.vintagestory.at, or leave it out.",
)
_FILE_HOST: tuple[str, ...] = ("https://moddbcdn.vintagestory.at",)
MODDB_FILE_ORIGINS = conf.declare(
    "VS_MODDB_FILE_ORIGINS",
    _FILE_HOST,
    _origins,
    "Write addresses with commas between, such as VS_MODDB_FILE_ORIGINS=https://moddbcdn.vintagestory.at.",
)
REFRESH_INTERVAL = conf.seconds("VS_MOD_LIST_REFRESH_INTERVAL", 3600, "the refresh", changeable=True)
SCAN_INTERVAL = conf.seconds("VS_MOD_SCAN_INTERVAL", 300, "the scan", changeable=True)
CATALOGUE_INTERVAL = conf.seconds("VS_MOD_CATALOGUE_INTERVAL", 86_400, "the list of all mods", changeable=True)
SOAK_DAYS = conf.declare(
    "VS_MOD_SOAK_DAYS",
    3,
    conf.whole_number,
    "Write a whole number of days, such as VS_MOD_SOAK_DAYS=3, or 0 to be told nothing about young releases.",
    changeable=True,
)


def origins_written() -> set[str]:
    """Those of the mod database's origins that somebody wrote into the settings.

    They alone may be on private or link-local addresses: the defaults are public, and stay so whatever a name server
    says.
    """
    written: set[str] = set()
    if MODDB_URL.text() is not None:
        written.add(MODDB_URL.get())
    if MODDB_FILE_ORIGINS.text() is not None:
        written.update(MODDB_FILE_ORIGINS.get())
    return written
