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

pytestmark = pytest.mark.django_db

_migration = importlib.import_module("vsadmin.migrations.0001_roles")


@pytest.fixture(autouse=True)
def _none_yet(db: None) -> None:
    Group.objects.all().delete()


def rights_of(name: str) -> set[str]:
    rows = Permission.objects.filter(group__name=name).values_list("content_type__app_label", "codename")
    return {f"{app}.{codename}" for app, codename in rows}


def migrate(state: Any = apps) -> None:
    _migration.make_groups(state, SimpleNamespace(connection=connection))


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
    migrate(loader.project_state(("vsadmin", "0001_roles")).apps)
    for name, wanted in roles.TABLE.items():
        assert rights_of(name) == wanted, name


def test_it_comes_after_all_that_it_knows() -> None:
    """Where another migration brings a right of the table, this one depends on it or that one gives it."""
    loader = MigrationLoader(connection)
    state = loader.project_state(("vsadmin", "0001_roles")).apps
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
    migrate()
    assert rights_of(roles.VIEWER) == set()
    assert "mods.delete_keptcopy" in rights_of(roles.OPERATOR)
    assert Group.objects.count() == 3


def test_a_group_of_somebody_elses_making_stays_theirs() -> None:
    own = Group.objects.create(name=roles.OPERATOR)
    own.permissions.add(Permission.objects.get(codename="view_installedmod"))
    migrate()
    assert rights_of(roles.OPERATOR) == {"mods.view_installedmod"}
    assert rights_of(roles.VIEWER) == roles.TABLE[roles.VIEWER]


def test_a_later_right_goes_to_who_has_the_group_still() -> None:
    migrate()
    Group.objects.filter(name=roles.VIEWER).update(name="Guests")
    roles.give(apps, "default", roles.VIEWER, ["auth.view_user"])
    roles.give(apps, "default", roles.OPERATOR, ["auth.view_user"])
    assert rights_of("Guests") == roles.TABLE[roles.VIEWER]
    assert rights_of(roles.OPERATOR) == roles.TABLE[roles.OPERATOR] | {"auth.view_user"}
    assert not Group.objects.filter(name=roles.VIEWER).exists()
