"""What the demo takes over of its caller's environment: nothing that sets anything; and what only the demo can do."""

import os
import socket
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from demo.__main__ import Failed, _free_port, _port, environment

HOSTILE = {
    "VS_SERVER_DATA_DIR": "/srv/real",
    "VS_MODDB_URL": "https://mods.example.com",
    "VSADMIN_DATA_DIR": "/var/lib/real",
    "VSADMIN_ADMIN_PASSWORD": "a secret",
    "VSADMIN_ALLOW_HTTP": "on",
    "DATABASE_URL": "postgres://user:password@db.example.com/real",
    "SECRET_KEY": "real",
    "DEBUG": "on",
    "ALLOWED_HOSTS": "*",
    "CSRF_TRUSTED_ORIGINS": "https://mods.example.com",
    "EMAIL_URL": "smtp://mail.example.com",
    "DJANGO_SETTINGS_MODULE": "other.settings",
    "PYTHONPATH": "/elsewhere",
    "HTTP_PROXY": "http://proxy.example.com",
    "HOME": "/home/real",
}


def test_no_setting_of_the_caller_comes_through() -> None:
    made = environment({**HOSTILE, "PATH": "/usr/bin", "TZ": "Europe/Oslo"}, Path("/tmp/demo"))
    assert not set(made.values()) & set(HOSTILE.values())
    assert (made["PATH"], made["TZ"]) == ("/usr/bin", "Europe/Oslo")
    assert (made["HOST"], made["ALLOWED_HOSTS"]) == ("127.0.0.1", "127.0.0.1,localhost")
    assert "VSADMIN_ALLOW_HTTP" not in made
    assert made["VSADMIN_IGNORE_DOTENV"] == "1"
    assert made["VSADMIN_DATA_DIR"] == made["VSADMIN_DEMO"] == "/tmp/demo/vsadmin"


def test_whoever_sets_host_reaches_it_from_elsewhere() -> None:
    made = environment({**HOSTILE, "HOST": "0.0.0.0"}, Path("/tmp/demo"))
    assert (made["HOST"], made["ALLOWED_HOSTS"], made["VSADMIN_ALLOW_HTTP"]) == ("0.0.0.0", "*", "on")


@pytest.mark.parametrize("port", ["x", "0", "65536", "²"])
def test_a_port_that_is_none(port: str) -> None:
    with pytest.raises(Failed, match="a port is between"):
        _port(port)


def test_a_port_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Failed, match=f"port {port}: Address already in use"):
            _free_port([port])
        assert _free_port([port, 0]) not in (0, port)


@pytest.mark.django_db
@pytest.mark.parametrize("text", [None, "", "on", "1", "/somewhere/else"])
def test_no_other_value_makes_a_panel_a_demo(client: Client, monkeypatch: pytest.MonkeyPatch, text: str | None) -> None:
    if text is None:
        monkeypatch.delenv("VSADMIN_DEMO", raising=False)
    else:
        monkeypatch.setenv("VSADMIN_DEMO", text)
    assert "made-up servers" not in client.get("/admin/login/").content.decode()


@pytest.mark.django_db
def test_the_demo_says_what_it_is_on_each_page(
    client: Client, admin_client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VSADMIN_DEMO", str(settings.VSADMIN_DATA_DIR))
    login = client.get("/admin/login/").content.decode()
    assert "made-up servers and mods, all thrown away" in login
    assert "User and password: demo." in login
    for address in ("/admin/", "/admin/mods/installedmod/", "/admin/mods/mod/"):
        page = admin_client.get(address).content.decode()
        assert "made-up servers and mods, all thrown away" in page
        assert "User and password" not in page


def test_the_readme_offers_no_such_setting(settings: Settings) -> None:
    for name in ("README.md", ".env.example"):
        assert "VSADMIN_DEMO" not in (settings.BASE_DIR / name).read_text()
    assert "VSADMIN_DEMO" not in os.environ
