"""The frame of every page: who sees which place, what is not offered at all, banners, error pages."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from mods.tests.rows import install, make_server
from vsadmin.lib.jobs.models import Worker

pytestmark = pytest.mark.django_db

PAGES = (
    "/admin/",
    "/admin/mods/gameserver/",
    "/admin/mods/gameserver/add/",
    "/admin/mods/installedmod/",
    "/admin/mods/refreshrun/",
    "/admin/system/",
    "/admin/jobs/jobrun/",
    "/admin/auth/user/",
    "/admin/auth/group/",
    "/admin/auth/user/add/",
    "/admin/password_change/",
)


def viewer_with(*rights: str) -> User:
    user = User.objects.create_user("viewer", is_staff=True)
    for right in rights:
        app, codename = right.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return user


@pytest.mark.parametrize("address", PAGES)
def test_each_page_marks_where_it_belongs(admin_client: Client, address: str) -> None:
    text = admin_client.get(address).text
    expected = 0 if "password" in address else 1
    nav = text.partition('id="places"')[2].partition("</nav>")[0]
    assert nav.count('aria-current="page"') == expected
    assert text.count("<h1>") == 1
    assert "style=" not in text
    assert "<style" not in text
    assert "onclick" not in text


@pytest.mark.parametrize("address", PAGES)
def test_without_login_each_page_leads_to_the_login(client: Client, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/?next=")


@pytest.mark.parametrize("address", ["", "schedule/", "schedule/add/", "success/", "failure/", "ormq/"])
def test_django_q_has_no_pages(admin_client: Client, address: str) -> None:
    assert admin_client.get(f"/admin/django_q/{address}").status_code == 404
    assert admin_client.post(f"/admin/django_q/{address}").status_code == 404


@pytest.mark.parametrize(
    ("app", "leads_to"),
    [("mods", "/admin/mods/installedmod/"), ("jobs", "/admin/system/"), ("auth", "/admin/auth/user/")],
)
def test_the_address_of_an_app_leads_to_its_page(admin_client: Client, app: str, leads_to: str) -> None:
    assert admin_client.get(f"/admin/{app}/").headers["Location"] == leads_to


def test_places_follow_the_rights(client: Client) -> None:
    client.force_login(viewer_with("mods.view_installedmod"))
    text = client.get("/admin/").text
    assert "/admin/mods/installedmod/" in text
    assert "/admin/mods/gameserver/" not in text
    assert "/admin/system/" not in text
    assert client.get("/admin/system/").status_code == 403
    assert client.get("/admin/mods/gameserver/").status_code == 403


def test_the_navigation_counts_what_needs_attention(admin_client: Client) -> None:
    server = make_server()
    install(server, "alpha", outdated=True)
    install(server, "beta")
    text = admin_client.get("/admin/mods/gameserver/").text
    assert 'class="count" title="1 needs attention">1<' in text


def test_a_silent_worker_is_told_on_every_page(admin_client: Client) -> None:
    now = timezone.now()
    Worker.write(beat_at=now - timedelta(minutes=9), restarts=2, restarted_at=now)
    text = admin_client.get("/admin/mods/gameserver/").text
    assert "Worker silent since" in text
    assert "restarting, 2 of 3." in text
    Worker.write(beat_at=now - timedelta(minutes=9), restarts=3)
    assert "It was restarted 3 times; look into the log." in admin_client.get("/admin/mods/gameserver/").text
    Worker.write(beat_at=now)
    assert "Worker silent" not in admin_client.get("/admin/mods/gameserver/").text
    Worker.write("attic", beat_at=now - timedelta(minutes=9))
    assert "The worker on attic is silent since" in admin_client.get("/admin/mods/gameserver/").text


def test_unencrypted_use_is_told(admin_client: Client, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Unencrypted." not in admin_client.get("/admin/").text
    monkeypatch.setenv("VSADMIN_ALLOW_HTTP", "on")
    assert "Unencrypted." in admin_client.get("/admin/").text
    assert "Unencrypted." not in admin_client.get("/admin/", secure=True).text
    admin_client.logout()
    assert "Unencrypted." in admin_client.get("/admin/login/").text


def test_a_page_that_is_not_there_wears_the_same_clothes(admin_client: Client) -> None:
    for address in ("/admin/nothing/", "/nothing/"):
        response = admin_client.get(address)
        assert response.status_code == 404
        assert "Page not found" in response.text
        assert "vsadmin/panel.css" in response.text


def test_an_error_says_what_to_do_and_shows_no_traceback(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(request: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("vsadmin.dashboard.context", broken)
    admin_client.raise_request_exception = False
    response = admin_client.get("/admin/")
    assert response.status_code == 500
    assert "Something went wrong" in response.text
    assert "secret detail" not in response.text


def test_forbidden_and_forged_requests_are_explained(client: Client) -> None:
    user = viewer_with()
    client.force_login(user)
    assert "Not allowed" in client.get("/admin/system/").text
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    forged = strict.post("/admin/jobs/start/mod_scan/")
    assert forged.status_code == 403
    assert "Please try again" in forged.text


def test_logging_in_and_out(client: Client) -> None:
    User.objects.create_superuser("admin", "", "secret word")
    page = client.post("/admin/login/?next=/admin/system/", {"username": "admin", "password": "wrong"}).text
    assert "errornote" in page
    fields = {"username": "admin", "password": "secret word", "next": "/admin/system/"}
    assert client.post("/admin/login/", fields).headers["Location"] == "/admin/system/"
    assert "You are logged out" in client.post("/admin/logout/").text
    assert client.get("/").headers["Location"] == "/admin/"


def test_the_frame_costs_few_queries(admin_client: Client, django_assert_max_num_queries: object) -> None:
    with django_assert_max_num_queries(6):  # type: ignore[operator]  # a fixture of pytest-django
        admin_client.get("/admin/password_change/")


@pytest.mark.parametrize("onwards", ["https://evil.example.net/", "//evil.example.net/", "javascript:alert(1)", ""])
def test_whoever_logs_in_towards_elsewhere_gets_the_overview(client: Client, onwards: str) -> None:
    User.objects.create_superuser("admin", "", "a good password")
    form = {"username": "admin", "password": "a good password", "next": onwards}
    answer = client.post(f"/admin/login/?next={onwards}", form)
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    assert client.get(f"/admin/login/?next={onwards}")["Location"] == "/admin/", "already logged in"


def test_the_icon_is_where_browsers_look_for_it(client: Client) -> None:
    response = client.get("/favicon.ico")
    assert response.status_code == 302
    assert response["Location"].startswith("/static/vsadmin/icon")
