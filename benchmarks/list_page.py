"""The list of installed mods in the panel, with 5,000 of them against 50; the number of queries must be the same."""

import sys

from benchmarks import measure, setting

FEW, MANY = 50, 5_000
URL = "/admin/mods/installedmod/"


def main() -> bool:
    setting.set_up()
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from mods.models import GameServer, InstalledMod, Lookup

    user = get_user_model().objects.create_superuser("benchmark")
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    server = GameServer.objects.create(name="Benchmark", data_dir="/srv/example", game_version="1.21.5")
    lookups = Lookup.objects.bulk_create(Lookup(key=f"mod{n}x", modid=f"mod{n}x") for n in range(MANY))
    rows = [
        InstalledMod(
            server=server, folder="/srv/example/Mods", file_name=f"mod{n}.zip", kind="zip", name=f"Mod {n}",
            modid=f"mod{n}x", modid_key=f"mod{n}x", version="1.0.0", recommended="1.1.0", outdated=n % 5 == 0,
            lookup=lookups[n],
        )
        for n in range(MANY)
    ]  # fmt: skip
    queries: dict[int, int] = {}

    def page_with(count: int) -> float:
        InstalledMod.objects.all().delete()
        for row in rows:
            row.pk = None
        InstalledMod.objects.bulk_create(rows[:count], batch_size=500)
        client.get(URL)  # templates and statistics of the database are warm for both
        with CaptureQueriesContext(connection) as captured:
            assert client.get(URL).status_code == 200
        queries[count] = len(captured)
        return measure.timed(lambda: client.get(URL))

    good = measure.compare(f"list page with {MANY} mods", lambda: page_with(MANY), lambda: page_with(FEW), allowed=2)
    print(f"  queries: {queries[MANY]} with {MANY}, {queries[FEW]} with {FEW}")
    return good and queries[MANY] == queries[FEW]


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
