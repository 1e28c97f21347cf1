"""The list of installed mods: what it says, its filters and search, and that its cost doesn't follow its length."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.templatetags.admin_list import result_headers
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods.models import Lookup
from mods.tests.rows import install, install_many, make_mod, make_server

pytestmark = pytest.mark.django_db

LIST = "/admin/mods/installedmod/"


def names(client: Client, query: str = "") -> list[str]:
    response = client.get(LIST + query)
    assert response.status_code == 200
    return [row.name for row in response.context["cl"].result_list]


def test_each_column_says_it_in_words(admin_client: Client) -> None:
    make_mod("alpha")
    install(
        make_server(),
        "alpha",
        "1.0.0",
        outdated=True,
        recommended="1.2.0",
        latest="1.3.0",
        compatibility="incompatible",
    )
    text = admin_client.get(LIST).text
    for expected in ("Alpha", "Public", "1.0.0", "1.2.0", "1.3.0", "incompatible", "12 min ago", "<time datetime="):
        assert expected in text


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"back_to": "0.9.0", "retracted": True}, "back to 0.9.0?"),
        ({"recommended": "1.0.0", "newer": "2.0.0", "newer_why": "not_listed"}, "2.0.0 isn&#x27;t listed for 1.21.5."),
        ({"recommended": "1.1.0", "newer": "1.1.0", "newer_why": "held"}, "1.1.0 is recommended, but the mod is held."),
        ({"recommended": "1.0.0", "newer": "2.0.0-rc.1", "newer_why": "prerelease"}, "2.0.0-rc.1 is a prerelease."),
    ],
)
def test_the_recommended_column_says_what_is_no_update(
    admin_client: Client, fields: dict[str, Any], expected: str
) -> None:
    install(make_server(), "alpha", "1.0.0", **fields)
    text = admin_client.get(LIST).text
    assert expected in text
    assert '<span class="update">' not in text


@pytest.mark.parametrize(
    ("state", "fields"),
    [
        ("outdated", {"outdated": True}),
        ("incompatible", {"compatibility": "incompatible"}),
        ("retracted", {"retracted": True}),
        ("back", {"retracted": True, "back_to": "0.9.0"}),
        ("newer", {"newer": "2.0.0", "newer_why": "not_listed"}),
        ("problem", {"problems": ["It isn't a zip file."]}),
        ("disabled", {"enabled": False}),
        ("disabled", {"disabled_by_config": True}),
    ],
)
def test_filter_by_state(admin_client: Client, state: str, fields: dict[str, Any]) -> None:
    server = make_server()
    install(server, "plain")
    install(server, "special", **fields)
    assert names(admin_client, f"?state={state}") == ["Special"]
    assert names(admin_client) == ["Plain", "Special"]
    wanted = [] if state in {"disabled", "newer"} else ["Special"]
    assert names(admin_client, "?state=attention") == wanted


def test_filters_about_the_mod_database(admin_client: Client) -> None:
    server = make_server()
    for modid in ("known", "absent", "failing"):
        make_mod(modid)
        install(server, modid)
    Lookup.objects.filter(key="absent").update(state=Lookup.State.ABSENT)
    Lookup.objects.filter(key="failing").update(
        error="It didn't answer.", checked_at=timezone.now() - timedelta(days=2, minutes=1)
    )
    assert names(admin_client, "?state=absent") == ["Absent"]
    assert names(admin_client, "?state=failed") == ["Failing"]
    text = admin_client.get(LIST).text
    assert "not in the mod database" in text
    assert "failed: It didn&#x27;t answer" in text
    assert "2 days ago" in text, "the age of what is shown is told where the check failed"


def test_filter_by_server_and_side(admin_client: Client) -> None:
    public, testing = make_server("Public"), make_server("Testing")
    install(public, "alpha", side="server")
    install(testing, "beta", side="Client")
    assert names(admin_client, f"?server={testing.pk}") == ["Beta"]
    assert names(admin_client, "?side=client") == ["Beta"]
    assert names(admin_client, f"?server={public.pk}&side=client") == []


@pytest.mark.parametrize("query", ["?server=999", "?server=x", "?state=nonsense", "?p=99999", "?o=77.-3"])
def test_a_nonsense_address_is_harmless(admin_client: Client, query: str) -> None:
    install(make_server(), "alpha")
    assert admin_client.get(LIST + query, follow=True).status_code == 200


@pytest.mark.parametrize("query", ["?side=%00", "?q=%00", "?server=%00"])
def test_a_nul_in_the_address_is_refused(admin_client: Client, query: str) -> None:
    assert admin_client.get(LIST + query).status_code == 400


def test_counts_on_the_filters_follow_the_other_filters(admin_client: Client) -> None:
    public, testing = make_server("Public"), make_server("Testing")
    install(public, "alpha", outdated=True)
    install(testing, "beta", outdated=True)
    install(testing, "gamma")
    spec = admin_client.get(f"{LIST}?server={testing.pk}").context["cl"].filter_specs[0]
    counts = {choice["display"]: choice["count"] for choice in spec.choices(admin_client.get(LIST).context["cl"])}
    assert counts["Updates"] == 2
    chips = admin_client.get(f"{LIST}?server={testing.pk}").text
    assert "Updates <span>1</span>" in chips


@pytest.mark.parametrize("text", ["alph", "ALPHA", "Ann B", "alpha_1.0"])
def test_search_by_name_modid_author_or_file(admin_client: Client, text: str) -> None:
    server = make_server()
    install(server, "alpha", authors="Ann Bee")
    install(server, "beta", authors="Carl")
    assert names(admin_client, f"?q={text}") == ["Alpha"]


def test_search_by_the_author_in_the_mod_database(admin_client: Client) -> None:
    make_mod("alpha", author="Zoe")
    server = make_server()
    install(server, "alpha")
    install(server, "beta")
    assert names(admin_client, "?q=zoe") == ["Alpha"]


def test_versions_are_not_sorted_as_text(admin_client: Client) -> None:
    """1.10 comes after 1.9; a column that would say otherwise isn't sorted."""
    server = make_server()
    install(server, "alpha", "1.10.0", latest="1.10.0")
    install(server, "beta", "1.9.0", latest="1.9.0")
    sorts = {header["text"]: header["sortable"] for header in result_headers(admin_client.get(LIST).context["cl"])}
    assert (sorts["installed"], sorts["latest"]) == (False, False)
    assert (sorts["mod"], sorts["recommended"]) == (True, True)


@pytest.mark.parametrize("column", range(1, 10))
def test_every_column_can_be_asked_for(admin_client: Client, column: int) -> None:
    server = make_server()
    install(server, "alpha")
    install(server, "beta")
    assert sorted(names(admin_client, f"?o={column}")) == ["Alpha", "Beta"]
    assert names(admin_client, "?o=-1") == ["Beta", "Alpha"]


def test_hostile_text_stays_text(admin_client: Client) -> None:
    evil = "<script>alert(1)</script>"
    server = make_server(evil)
    install(
        server, "x", evil, name=evil, problems=[evil], latest=evil, recommended=evil, outdated=True, side="<script>"
    )
    for address in (LIST, "/admin/", "/admin/mods/gameserver/", f"/admin/mods/gameserver/{server.pk}/change/"):
        text = admin_client.get(address).text
        assert evil not in text, address
        assert "&lt;script&gt;" in text, address


def test_rows_cannot_be_added_changed_or_deleted(admin_client: Client) -> None:
    row = install(make_server(), "alpha")
    assert admin_client.get(f"{LIST}add/").status_code == 403
    assert admin_client.get(f"{LIST}{row.pk}/delete/").status_code == 403
    assert admin_client.post(f"{LIST}{row.pk}/change/", {"name": "Other"}).status_code in (200, 403, 405)
    row.refresh_from_db()
    assert row.name == "Alpha"


def test_queries_do_not_follow_the_number_of_mods(admin_client: Client) -> None:
    server = make_server()
    addresses = [LIST, f"{LIST}?state=outdated&server={server.pk}", f"{LIST}?q=many"]
    install_many(server, 50)
    few = [queries(admin_client, address) for address in addresses]
    install_many(make_server("Testing"), 450)
    assert [queries(admin_client, address) for address in addresses] == few
    assert max(few) <= 13


def queries(client: Client, address: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)
