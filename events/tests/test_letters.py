"""What each form says: nobody is mentioned on Discord, nothing is too long, and texts stay texts."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django import Settings

from events import deliver, letters
from events.kinds import Kind
from events.models import Delivery
from events.record import record
from events.tests.conftest import MakeTarget
from mods.tests.rows import make_server
from vsadmin.lib.tests.loopback import answer, serving

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def delivery_of(target: MakeTarget, **fields: Any) -> Delivery:
    target("https://example.com/hook")
    event = record(Kind.RETRACTED, str(uuid.uuid4()), fields.pop("title", "Alpha was retracted"), **fields)
    assert event is not None
    return event.deliveries.get()


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


MENTIONS = "@everyone @here <@123> <@&456> <#789> </ping:1> **bold** [a](https://example.com) `x` ||y|| # z\n> q ~~s~~"


def test_discord_mentions_nobody(target: MakeTarget) -> None:
    told = letters.discord(letters.of(delivery_of(target, title=MENTIONS, text=MENTIONS)))
    assert told["allowed_mentions"] == {"parse": []}
    embed = told["embeds"][0]
    for text in (told["content"], embed["description"]):
        assert "@everyone" not in text
        assert "@here" not in text
        assert "\\<@\N{ZERO WIDTH SPACE}123\\>" in text
        assert "\\*\\*bold\\*\\*" in text
        assert "\\[a\\]\\(https://" in text
        assert "\\|\\|y\\|\\|" in text


@pytest.mark.parametrize("character", ["x", "*", "@", "\N{PILE OF POO}", "<", "\n"])
def test_discord_limits_are_kept(character: str, target: MakeTarget) -> None:
    server = make_server("Public")
    server.name = character * 100
    told = letters.discord(
        letters.of(delivery_of(target, title="t" + character * 299, text="x" + character * 9000, server=server))
    )
    embed = told["embeds"][0]
    assert units(told["content"]) <= 2000
    assert units(embed["title"]) <= 256
    assert units(embed["description"]) <= 4096
    assert all(units(field["value"]) <= 1024 and units(field["name"]) <= 256 for field in embed.get("fields", []))
    assert units(embed["footer"]["text"]) <= 2048
    texts = [embed["title"], embed.get("description", ""), embed["footer"]["text"]]
    texts += [text for field in embed.get("fields", []) for text in (field["name"], field["value"])]
    assert sum(units(text) for text in texts) <= 6000
    assert not embed["description"].rstrip("…").endswith("\\") or character == "\\"


def test_discord_gets_its_form(target: MakeTarget) -> None:
    with serving({"/api/webhooks/1/S3CRET": answer(b"", 204)}) as server:
        mine = target(server.url + "/api/webhooks/1/S3CRET", "discord")
        deliver.send_test(mine)
        assert deliver.run() == 1
        told = json.loads(server.posted[0][1])
    assert told["content"] == "A test from vsadmin"
    assert str(Delivery.objects.get().delivery_id) in told["embeds"][0]["footer"]["text"]
    assert "url" not in told["embeds"][0]


def test_they_lead_to_the_panel_where_its_address_is_known(target: MakeTarget, settings: Settings) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.com", "https://mods.example.com"]
    server = make_server("Public")
    delivery = delivery_of(target, server=server, forced=True, at=AT)
    told = letters.webhook(letters.of(delivery))["event"]
    assert told["url"] == f"https://mods.example.com/admin/events/event/{delivery.event_id}/change/"
    assert (told["server"], told["forced"]) == ({"id": server.pk, "name": "Public"}, True)
    assert letters.discord(letters.of(delivery))["embeds"][0]["url"] == told["url"]
    assert f"More: {told['url']}" in letters.email(letters.of(delivery), "a@example.com").body


def test_an_event_of_another_version_of_vsadmin_is_told_too(target: MakeTarget) -> None:
    delivery = delivery_of(target)
    assert delivery.event is not None
    delivery.event.kind = "unheard_of"
    assert letters.webhook(letters.of(delivery))["event"]["kind_title"] == "unheard_of"
