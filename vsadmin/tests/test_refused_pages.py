"""A page that is refused is one line of the log, without a traceback; one that broke keeps its traceback."""

import json
from typing import Any

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousFileOperation
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path

from vsadmin import urls
from vsadmin.lib.logs import JsonLines

raised: list[Exception] = []


def page(request: HttpRequest) -> HttpResponse:
    raise raised[0]


urlpatterns = [path("page/", page), *urls.urlpatterns]


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture, settings: Any, db: None) -> Any:
    """Asks for the page, which raises the given exception or needs a token; returns the status and the log's lines."""
    settings.ROOT_URLCONF = __name__

    def ask(error: Exception | None = None) -> tuple[int, list[dict[str, Any]]]:
        raised[:] = [error] if error else []
        client = Client(raise_request_exception=False, enforce_csrf_checks=True)
        answer = client.get("/page/") if error else client.post("/page/")
        formatters: Any = settings.LOGGING["formatters"]
        options = {key: value for key, value in formatters["json"].items() if key != "()"}
        return answer.status_code, [json.loads(JsonLines(**options).format(record)) for record in caplog.records]

    return ask


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (PermissionDenied("no"), 403, "Forbidden (Permission denied): /page/"),
        (SuspiciousFileOperation("../../etc"), 400, "../../etc"),
        (BadRequest("half a form"), 400, "half a form"),
        (None, 403, "Forbidden (CSRF cookie not set.): /page/"),
    ],
)
def test_a_refused_page_is_one_line(told: Any, error: Exception | None, status: int, words: str) -> None:
    code, lines = told(error)
    assert code == status
    assert words in lines[0]["message"]
    assert all("exc_info" not in line for line in lines)


def test_a_broken_page_keeps_its_traceback(told: Any) -> None:
    code, lines = told(RuntimeError("boom"))
    assert code == 500
    assert "RuntimeError: boom" in lines[0]["exc_info"]
