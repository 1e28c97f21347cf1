"""The catalogue's pages in the panel with 8,000 mods against 50; the number of queries must be the same."""

import random
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import measure, setting

if TYPE_CHECKING:  # the settings come first
    from mods.moddb import ModSummary

FEW, MANY = 50, 8_000
LIST = "/admin/mods/mod/"
#: The same pages of both, each as full of mods with few as with many: what it is called, its query with each.
PAGES = {
    "first page": ("", ""),
    "a page far behind": ("?page=2", "?page=300"),
    "by name": ("?sort=name", "?sort=name"),
    "search for a common word": ("?q=mod+number", "?q=mod+number"),
    "search for one mod": ("?q=mod37x", "?q=mod37x"),
    "search without a hit": ("?q=nothingatall", "?q=nothingatall"),
    "filters": ("?gv=1.21&side=both&type=mod&sort=updated", "?gv=1.21&side=both&type=mod&sort=updated"),
    "not installed yet": ("?new=yes&sort=downloads", "?new=yes&sort=downloads"),
}
_WORDS = ("better", "storage", "crafting", "animals", "stone", "lantern", "recipes", "quality", "worldgen", "simple")
_TAGS = ("Tweak", "QoL", "Crafting", "Utility", "Cosmetics", "Creatures", "Food", "Worldgen", "Storage")


def main() -> bool:
    setting.set_up()
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.utils import timezone

    from mods import answers
    from mods.models import GameServer, InstalledMod, Mod

    user = get_user_model().objects.create_superuser("benchmark")
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    server = GameServer.objects.create(name="Benchmark", data_dir="/srv/example", game_version="1.21.5")
    InstalledMod.objects.bulk_create(
        InstalledMod(
            server=server, folder="/srv/example/Mods", file_name=f"mod{n}.zip", kind="zip", name=f"Mod {n}",
            modid=f"mod{n}x", modid_key=f"mod{n}x", version="1.0.0",
        )
        for n in range(2, 902, 3)
    )  # fmt: skip
    connection.close()
    few = Path(str(connection.settings_dict["NAME"]))
    many = few.with_name("many.sqlite3")
    shutil.copy(few, many)
    shown = {}
    for count, file in ((FEW, few), (MANY, many)):
        _use(file)
        began = time.perf_counter()
        answers.store_list(summaries(count))
        print(f"{count} mods stored in {time.perf_counter() - began:.2f} s")
        for number, version in enumerate(("1.21.5", "1.21", "1.20"), start=1):
            answers.store_fits(version, [n for n in range(1, count + 1) if n % (number + 1)], timezone.now())
        # Rows as long as they may get, and details that needn't be fetched.
        Mod.objects.update(description="<p>words of a description</p>" * 100, fetched_at=timezone.now())
        shown[file] = f"{Mod.objects.get(mod_id=37).pk}/change/"
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")

    def page(file: Path, address: str) -> float:
        _use(file)
        client.get(address)  # the database's pages are at hand for both
        return measure.timed(partial(client.get, address))

    def queries(file: Path, address: str) -> int:
        _use(file)
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200, address
        return len(captured)

    good = True
    pages = {name: (LIST + of_few, LIST + of_many) for name, (of_few, of_many) in PAGES.items()}
    pages["a mod's page"] = (LIST + shown[few], LIST + shown[many])
    for name, (of_few, of_many) in pages.items():
        title = f"catalogue, {name}: {MANY} mods"
        good &= measure.compare(title, partial(page, many, of_many), partial(page, few, of_few), allowed=2, runs=15)
        counted = queries(many, of_many), queries(few, of_few)
        print(f"  queries: {counted[0]} with {MANY}, {counted[1]} with {FEW}")
        good &= counted[0] == counted[1]
    return good


def _use(file: Path) -> None:
    """Go on with this database."""
    from django.db import connection

    if connection.settings_dict["NAME"] != str(file):
        connection.close()
        connection.settings_dict["NAME"] = str(file)


def summaries(count: int) -> "list[ModSummary]":
    """So many made-up mods, always the same."""
    from mods.moddb import ModSummary

    dice = random.Random(7)
    now = datetime.now(UTC)
    return [
        ModSummary(
            mod_id=n,
            asset_id=n + 50_000,
            name=f"Mod number {n} {dice.choice(_WORDS)}",
            summary=" ".join(dice.choices(_WORDS, k=25)),
            author=f"Author {n % 900}",
            alias=f"mod{n}",
            side=dice.choice(("both", "both", "both", "server", "client")),
            type="mod",
            logo_url="",
            tags=tuple(dice.sample(_TAGS, 2)),
            modids=(f"mod{n}x",),
            downloads=dice.randrange(500_000),
            follows=n % 70,
            comments=0,
            trending=dice.randrange(3_000),
            last_released=now - timedelta(hours=dice.randrange(30_000)),
        )
        for n in range(1, count + 1)
    ]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
