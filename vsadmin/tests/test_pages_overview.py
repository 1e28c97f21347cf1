"""The overview says first what needs doing, each with its button; its cost follows nothing."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cache.models import CacheDay, CacheEntry, CacheTotals, KnownDigest
from conftest import ServerDir
from mods import discovery
from mods.models import RefreshRun
from mods.tests.rows import install, install_many, make_server
from vsadmin import schedules
from vsadmin.lib.jobs.models import JobRun, Worker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lively_worker() -> None:
    Worker.write(beat_at=timezone.now())


@pytest.fixture(autouse=True)
def found(monkeypatch: pytest.MonkeyPatch) -> list[discovery.Found]:
    """The data folders on this machine, none at first."""
    folders: list[discovery.Found] = []
    monkeypatch.setattr(discovery, "find", lambda: folders)
    return folders


def page(client: Client) -> str:
    response = client.get("/admin/")
    assert response.status_code == 200
    return response.text.replace("&#x27;", "'")


def refreshed(minutes: int, state: RefreshRun.State = RefreshRun.State.COMPLETED, **failures: str) -> RefreshRun:
    started = timezone.now() - timedelta(minutes=minutes)
    return RefreshRun.objects.create(started_at=started, ended_at=started, state=state, failures=failures)


def test_a_good_day(admin_client: Client) -> None:
    install(make_server(), "alpha")
    refreshed(12)
    schedules.sync()
    text = page(admin_client)
    assert "<h1>All well.</h1>" in text
    assert ">1 server</a>, " in text
    assert ">1 mod</a>." in text
    assert "12 min ago" in text


def test_a_further_worker_that_is_silent(admin_client: Client) -> None:
    make_server()
    Worker.write("attic", beat_at=timezone.now() - timedelta(minutes=9))
    assert "The worker on attic is silent since" in page(admin_client)


def test_a_bad_day(admin_client: Client) -> None:
    now = timezone.now()
    server = make_server()
    install(server, "alpha", "2.3.3", retracted=True)
    install(server, "beta", "1.0.0", outdated=True, recommended="1.1.0")
    install(server, "gamma", compatibility="incompatible")
    install(server, "epsilon", "0.6.0", retracted=True, back_to="0.5.1")
    install(server, "delta", problems=["It isn't a zip file."])
    gone = make_server("Gone", unreachable_since=now, unreachable_why="There is no folder /srv/gone.")
    make_server("New", game_version="")
    Worker.write(beat_at=now - timedelta(minutes=9), restarts=2)
    text = page(admin_client)
    assert "<h1>Eight things need you</h1>" in text
    for expected in (
        "Worker silent since",
        "restarting, 2 of 3.",
        "Gone can't be reached since",
        "There is no folder /srv/gone.",
        f'name="server" value="{gone.pk}"',
        "2 installed releases were retracted.",
        "1 mod can go back to an older version, if you want it.",
        "Epsilon 0.6.0 → 0.5.1",
        "<b>1</b><span>to go back</span>",
        "<b>1</b><span>update</span>",
        "Alpha 2.3.3",
        "1 update is recommended.",
        "Beta 1.0.0 → 1.1.0",
        "1 mod doesn't fit its server's game version.",
        "1 mod has a problem.",
        "The game version of New isn't known",
    ):
        assert expected in text, expected
    for state in ("retracted", "outdated", "back", "incompatible", "problem"):
        assert f'href="/admin/mods/installedmod/?state={state}"' in text


@pytest.mark.parametrize("count", [1, 2, 4])
def test_an_alarm_that_waits_for_a_decision(count: int, admin_client: Client, django_user_model: type[User]) -> None:
    make_server()
    now = timezone.now()
    KnownDigest.objects.create(key="moddb:0", title="Calm", sha256="a" * 64)
    for number in range(1, count + 1):
        KnownDigest.objects.create(
            key=f"moddb:{number}", title=f"File <{number}>", sha256="a" * 64, refused_sha256="b" * 64, refused_at=now
        )
    text = page(admin_client)
    files = "1 known file." if count == 1 else f"{count} known files."
    assert f"Other content was offered for {files}" in text
    assert "File &lt;1&gt;" in text
    assert "Calm" not in text
    assert ("and 1 more" in text) == (count == 4)
    first = KnownDigest.objects.get(key="moddb:1").pk
    where = f"/admin/cache/cacheentry/alarms/{first}/" if count == 1 else "/admin/cache/cacheentry/"
    assert f'href="{where}"' in text.partition("Other content")[2].partition("</article>")[0]
    viewer = django_user_model.objects.create_user("vera", is_staff=True)
    viewer.groups.add(Group.objects.get(name="Viewer"))
    admin_client.force_login(viewer)
    assert "Decide…" not in page(admin_client)
    assert "See it" in page(admin_client)


def test_an_unreachable_mod_database(admin_client: Client) -> None:
    make_server()
    refreshed(200, RefreshRun.State.FAILED, alpha="long ago")
    refreshed(180)
    since = refreshed(120, RefreshRun.State.FAILED, alpha="It didn't answer.")
    refreshed(60, RefreshRun.State.FAILED, alpha="It didn't <answer>.")
    text = page(admin_client)
    assert "<h1>One thing needs you</h1>" in text
    assert "The check failed <" in text
    assert "Checked <" not in text
    assert since.started_at.isoformat() in text.partition("Mod database unreachable")[2].partition("</article>")[0]
    assert "nothing was lost" in text
    assert "It didn't &lt;answer&gt;." in text
    assert "Try now" in text


def test_each_figure_leads_to_its_list(admin_client: Client) -> None:
    server = make_server()
    install_many(server, 20)
    text = page(admin_client)
    assert f'href="/admin/mods/installedmod/?server={server.pk}"' in text
    address = f"/admin/mods/installedmod/?server={server.pk}&state=outdated"
    assert address.replace("&", "&amp;") in text
    assert "<b>2</b><span>updates</span>" in text
    assert admin_client.get(address).context["cl"].result_count == 2


def test_no_server_shows_what_was_found(admin_client: Client, found: list[discovery.Found]) -> None:
    found.append(discovery.Found(Path("/srv/vs/data"), running=True, game_version="1.21.5", mods=117))
    closed = discovery.Found(Path("/home/a b&c"), problem="It can't be read.", remedy="Let it in:", command="setfacl x")
    found.append(closed)
    text = page(admin_client)
    assert "<h1>Welcome to vsadmin</h1>" in text
    assert 'href="/admin/mods/gameserver/add/?data_dir=%2Fsrv%2Fvs%2Fdata&amp;name=vs"' in text
    assert "Game version 1.21.5, 117 mods" in text
    assert "/home/a b&amp;c" in text
    assert 'Let it in: <span class="command"><code>setfacl x</code></span>' in text
    assert text.count("gameserver/add/?data_dir") == 1, "what can't be read can't be added"
    form = admin_client.get("/admin/mods/gameserver/add/?data_dir=%2Fsrv%2Fvs%2Fdata&name=vs").text
    assert 'value="/srv/vs/data"' in form


def test_no_server_and_nothing_found(admin_client: Client) -> None:
    text = page(admin_client)
    assert "Add your first server" in text
    assert 'action="/admin/mods/gameserver/add/"' in text
    assert 'hx-get="/admin/mods/gameserver/look/"' in text, "it is looked at while somebody types"


def test_the_first_server_is_looked_at_and_added_without_a_script(
    admin_client: Client, server_dir: Callable[..., ServerDir]
) -> None:
    folder = server_dir()
    folder.add_zip("alpha.zip", modid="alpha")
    text = admin_client.get("/admin/", {"data_dir": str(folder.path), "name": "Public"}).text
    assert "A server's data folder: game version 1.21.5, 1 mod." in text
    assert f'value="{folder.path}"' in text
    assert 'value="Public"' in text
    assert "There is no folder /nowhere." in admin_client.get("/admin/", {"data_dir": "/nowhere"}).text
    given = {"data_dir": str(folder.path), "name": "Public"}
    text = admin_client.post("/admin/mods/gameserver/add/", given, follow=True).text
    assert "Public is added: game version 1.21.5, 1 mod." in text


def test_nothing_of_the_machine_is_told_to_who_may_not_add(client: Client, found: list[discovery.Found]) -> None:
    found.append(discovery.Found(Path("/srv/vs/data"), mods=117))
    viewer = User.objects.create_user("viewer", is_staff=True)
    viewer.user_permissions.set(Permission.objects.filter(codename__in=["view_installedmod", "view_gameserver"]))
    client.force_login(viewer)
    text = client.get("/admin/", {"data_dir": "/etc"}).text
    assert "Ask an administrator to add one." in text
    assert "/srv/vs/data" not in text
    assert "/etc" not in text


def test_no_mods_yet(admin_client: Client) -> None:
    make_server()
    text = page(admin_client)
    assert "No mods yet" in text
    assert 'href="/admin/mods/mod/"' in text.partition("No mods yet")[2]
    assert 'href="/admin/mods/operation/install/"' in text
    assert "<code>/srv/public/Mods</code>" in text


def test_the_cache_in_figures_and_by_day(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VS_MOD_CACHE_MAX_SIZE_MB", "500")
    make_server()
    today = timezone.now().date()
    CacheTotals.objects.update_or_create(pk=1, defaults={"files": 212, "bytes": 380 * 1024**2})
    for ago, hits, misses in ((0, 3, 1), (5, 1, 1), (29, 4, 2), (40, 0, 100)):
        CacheDay.objects.create(day=today - timedelta(days=ago), hits=hits, misses=misses, saved_bytes=2 * 1024**2)
    text = page(admin_client)
    card = text.partition('id="cache-head"')[2]
    assert ">212 files, 380 MiB of 500 MiB</a>" in card
    assert f'<progress value="{380 * 1024**2}" max="{500 * 1024**2}"' in card
    assert "Hit rate 67 % in 30 days" in card
    assert "6 MiB not downloaded again" in card
    assert 'role="img" aria-label="Hit rate by day: from 50 % to 75 %."' in card
    assert card.count("<title>") == 14
    assert card.count('href="/admin/cache/cacheentry/"') == 3


def test_a_cache_that_nobody_asked_for_anything_has_no_chart(admin_client: Client) -> None:
    CacheTotals.objects.update_or_create(pk=1, defaults={"files": 2, "bytes": 1024})
    text = page(admin_client)
    assert "Nothing was asked for in 30 days." in text
    assert "Hit rate" not in text


def test_without_rights_it_says_so(client: Client) -> None:
    make_server("Secret")
    client.force_login(User.objects.create_user("nobody", is_staff=True))
    text = page(client)
    assert "no right to see servers" in text
    assert "Secret" not in text


def test_running_and_recent_work(admin_client: Client) -> None:
    make_server()
    JobRun.objects.create(job="mod_scan", state=JobRun.State.RUNNING, done=3, total=9)
    JobRun.objects.create(job="mod_cache_refresh", state=JobRun.State.DONE, message="117 checked")
    text = page(admin_client)
    assert "In the background" in text
    assert "3 of 9" in text
    assert '<progress value="3" max="9"' in text
    assert "117 checked" in text


def test_queries_follow_neither_servers_nor_mods(admin_client: Client) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            page(admin_client)
        return len(captured)

    server = make_server("S")
    CacheTotals.objects.update_or_create(pk=1, defaults={"files": 1, "bytes": 1})
    install_many(server, 30)
    install(server, "alpha", retracted=True, problems=["x"], compatibility="incompatible")
    refreshed(5)
    few = queries()
    for number in range(5):
        install_many(make_server(f"S{number}"), 100)
        refreshed(5)
    CacheEntry.objects.bulk_create(
        CacheEntry(key=f"moddb:{n}", title="x", file_name=f"{n}.zip", size=1, sha256="a" * 64) for n in range(300)
    )
    CacheTotals.objects.update(files=300)
    assert queries() == few
    assert few <= 19
