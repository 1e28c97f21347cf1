from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from cache import eviction
from cache.management.common import fail, files, removed, size, whole_mib
from vsadmin.lib import locks


class Command(BaseCommand):
    help = (
        "Removes the least recently used files until the cache is within its limit, no more than needed; they are "
        "downloaded again when needed. A limit of 0 evicts nothing (cache_clear removes everything). "
        "Exit code 1 if a file couldn't be removed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only list what would go")
        parser.add_argument(
            "--limit-mb", metavar="N", type=whole_mib, help="MiB to trim to, instead of VS_MOD_CACHE_MAX_SIZE_MB"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        limit: int | None = options["limit_mb"]
        if options["dry_run"]:
            self._list(limit)
            return
        try:
            done = eviction.enforce_limit(limit)
        except locks.Busy:
            fail("Others kept changing the cache for two minutes. Try again.")
        self.stdout.write(removed(done))

    def _list(self, limit: int | None) -> None:
        going = eviction.preview(limit, shown=1_000_000)
        for entry in going.entries:
            self.stdout.write(f"{entry.last_accessed_at:%Y-%m-%d %H:%M}  {size(entry.size):>10}  {entry.file_name}")
        self.stdout.write(
            f"{files(going.files)} would go, {size(going.bytes)}; {size(going.bytes_left)} would be left."
        )
