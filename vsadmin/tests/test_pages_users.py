"""Whoever may edit users can't make a superuser of anybody, nor touch one."""

from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group, User
from django.test import Client

from vsadmin import roles

pytestmark = pytest.mark.django_db

LIST = "/admin/auth/user/"
PASSWORDS = {"usable_password": "true", "password1": "k4-long-and-odd", "password2": "k4-long-and-odd"}


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "", "of the root")


@pytest.fixture
def administrator() -> User:
    roles.make_groups(apps, "default")
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
