"""A request that can't be read is answered 400, with what is wrong with it."""

from typing import Any

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
NUL = "character in it that can&#x27;t be part of any text"


@pytest.mark.parametrize(
    "address",
    [
        "/admin/mods/installedmod/?q=%00",
        "/admin/mods/mod/?q=a%00b",
        "/admin/events/event/?q=%00",
        "/admin/mods/installedmod/?%00=1",
        "/admin/mods/operation/install/?target=%00",
        "/admin/mods/gameserver/readiness/?version=%00",
        "/admin/?data_dir=/srv%00",
        "/admin/mods/installedmod/%00/change/",
        "/admin/login/?next=%00",
    ],
)
def test_nul_in_an_address(address: str, admin_client: Client) -> None:
    response = admin_client.get(address)
    assert response.status_code == 400
    assert NUL in response.text
    assert "ALLOWED_HOSTS" not in response.text
    assert admin_client.get(address.replace("%00", "1")).status_code != 400


@pytest.mark.parametrize("field", ["username", "password", "x\0"])
def test_nul_in_a_form(field: str, client: Client) -> None:
    response = client.post("/admin/login/", {"username": "a", "password": "b", field: "a\0b"})
    assert response.status_code == 400
    assert NUL in response.text


def test_another_name_than_allowed(client: Client) -> None:
    response = client.get("/admin/", headers={"host": "evil.example.com"})
    assert response.status_code == 400
    assert "ALLOWED_HOSTS" in response.text


def test_too_much_at_once(admin_client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 2
    response = admin_client.post("/admin/mods/installedmod/", {"a": "1", "b": "1", "c": "1"})
    assert response.status_code == 400
    assert "too much in it" in response.text


def test_what_no_page_sends(admin_client: Client) -> None:
    response = admin_client.post(
        "/admin/mods/installedmod/", {"action": "update", "index": "0", "_selected_action": "x"}
    )
    assert response.status_code == 400
    assert "ALLOWED_HOSTS" not in response.text
    assert "load the page anew" in response.text
