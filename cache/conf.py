"""Settings of this app; README.md's table describes them."""

from vsadmin.lib import conf

MIB = 1024 * 1024


def _one_or_more(text: str) -> int:
    number = conf.whole_number(text)
    if number == 0:
        raise conf.Malformed("with 0 nothing could be downloaded.")
    return number


MAX_SIZE_MB = conf.declare(
    "VS_MOD_CACHE_MAX_SIZE_MB",
    500,
    conf.whole_number,
    "Write a whole number of MiB, such as VS_MOD_CACHE_MAX_SIZE_MB=500, or 0 to keep everything for ever.",
    changeable=True,
)
CHECK_INTERVAL = conf.seconds("VS_MOD_CACHE_CHECK_INTERVAL", 900, "the check of the cache's size", changeable=True)
MAX_DOWNLOAD_MB = conf.declare(
    "VS_MOD_MAX_DOWNLOAD_MB",
    200,
    _one_or_more,
    "Write a whole number of MiB from 1, such as VS_MOD_MAX_DOWNLOAD_MB=200.",
)


def limit_bytes() -> int:
    """What the cache may hold; 0: no limit."""
    return MAX_SIZE_MB.get() * MIB


def max_download_bytes() -> int:
    return MAX_DOWNLOAD_MB.get() * MIB
