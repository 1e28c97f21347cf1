"""Every page of the panel with 5,000 installed mods and 5,000 in the catalogue, against a page without any of them.

Processor time of this process, since other work on the machine would lengthen the wall's; what else a page costs
(the database's locks, the network) isn't in it. `.venv/bin/python -m benchmarks.pages readiness` measures those
pages whose names begin so.
"""

import statistics
import sys
import time

from benchmarks import setting

MODS = 5_000
RUNS = 7
#: Milliseconds that a page may take; and how many times what the empty list does, where the machine is slow.
LIMIT_MS, LIMIT_RATIO = 100, 12
#: The frame and the navigation, which every page has.
FLOOR = "/admin/password_change/"


def main(wanted: str = "") -> bool:
    setting.set_up()
    from django.contrib.auth import get_user_model
    from django.test import Client

    from benchmarks import world

    world.fill(MODS)
    client = Client(SERVER_NAME="localhost")
    client.force_login(get_user_model().objects.create_superuser("benchmark"))

    def took(address: str) -> float:
        """Milliseconds of processor time."""
        began = time.process_time()
        response = client.get(address)
        b"".join(response.streaming_content) if response.streaming else response.content  # type: ignore[attr-defined]  # the test client's
        taken = (time.process_time() - began) * 1000
        assert response.status_code == 200, f"{address}: {response.status_code}"
        return taken

    good = True
    print(f"{'ms':>6} {'min':>6} {'first':>6} {'ratio':>6}  page")
    took(FLOOR)
    for name, address in pages().items():
        if not name.startswith(wanted):
            continue
        first = took(address)
        pairs = [(took(address), took(FLOOR)) for _ in range(RUNS)]
        page, floor = (statistics.median(column) for column in zip(*pairs, strict=True))
        slow = page > max(LIMIT_MS, LIMIT_RATIO * floor)
        good &= not slow
        least = min(pair[0] for pair in pairs)
        verdict = "  TOO SLOW" if slow else ""
        print(f"{page:6.1f} {least:6.1f} {first:6.1f} {page / floor:6.1f}  {name}{verdict}", flush=True)
    return good


def pages() -> dict[str, str]:
    """What each page is called, and its address in `world`."""
    from cache.models import CacheEntry
    from events.models import Event
    from mods.models import Crash, GameServer, InstalledMod, KeptCopy, Mod, Operation, RefreshRun, ServerStart
    from vsadmin.lib.jobs.models import JobRun

    mods, servers, catalogue = "/admin/mods/installedmod/", "/admin/mods/gameserver/", "/admin/mods/mod/"
    operations, cache = "/admin/mods/operation/", "/admin/cache/cacheentry/"
    left, right = (server.pk for server in GameServer.objects.all())
    a_mod, a_row = Mod.objects.all()[7].pk, InstalledMod.objects.all()[7].pk
    return {
        "overview": "/admin/",
        "floor: password form": FLOOR,
        "mods": mods,
        "mods, none found": f"{mods}?q=nothingatall",
        "mods, page 30": f"{mods}?p=30",
        "mods, all of a server": f"{mods}?server={left}",
        "mods, needing attention": f"{mods}?state=attention",
        "mods, searched": f"{mods}?q=mod+37",
        "mods, sorted by version": f"{mods}?o=4",
        "mods, all on one page": f"{mods}?all=",
        "mod": f"{mods}{a_row}/change/",
        "mod, changes": f"{mods}{a_row}/changes/",
        "mod, history": f"{mods}{a_row}/history/",
        "servers": servers,
        "server": f"{servers}{left}/change/",
        "server, changes": f"{servers}{left}/changes/",
        "server, lists": f"{servers}{left}/lists/",
        "server, export": f"{servers}{left}/mods.json",
        "server, delete": f"{servers}{left}/delete/",
        "compare": f"{servers}compare/?left={left}&right={right}",
        "readiness": f"{servers}readiness/",
        "readiness, 1.21.5": f"{servers}readiness/?version=1.21.5",
        "readiness, all of a server": f"{servers}readiness/?server={left}&show=all",
        "starts": "/admin/mods/serverstart/",
        "start": f"/admin/mods/serverstart/{ServerStart.objects.all()[0].pk}/change/",
        "crashes": "/admin/mods/crash/",
        "crash": f"/admin/mods/crash/{Crash.objects.all()[0].pk}/change/",
        "catalogue": catalogue,
        "catalogue, searched": f"{catalogue}?q=mod+number",
        "catalogue, filtered": f"{catalogue}?gv=1.21&side=both&sort=updated",
        "catalogue, mod": f"{catalogue}{a_mod}/change/",
        "install": f"{operations}install/?server={left}&target=mod{a_mod}x",
        "changes": operations,
        "change": f"{operations}{Operation.objects.all()[0].pk}/change/",
        "events": "/admin/events/event/",
        "event": f"/admin/events/event/{Event.objects.all()[0].pk}/change/",
        "kept copies": "/admin/mods/keptcopy/",
        "kept copy": f"/admin/mods/keptcopy/{KeptCopy.objects.all()[0].pk}/change/",
        "cache": cache,
        "cache, file": f"{cache}{CacheEntry.objects.all()[0].pk}/change/",
        "cache, what would go": f"{cache}what-would-go/?limit_mb=2",
        "health": "/admin/system/condition/",
        "jobs": "/admin/system/",
        "runs": "/admin/jobs/jobrun/",
        "run": f"/admin/jobs/jobrun/{JobRun.objects.all()[0].pk}/change/",
        "refreshes": "/admin/mods/refreshrun/",
        "refresh": f"/admin/mods/refreshrun/{RefreshRun.objects.all()[0].pk}/change/",
        "settings": "/admin/system/settings/",
        "notifications": "/admin/events/target/",
        "users": "/admin/auth/user/",
        "groups": "/admin/auth/group/",
        "group": "/admin/auth/group/1/change/",
    }


if __name__ == "__main__":
    sys.exit(0 if main(*sys.argv[1:2]) else 1)
