"""Failures on demand, seen through the client that has to survive them."""

import threading
from collections.abc import Callable, Iterator

import pytest
import requests

from demo.moddb import DemoRelease, ModDatabase, populate
from mods.moddb import BadAnswer, ModDB, ModDBError, Unreachable
from vsadmin.lib.http import Client, HttpError

SHORT = 1.0
ASKS: dict[str, Callable[[ModDB], object]] = {
    "/api/mod/demomod0001": lambda asking: asking.mod("demomod0001"),
    "/api/updates": lambda asking: asking.updates(["demomod0001"]),
    "/api/v2/": lambda asking: asking.install_information([("demomod0001", "1.0.0")], "1.21.0"),
}


@pytest.fixture
def db() -> Iterator[ModDatabase]:
    made = ModDatabase()
    populate(made, 3, 2)
    with made.serve():
        yield made


def client(db: ModDatabase, deadline: float = 10.0) -> ModDB:
    return ModDB(db.url, deadline=deadline, retries=0)


def fetch(db: ModDatabase, release: DemoRelease) -> bytes:
    getter = Client(user_agent="test", allowed_origins=[db.url], trusted_private_origins=[db.url], retries=0)
    with getter.stream(f"{db.url}/download/{release.file_id}", deadline=5, max_bytes=10**6) as stream:
        return b"".join(stream)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("500_html", BadAnswer),
        ("statuscode_500", BadAnswer),
        ("garbage", BadAnswer),
        ("200_html", BadAnswer),
        ("404", BadAnswer),
        ("429", BadAnswer),
        ("truncated", BadAnswer),
        ("cut", BadAnswer),
        ("flood", BadAnswer),
        ("redirect_loop", BadAnswer),
        ("refuse", Unreachable),
    ],
)
@pytest.mark.parametrize("path", ASKS)
def test_each_failure_is_understood(db: ModDatabase, path: str, kind: str, error: type[ModDBError]) -> None:
    db.fault(path, kind)
    asking = client(db)
    with pytest.raises(error):
        ASKS[path](asking)
    assert asking.mod("demomod0002").name == "Demo Mod 2"


@pytest.mark.parametrize(("kind", "error"), [("endless", BadAnswer), ("hang", Unreachable), ("slow", Unreachable)])
def test_failures_that_take_for_ever_end_at_the_deadline(db: ModDatabase, kind: str, error: type[ModDBError]) -> None:
    db.fault("/api/mod/", kind, seconds=1000 if kind == "slow" else 0.01)
    with pytest.raises(error):
        client(db, deadline=SHORT).mod("demomod0001")


def test_a_failure_passes_after_its_times(db: ModDatabase) -> None:
    db.fault("/api/mod/", "500_html", times=2)
    asking = ModDB(db.url, retries=2, backoff=0)
    assert asking.mod("demomod0001").mod_id == 1
    assert asking.requests == len(db.log) == 3


def test_failures_can_be_cleared_and_kinds_must_exist(db: ModDatabase) -> None:
    db.fault("/api", "500_html")
    db.clear_faults()
    assert client(db).mod("demomod0001")
    with pytest.raises(ValueError, match="no such fault"):
        db.fault("/api", "earthquake")


def test_wrong_bytes_are_another_good_zip(db: ModDatabase) -> None:
    release = db.store.mods[1].releases[0]
    good = fetch(db, release)
    assert good == release.content
    db.fault("/files/", "wrong_bytes", times=1)
    wrong = fetch(db, release)
    assert wrong not in (good, b"")
    assert wrong[:4] == good[:4] == b"PK\x03\x04"
    assert fetch(db, release) == good


def test_a_cut_file_is_noticed_and_a_truncated_one_looks_whole(db: ModDatabase) -> None:
    release = db.store.mods[1].releases[0]
    db.fault("/files/", "cut", times=1)
    with pytest.raises(HttpError):
        fetch(db, release)
    db.fault("/files/", "truncated", times=1)
    assert fetch(db, release) == release.content[: len(release.content) // 2]


def test_latency_holds_for_every_answer(db: ModDatabase) -> None:
    db.latency = 1000
    with pytest.raises(Unreachable):
        client(db, deadline=SHORT).mod("demomod0001")


@pytest.mark.parametrize("kind", ["endless", "flood", "hang", "slow"])
def test_stop_ends_failures_and_idle_connections_alike(kind: str) -> None:
    before = set(threading.enumerate())  # other tests' databases may serve on
    db = ModDatabase()
    populate(db, 1, 1)
    url = db.start()
    db.fault("/api/mod/", kind, seconds=1000 if kind == "slow" else 0.01)
    with requests.Session() as idle:
        idle.get(url + "/api/mods", timeout=10)
        with pytest.raises(BadAnswer if kind in ("endless", "flood") else Unreachable):
            ModDB(url, deadline=SHORT, retries=0).mod("demomod0001")
        db.stop()
    names = [thread.name for thread in set(threading.enumerate()) - before]
    assert not [name for name in names if "process_request" in name or "demo-moddb" in name]


def test_it_can_be_started_again(db: ModDatabase) -> None:
    other = ModDatabase()
    for _ in range(2):
        with other.serve() as url:
            assert requests.get(url + "/api/mods", timeout=10).json() == {"statuscode": "200", "mods": []}
