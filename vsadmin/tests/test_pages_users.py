"""Whoever may edit users can't make a superuser of anybody, nor touch one."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from vsadmin import roles

pytestmark = pytest.mark.django_db

LIST = "/admin/auth/user/"
PASSWORDS = {"usable_password": "true", "password1": "k4-long-and-odd", "password2": "k4-long-and-odd"}


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "", "of the root")


@pytest.fixture
def administrator() -> User:
    user = User.objects.create_user("administrator", is_staff=True)
    user.groups.add(Group.objects.get(name=roles.ADMINISTRATOR))
    return user


@pytest.fixture
def client(administrator: User) -> Client:
    client = Client()
    client.force_login(administrator)
    return client


def page(user: User, what: str = "change") -> str:
    return f"{LIST}{user.pk}/{what}/"


def fields(user: User, **changed: Any) -> dict[str, Any]:
    groups = list(user.groups.values_list("pk", flat=True))
    return {"username": user.username, "is_active": "on", "is_staff": "on", "groups": groups, **changed}


def test_nobody_becomes_a_superuser_that_way(client: Client, administrator: User) -> None:
    other = User.objects.create_user("other", is_staff=True)
    for user in (other, administrator):
        assert client.post(page(user), fields(user, is_superuser="on")).status_code == 302
        user.refresh_from_db()
        assert not user.is_superuser
    assert 'name="is_superuser"' not in client.get(page(other)).text


def test_a_superuser_is_looked_at_only(client: Client, root: User) -> None:
    assert client.get(page(root)).status_code == 200
    assert 'name="username"' not in client.get(page(root)).text
    assert client.post(page(root), fields(root, username="mine")).status_code == 403
    assert client.get(page(root, "password")).status_code == 403
    assert client.post(page(root, "password"), PASSWORDS).status_code == 403
    assert client.post(page(root, "delete"), {"post": "yes"}).status_code == 403
    before = (root.username, root.password)
    root.refresh_from_db()
    assert (root.username, root.password) == before


def test_nor_deleted_among_others(client: Client, root: User) -> None:
    other = User.objects.create_user("other")
    ticked = {"action": "delete_selected", "_selected_action": [root.pk, other.pk], "post": "yes"}
    client.post(LIST, ticked)
    assert User.objects.filter(pk=root.pk).exists()


def test_a_superuser_may(root: User) -> None:
    client = Client()
    client.force_login(root)
    other = User.objects.create_user("other", is_staff=True)
    assert client.post(page(other), fields(other, is_superuser="on")).status_code == 302
    other.refresh_from_db()
    assert other.is_superuser
    assert client.post(page(other, "password"), PASSWORDS).status_code == 302


def test_changing_ones_own_password_is_recorded(root: User) -> None:
    client = Client()
    client.force_login(root)
    wrong = {"old_password": "no", "new_password1": "k4-long-and-odd", "new_password2": "k4-long-and-odd"}
    assert client.post("/admin/password_change/", wrong).status_code == 200
    assert not LogEntry.objects.exists()
    assert client.post("/admin/password_change/", {**wrong, "old_password": "of the root"}).status_code == 302
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.get_change_message()) == (
        root,
        str(root.pk),
        "Changed their own password",
    )


def test_who_is_added_may_come_in(client: Client, administrator: User) -> None:
    assert client.post(f"{LIST}add/", {"username": "new", **PASSWORDS}).status_code == 302
    user = User.objects.get(username="new")
    assert (user.is_staff, user.is_superuser) == (True, False)
    assert LogEntry.objects.get().user == administrator


def test_the_list_says_who_may_do_what_in_words(client: Client, root: User, administrator: User) -> None:
    User.objects.create_user("away", is_staff=True, is_active=False)
    User.objects.create_user("outside")
    text = client.get(LIST).text
    for words in ("Superuser", "Administrator", "may log in", "switched off", "may not log in"):
        assert words in text
    assert "icon-no.svg" not in text


def test_the_list_takes_no_more_queries_for_more_users(client: Client) -> None:
    client.get(LIST)

    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            client.get(LIST)
        return len(found)

    few = queries()
    for number in range(5):
        User.objects.create_user(f"user{number}", is_staff=True).groups.add(*Group.objects.all())
    assert queries() == few


def test_several_are_deleted_after_a_question(client: Client) -> None:
    gone = [User.objects.create_user(name, is_staff=True) for name in ("one", "two")]
    chosen = {"action": "delete_selected", "index": "0", "_selected_action": [user.pk for user in gone]}
    assert "Delete the selected…" in client.get(LIST).text
    asked = client.post(LIST, chosen).text
    assert "Delete 2 users?" in asked
    assert User.objects.filter(username="one").exists()
    assert client.post(LIST, {**chosen, "post": "yes"}).status_code == 302
    assert not User.objects.filter(username__in=("one", "two")).exists()


def test_one_is_deleted_after_a_question(client: Client) -> None:
    user = User.objects.create_user("one", is_staff=True)
    asked = client.get(page(user, "delete")).text
    assert "Delete one?" in asked
    assert "<b>1</b> user</li>" in asked
    assert "relationship" not in asked
    assert "Authentication and Authorization" not in asked
    assert client.post(page(user, "delete"), {"post": "yes"}).status_code == 302
    assert not User.objects.filter(username="one").exists()


def test_their_history_says_who_when_and_what(client: Client, administrator: User) -> None:
    user = User.objects.create_user("one", is_staff=True)
    assert "Nobody so far" in client.get(page(user, "history")).text
    client.post(page(user), fields(user, email="one@example.com"))
    told = client.get(page(user, "history")).text
    assert "administrator" in told
    assert "Changed Email address" in told


def test_rights_are_named_by_what_they_allow(client: Client) -> None:
    text = client.get("/admin/auth/group/add/").text
    assert ">Can clear the cache</option>" in text
    assert "Name</label>" in text, "no colon, as everywhere else"
