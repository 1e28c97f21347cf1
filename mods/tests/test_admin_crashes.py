"""The pages of crashes and starts, and the overview that leads with a crash."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods import modset, starts, turns
from mods.models import Crash, GameServer, InstalledMod, Operation, ServerStart
from mods.tests.change_rows import make_change, make_step, replace
from mods.tests.rows import install, make_server
from vsadmin.lib import times
from vsadmin.lib.jobs.models import Worker

pytestmark = pytest.mark.django_db

ERROR = "System.Exception: Boom <script>alert(1)</script>\n   at DeepMining.Drill.Tick()"


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    Worker.write(beat_at=timezone.now())
    monkeypatch.setattr(turns, "async_task", lambda *_args, **_options: None)


def set_now(server: GameServer) -> list[dict[str, Any]]:
    return modset.to_json(starts.sets_now([server])[server.pk])


def crash_of(server: GameServer, **fields: Any) -> Crash:
    """A good start on Tuesday with 0.9.3, an update, and a crash a minute ago with 0.9.4."""
    now = timezone.now()
    install(server, "deepmining", "0.9.3", sha256="3" * 64)
    install(server, "other", "1.0.0", sha256="1" * 64)
    good = {"started_at": now - timedelta(days=2), "good": True}
    ServerStart.objects.create(server=server, mods=set_now(server), **good)
    InstalledMod.objects.filter(server=server, modid="deepmining").update(version="0.9.4", sha256="4" * 64)
    run = ServerStart.objects.create(server=server, mods=set_now(server), started_at=now - timedelta(minutes=3))
    step = replace("deepmining", "0.9.3", "0.9.4")
    make_step(make_change(server, state="done"), step, Operation.objects.count(), done_at=now - timedelta(minutes=5))
    wanted = {
        "happened_at": now - timedelta(minutes=1), "blamed": "deepmining@0.9.4", "blamed_key": "deepmining",
        "blamed_version": "0.9.4", "error": ERROR, "involved": ["deepmining"], "start": run,
        "loaded": [["deepmining", "0.9.4"]], "digest": f"{Crash.objects.count()}", **fields,
    }  # fmt: skip
    return Crash.objects.create(server=server, **wanted)


def text_of(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.text.replace("&#x27;", "'")


def good_words(server: GameServer) -> str:
    return times.weekday(ServerStart.objects.get(server=server, good=True).started_at)


def test_the_overview_leads_with_it(admin_client: Client) -> None:
    server = make_server(restart_note="systemctl restart vs")
    crash_of(server)
    install(server, "old", retracted=True)
    text = text_of(admin_client, "/admin/")
    first = text.index("<article"), text.index("</article>")
    card = text[slice(*first)]
    assert "Public crashed at <time" in card
    assert "The game names deepmining 0.9.4 (updated <time" in card
    assert "Boom &lt;script&gt;" in card
    assert ">Put 0.9.3 back<span" in card
    assert f">Put back {good_words(server)}<" in card
    assert ">Dismiss<" in card


def test_where_the_game_names_none_it_says_what_changed(admin_client: Client) -> None:
    server = make_server()
    crash_of(server, blamed="", blamed_key="", blamed_version="")
    text = text_of(admin_client, "/admin/")
    when = good_words(server)
    assert f"Changed since the last good start ({when}): Deepmining 0.9.3 → 0.9.4, in the stack." in text
    assert ">Put Deepmining 0.9.3 back<" in text


def test_it_leads_until_dismissed(admin_client: Client) -> None:
    crash = crash_of(make_server())
    response = admin_client.post(f"/admin/mods/crash/{crash.pk}/dismiss/", {"next": "/admin/"})
    assert response["Location"] == "/admin/"
    crash.refresh_from_db()
    assert crash.dismissed_by_name == "admin"
    assert LogEntry.objects.get().change_message == "Dismissed it"
    assert "crashed at" not in text_of(admin_client, "/admin/")
    assert "It was dismissed already." in admin_client.post(f"/admin/mods/crash/{crash.pk}/dismiss/", follow=True).text


def test_it_leads_until_a_later_good_start(admin_client: Client) -> None:
    crash = crash_of(make_server())
    ServerStart.objects.create(server=crash.server, started_at=timezone.now(), good=True)
    assert "crashed at" not in text_of(admin_client, "/admin/")
    assert ">over<" in text_of(admin_client, "/admin/mods/crash/")


def test_putting_the_version_back_is_a_plan(admin_client: Client) -> None:
    crash = crash_of(make_server())
    response = admin_client.post(f"/admin/mods/crash/{crash.pk}/roll-back/", {"modid": "deepmining"})
    operation = Operation.objects.get(kind="roll_back")
    assert response["Location"] == f"/admin/mods/operation/{operation.pk}/change/"
    assert operation.title == "Roll back Deepmining 0.9.3"
    assert operation.wish["targets"][0]["version"] == "0.9.3"


def test_no_other_mod_goes_back(admin_client: Client) -> None:
    crash = crash_of(make_server())
    for modid in ("other", "nothing", ""):
        response = admin_client.post(f"/admin/mods/crash/{crash.pk}/roll-back/", {"modid": modid}, follow=True)
        assert "It is what it was at the last good start already" in response.text
    assert not Operation.objects.filter(kind="roll_back").exists()


def new_culprit() -> Crash:
    """The game names tallow, which was installed since the last good start."""
    crash = crash_of(make_server(), blamed="tallow@1.0.0", blamed_key="tallow", blamed_version="1.0.0")
    install(crash.server, "tallow", "1.0.0", sha256="5" * 64)
    InstalledMod.objects.filter(modid="deepmining").update(version="0.9.3", sha256="3" * 64)
    assert crash.start is not None
    ServerStart.objects.filter(pk=crash.start.pk).update(mods=set_now(crash.server))
    return crash


def test_a_new_culprit_can_be_removed_or_disabled(admin_client: Client) -> None:
    crash = new_culprit()
    for address in ("/admin/", f"/admin/mods/crash/{crash.pk}/change/"):
        text = text_of(admin_client, address)
        assert "The game names tallow 1.0.0 (new since the last good start)." in text
        assert "(updated" not in text
        assert ">Remove Tallow<" in text
        assert ">Disable Tallow<" in text
    for deed, kind in (("remove", "remove"), ("disable", "disable")):
        response = admin_client.post(f"/admin/mods/crash/{crash.pk}/{deed}/", {"modid": "tallow"})
        operation = Operation.objects.get(kind=kind, state="planning")
        assert response["Location"] == f"/admin/mods/operation/{operation.pk}/change/"
        assert operation.wish["targets"][0]["modid"] == "tallow"


def test_nothing_else_is_removed_or_disabled(admin_client: Client) -> None:
    crash = new_culprit()
    InstalledMod.objects.filter(modid="tallow").update(enabled=False)
    assert ">Disable Tallow<" not in text_of(admin_client, "/admin/")
    for deed in ("remove", "disable"):
        for modid in ("tallow", "other", "nothing", ""):
            response = admin_client.post(f"/admin/mods/crash/{crash.pk}/{deed}/", {"modid": modid}, follow=True)
            assert "nothing needs to be done" in response.text
        assert admin_client.get(f"/admin/mods/crash/{crash.pk}/{deed}/").status_code == 405
    assert not Operation.objects.filter(kind__in=("remove", "disable")).exists()


@pytest.mark.parametrize(("right", "offered"), [("remove", "Remove"), ("toggle", "Disable")])
def test_each_deed_takes_its_right(client: Client, right: str, offered: str) -> None:
    crash = new_culprit()
    user = User.objects.create_user("op", is_staff=True)
    names = ("view_crash", "view_installedmod", f"{right}_installedmod")
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(user)
    text = text_of(client, f"/admin/mods/crash/{crash.pk}/change/")
    assert [word for word in ("Remove", "Disable") if f">{word} Tallow<" in text] == [offered]
    for deed, needed in (("remove", "remove"), ("disable", "toggle")):
        response = client.post(f"/admin/mods/crash/{crash.pk}/{deed}/", {"modid": "tallow"})
        assert response.status_code == (302 if needed == right else 403)


def test_putting_the_start_back_is_a_plan(admin_client: Client) -> None:
    server = make_server()
    crash_of(server)
    start = ServerStart.objects.get(good=True)
    response = admin_client.post(f"/admin/mods/serverstart/{start.pk}/put-back/")
    operation = Operation.objects.get(kind="put_back")
    assert response["Location"] == f"/admin/mods/operation/{operation.pk}/change/"
    assert operation.title == f"Put back what ran {starts.on_that_day(start.started_at)}"
    assert operation.wish["start"] == start.pk


def test_everything_is_by_post(admin_client: Client) -> None:
    crash = crash_of(make_server())
    start = ServerStart.objects.get(good=True)
    for address in (f"crash/{crash.pk}/dismiss", f"crash/{crash.pk}/roll-back", f"serverstart/{start.pk}/put-back"):
        assert admin_client.get(f"/admin/mods/{address}/").status_code == 405


def somebody(*rights: str) -> Client:
    user = User.objects.create_user("bo", password="x", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


def test_whoever_may_only_look_gets_no_buttons(db: None) -> None:
    server = make_server()
    crash = crash_of(server)
    start = ServerStart.objects.get(good=True)
    client = somebody("view_installedmod", "view_gameserver", "view_crash", "view_serverstart")
    for address in ("/admin/", f"/admin/mods/crash/{crash.pk}/change/", f"/admin/mods/gameserver/{server.pk}/change/"):
        text = text_of(client, address)
        assert "crashed at" in text
        assert ">Put " not in text
        assert ">Dismiss<" not in text
    assert ">Put " not in text_of(client, f"/admin/mods/serverstart/{start.pk}/change/")
    for address in (f"crash/{crash.pk}/dismiss", f"crash/{crash.pk}/roll-back", f"serverstart/{start.pk}/put-back"):
        assert client.post(f"/admin/mods/{address}/", {"modid": "deepmining"}).status_code == 403
    assert Operation.objects.count() == 1


def test_taking_away_what_was_added_needs_the_right_to_remove(db: None) -> None:
    server = make_server()
    crash_of(server)
    install(server, "added", sha256="9" * 64)
    start = ServerStart.objects.get(good=True)
    client = somebody("view_installedmod", "view_gameserver", "update_installedmod", "install_installedmod")
    assert ">Put back" not in text_of(client, "/admin/")
    assert client.post(f"/admin/mods/serverstart/{start.pk}/put-back/").status_code == 403


def test_without_rights_nothing_is_seen(db: None) -> None:
    crash = crash_of(make_server())
    client = somebody("view_installedmod")
    for address in (f"crash/{crash.pk}/change/", "crash/", "serverstart/"):
        assert client.get(f"/admin/mods/{address}").status_code == 403


def test_the_page_of_a_crash_tells_all(admin_client: Client) -> None:
    server = make_server()
    crash = crash_of(server)
    text = text_of(admin_client, f"/admin/mods/crash/{crash.pk}/change/")
    for expected in (
        "Crash of Public",
        "named by the game",
        "Deepmining 0.9.3 → 0.9.4, in the stack",
        f"Changed since the last good start ({good_words(server)}): Deepmining 0.9.3 → 0.9.4, in the stack.",
        "at DeepMining.Drill.Tick()",
        "1 mod was loaded",
        ">open<",
    ):
        assert expected in text, expected
    assert "<script>alert" not in text


def test_a_set_that_is_back_says_to_restart(admin_client: Client) -> None:
    server = make_server(restart_note="systemctl restart vs")
    crash = crash_of(server)
    InstalledMod.objects.filter(modid="deepmining").update(version="0.9.3", sha256="3" * 64)
    text = text_of(admin_client, f"/admin/mods/crash/{crash.pk}/change/")
    assert "They take effect when the server is restarted." in text
    assert "systemctl restart vs" in text
    assert ">Put " not in text
    assert f"Its mods are those of {good_words(server)} again: restart it." in text_of(admin_client, "/admin/")


def test_the_lists_and_a_starts_page(admin_client: Client) -> None:
    server, other = make_server(), make_server("Creative")
    crash = crash_of(server)
    crash_of(other)
    text = text_of(admin_client, f"/admin/mods/crash/?server={server.pk}")
    assert text.count("deepmining 0.9.4") == 1
    text = text_of(admin_client, "/admin/mods/serverstart/")
    assert text.count(">good<") == 2
    assert text.count("ten minutes not over") == 2
    start = ServerStart.objects.get(server=server, good=True)
    text = text_of(admin_client, f"/admin/mods/serverstart/{start.pk}/change/")
    assert "Mods at that start" in text
    assert f">Put back {good_words(server)}<" in text
    assert '<span class="version">0.9.3</span> → <span class="version">0.9.4</span>' in text
    text = text_of(admin_client, f"/admin/mods/serverstart/{crash.start_id}/change/")
    assert "It crashed at" in text
    ServerStart.objects.filter(pk=start.pk).update(mods=None)
    text = text_of(admin_client, f"/admin/mods/serverstart/{start.pk}/change/")
    assert "Its mods aren't known" in text
    assert ">Put back" not in text
    assert "All starts" in text_of(admin_client, f"/admin/mods/gameserver/{server.pk}/change/")


def test_without_any_the_lists_say_so(admin_client: Client) -> None:
    assert "No crash is known" in text_of(admin_client, "/admin/mods/crash/")
    assert "No start is known" in text_of(admin_client, "/admin/mods/serverstart/")


def test_many_crashed_servers_take_as_many_queries_as_one(admin_client: Client) -> None:
    def counted() -> dict[str, int]:
        found = {}
        for address in ("/admin/", "/admin/mods/crash/", "/admin/mods/serverstart/"):
            with CaptureQueriesContext(connection) as queries:
                assert admin_client.get(address).status_code == 200
            found[address] = len(queries)
        return found

    crash_of(make_server())
    with_one = counted()
    for number in range(5):
        crash_of(make_server(f"Server{number}"))
    assert counted() == with_one
