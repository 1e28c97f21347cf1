"""When the mod database isn't asked any more: an outage costs a few requests, and who wants to be left alone is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import responses
import time_machine
from django.utils import timezone

from cache.store import FetchError
from conftest import ServerDir
from demo.moddb import ModDatabase
from mods import downloads, gameversions, inventory, moddb, pauses, refresh
from mods.moddb_patience import ENOUGH, ENOUGH_LATER, Patience
from mods.models import GameServer, Lookup, Pause, RefreshRun
from mods.tests.rows import make_mod, make_release
from vsadmin.lib.http import HttpError

URL = "https://mods.example.com"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MakeServer = Callable[..., ServerDir]
answered = HttpError("It failed.", "status", status=500, answered=True)
no_answer = HttpError("No connection.", "refused")


def is_open(patience: Patience) -> bool:
    try:
        patience.check()
    except HttpError:
        return False
    return True


@pytest.mark.parametrize("error", [answered, no_answer])
def test_enough_failures_in_a_row_without_any_success_are_the_end(error: HttpError) -> None:
    patience = Patience()
    for _time in range(ENOUGH - 1):
        patience.failed(error)
    assert is_open(patience)
    patience.failed(error)
    with pytest.raises(HttpError, match=error.text):
        patience.check()


def test_only_failures_in_a_row_count() -> None:
    patience = Patience()
    for _time in range(3):
        for _failure in range(ENOUGH - 1):
            patience.failed(no_answer)
        patience.succeeded()
    assert is_open(patience)


def test_a_database_that_did_answer_may_have_many_broken_mods() -> None:
    patience = Patience()
    patience.succeeded()
    for _time in range(ENOUGH_LATER - 1):
        patience.failed(answered)
    assert is_open(patience)
    patience.failed(answered)
    assert not is_open(patience)


def test_one_that_did_answer_and_cannot_be_reached_any_more_is_given_up_soon() -> None:
    patience = Patience()
    patience.succeeded()
    for _time in range(ENOUGH):
        patience.failed(no_answer)
    assert not is_open(patience)


@pytest.mark.parametrize("kind", ["cancelled", "paused"])
def test_what_we_end_ourselves_is_no_failure(kind: str) -> None:
    patience = Patience()
    for _time in range(ENOUGH_LATER):
        patience.failed(HttpError("Stopped.", kind))
    assert is_open(patience)


@pytest.mark.parametrize(
    ("seconds", "minutes"), [(10, None), (11, 11 / 60), (1800, 30), (3600, 60), (86_400, 60), (None, None)]
)
def test_whoever_wants_to_be_left_alone_is_for_an_hour_at_most(seconds: float | None, minutes: float | None) -> None:
    patience = Patience()
    with time_machine.travel(NOON, tick=False) as clock:
        patience.failed(HttpError("Busy.", "status", status=429, answered=True, retry_after=seconds))
        if minutes is None:
            assert is_open(patience)
            return
        assert patience.until == NOON + timedelta(minutes=minutes)
        clock.move_to(patience.until - timedelta(seconds=1))
        assert not is_open(patience)
        clock.move_to(patience.until)
        assert is_open(patience)


@responses.activate
def test_an_answer_that_cannot_be_used_is_a_failure_and_a_mod_that_is_not_there_is_none() -> None:
    responses.get(f"{URL}/api/mod/none", json={"statuscode": "404"})
    responses.get(f"{URL}/api/mod/bad", body="<p>Welcome")
    with moddb.ModDB(URL, retries=0) as database:
        for _time in range(ENOUGH):
            for _failure in range(ENOUGH - 1):
                with pytest.raises(moddb.BadAnswer, match="web page"):
                    database.mod("bad")
            with pytest.raises(moddb.NotFound):
                database.mod("none")
        assert database.requests == ENOUGH * ENOUGH


# --- a refresh


@pytest.fixture
def many(server_dir: MakeServer, mod_database: ModDatabase, monkeypatch: pytest.MonkeyPatch) -> ModDatabase:
    """Sixty mods that nobody asked about yet."""
    folder = server_dir(game_version="1.21.5")
    for number in range(60):
        folder.add_zip(f"{number}.zip", modid=f"mod{number}x")
    inventory.scan(GameServer.objects.create(name="Public", data_dir=str(folder.path)))
    monkeypatch.setattr(refresh, "CALL_DEADLINE", 5.0)
    return mod_database


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["refuse", "500_html", "garbage", "404", "statuscode_500"])
def test_an_outage_costs_eight_requests(fault: str, many: ModDatabase) -> None:
    many.fault("/", fault)
    result = refresh.refresh()
    assert (len(result.failures), result.no_answer) == (60, True)
    assert len(many.log) <= 8
    assert not Pause.objects.exists()


@pytest.mark.django_db
def test_a_mod_database_that_wants_to_be_left_alone_is(many: ModDatabase) -> None:
    many.fault("/", "429", seconds=1800)
    result = refresh.refresh()
    asked = len(many.log)
    assert result.no_answer
    assert asked <= refresh.CONNECTIONS, "those that were under way"
    pause = Pause.objects.get()
    assert pause.origin == many.url
    assert timedelta(minutes=29) < pause.until - timezone.now() <= timedelta(minutes=30)
    until = f"goes on at {pause.until:%H:%M} UTC"
    assert until in RefreshRun.objects.latest("pk").summary

    many.clear_faults()
    again = refresh.refresh()
    assert (again.no_answer, len(many.log)) == (True, asked)
    assert until in again.run.summary
    assert until in Lookup.objects.first().error  # type: ignore[union-attr]  # sixty of them are there
    assert until in gameversions.learn()
    assert len(many.log) == asked, "whichever job it is"

    with time_machine.travel(pause.until + timedelta(seconds=1), tick=True):
        assert not refresh.refresh().no_answer
    assert len(many.log) > asked


@pytest.mark.django_db
def test_it_is_the_file_host_that_is_left_alone_if_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    database = ModDatabase(separate_file_host=True)
    with database.serve() as url:
        monkeypatch.setenv("VS_MODDB_URL", url)
        monkeypatch.setenv("VS_MODDB_FILE_ORIGINS", database.file_origin)
        theirs = database.add_release(database.add_mod(name="Carry On"), "carry", "1.2.0")
        ours = make_release(make_mod("carry"), "1.2.0", file_id=theirs.file_id, file_name=theirs.file_name)
        database.fault("/files", "429", seconds=1800)
        for _time in range(2):
            with pytest.raises(FetchError):
                downloads.fetch_release(ours)
        assert Pause.objects.get().origin == database.file_origin
        assert len(database.log) == 2, "the mod database, and its file host"
        assert refresh.client().game_versions(), "it may be asked all the same"


@pytest.mark.django_db
@pytest.mark.parametrize(("path", "requests"), [("/download", 1), ("/files", 2)])
def test_a_download_honours_it_and_is_left_for_later(path: str, requests: int, mod_database: ModDatabase) -> None:
    theirs = mod_database.add_release(mod_database.add_mod(name="Carry On"), "carry", "1.2.0")
    ours = make_release(make_mod("carry"), "1.2.0", file_id=theirs.file_id, file_name=theirs.file_name)
    mod_database.fault(path, "429", seconds=1800)
    for said in ("429", "Try again after"):
        with pytest.raises(FetchError, match=said):
            downloads.fetch_release(ours)
    assert len(mod_database.log) == requests
    with time_machine.travel(Pause.objects.get().until, tick=True):
        mod_database.clear_faults()
        downloads.fetch_release(ours).close()


@pytest.mark.django_db
def test_a_pause_that_a_wrong_clock_wrote_does_not_outlive_its_correction() -> None:
    pauses.note(f"{URL}/api", timezone.now() + timedelta(minutes=59))
    assert pauses.until(f"{URL}/download/1") is not None
    assert pauses.until("https://files.example.com") is None
    pauses.note(URL, timezone.now() + timedelta(days=365))
    assert pauses.until(URL) is None
    pauses.note(URL, timezone.now() - timedelta(seconds=1))
    assert pauses.until(URL) is None
