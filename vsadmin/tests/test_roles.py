"""The groups that a panel begins with: made once, on new databases and old ones, and people's own after that."""

import importlib
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from vsadmin import roles
from vsadmin.migrations import _rights

pytestmark = pytest.mark.django_db

_GROUPS, _MORE = "0001_roles", "0002_rights_of_events_and_settings"
_make = importlib.import_module(f"vsadmin.migrations.{_GROUPS}").make_groups
_give = importlib.import_module(f"vsadmin.migrations.{_MORE}").give_rights
_EDITOR = SimpleNamespace(connection=connection)


@pytest.fixture(autouse=True)
def _none_yet(db: None) -> None:
    Group.objects.all().delete()


def rights_of(name: str) -> set[str]:
    rows = Permission.objects.filter(group__name=name).values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def migrate(before: Any = apps, after: Any = apps) -> None:
    _make(before, _EDITOR)
    _give(after, _EDITOR)


def test_each_group_has_its_rights() -> None:
    migrate()
    for name, wanted in roles.TABLE.items():
        assert rights_of(name) == wanted, name


def test_each_group_has_those_of_the_one_before() -> None:
    viewer, operator, administrator = roles.TABLE.values()
    assert viewer < operator < administrator
    assert all(".view_" in right for right in viewer)
    assert not any("auth." in right or ".delete_" in right or "remove_" in right for right in operator)


def test_a_database_that_has_no_rights_yet() -> None:
    """As in a new one, where Django makes the rights only after the last migration; with the migration's models."""
    Permission.objects.all().delete()
    loader = MigrationLoader(connection)
    migrate(*(loader.project_state(("vsadmin", name)).apps for name in (_GROUPS, _MORE)))
    for name, wanted in roles.TABLE.items():
        assert rights_of(name) == wanted, name


def test_the_last_one_comes_after_all_that_it_knows() -> None:
    """Where another app's migration brings a right of the table, the one that gives it depends on that."""
    loader = MigrationLoader(connection)
    state = loader.project_state(("vsadmin", _MORE)).apps
    known = {
        f"{model._meta.app_label}.{codename}"
        for model in state.get_models()
        for codename in (
            *(f"{action}_{model._meta.model_name}" for action in model._meta.default_permissions),
            *(codename for codename, _name in model._meta.permissions),
        )
    }
    assert roles.TABLE[roles.ADMINISTRATOR] <= known


def test_a_second_time_changes_nothing() -> None:
    migrate()
    Group.objects.get(name=roles.VIEWER).permissions.clear()
    Group.objects.get(name=roles.OPERATOR).permissions.add(Permission.objects.get(codename="delete_keptcopy"))
    _make(apps, _EDITOR)
    assert rights_of(roles.VIEWER) == set()
    assert "mods.delete_keptcopy" in rights_of(roles.OPERATOR)
    assert Group.objects.count() == 3


def test_a_group_of_somebody_elses_making_stays_theirs() -> None:
    own = Group.objects.create(name=roles.OPERATOR)
    own.permissions.add(Permission.objects.get(codename="view_installedmod"))
    _make(apps, _EDITOR)
    assert rights_of(roles.OPERATOR) == {"mods.view_installedmod"}
    assert rights_of(roles.VIEWER) == roles.TABLE[roles.VIEWER]


def test_a_later_right_goes_to_who_has_the_group_still() -> None:
    migrate()
    Group.objects.filter(name=roles.VIEWER).update(name="Guests")
    _rights.give(apps, "default", roles.VIEWER, ["auth.view_user"])
    _rights.give(apps, "default", roles.OPERATOR, ["auth.view_user"])
    assert rights_of("Guests") == roles.TABLE[roles.VIEWER]
    assert rights_of(roles.OPERATOR) == roles.TABLE[roles.OPERATOR] | {"auth.view_user"}
    assert not Group.objects.filter(name=roles.VIEWER).exists()
