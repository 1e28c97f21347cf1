"""Targets in the panel: added, changed, tested, deleted; the address goes in and never comes out again."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from conftest import Events
from events import deliver
from events.kinds import WORTH_A_CALL
from events.models import Delivery, Target
from events.tests.conftest import MakeTarget
from vsadmin.lib.jobs.models import Worker
from vsadmin.lib.mail import NONE_IS_SENT
from vsadmin.lib.tests.loopback import answer, serving

pytestmark = pytest.mark.django_db
LIST = "/admin/events/target/"
SECRET = "https://hooks.example.com/services/S3CRET?key=S3CRET"


def given(**fields: Any) -> dict[str, Any]:
    wanted = {"name": "Ops", "form": "webhook", "address": SECRET, "kinds": ["server_crashed"], "active": "on"}
    return {**wanted, **fields}


def add(client: Client, **fields: Any) -> Target:
    response = client.post(f"{LIST}add/", given(**fields))
    assert response.status_code == 302, response.text
    return Target.objects.get()


def page(target: Target) -> str:
    return f"{LIST}{target.pk}/change/"


@pytest.fixture(autouse=True)
def lively_worker(asked: list[str]) -> None:
    Worker.write(beat_at=timezone.now())


def test_it_is_stored_and_never_shown(admin_client: Client, events: Events, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    target = add(admin_client)
    assert (target.address, target.kinds, target.active) == (SECRET, ["server_crashed"], True)
    admin_client.post(page(target), given(name="Others", address=""))
    target.refresh_from_db()
    assert (target.name, target.address) == ("Others", SECRET), "left empty, it stays"
    admin_client.post(page(target), given(name="Others", kinds=[], address="https://hooks.example.com/S3CRET2"))
    pages = [LIST, f"{LIST}?q=S3", page(target), f"{LIST}{target.pk}/history/", f"{LIST}{target.pk}/delete/", "/admin/"]
    shown = "".join(admin_client.get(address).text for address in pages)
    assert "hooks.example.com" in shown
    log = "".join(f"{one.object_repr} {one.change_message}" for one in LogEntry.objects.all())
    assert "Name" in log
    for told in (shown, log, repr(events.all), caplog.text, repr(target), str(target)):
        assert "S3CRET" not in told


def test_a_mistake_doesnt_show_what_was_typed(admin_client: Client) -> None:
    for address in ("ftp://example.com/S3CRET", "https://user:S3CRET@example.com/", "S3CRET", "https://x.y/ S3CRET"):
        response = admin_client.post(f"{LIST}add/", given(address=address))
        assert response.status_code == 200
        assert "That is no address that can be used." in response.text
        assert "S3CRET" not in response.text
    response = admin_client.post(f"{LIST}add/", given(name=""))
    assert "S3CRET" not in response.text
    assert "Write where to send it." in admin_client.post(f"{LIST}add/", given(address="")).text
    assert "That is no e-mail address." in admin_client.post(f"{LIST}add/", given(form="email")).text
    assert not Target.objects.exists()


def test_another_form_needs_an_address_that_fits(admin_client: Client) -> None:
    target = add(admin_client)
    response = admin_client.post(page(target), given(form="email", address=""))
    assert "That is no e-mail address." in response.text
    assert admin_client.post(page(target), given(form="discord", address="")).status_code == 302
    target.refresh_from_db()
    assert (target.form, target.address) == ("discord", SECRET)


def test_it_cant_be_found_out_letter_by_letter(admin_client: Client) -> None:
    add(admin_client)
    for lookup in ("address__startswith=https", "address=x", "address__regex=.", "address__isnull=1"):
        assert admin_client.get(f"{LIST}?{lookup}").status_code == 400


def test_whoever_may_only_look_sees_the_host_alone(client: Client, admin_client: Client) -> None:
    target = add(admin_client)
    user = User.objects.create_user("looker", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_target"))
    client.force_login(user)
    text = client.get(page(target)).text
    assert "hooks.example.com" in text
    assert "S3CRET" not in text
    assert "Send a test" not in text
    assert client.post(page(target), given(name="x")).status_code == 403
    assert client.post(f"{LIST}{target.pk}/test/").status_code == 403
    assert client.get(f"{LIST}add/").status_code == 403
    assert client.get(f"{LIST}{target.pk}/delete/").status_code == 403
    assert "S3CRET" not in client.get(LIST).text


def test_without_the_right_there_is_nothing_to_see(client: Client, admin_client: Client) -> None:
    target = add(admin_client)
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_event", "view_jobrun"]))
    client.force_login(user)
    assert client.get(LIST).status_code == 403
    assert client.get(page(target)).status_code == 403
    assert "events/target" not in client.get("/admin/system/").text


def test_a_test_is_sent_and_its_result_is_seen(
    admin_client: Client, asked: list[str], target: MakeTarget, django_capture_on_commit_callbacks: Any
) -> None:
    with serving({"/S3CRET": answer()}) as server:
        mine = target(server.url + "/S3CRET")
        assert "Nothing yet." in admin_client.get(page(mine)).text
        with django_capture_on_commit_callbacks(execute=True):
            response = admin_client.post(f"{LIST}{mine.pk}/test/", follow=True)
        assert "on its way" in response.text
        assert 'hx-trigger="every 2s"' in response.text
        assert asked == ["events.tasks.notifications_deliver"]
        assert admin_client.get(f"{LIST}{mine.pk}/test/").status_code == 405
        deliver.run()
        assert json.loads(server.posted[0][1])["test"] is True
    text = admin_client.get(page(mine)).text
    assert '<span class="tag good">sent</span>' in text
    assert "Received: the answer was 200." in text
    assert "every 2s" not in text
    assert LogEntry.objects.get().change_message == "Sent a test"
    assert ">sent</span>" in admin_client.get(LIST).text


def test_a_test_says_when_nobody_will_send_it(admin_client: Client, target: MakeTarget) -> None:
    Worker.objects.all().delete()
    mine = target("http://127.0.0.1:9/")
    assert "it is silent" in admin_client.post(f"{LIST}{mine.pk}/test/", follow=True).text


def test_email_says_how_it_is_set_up(admin_client: Client, settings: Settings, target: MakeTarget) -> None:
    mine = target("admin@example.com", "email")
    assert "EMAIL_URL" not in admin_client.get(page(mine)).text
    settings.EMAIL_BACKEND = NONE_IS_SENT["EMAIL_BACKEND"]
    for address in (f"{LIST}add/", page(mine)):
        assert "EMAIL_URL=smtp+tls://" in admin_client.get(address).text
    assert "admin@example.com" in admin_client.get(page(mine)).text


def test_what_is_worth_a_call_is_chosen_at_first(admin_client: Client) -> None:
    text = admin_client.get(f"{LIST}add/").text
    assert text.count(" checked") == len(WORTH_A_CALL) + 1
    assert "Nobody is told yet" in admin_client.get(LIST).text
    assert "VSADMIN_ALLOW_PRIVATE_WEBHOOKS" in text


def test_deleting_takes_what_was_sent_along(admin_client: Client) -> None:
    target = add(admin_client)
    Delivery.objects.create(target=target)
    assert "<b>1</b> line on what was sent" in admin_client.get(f"{LIST}{target.pk}/delete/").text
    assert admin_client.post(f"{LIST}{target.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Delivery.objects.exists()


def test_pages_cost_the_same_however_much_was_sent(admin_client: Client, target: MakeTarget) -> None:
    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(address).status_code == 200
        return len(captured)

    mine = target("https://example.com/1")
    Delivery.objects.create(target=mine)
    for address in (LIST, page(mine)):  # what Django remembers from now on
        admin_client.get(address)
    few = (cost(LIST), cost(page(mine)))
    for number in range(9):
        target(f"https://example.com/{number}")
    Delivery.objects.bulk_create(Delivery(target=mine) for _number in range(50))
    assert (cost(LIST), cost(page(mine))) == few
