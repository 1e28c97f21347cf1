"""The doctor in the browser: who may see it, and that what it found stands there as text."""

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from mods.tests.rows import make_server
from vsadmin import doctor_database

pytestmark = pytest.mark.django_db

PAGE = "/admin/system/condition/"


@pytest.fixture(autouse=True)
def _no_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_database, "WRITE_WAIT", 0.01)  # this test's own transaction is in the way


def test_each_part_stands_there_with_what_to_do(admin_client: Client) -> None:
    row = make_server("<b>Public</b>", data_dir="/nowhere/<i>")
    text = admin_client.get(PAGE).text
    for name in ("database", "worker", "schedules", "mod_database", f"server-{row.pk}", "cache", "kept", "versions"):
        assert f'id="part-{name}"' in text, name
    assert "parts are not OK</h1>" in text
    assert "<code>./run.sh manage sync_schedules</code>" in text
    assert "Server &lt;b&gt;Public&lt;/b&gt;" in text
    assert "/nowhere/&lt;i&gt;" in text
    assert "<b>Public</b>" not in text
    assert "style=" not in text


def test_the_navigation_leads_there(admin_client: Client) -> None:
    text = admin_client.get("/admin/").text
    assert f'href="{PAGE}"' in text.partition('id="places"')[2].partition("</nav>")[0]
    tabs = admin_client.get("/admin/system/").text.partition('class="tabs"')[2].partition("</nav>")[0]
    assert f'href="{PAGE}">Condition' in tabs
    assert tabs.count('aria-current="page"') == 1


def test_it_takes_a_right(client: Client) -> None:
    person = User.objects.create_user("person", is_staff=True)
    client.force_login(person)
    assert client.get(PAGE).status_code == 403
    person.user_permissions.add(Permission.objects.get(codename="view_jobrun"))
    assert client.get(PAGE).status_code == 200
    assert client.post(PAGE).status_code == 405
