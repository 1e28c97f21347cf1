"""Settings that were changed in the panel: which text counts, how soon, and what happens when the database is away."""

from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from vsadmin.lib import conf
from vsadmin.lib.stored import store
from vsadmin.lib.stored.models import StoredSetting

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored_settings")]

NAME = "VS_MADE_UP_DAYS"
SETTING = conf.Setting(NAME, 3, conf.whole_number, "Write a number.", changeable=True)


class Clock:
    """Stands for the monotonic clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(store, "time", made)
    return made


def test_the_environment_wins_then_what_is_stored_then_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert SETTING.get() == 3
    store.write({NAME: "7"}, "ann")
    assert SETTING.get() == 7, "this process knows it at once"
    monkeypatch.setenv(NAME, "9")
    assert SETTING.get() == 9
    monkeypatch.setenv(NAME, "nine")
    assert SETTING.get() == 3, "the checks don't let vsadmin start with it"
    monkeypatch.setenv(NAME, "  ")
    assert SETTING.get() == 7
    store.write({NAME: ""}, "bob")
    assert SETTING.get() == 3
    row = StoredSetting.objects.get()
    assert (row.text, row.changed_by_name) == ("", "bob")


def test_only_what_may_be_changed_is_asked_for() -> None:
    store.write({NAME: "7"}, "ann")
    fixed = conf.Setting(NAME, 3, conf.whole_number, "Write a number.")
    with CaptureQueriesContext(connection) as queries:
        assert fixed.get() == 3
    assert len(queries) == 0


def test_another_process_sees_it_within_ten_seconds_and_asks_no_more_often(clock: Clock) -> None:
    assert SETTING.get() == 3
    StoredSetting.objects.create(name=NAME, text="7")  # as another process would
    clock.now += store.FRESH - 0.1
    with CaptureQueriesContext(connection) as queries:
        assert SETTING.get() == 3
    assert len(queries) == 0
    clock.now += 0.1
    with CaptureQueriesContext(connection) as queries:
        assert SETTING.get() == SETTING.get() == 7
    assert len([one for one in queries.captured_queries if "SELECT" in one["sql"]]) == 1


def test_forgetting_makes_the_next_use_look() -> None:
    assert SETTING.get() == 3
    StoredSetting.objects.create(name=NAME, text="7")
    store.forget()
    assert SETTING.get() == 7


def test_what_was_known_counts_while_the_database_is_away(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write({NAME: "7"}, "ann")
    assert SETTING.get() == 7

    def away() -> Any:
        raise OperationalError("it is down")

    monkeypatch.setattr(store, "_rows", away)
    clock.now += 60
    assert SETTING.get() == 7
    store.forget()
    assert SETTING.get() == 7


def test_a_default_never_stands_in_longer_than_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    StoredSetting.objects.create(name=NAME, text="7")
    store.clear()
    real, answers = store._rows, [False, True]

    def sometimes() -> dict[str, str]:
        if not answers.pop(0):
            raise OperationalError("it is down")
        return real()

    monkeypatch.setattr(store, "_rows", sometimes)
    assert SETTING.get() == 3
    assert SETTING.get() == 7, "tried again at once, as nothing was known yet"


def test_without_the_table_nothing_is_stored_and_the_transaction_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StoredSetting._meta, "db_table", "not_there")
    with transaction.atomic():
        assert SETTING.get() == 3
        assert StoredSetting._meta.db_table == "not_there"
    monkeypatch.undo()
    assert not StoredSetting.objects.exists(), "the connection is of use still"


def test_a_text_that_cannot_be_read_counts_as_the_default() -> None:
    store.write({NAME: "three hours"}, "ann")
    assert SETTING.get() == 3
