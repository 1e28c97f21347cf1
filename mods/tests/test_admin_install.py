"""The page that installs a mod: searching in the known ones, what is pasted, links that lead to it."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mods import fits
from mods.models import CatalogueEntry, ClaimedModId, GameServer, GameVersionFit, Mod, Operation
from mods.tests.rows import install, make_mod, make_release, make_server

pytestmark = pytest.mark.django_db

PAGE = "/admin/mods/operation/install/"


def known(modid: str, *more: str, **fields: object) -> Mod:
    mod = make_mod(modid, **fields)
    ClaimedModId.objects.bulk_create(ClaimedModId(key=key, mod=mod) for key in (modid, *more))
    return mod


def found(client: Client, query: str = "") -> list[str]:
    return [one.mod.name for one in client.get(PAGE + query).context["found"]]


@pytest.fixture
def server() -> GameServer:
    return make_server()


@pytest.mark.parametrize("text", ["carry", "CARRY on", "carryon", "copyg", "crates"])
def test_search_by_name_modid_author_and_words(admin_client: Client, server: GameServer, text: str) -> None:
    known("carryon", name="Carry On", author="Copygirl", summary="Take crates along")
    known("other", name="Other")
    assert found(admin_client, f"?q={text}") == ["Carry On"]


def test_the_best_come_first(admin_client: Client, server: GameServer) -> None:
    known("x1", name="Better carts", summary="for xskills", downloads=900)
    known("x2", name="Xskills Extra", downloads=10)
    known("xskills", name="XSkills", downloads=5)
    assert found(admin_client, "?q=xskills") == ["XSkills", "Xskills Extra", "Better carts"]


def test_without_a_text_what_is_trending(admin_client: Client, server: GameServer) -> None:
    known("calm", trending=1)
    known("hot", trending=9)
    known("tool", trending=99, type="externaltool")
    assert found(admin_client) == ["Hot", "Calm"]


def test_what_the_server_would_see_is_what_the_catalogue_says(admin_client: Client, server: GameServer) -> None:
    install(server, "alpha", "1.0.0", compatibility="compatible")
    listed = {"alpha": "1.21.5", "beta": "1.21.4", "gamma": "1.18.0", "epsilon": "1.21.5", "zeta": "0.0.0"}
    for modid, game_version in listed.items():
        mod = known(modid, fetched_at=timezone.now())
        make_release(mod, "2.0.0", game_versions=[game_version])
        for version in fits.of_releases([[game_version]]):
            GameVersionFit.objects.create(mod=mod, version=version)
    known("delta")
    known("tool", type="externaltool")
    for mod in Mod.objects.all():
        CatalogueEntry.objects.create(mod=mod, words=mod.name, name=mod.name, number=mod.mod_id)
    response = admin_client.get(PAGE)
    by_name = {one.mod.name: one for one in response.context["found"]}
    words = {name: one.fit[1] for name, one in by_name.items()}
    assert words == {
        "Alpha": "compatible", "Beta": "not verified", "Gamma": "incompatible", "Delta": "not known",
        "Epsilon": "compatible", "Zeta": "not verified",
    }  # fmt: skip
    cards = admin_client.get("/admin/mods/mod/").context["cards"]
    assert {card.listed.mod.name: card.fit for card in cards if not card.listed.is_tool} == {
        name: one.fit for name, one in by_name.items()
    }
    for expected in ("1.0.0 installed", "incompatible", "not known", "Update…"):
        assert expected in response.text
    assert "a tool, not a mod" in admin_client.get(f"{PAGE}?q=tool").text
    assert by_name["Alpha"].best.version == "2.0.0"
    assert by_name["Gamma"].best is None


def test_a_found_mod_is_planned_by_its_id(admin_client: Client, server: GameServer) -> None:
    mod = known("alpha")
    response = admin_client.post(PAGE, {"server": server.pk, "mod": mod.pk})
    change = Operation.objects.get()
    assert response["Location"] == f"/admin/mods/operation/{change.pk}/change/"
    assert (change.kind, change.state, change.asked_by_name) == ("install", "planning", "admin")
    assert change.wish["targets"][0]["modid"] == "alpha"


def test_of_several_ids_the_chosen_one(admin_client: Client, server: GameServer) -> None:
    mod = known("alpha", "alphaextra")
    assert "<option>alphaextra</option>" in admin_client.get(PAGE).text
    admin_client.post(PAGE, {"server": server.pk, "mod": mod.pk, "modid": "alphaextra"})
    assert Operation.objects.get().wish["targets"][0]["modid"] == "alphaextra"


def test_another_mod_s_id_isn_t_taken(admin_client: Client, server: GameServer) -> None:
    admin_client.post(PAGE, {"server": server.pk, "mod": known("alpha").pk, "modid": "other"})
    assert Operation.objects.get().wish["targets"][0]["modid"] == "alpha"


@pytest.mark.parametrize(
    ("text", "version", "wanted"),
    [
        ("alpha", "", {"modid": "alpha", "version": ""}),
        ("alpha@1.2.0", "", {"modid": "alpha", "version": "1.2.0"}),
        ("alpha@1.2.0", "v1.3.0", {"modid": "alpha", "version": "1.3.0"}),
        ("vintagestorymodinstall://alpha@1.2.0", "", {"modid": "alpha", "version": "1.2.0"}),
        ("http://127.0.0.1/show/mod/4405", "", {"number": 4405}),
        ("#4405", "1.0.0", {"number": 4405, "version": "1.0.0"}),
    ],
)
def test_what_is_pasted(
    admin_client: Client, server: GameServer, text: str, version: str, wanted: dict[str, object]
) -> None:
    assert admin_client.post(PAGE, {"server": server.pk, "target": text, "version": version}).status_code == 302
    target = Operation.objects.get().wish["targets"][0]
    assert {name: target[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"target": ""}, "Write a mod id, the address"),
        ({"target": "https://example.com/x"}, "isn&#x27;t on the mod database"),
        ({"target": "a b &c"}, "names no mod"),
        ({"target": "alpha", "version": "newest"}, "That is no version."),
        ({"mod": "999"}, "no longer in the list"),
        ({"mod": "x"}, "no longer in the list"),
    ],
)
def test_what_can_t_be_understood_says_what_to_write(
    admin_client: Client, server: GameServer, form: dict[str, str], expected: str
) -> None:
    response = admin_client.post(PAGE, {"server": server.pk, **form})
    assert response.status_code == 400
    assert expected in response.text
    assert not Operation.objects.exists()


@pytest.mark.parametrize("given", ["", "999", "x"])
def test_of_several_servers_one_must_be_named(admin_client: Client, server: GameServer, given: str) -> None:
    make_server("Testing")
    response = admin_client.post(PAGE, {"server": given, "target": "alpha"})
    assert response.status_code == 400
    assert "Choose the server first." in response.text


def test_a_link_fills_the_page_and_plans_nothing(admin_client: Client, server: GameServer) -> None:
    testing = make_server("Testing")
    install(testing, "alpha", "1.1.0")
    query = f"?server={testing.pk}&target=vintagestorymodinstall://alpha@1.2.0"
    text = admin_client.get(PAGE + query).text
    assert 'value="vintagestorymodinstall://alpha@1.2.0"' in text
    assert "Install this on Testing" in text
    assert "Testing has it already, version 1.1.0." in text
    assert not Operation.objects.exists()


def test_nothing_found_and_nothing_known(admin_client: Client, server: GameServer) -> None:
    assert "The list of all mods isn't here yet" in admin_client.get(PAGE).text
    known("alpha")
    assert "No known mod fits “nothing”." in admin_client.get(f"{PAGE}?q=nothing").text


def test_without_a_server(admin_client: Client) -> None:
    assert "No server yet" in admin_client.get(PAGE).text


def test_queries_don_t_follow_what_is_found(admin_client: Client, server: GameServer) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(f"{PAGE}?q=mod")
        return len(captured)

    def fill(count: int) -> None:
        for _number in range(count):
            modid = f"mod{Mod.objects.count()}"
            make_release(known(modid), "1.0.0")
            install(server, modid)

    fill(2)
    queries()
    few = queries()
    fill(20)
    assert queries() == few <= 12
