"""The timeline: what it lists, where each event leads, what it costs, and what it marks as read."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from cache.models import KnownDigest
from events.kinds import Kind
from events.models import Event, Read
from events.record import News, record, record_all
from mods.models import GameServer, Mod
from mods.tests.change_rows import make_change
from mods.tests.rows import install, make_mod, make_server

pytestmark = pytest.mark.django_db
LIST = "/admin/events/event/"


def titles(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{LIST}?{query}")
    assert response.status_code == 200
    return [event.title for event in response.context["cl"].result_list]


def somebody(client: Client, *rights: str) -> User:
    user = User.objects.create_user("somebody", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    return user


def test_newest_first_with_words_sign_and_exact_time(admin_client: Client) -> None:
    now = timezone.now()
    record(Kind.STARTED, "1", "Public started", at=now - timedelta(days=1, hours=1))
    record(Kind.RETRACTED, "2", "<b>Alpha</b> was retracted", text="Deletes chunks.\n<script>", at=now, forced=True)
    text = admin_client.get(LIST).text
    assert text.index("was retracted") < text.index("Public started")
    for expected in (
        "&lt;b&gt;Alpha&lt;/b&gt; was retracted",
        "&lt;script&gt;",
        "An installed release was retracted",
        "A server started",
        "just now",
        f'<time datetime="{now.isoformat()}" title=',
        "<h2>Today</h2>",
        "timeline-event bad",
    ):
        assert expected in text, expected
    assert text.count('class="timeline-icon"><svg') == 2


def test_filters_and_search(admin_client: Client) -> None:
    public, testing = make_server("Public"), make_server("Testing")
    long_ago = timezone.now() - timedelta(days=10)
    record(Kind.CRASHED, "1", "crash", server=public)
    record(Kind.STARTED, "2", "start", server=testing, at=long_ago)
    record(Kind.GAME_VERSION, "3", "version", text="with everything new")
    assert set(titles(admin_client)) == {"crash", "start", "version"}
    assert titles(admin_client, "kind=server_crashed") == ["crash"]
    assert set(titles(admin_client, f"server={public.pk}")) == {"crash", "version"}, "what is about all is about each"
    assert set(titles(admin_client, "period=week")) == {"crash", "version"}
    assert set(titles(admin_client, "period=month")) == {"crash", "start", "version"}
    assert titles(admin_client, "q=everything") == ["version"]
    assert titles(admin_client, "q=Testing") == ["start"]
    assert titles(admin_client, f"kind=server_started&server={public.pk}") == []
    for nonsense in ("kind=x", "server=x", "server=9", "period=x", "kind=%00"):
        assert admin_client.get(f"{LIST}?{nonsense}").status_code in {200, 400}
    GameServer.objects.all().delete()
    assert "Public" in admin_client.get(LIST).text, "the name that it had stays"


def test_each_leads_to_what_it_is_about(admin_client: Client) -> None:
    server = make_server()
    mod = make_mod("alpha")
    row = install(server, "alpha")
    change = make_change(server, state="done")
    alarm = KnownDigest.objects.create(key="moddb:1", sha256="a" * 64, refused_at=timezone.now())
    expected = {
        "mod": f"/admin/mods/mod/{mod.pk}/change/",
        "row": f"/admin/mods/installedmod/{row.pk}/change/",
        "change": f"/admin/mods/operation/{change.pk}/change/",
        "alarm": f"/admin/cache/cacheentry/alarm/{alarm.pk}/",
        "server": f"/admin/mods/gameserver/{server.pk}/change/",
        "worker": "/admin/system/condition/",
        "version": "/admin/mods/gameserver/readiness/",
        "nothing": "",
    }
    record(Kind.RETRACTED, "1", "mod", about=mod)
    record(Kind.RECOMMENDED, "2", "row", about=row, server=server)
    record(Kind.CHANGE_DONE, "3", "change", about=change)
    record(Kind.OTHER_BYTES, "4", "alarm", about=alarm)
    record(Kind.STARTED, "5", "server", server=server)
    record(Kind.WORKER_SILENT, "6", "worker")
    record(Kind.GAME_VERSION, "7", "version")
    record(Kind.REFRESH_FAILING, "8", "nothing")
    found = {event.title: event.leads_to for event in admin_client.get(LIST).context["cl"].result_list}
    assert {title: address for title, address in found.items() if title != "alarm"} == {
        title: address for title, address in expected.items() if title != "alarm"
    }
    assert admin_client.get(found["alarm"]).status_code == 200
    row.delete()
    Mod.objects.all().delete()
    found = {event.title: event.leads_to for event in admin_client.get(LIST).context["cl"].result_list}
    assert (found["row"], found["mod"]) == (expected["server"], ""), "what is gone isn't linked"


def test_nobody_is_led_where_they_may_not_go(client: Client) -> None:
    somebody(client, "view_event")
    server = make_server()
    record(Kind.CRASHED, "1", "crash", server=server, about=make_change(server))
    event = Event.objects.get()
    event.about = "gone.model"
    event.pk = None
    event.key, event.uid = "another", "00000000-0000-0000-0000-000000000001"
    event.save()
    response = client.get(LIST)
    assert [event.leads_to for event in response.context["cl"].result_list] == ["", ""]
    assert client.get(f"{LIST}{event.pk}/change/").status_code == 200


def test_a_page_of_one(admin_client: Client, client: Client) -> None:
    server = make_server()
    event = record(Kind.CRASHED, "1", "crash", text="all of it", server=server, at=timezone.now() - timedelta(hours=3))
    assert event is not None
    text = admin_client.get(f"{LIST}{event.pk}/change/").text
    for expected in ("all of it", "A server crashed", "Public", "Noticed", f"/admin/mods/gameserver/{server.pk}/"):
        assert expected in text
    assert admin_client.post(f"{LIST}{event.pk}/change/", {"title": "x"}).status_code in {200, 302, 403, 405}
    assert Event.objects.get().title == "crash"
    assert admin_client.get(f"{LIST}99/change/").status_code == 302
    assert admin_client.get(f"{LIST}add/").status_code == 403


def test_without_the_right_there_is_neither_page_nor_bell(client: Client) -> None:
    somebody(client)
    record(Kind.CRASHED, "1", "crash")
    assert client.get(LIST).status_code == 403
    assert 'id="bell"' not in client.get("/admin/").text
    assert not Read.objects.exists()


def test_the_groups_may_see_it(client: Client) -> None:
    user = somebody(client)
    user.groups.add(Group.objects.create(name="Own"))
    Group.objects.get(name="Own").permissions.add(Permission.objects.get(codename="view_event"))
    assert client.get(LIST).status_code == 200


def test_unread_is_counted_for_each_and_opening_marks_it_read(admin_client: Client, client: Client) -> None:
    user = somebody(client, "view_event")
    record(Kind.CRASHED, "1", "crash")
    record(Kind.CRASHED, "2", "crash again")
    assert "2 unread events" in admin_client.get("/admin/").text
    text = admin_client.get(LIST).text
    assert text.count(">new</span>") == 2
    assert "unread event" not in text
    assert "unread" not in admin_client.get("/admin/").text
    assert ">new</span>" not in admin_client.get(LIST).text
    assert "2 unread events" in client.get("/admin/").text, "others have read nothing"
    record(Kind.CRASHED, "3", "and again")
    assert "1 unread event<" in admin_client.get("/admin/").text
    client.head(LIST)
    assert "3 unread events" in client.get("/admin/").text
    assert Read.objects.get().user_key != user.pk


def test_what_was_before_somebody_came_is_not_unread(client: Client) -> None:
    record(Kind.CRASHED, "1", "crash")
    somebody(client, "view_event")
    assert "unread" not in client.get("/admin/").text


def test_many_unread_are_counted_no_further(admin_client: Client) -> None:
    record_all(News(Kind.STARTED, str(number), "start") for number in range(150))
    assert "99+" in admin_client.get("/admin/").text


def test_ten_events_cost_what_a_thousand_cost(admin_client: Client) -> None:
    server = make_server()
    rows = [install(server, f"mod{number}") for number in range(5)]

    def happen(first: int, last: int) -> None:
        record_all(
            News(list(Kind)[number % len(Kind)], str(number), "x", about=rows[number % 5], server=server)
            for number in range(first, last)
        )

    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(address).status_code == 200
        return len(captured)

    happen(0, 10)
    admin_client.get(LIST)
    few = (cost(LIST), cost("/admin/jobs/jobrun/"))
    happen(10, 1000)
    admin_client.get(LIST)
    assert (cost(LIST), cost("/admin/jobs/jobrun/")) == few
    assert few[0] <= 22


def test_the_bell_is_one_query(admin_client: Client) -> None:
    with CaptureQueriesContext(connection) as captured:
        admin_client.get("/admin/jobs/jobrun/")
    assert sum("events_" in query["sql"] for query in captured) == 1


def test_what_was_before_they_came_is_not_new_to_them(client: Client) -> None:
    record(Kind.CRASHED, "1", "crash")
    Event.objects.update(recorded_at=timezone.now() - timedelta(days=1))
    somebody(client, "view_event")
    assert ">new</span>" not in client.get(LIST).text


def test_an_event_s_page_says_its_title_once(admin_client: Client) -> None:
    record(Kind.STARTED, "1", "Public started.")
    record(Kind.CRASHED, "2", "Public crashed", text="It broke.")
    texts = [admin_client.get(f"{LIST}{event.pk}/change/").text for event in Event.objects.order_by("pk")]
    mains = [text.partition("<main")[2] for text in texts]
    assert [mains[0].count("Public started."), mains[1].count("Public crashed")] == [1, 1]
    assert "It broke." in mains[1]
