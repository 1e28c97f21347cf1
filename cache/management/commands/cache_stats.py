import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from cache import statistics
from cache.management.common import files, size
from cache.statistics import Figures, Statistics


class Command(BaseCommand):
    help = (
        "Shows what the download cache holds and did. Changes nothing. --json prints one object; sizes are in bytes, "
        "max_size_bytes 0 means no limit, hit_rate is from 0 to 1 or null."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="machine-readable")

    def handle(self, *args: Any, **options: Any) -> None:
        found = statistics.read()
        if options["json"]:
            self.stdout.write(json.dumps(describe(found), indent=2))
            return
        limit = size(found.max_size_bytes) if found.max_size_bytes else "no limit"
        share = "" if found.used_share is None else f" ({found.used_share:.0%})"
        self.stdout.write(f"used      {size(found.total_size_bytes)} of {limit}{share}, {files(found.file_count)}")
        if found.free_disk_bytes is not None:
            self.stdout.write(f"free disk {size(found.free_disk_bytes)}")
        for label, figures in (("today", found.today), ("30 days", found.last_30_days), ("ever", found.ever)):
            self.stdout.write(f"{label:<9} {_line(figures)}")
        if found.alarms:
            self.stdout.write(f"alarms    {found.alarms}: other content was offered than ever before; see the log")


def describe(found: Statistics) -> dict[str, Any]:
    """The statistics as the JSON that scripts read."""
    return {
        "file_count": found.file_count,
        "total_size_bytes": found.total_size_bytes,
        "max_size_bytes": found.max_size_bytes,
        "leftover_bytes": found.leftover_bytes,
        "free_disk_bytes": found.free_disk_bytes,
        **_figures(found.ever),
        "alarms": found.alarms,
        "today": _figures(found.today),
        "last_30_days": _figures(found.last_30_days),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "hits": figures.hits,
        "misses": figures.misses,
        "hit_rate": figures.hit_rate,
        "bytes_saved": figures.saved_bytes,
        "evictions": figures.evicted_files,
        "evicted_bytes": figures.evicted_bytes,
    }


def _line(figures: Figures) -> str:
    rate = "" if figures.hit_rate is None else f" ({figures.hit_rate:.0%} hits)"
    return (
        f"{figures.hits} hits, {figures.misses} misses{rate}, {size(figures.saved_bytes)} not downloaded again, "
        f"{files(figures.evicted_files)} evicted ({size(figures.evicted_bytes)})"
    )
