"""The catalogue in the panel: the list, a mod's page, installing from it, and who may do what."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from demo.moddb import ModDatabase
from mods import catalogue, refresh, status, tasks, turns
from mods.models import InstalledMod, Lookup, Mod, Operation, Release, Step
from mods.tests.rows import install, make_server
from vsadmin.lib.jobs import runner
from vsadmin.lib.jobs.models import JobRun

pytestmark = pytest.mark.django_db

LIST = "/admin/mods/mod/"


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was handed to the worker."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(runner, "async_task", lambda path, **given: found.append({"path": path, **given}))
    monkeypatch.setattr(turns, "async_task", lambda path, *args, **given: found.append({"path": path, "args": args}))
    return found


def fill(database: ModDatabase, count: int = 3) -> None:
    """A list of so many mods: Mod 0, Mod 1 …"""
    for number in range(count):
        mod = database.add_mod(
            name=f"Mod {number}", modids=[f"mod{number}"], author="Ann", tags=["QoL"], downloads=1000 + number,
            text=f"<p>All about {number}</p><script>alert(1)</script>",
        )  # fmt: skip
        for version, game in (("1.0.0", "1.20.4"), ("1.1.0", "1.21.5")):
            database.add_release(
                mod, f"mod{number}", version, game_versions=[game], changelog=f"<p>New in {version}</p>"
            )
    runner.run_now(tasks.CATALOGUE)


def page_of(name: str) -> str:
    return f"{LIST}{Mod.objects.get(name=name).pk}/change/"


def user_with(*rights: str) -> Client:
    user = User.objects.create_user("somebody", is_staff=True)
    for right in rights:
        app, codename = right.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    client = Client()
    client.force_login(user)
    return client


# --- the list


def test_before_the_list_came_it_says_how_to_get_it(admin_client: Client) -> None:
    text = admin_client.get(LIST).text
    assert "isn't here yet" in text.replace("&#x27;", "'")
    assert "Fetch the list now" in text


def test_cards_say_what_the_chosen_server_has(admin_client: Client, mod_database: ModDatabase) -> None:
    public, testing = make_server(), make_server("Testing", game_version="1.20.4")
    fill(mod_database)
    install(testing, "mod1", "0.9.0")
    text = admin_client.get(f"{LIST}?q=mod+1&server={testing.pk}").text
    assert "0.9.0 installed" in text
    assert "Of the installed version with 1.20.4." in text
    text = admin_client.get(f"{LIST}?q=mod+1&server={public.pk}").text
    assert "0.9.0 installed" not in text
    assert "A release names 1.21.5 exactly." in text


def test_an_outage_is_said_and_the_list_stays(
    admin_client: Client, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 1.0)
    fill(mod_database)
    mod_database.fault("/", "500_html")
    runner.run_now(tasks.CATALOGUE)
    text = admin_client.get(LIST).text
    assert "couldn't be fetched" in text.replace("&#x27;", "'")
    assert "Mod 2" in text


@pytest.mark.parametrize(
    "query",
    [
        "?q=%00", "?q=" + "a+" * 400, "?page=-1", "?page=999999999999999999999", "?page=x", "?server=x", "?sort=best",
        "?server=99999999999999999999", "?gv=9.9", "?tag=nope", "?type=' or 1=1", "?side=both&new=yes", "?gv=1.21.5",
        "?sort=nope&x=y", "?q=%F0%9F%8C%B2&q=b", "?e=1", "?_popup=1",
    ],
)  # fmt: skip
def test_odd_addresses_do_no_harm(admin_client: Client, mod_database: ModDatabase, query: str) -> None:
    make_server()
    fill(mod_database, 1)
    assert admin_client.get(LIST + query).status_code == (400 if "%00" in query else 200)


def test_strangers_texts_are_harmless(admin_client: Client, mod_database: ModDatabase) -> None:
    evil = "<img src=x onerror=alert(1)>"
    mod = mod_database.add_mod(name=evil, author=evil, summary=evil, tags=[evil], modids=["evil"], text=evil)
    mod_database.add_release(mod, "evil", "1.0.0", game_versions=["1.21.5"], changelog=evil)
    runner.run_now(tasks.CATALOGUE)
    stored = Mod.objects.get()
    catalogue.fetch_details(stored)
    for address in (LIST, f"{LIST}?q=img", f"{LIST}{stored.pk}/change/"):
        text = admin_client.get(address).text
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text


def test_the_same_number_of_queries_however_many(admin_client: Client, mod_database: ModDatabase) -> None:
    server = make_server()
    fill(mod_database, 2)
    install(server, "mod0")

    def queries(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(address).status_code == 200
        return len(captured)

    before = [queries(LIST), queries(f"{LIST}?q=mod&gv=1.21.5&tag=QoL")]
    fill(mod_database, 40)
    for number in range(10, 20):
        install(server, f"mod{number}")
    assert [queries(LIST), queries(f"{LIST}?q=mod&gv=1.21.5&tag=QoL")] == before


def test_pages_and_links_keep_what_was_chosen(admin_client: Client, mod_database: ModDatabase) -> None:
    make_server()
    fill(mod_database, 60)
    response = admin_client.get(f"{LIST}?q=mod&tag=QoL&sort=name&page=2")
    assert response.context["page"].number == 2
    text = response.text
    assert "?q=mod&amp;tag=QoL&amp;sort=name&amp;page=3" in text
    assert "?q=mod&amp;tag=QoL&amp;sort=newest" in text
    assert '<input type="hidden" name="tag" value="QoL">' in text


# --- a mod's page


def test_details_are_fetched_when_the_page_is_opened(
    admin_client: Client, mod_database: ModDatabase, asked: list[dict[str, Any]]
) -> None:
    make_server()
    fill(mod_database)
    address = page_of("Mod 1")
    text = admin_client.get(address).text
    assert "The details are being fetched." in text
    assert "Summary of Mod 1" in text
    admin_client.get(address)
    assert len(asked) == 1, "asked for once"
    polling = {"HX-Request": "true", "HX-Trigger": "fetching"}
    assert admin_client.get(address, headers=polling).status_code == 204, "nothing new: the page is left alone"
    tasks.mod_details(run_id=asked[0]["run_id"], mod=asked[0]["mod"])
    text = admin_client.get(address, headers=polling).text
    assert "being fetched" not in text
    assert "<p>All about 1</p>" in text
    assert "alert(1)" not in text
    assert "<p>New in 1.1.0</p>" in text
    assert "Recommended for it: 1.1.0." in text
    assert len(asked) == 1, "they are fresh"


def test_offline_it_shows_what_the_list_says(
    admin_client: Client, mod_database: ModDatabase, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 1.0)
    make_server()
    fill(mod_database)
    mod_database.fault("/", "500_html")
    address = page_of("Mod 1")
    admin_client.get(address)
    tasks.mod_details(run_id=asked[0]["run_id"], mod=asked[0]["mod"])
    assert JobRun.objects.get(job=tasks.DETAILS).state == JobRun.State.FAILED
    text = admin_client.get(address).text.replace("&#x27;", "'")
    assert "The details couldn't be fetched:" in text
    assert "Summary of Mod 1" in text
    assert len(asked) == 1, "nobody asks again at each look"
    admin_client.post(address.replace("change", "fetch"), {"next": address})
    assert len(asked) == 2, "unless a person wants it"


def test_details_are_fetched_anew_once_they_are_old(mod_database: ModDatabase) -> None:
    fill(mod_database, 1)
    mod = Mod.objects.get()
    assert catalogue.wants_details(mod)
    catalogue.fetch_details(mod)
    mod.refresh_from_db()
    now = timezone.now()
    assert not catalogue.wants_details(mod, now)
    assert not catalogue.wants_details(mod, now + timedelta(hours=20))
    assert catalogue.wants_details(mod, now + timedelta(hours=25))
    assert catalogue.wants_details(mod, now - timedelta(days=400)), "a clock that was set back"
    mod.last_released = now + timedelta(minutes=20)
    assert catalogue.wants_details(mod, now + timedelta(minutes=30)), "released since"


def test_a_mod_that_was_taken_away_says_so(mod_database: ModDatabase) -> None:
    fill(mod_database, 1)
    mod_database.remove_mod(next(iter(mod_database.store.mods.values())))
    assert "doesn't have it any more" in catalogue.fetch_details(Mod.objects.get())


def test_it_says_where_the_mod_is_and_what_an_update_brings(admin_client: Client, mod_database: ModDatabase) -> None:
    server = make_server()
    fill(mod_database)
    Lookup.objects.create(key="mod1", modid="mod1")
    row = install(server, "mod1", "1.0.0")
    refresh.refresh()
    status.update(InstalledMod.objects.all())
    operation = Operation.objects.create(server=server, kind="install", title="Install Mod 1", state="done")
    Step.objects.create(
        operation=operation, server=server, position=1, group=1, action="install", modid="mod1", modid_key="mod1",
        name="Mod 1", to_version="1.0.0", planned={}, state="done", done_at=timezone.now(),
    )  # fmt: skip
    text = admin_client.get(page_of("Mod 1")).text
    assert "1.0.0 is installed on Public." in text
    assert f"/admin/mods/installedmod/{row.pk}/change/" in text
    assert "History on Public" in text
    assert text.count("<p>New in 1.1.0</p>") == 2, "as what the update brings, and among the releases"
    assert text.count("<p>New in 1.0.0</p>") == 1, "nothing came before the first installation"


# --- installing from there


def test_installing_leads_to_the_plan(
    admin_client: Client, mod_database: ModDatabase, asked: list[dict[str, Any]]
) -> None:
    make_server()
    testing = make_server("Testing")
    fill(mod_database)
    catalogue.fetch_details(Mod.objects.get(name="Mod 1"))
    address = page_of("Mod 1").replace("change", "install")
    response = admin_client.post(address, {"server": testing.pk, "pick": "mod1@1.0.0"})
    operation = Operation.objects.get()
    assert response["Location"] == f"/admin/mods/operation/{operation.pk}/change/"
    assert operation.server == testing
    assert (operation.kind, operation.asked_by_name) == ("install", "admin")
    assert [(one["modid"], one["version"]) for one in operation.wish["targets"]] == [("mod1", "1.0.0")]
    assert any(operation.pk in one.get("args", ()) for one in asked), "it is being planned"
    admin_client.post(address, {"server": testing.pk, "pick": "mod1@1.0.0", "release": "mod1@1.1.0"})
    newest = Operation.objects.first()
    assert newest is not None
    assert newest.wish["targets"][0]["version"] == "1.1.0", "the button at a release counts"


@pytest.mark.parametrize("pick", ["mod2@1.0.0", "mod1@9.9.9", "", "@", "mod1", "nothing@@"])
def test_only_what_the_mod_has_can_be_installed(admin_client: Client, mod_database: ModDatabase, pick: str) -> None:
    server = make_server()
    fill(mod_database)
    catalogue.fetch_details(Mod.objects.get(name="Mod 1"))
    address = page_of("Mod 1").replace("change", "install")
    response = admin_client.post(address, {"server": server.pk, "pick": pick})
    assert response.status_code == 302
    assert Operation.objects.exists() is (pick == "mod1")


def test_without_a_server_nothing_is_planned(admin_client: Client, mod_database: ModDatabase) -> None:
    fill(mod_database)
    address = page_of("Mod 1")
    assert "Add a server first" in admin_client.get(address).text
    response = admin_client.post(address.replace("change", "install"), {"server": "7", "pick": "mod1@"}, follow=True)
    assert "Choose the server first." in response.text
    assert not Operation.objects.exists()


def test_each_right_counts(mod_database: ModDatabase) -> None:
    server = make_server()
    fill(mod_database)
    catalogue.fetch_details(Mod.objects.get(name="Mod 1"))
    address = page_of("Mod 1")
    client = user_with("mods.view_mod")
    text = client.get(address).text
    assert "Install…" not in text
    assert "Where it is installed" not in text
    assert server.name not in client.get(LIST).text
    given = {"server": server.pk, "pick": "mod1@"}
    assert client.post(address.replace("change", "install"), given).status_code == 403
    assert client.post(address.replace("change", "fetch")).status_code == 403
    for method in ("post", "put", "delete"):
        assert getattr(client, method)(LIST).status_code == 403
    for other in ("add/", "1/delete/"):
        assert client.get(LIST + other).status_code == 403
    User.objects.all().delete()
    assert user_with("mods.view_installedmod").get(LIST).status_code == 403
    assert Release.objects.exists()
