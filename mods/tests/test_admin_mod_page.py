"""A mod's page: what is the matter comes first, strangers' text is harmless, everything known stands on it."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from mods import holds, status
from mods.models import InstalledMod, Lookup
from mods.tests.rows import install, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db


def page(client: Client, row: InstalledMod) -> str:
    response = client.get(f"/admin/mods/installedmod/{row.pk}/change/")
    assert response.status_code == 200
    return response.text


def test_a_recommended_update_says_why(admin_client: Client) -> None:
    mod = make_mod("alpha")
    make_release(mod, "1.0.0", game_versions=["1.21.0", "1.21.1"])
    make_release(mod, "1.1.0")
    row = install(make_server(), "alpha", "1.0.0")
    status.update(InstalledMod.objects.all())
    text = page(admin_client, row)
    assert "The highest release that names 1.21.5 exactly." in text
    assert "1.21.0–1.21.1" in text


def test_a_retraction_comes_with_its_reason(admin_client: Client) -> None:
    mod = make_mod("alpha")
    make_release(mod, "1.0.0", retracted=True, retraction_reason="Corrupts <b>shelves</b>")
    row = install(make_server(), "alpha", "1.0.0")
    status.update(InstalledMod.objects.all())
    assert "1.0.0 was retracted." in page(admin_client, row)
    assert "Corrupts &lt;b&gt;shelves&lt;/b&gt;" in page(admin_client, row)


def test_going_back_is_no_update(admin_client: Client) -> None:
    mod = make_mod("alpha")
    make_release(mod, "0.5.1")
    make_release(mod, "0.6.0", retracted=True, retraction_reason="Keep it until 0.7.")
    row = install(make_server(), "alpha", "0.6.0")
    status.update(InstalledMod.objects.all())
    text = page(admin_client, row)
    assert "You can go back:" in text
    assert "The reason given: Keep it until 0.7." in text
    assert "Go back to 0.5.1…" in text
    assert "Update…" not in text
    assert "Up to date" not in text


def test_what_is_newer_and_not_recommended_is_explained(admin_client: Client) -> None:
    mod = make_mod("alpha")
    make_release(mod, "1.0.0")
    make_release(mod, "2.0.0", game_versions=["1.22.0"])
    row = install(make_server(), "alpha", "1.0.0")
    status.update(InstalledMod.objects.all())
    text = page(admin_client, row)
    assert "Up to date." in text
    assert "2.0.0 isn&#x27;t listed for 1.21.5." in text


def test_a_held_update_is_called_held(admin_client: Client) -> None:
    mod = make_mod("alpha")
    make_release(mod, "1.0.0")
    make_release(mod, "1.1.0")
    row = install(make_server(), "alpha", "1.0.0")
    holds.hold(row.server, "alpha", version="1.0.0")
    status.update(InstalledMod.objects.all())
    text = page(admin_client, row)
    assert "1.1.0 is recommended, but the mod is held." in text
    assert "Up to date." not in text


def test_dependencies_are_linked_and_judged(admin_client: Client) -> None:
    server, other = make_server(), make_server("Testing")
    needed = install(server, "library", "1.5.0")
    install(server, "oldlib", "1.0.0")
    install(server, "offlib", "2.0.0", enabled=False)
    install(other, "missinglib")
    dependencies = {"game": "1.21.0", "Library": "1.2.0", "oldlib": "1.1.0", "offlib": "*", "missinglib": ""}
    row = install(server, "alpha", dependencies=dependencies)
    response = admin_client.get(f"/admin/mods/installedmod/{row.pk}/change/")
    states = {one.modid: one.state for one in response.context["dependencies"]}
    assert states == {
        "game": "met", "Library": "met", "oldlib": "too_old", "offlib": "disabled", "missinglib": "missing",
    }  # fmt: skip
    assert f"/admin/mods/installedmod/{needed.pk}/change/" in response.text
    assert "base game" in response.text


def test_changelogs_and_descriptions_are_harmless(admin_client: Client) -> None:
    evil = (
        "<p>Fixed <b>it</b></p><script>alert(1)</script><img src=x onerror=alert(1)>"
        '<a href="javascript:alert(1)">a</a><a href="/admin/logout/">b</a><a href="https://example.com/x">c</a>'
        '<p style="position:fixed">d</p><form action="/x"><input name=q></form><iframe src="//e"></iframe>'
    )
    mod = make_mod("alpha", description=evil)
    make_release(mod, "1.0.0", changelog=evil)
    text = page(admin_client, install(make_server(), "alpha", "1.0.0"))
    assert text.count("<p>Fixed <b>it</b></p>") == 2
    assert 'href="https://example.com/x" rel="noopener noreferrer nofollow"' in text
    for wrong in ("alert(1)", "onerror", "javascript:", "<img src=x", "position:fixed", "<iframe", 'name="q"'):
        assert wrong not in text, wrong


def test_links_lead_to_web_addresses_only(admin_client: Client) -> None:
    mod = make_mod(
        "alpha", homepage_url="javascript:alert(1)", source_url="https://example.com/src", wiki_url=" data:text/html,x"
    )
    row = install(make_server(), "alpha", website="http://example.com/a b")
    text = page(admin_client, row)
    assert f'href="http://127.0.0.1:9/show/mod/{mod.asset_id}"' in text
    assert 'href="https://example.com/src"' in text
    for wrong in ("javascript:", "data:text", "a b"):
        assert wrong not in text, wrong


def test_releases_carry_the_modid_newest_version_first(admin_client: Client) -> None:
    mod = make_mod("alpha")
    for version in ("1.9.0", "1.10.0", "1.2.0"):
        make_release(mod, version)
    make_release(mod, "7.0.0", modid="other", modid_key="other")
    row = install(make_server(), "alpha", "1.9.0")
    response = admin_client.get(f"/admin/mods/installedmod/{row.pk}/change/")
    assert [one.release.version for one in response.context["releases"]] == ["1.10.0", "1.9.0", "1.2.0"]
    assert "other mod ids: other" in response.text


def test_an_endless_changelog_is_cut(admin_client: Client) -> None:
    mod = make_mod("alpha")
    for number in range(8):
        make_release(mod, f"1.{number}.0", changelog="<p>word</p>" * 20_000)
    text = page(admin_client, install(make_server(), "alpha"))
    assert len(text) < 700_000
    assert "Its changelog stands in the mod database." in text


def test_failed_check_absence_and_double_claim_are_told(admin_client: Client) -> None:
    make_mod("alpha")
    row = install(make_server(), "alpha")
    Lookup.objects.update(error="It didn't answer within 30 s.", also_claimed_by=["Alpha Two"])
    text = page(admin_client, row)
    assert "The last check failed:" in text
    assert "Alpha Two" in text
    Lookup.objects.update(error="", state=Lookup.State.ABSENT, mod=None)
    assert "It isn&#x27;t in the mod database" in page(admin_client, row).replace("isn't", "isn&#x27;t")


def test_the_same_mod_on_other_servers(admin_client: Client) -> None:
    row = install(make_server(), "alpha", "1.0.0")
    install(make_server("Testing"), "ALPHA", "2.0.0")
    response = admin_client.get(f"/admin/mods/installedmod/{row.pk}/change/")
    assert [one.server.name for one in response.context["elsewhere"]] == ["Testing"]


def test_queries_do_not_follow_releases_or_dependencies(admin_client: Client) -> None:
    server = make_server()
    mod = make_mod("alpha")
    make_release(mod, "1.0.0")
    row = install(server, "alpha", dependencies={"lib0": ""})
    with CaptureQueriesContext(connection) as few:
        page(admin_client, row)
    for number in range(30):
        make_release(mod, f"2.{number}.0")
        install(server, f"lib{number}")
    row.dependencies = {f"lib{number}": "1.0.0" for number in range(30)}
    row.save()
    with CaptureQueriesContext(connection) as many:
        page(admin_client, row)
    assert len(many) == len(few)


@pytest.mark.parametrize("key", ["0", "999999", "x", "9" * 30])
def test_a_row_that_is_gone(admin_client: Client, key: str) -> None:
    response = admin_client.get(f"/admin/mods/installedmod/{key}/change/", follow=True)
    assert response.status_code == 200
    assert "doesn’t exist" in response.text
