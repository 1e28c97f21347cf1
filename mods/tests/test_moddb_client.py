"""What is asked of the mod database, and what each kind of failure becomes."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests
import responses

from mods.moddb import BadAnswer, BadRequest, Cancelled, ModDB, ModDBError, NotFound, Unreachable

URL = "https://mods.example.com"
MIB = 1024 * 1024
EMPTY = {"statuscode": "200", "updates": []}
HTML = "<!DOCTYPE html><p>Oops"

Ask = Callable[[ModDB], Any]
ASKS: dict[str, Ask] = {
    "mod": lambda db: db.mod("abc"),
    "mods": lambda db: db.mods(),
    "game_versions": lambda db: db.game_versions(),
    "updates": lambda db: db.updates(["abc"]),
    "install_information": lambda db: db.install_information([("abc", "1.0.0")], "1.21.0"),
}
every_question = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())


def moddb(**options: Any) -> ModDB:
    return ModDB(URL, **{"retries": 0} | options)


def any_path(**answer: Any) -> None:
    import re

    responses.get(re.compile(re.escape(URL)), **answer)


@responses.activate
def test_updates_ask_for_the_newest_of_each() -> None:
    responses.get(f"{URL}/api/updates", json=EMPTY)
    assert moddb().updates(["CarryOn", "a-b"]) == {}
    assert responses.calls[0].request.url == f"{URL}/api/updates?mods=CarryOn@0.0.0,a-b@0.0.0"


@responses.activate
def test_install_information_asks_for_versions_and_a_game_version() -> None:
    responses.get(f"{URL}/api/v2/mods/install-information", json={"data": []})
    assert moddb().install_information([("CarryOn", "1.0.0"), ("b", ""), ("c", "1,0")], "1.21.0-rc.1") == {}
    assert moddb().install_information([("a", "1.0")], "") == {}
    assert [call.request.url for call in responses.calls] == [
        f"{URL}/api/v2/mods/install-information?ids=CarryOn@1.0.0,b,c&gv=1.21.0-rc.1",
        f"{URL}/api/v2/mods/install-information?ids=a@1.0",
    ]


@pytest.mark.parametrize("mods", [True, False, None, 7, "x", {}, {"a": []}])
@responses.activate
def test_what_is_no_list_of_mods_is_not_an_empty_one(mods: object) -> None:
    any_path(json={"statuscode": "200", "mods": mods})
    with pytest.raises(BadAnswer, match="no list of mods"):
        moddb().mods()


@responses.activate
def test_ids_that_go_alone_are_encoded() -> None:
    responses.get(f"{URL}/api/updates", json=EMPTY)
    moddb().updates(["a b&c#ü%"])
    assert responses.calls[0].request.url == f"{URL}/api/updates?mods=a%20b%26c%23%C3%BC%25@0.0.0"


@pytest.mark.parametrize("modid", ["", "a,b", "a@b"])
@responses.activate
def test_what_would_spoil_a_batch_even_encoded_is_never_sent(modid: str) -> None:
    with pytest.raises(BadRequest):
        moddb().updates(["good", modid])
    with pytest.raises(BadRequest):
        moddb().install_information([("good", "1.0.0"), (modid, "1.0.0")], "1.21.0")
    assert len(responses.calls) == 0


@pytest.mark.parametrize("game_version", ["1.21", "latest", "1.21.0,2", "1.21.0&x=y", "v1.21.0"])
@responses.activate
def test_a_malformed_game_version_is_never_sent(game_version: str) -> None:
    with pytest.raises(BadRequest, match=r"like 1\.21\.5"):
        moddb().install_information([("a", "1.0.0")], game_version)
    assert len(responses.calls) == 0


@pytest.mark.parametrize("key", ["32", "a/b", "..", "ü", "a%62", ""])
@responses.activate
def test_a_mod_that_can_not_be_asked_for_is_never_asked_for(key: str) -> None:
    with pytest.raises(BadRequest):
        moddb().mod(key)
    assert len(responses.calls) == 0


@responses.activate
def test_a_mod_by_its_number() -> None:
    responses.get(f"{URL}/api/mod/32", json={"mod": {"modid": 32}, "statuscode": "200"})
    responses.get(f"{URL}/api/mod/33", json={"mod": {"modid": 32}, "statuscode": "200"})
    assert moddb().mod(32).mod_id == 32
    with pytest.raises(BadAnswer):
        moddb().mod(33)


@pytest.mark.parametrize("status", ["404", "410"])
@responses.activate
def test_only_the_answer_about_a_mod_says_that_it_does_not_exist(status: str) -> None:
    any_path(json={"statuscode": status})
    with pytest.raises(NotFound, match="not in the mod database"):
        moddb().mod("abc")
    for name, ask in ASKS.items():
        if name != "mod":
            with pytest.raises(BadAnswer):
                ask(moddb())


@every_question
@pytest.mark.parametrize("body", [HTML, "{}", ""])
@pytest.mark.parametrize("status", [404, 410])
@responses.activate
def test_a_web_servers_404_says_nothing_about_mods(ask: Ask, status: int, body: str) -> None:
    any_path(body=body, status=status)
    with pytest.raises(BadAnswer):
        ask(moddb())


@pytest.mark.parametrize("name", ["mod", "mods", "game_versions", "updates"])
@responses.activate
def test_a_refused_question(name: str) -> None:
    any_path(json={"statuscode": "400"})
    with pytest.raises(BadRequest):
        ASKS[name](moddb())


@pytest.mark.parametrize("status", [400, 414])
@pytest.mark.parametrize("name", ["updates", "install_information"])
@responses.activate
def test_a_batch_refused_by_http(name: str, status: int) -> None:
    any_path(body=HTML, status=status)
    with pytest.raises(BadRequest):
        ASKS[name](moddb())


@responses.activate
def test_a_refusal_that_tells_of_each_id_is_an_answer() -> None:
    data = {"abc": {"errorCode": 4001}}
    any_path(json={"reason": "All requested ids are malformed.", "data": data}, status=400)
    assert moddb().install_information([("abc", "x")], "")["abc"].error_code == 4001


@every_question
@pytest.mark.parametrize(
    "answer",
    [
        {"body": HTML, "status": 500, "content_type": "application/json"},
        {"json": {"statuscode": "500"}},
        {"json": {}},
        {"json": {"statuscode": "200"}},
        {"json": []},
        {"body": b"\x00\xff\xfe garbage"},
        {"body": b'{"statuscode":"200","mod":{"modid":5,"rele'},
        {"body": b""},
        {"body": b"not an image", "content_type": "text/html"},
        {"json": {}, "status": 401},
        {"status": 302, "headers": {"Location": "https://other.example.com/"}},
    ],
    ids=["html", "500", "empty", "bare", "list", "garbage", "cut", "nothing", "trap", "401", "redirect"],
)
@responses.activate
def test_an_answer_that_can_not_be_used(ask: Ask, answer: dict[str, Any]) -> None:
    any_path(**answer)
    with pytest.raises(BadAnswer) as caught:
        ask(moddb())
    assert "Traceback" not in caught.value.text
    assert caught.value.text.endswith(".")


@every_question
@pytest.mark.parametrize(
    "error", [requests.ConnectionError("reset"), requests.Timeout("slow"), requests.exceptions.SSLError("expired")]
)
@responses.activate
def test_no_answer_at_all(ask: Ask, error: Exception) -> None:
    any_path(body=error)
    with pytest.raises(Unreachable, match=r"^The mod database can't be reached\. "):
        ask(moddb())


@every_question
@responses.activate
def test_stopped(ask: Ask) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        ask(moddb(stop=stop))


@responses.activate
def test_an_answer_is_capped_by_what_it_can_honestly_need() -> None:
    most = {"mod": 4 * MIB, "updates": 4 * MIB, "install_information": 4 * MIB, "game_versions": MIB, "mods": 32 * MIB}
    for name, ask in ASKS.items():
        for size, said in ((most[name], "damaged"), (most[name] + 1, "more than the")):
            responses.reset()
            any_path(body=b"x" * size)
            with pytest.raises(BadAnswer, match=said):
                ask(moddb())


@responses.activate
def test_requests_and_bytes_are_counted_retries_too() -> None:
    responses.get(f"{URL}/api/mods", status=503)
    responses.get(f"{URL}/api/mods", body=b'{"statuscode":"200","mods":[]}')
    with moddb(retries=2, backoff=0) as db:
        assert list(db.mods()) == []
        assert (db.requests, db.bytes) == (2, 30)


@responses.activate
def test_it_says_who_asks() -> None:
    responses.get(f"{URL}/api/updates", json=EMPTY)
    moddb(version="1.2.3").updates(["a"])
    headers = responses.calls[0].request.headers
    assert headers["User-Agent"].startswith("vsadmin/1.2.3 (")
    assert headers["Accept"] == "*/*"


@pytest.mark.parametrize("url", ["", "mods.example.com", "ftp://mods.example.com", "https://u:p@mods.example.com"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        ModDB(url)


def test_all_errors_are_one_kind() -> None:
    assert all(issubclass(error, ModDBError) for error in (Unreachable, BadAnswer, BadRequest, NotFound, Cancelled))
