"""What each page allows the browser to load."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from vsadmin.middleware import SecurityHeadersMiddleware, content_security_policy

STRICT = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"


def answer(given: HttpResponse) -> HttpResponse:
    return SecurityHeadersMiddleware(lambda request: given)(RequestFactory().get("/"))


def test_everything_comes_from_here() -> None:
    response = answer(HttpResponse())
    assert response["Content-Security-Policy"] == STRICT
    assert "camera=()" in response["Permissions-Policy"]


def test_a_view_keeps_its_own_policy() -> None:
    response = answer(HttpResponse(headers={"Content-Security-Policy": "default-src 'none'"}))
    assert response["Content-Security-Policy"] == "default-src 'none'"


def test_logos_come_from_the_file_host_once_switched_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSADMIN_SHOW_LOGOS", "on")
    assert "; img-src 'self' https://moddbcdn.vintagestory.at; " in content_security_policy()
    assert "default-src 'self'; " in content_security_policy()


def test_an_origin_cannot_add_to_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VSADMIN_SHOW_LOGOS", "on")
    monkeypatch.setenv("VS_MODDB_FILE_ORIGINS", "https://a.example.com/files,https://b;script-src *,http://[::1]:80")
    assert "img-src 'self' https://a.example.com http://[::1]:80;" in content_security_policy()
    assert "script-src" not in content_security_policy()
